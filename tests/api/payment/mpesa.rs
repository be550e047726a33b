//! M-Pesa, from the push to the money.

use super::*;
use crate::support::gateway::{callback, with_gateway};

const PHONE: &str = "0712 345 678";

#[tokio::test]
async fn a_phone_pays_an_order() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        let made = buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201).json;
        let push = gateway.push();
        for (name, value) in [
            ("payment_method", json!("mpesa")),
            ("amount", json!("17.00")),
            ("phone_number", json!("254712345678")),
            ("checkout_request_id", json!(push.checkout)),
            ("transaction_id", Value::Null),
            ("client_secret", Value::Null),
            ("payment_status", json!("processing")),
        ] {
            assert_eq!(made[name], value, "{name}");
        }
        let said = made["result_description"].as_str().unwrap();
        assert!(said.contains("16.20") && said.contains("17.00"), "the buyer sees what is rounded: {said}");
        let sent = &push.sent;
        let order = buyer.look(shop).await;
        for (name, value) in [
            ("BusinessShortCode", json!("174379")),
            ("TransactionType", json!("CustomerPayBillOnline")),
            ("Amount", json!("17")),
            ("PartyA", json!("254712345678")),
            ("PartyB", json!("174379")),
            ("PhoneNumber", json!("254712345678")),
            ("AccountReference", order["order_number"].clone()),
        ] {
            assert_eq!(sent[name], value, "{name}");
        }
        assert!(sent["TransactionDesc"].as_str().unwrap().len() <= 13);
        let stamp = sent["Timestamp"].as_str().unwrap();
        assert!(stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit()), "{stamp}");
        use base64::Engine;
        let password = base64::prelude::BASE64_STANDARD.encode(format!("174379passkey{stamp}"));
        assert_eq!(sent["Password"], password);

        gateway.answer(&push, "0");
        shop.mpesa_callback(&sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        let state = buyer.until(shop, "succeeded").await;
        assert_eq!(state["payment_status"], "paid");
        assert_eq!(state["payment"]["transaction_id"], "RwsCO0002");
        assert_eq!(state["payment"]["result_code"], "0");
        assert_eq!(events(&buyer.look(shop).await), ["placed", "paid", "confirmed"]);
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 0, 1700), 1700));
        assert_eq!((gateway.calls("push"), gateway.calls("token")), (1, 1), "the token is kept");
    })
    .await;
}

#[tokio::test]
async fn an_order_in_another_currency_is_not_asked_for_in_shillings() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        sqlx::query("update orders set currency = 'USD'").execute(&shop.db).await.unwrap();
        let refused = buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(409);
        assert_eq!(refused.json["type"], "/problems/payment-method-unavailable");
        assert_eq!(gateway.made("pushes"), 0);
    })
    .await;
}

#[tokio::test]
async fn whoever_leaves_leaves_no_phone() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201);
        let push = gateway.push();
        gateway.answer(&push, "0");
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        buyer.until(shop, "succeeded").await;
        digested(shop).await;
        let known = async || -> bool {
            sqlx::query_scalar(
                "select exists (select from payment where phone_number like '%712345678')
                     or exists (select from payment_inbox where encode(body, 'escape') like '%712345678%')",
            )
            .fetch_one(&shop.db)
            .await
            .unwrap()
        };
        assert!(known().await);
        shop.delete_as(&buyer.admin, &format!("/api/users/{}/", buyer.user.id)).await.expect(204);
        assert!(!known().await);
        assert_eq!(ledger(shop).await, (1, 0, 1700), "what was paid stays");
    })
    .await;
}

#[tokio::test]
async fn what_the_phone_says_is_read_for_people() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        for (code, status, words) in [
            (1, "failed", "enough money"),
            (1032, "cancelled", "Cancelled"),
            (1037, "failed", "reached"),
            (2001, "failed", "PIN"),
            (1019, "failed", "expired"),
            (17, "failed", "same payment"),
            (31415, "failed", "The gateway's words."),
        ] {
            buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201);
            let push = gateway.push();
            gateway.answer(&push, &code.to_string());
            shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, code)).await.expect(200);
            let state = buyer.until(shop, status).await;
            assert_eq!(state["payment"]["result_code"], code.to_string());
            let said = state["payment"]["result_description"].as_str().unwrap();
            assert!(said.contains(words), "{code}: {said}");
            assert_eq!(state["payment_status"], "failed");
        }
        assert_eq!((ledger(shop).await, gateway.calls("push")), ((0, 0, 0), 7));
    })
    .await;
}

