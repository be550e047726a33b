//! Refunds by M-Pesa: sent once, told of later or never, and believed of what was asked for.

use super::{
    refunds::{hasten_refunds, refund, refund_is},
    *,
};
use crate::support::gateway::{Fault, Gateway, callback, result, with_gateway};

async fn paid_by_phone(shop: &TestShop, gateway: &Gateway) -> Buyer {
    let buyer = Buyer::new(shop, "mpesa").await;
    buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
    let push = gateway.push();
    gateway.answer(&push, "0");
    shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
    buyer.until_order(shop, "paid").await;
    buyer
}

/// Paid by what a query says, which names no receipt.
async fn paid_without_receipt(shop: &TestShop, gateway: &Gateway) -> Buyer {
    let buyer = Buyer::new(shop, "mpesa").await;
    buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
    gateway.answer(&gateway.push(), "0");
    hasten(shop).await;
    buyer.until_order(shop, "paid").await;
    buyer
}

/// Makes the time pass in which a reversal's result could have come.
async fn wait_for_results(shop: &TestShop) {
    let ago = "update refund set sent_at = now() - interval '301 seconds', created_at = now() - interval '301 seconds'";
    sqlx::query(ago).execute(&shop.db).await.unwrap();
    hasten_refunds(shop).await;
}

#[tokio::test]
async fn a_reversal_waits_for_the_receipt() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_without_receipt(shop, gateway).await;
        assert_eq!(refund(shop, &buyer, json!({})).await.expect(201).json["status"], "pending");
        assert_eq!(gateway.made("reversals"), 0);
        let push = gateway.push();
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        digested(shop).await;
        hasten_refunds(shop).await;
        refund_is(shop, &buyer, "processing").await;
        assert_eq!(gateway.ledger().reversals[0]["TransactionID"], "RwsCO0002");
    })
    .await;
}

#[tokio::test]
async fn a_receipt_that_never_comes_leaves_the_refund_to_a_person() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_without_receipt(shop, gateway).await;
        // The money of an order that is cancelled goes back by itself, as far as it can.
        shop.post_as(&buyer.admin, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
            .await
            .expect(200);
        refund_is(shop, &buyer, "pending").await;
        wait_for_results(shop).await;
        refund_is(shop, &buyer, "manual").await;
        assert_eq!(gateway.made("reversals"), 0);
        let told = attention(shop).await.unwrap();
        assert!(told.contains("receipt"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn m_pesa_sends_back_whole_shillings_and_says_so_later() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_phone(shop, gateway).await;
        assert_eq!(refund(shop, &buyer, json!({"amount": "1.50"})).await.expect(422).faults(), ["/amount"]);
        let made = refund(shop, &buyer, json!({"amount": "7.00"})).await.expect(201).json;
        assert_eq!((&made["status"], &made["payment_status"]), (&json!("processing"), &json!("paid")));
        let sent = gateway.ledger().reversals[0].clone();
        for (name, value) in [
            ("Initiator", "initiator"),
            ("SecurityCredential", "credential"),
            ("CommandID", "TransactionReversal"),
            ("TransactionID", "RwsCO0002"),
            ("Amount", "7"),
            ("ReceiverParty", "174379"),
            ("RecieverIdentifierType", "11"),
        ] {
            assert_eq!(sent[name], value, "{name}");
        }
        let attempt = gateway.push().sent["CallBackURL"].clone();
        shop.mpesa_callback(&attempt, &result(&sent, 0)).await.expect(422);
        assert_eq!(buyer.state(shop).await["refunds"][0]["status"], "processing");
        for _ in 0..2 {
            let taken = shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 0)).await.expect(200);
            assert_eq!(taken.json, json!({"ResultCode": 0, "ResultDesc": "Accepted"}));
        }
        buyer.until_order(shop, "partially_refunded").await;
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 1, 1000), 1000));
        // One that fails leaves the money where it is, and one that was told to have failed may have gone out.
        refund(shop, &buyer, json!({})).await.expect(201);
        let sent = gateway.ledger().reversals[1].clone();
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 21)).await.expect(200);
        eventually(async || attention(shop).await.ok_or_else(String::new)).await;
        assert_eq!(ledger(shop).await, (1, 1, 1000));
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 0)).await.expect(200);
        buyer.until_order(shop, "refunded").await;
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 2, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn a_reversal_that_is_not_answered_is_never_sent_again() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_phone(shop, gateway).await;
        gateway.fault("reversal", Fault::CutAfter);
        assert_eq!(refund(shop, &buyer, json!({})).await.expect(201).json["status"], "unknown");
        for _ in 0..2 {
            hasten_refunds(shop).await;
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        assert_eq!((gateway.calls("reversal"), ledger(shop).await), (1, (1, 0, 1700)));
        // Nobody tells for five minutes: a person must look.
        wait_for_results(shop).await;
        refund_is(shop, &buyer, "manual").await;
        assert!(attention(shop).await.is_some());
        let sent = gateway.ledger().reversals[0].clone();
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 0)).await.expect(200);
        buyer.until_order(shop, "refunded").await;
        assert_eq!((gateway.calls("reversal"), ledger(shop).await, gateway.holds()), (1, (1, 1, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn a_reversal_that_could_not_be_sent_is_sent_later() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_phone(shop, gateway).await;
        // The token that was kept does not hold any more, and nobody gives a new one.
        let wrong =
            json!({"requestId": "1", "errorCode": "404.001.03", "errorMessage": "Invalid Access Token"});
        gateway.fault("reversal", Fault::Answer(404, wrong));
        gateway.fault("token", Fault::Answer(503, Value::Null));
        assert_eq!(refund(shop, &buyer, json!({})).await.expect(201).json["status"], "pending");
        assert_eq!(gateway.made("reversals"), 0);
        hasten_refunds(shop).await;
        refund_is(shop, &buyer, "processing").await;
        assert_eq!(gateway.made("reversals"), 1);
    })
    .await;
}

/// A result is believed when it names what was asked for: both names, the amount and the receipt.
#[tokio::test]
async fn a_result_of_something_else_changes_nothing() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_phone(shop, gateway).await;
        refund(shop, &buyer, json!({"amount": "7.00"})).await.expect(201);
        let sent = gateway.ledger().reversals[0].clone();
        let before = all(shop).await;
        let altered = |field: &str, value: Value| {
            let mut other = sent.clone();
            other[field] = value;
            result(&other, 0)
        };
        let mut silent = result(&sent, 0);
        silent["Result"]["ResultParameters"] = Value::Null;
        for forged in [
            altered("ConversationID", json!("AG_other")),
            altered("ConversationID", Value::Null),
            altered("OriginatorConversationID", json!("o-other")),
            altered("OriginatorConversationID", Value::Null),
            altered("Amount", json!("6")),
            altered("Amount", json!("17")),
            altered("TransactionID", json!("ANOTHER")),
            silent,
        ] {
            shop.mpesa_callback(&sent["ResultURL"], &forged).await.expect(422);
        }
        assert_eq!(all(shop).await, before);
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 0)).await.expect(200);
        buyer.until_order(shop, "partially_refunded").await;
    })
    .await;
}

/// The request was never answered, so that nobody knows its names: as much of the same receipt is believed, and nothing
/// else is.
#[tokio::test]
async fn a_result_whose_request_was_not_answered_must_prove_itself() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_phone(shop, gateway).await;
        gateway.fault("reversal", Fault::CutAfter);
        assert_eq!(
            refund(shop, &buyer, json!({"amount": "7.00"})).await.expect(201).json["status"],
            "unknown"
        );
        let sent = gateway.ledger().reversals[0].clone();
        let mut other = sent.clone();
        other["Amount"] = json!("17");
        shop.mpesa_callback(&sent["ResultURL"], &result(&other, 0)).await.expect(422);
        // That it failed anybody could say: the money stays kept for it, and a person looks.
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 21)).await.expect(200);
        refund_is(shop, &buyer, "manual").await;
        assert!(attention(shop).await.unwrap().contains("look there"));
        refund(shop, &buyer, json!({"amount": "17.00"})).await.expect(422);
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, 0)).await.expect(200);
        buyer.until_order(shop, "partially_refunded").await;
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 1, 1000), 1000));
    })
    .await;
}

#[tokio::test]
async fn what_had_been_reversed_before_has_gone_back() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_phone(shop, gateway).await;
        refund(shop, &buyer, json!({})).await.expect(201);
        let sent = gateway.ledger().reversals[0].clone();
        shop.mpesa_callback(&sent["ResultURL"], &result(&sent, "R000001")).await.expect(200);
        buyer.until_order(shop, "refunded").await;
        assert_eq!((ledger(shop).await, attention(shop).await), ((1, 1, 0), None));
    })
    .await;
}

/// What no gateway tells a person finds out, and says.
#[tokio::test]
async fn a_person_says_how_a_refund_ended_that_nobody_tells_of() {
    with_gateway(async |shop, gateway| {
        let mut buyer = paid_by_phone(shop, gateway).await;
        for (said, paid, entries) in [("failed", "paid", (1, 0, 1700)), ("succeeded", "refunded", (1, 1, 0))]
        {
            let made = refund(shop, &buyer, json!({})).await.expect(201).json;
            let path = format!("/api/payment/{}/refund/{}/", buyer.order, made["id"]);
            let close = async |user: &User, path: &str, body: Value| shop.patch_as(user, path, body).await;
            let early = close(&buyer.admin, &path, json!({"status": said})).await.expect(409);
            assert_eq!(early.json["type"], "/problems/wrong-state");
            wait_for_results(shop).await;
            eventually(async || {
                let status: String = sqlx::query_scalar("select status from refund order by id desc limit 1")
                    .fetch_one(&shop.db)
                    .await
                    .unwrap();
                if status == "manual" { Ok(()) } else { Err(status) }
            })
            .await;
            let seen =
                shop.get_as(&buyer.admin, &format!("/api/payment/{}/status/", buyer.order)).await.expect(200);
            let why = seen.json["attention"][0]["reason"].as_str().unwrap();
            assert!(why.contains("whether the money went back"), "{why}");
            close(&buyer.user, &path, json!({"status": said})).await.expect(403);
            assert_eq!(
                close(&buyer.admin, &path, json!({"status": "manual"})).await.expect(422).faults(),
                ["/status"]
            );
            let elsewhere = path.replace(&format!("/{}/refund", buyer.order), "/999/refund");
            close(&buyer.admin, &elsewhere, json!({"status": said})).await.expect(404);
            let closed = close(&buyer.admin, &path, json!({"status": said})).await.expect(200).json;
            assert_eq!((&closed["status"], &closed["payment_status"]), (&json!(said), &json!(paid)));
            assert_eq!(ledger(shop).await, entries);
            close(&buyer.admin, &path, json!({"status": said})).await.expect(409);
        }
        assert_eq!(attention(shop).await, None, "all of it has gone back");
        let told = shop.get_as(&buyer.admin, "/api/admin/audit/?entity=refund").await.expect(200).json;
        let line = &told["results"][0];
        assert_eq!(
            (&line["action"], &line["after"]["status"]),
            (&json!("refund.update"), &json!("succeeded")),
            "{told}"
        );
        buyer.order = buyer.another(shop, "card").await;
    })
    .await;
}