/// M-Pesa never says how it ended: no second push, and the buyer is told why.
#[tokio::test]
async fn a_prompt_that_never_ends_is_asked_about_and_says_so() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201);
        let ask = async |age: &str| {
            let back = "update payment set payment_date = now() - $1::text::interval, next_check_at = now()";
            sqlx::query(back).bind(age).execute(&shop.db).await.unwrap();
            let asked = gateway.calls("query");
            eventually(
                async || if gateway.calls("query") > asked { Ok(()) } else { Err("nobody asks".to_owned()) },
            )
            .await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            buyer.state(shop).await["payment"].clone()
        };
        let soon = ask("1 minute").await;
        assert!(soon["result_description"].as_str().unwrap().contains("Enter your M-Pesa PIN"), "{soon}");
        let late = ask("4 minutes").await;
        assert_eq!(late["payment_status"], "processing");
        assert!(late["result_description"].as_str().unwrap().contains("has not said yet"), "{late}");
        buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(409);
        assert_eq!(gateway.calls("push"), 1);
        gateway.answer(&gateway.push(), "0");
        hasten(shop).await;
        assert_eq!(buyer.until(shop, "succeeded").await["payment"]["result_description"], "Paid.");
    })
    .await;
}

#[tokio::test]
async fn a_callback_is_not_believed_before_a_query_confirms_it() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201);
        let push = gateway.push();
        // The query says that nothing has ended.
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "processing");
        gateway.answer(&push, "0");
        buyer.until(shop, "succeeded").await;
        assert_eq!(ledger(shop).await, (1, 0, 1700));
    })
    .await;
}

#[tokio::test]
async fn a_lost_callback_is_found_by_asking_and_its_receipt_comes_late() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201);
        let push = gateway.push();
        hasten(shop).await;
        eventually(async || if gateway.calls("query") > 0 { Ok(()) } else { Err(String::new()) }).await;
        assert_eq!(
            buyer.state(shop).await["payment"]["payment_status"],
            "processing",
            "pending is not failed"
        );
        gateway.answer(&push, "0");
        hasten(shop).await;
        let state = buyer.until(shop, "succeeded").await;
        assert_eq!(state["payment"]["transaction_id"], Value::Null);
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        digested(shop).await;
        assert_eq!(buyer.state(shop).await["payment"]["transaction_id"], "RwsCO0002");
        assert_eq!(ledger(shop).await, (1, 0, 1700));
    })
    .await;
}

#[tokio::test]
async fn another_amount_is_flagged_and_not_accepted() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201);
        let push = gateway.push();
        gateway.answer(&push, "0");
        let mut wrong = callback(&push, 0);
        wrong["Body"]["stkCallback"]["CallbackMetadata"]["Item"][0]["Value"] = json!(16);
        shop.mpesa_callback(&push.sent["CallBackURL"], &wrong).await.expect(200);
        buyer.until(shop, "unknown").await;
        assert!(attention(shop).await.is_some_and(|why| why.contains("16.00") && why.contains("17.00")));
        // A query does not tell the amount: it is not how such a payment comes to count.
        let live = "update payment set next_check_at = now()";
        sqlx::query(live).execute(&shop.db).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "unknown");
        assert_eq!(
            (ledger(shop).await, buyer.look(shop).await["payment_status"].clone()),
            ((0, 0, 0), json!("pending"))
        );
        // What M-Pesa says next is no repetition: it differs in what it was refused for.
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        buyer.until(shop, "succeeded").await;
        assert_eq!(buyer.look(shop).await["payment_status"], "paid");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_asked_for_anew() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        let wrong =
            json!({"requestId": "1", "errorCode": "404.001.03", "errorMessage": "Invalid Access Token"});
        gateway.fault("push", crate::support::gateway::Fault::Answer(404, wrong));
        let made = buyer.pay(shop, json!({"phone_number": PHONE})).await.expect(201).json;
        assert_eq!(made["payment_status"], "processing");
        assert_eq!((gateway.calls("token"), gateway.made("pushes")), (2, 1), "a refused request is none");
    })
    .await;
}
