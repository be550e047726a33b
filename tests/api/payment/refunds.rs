//! Refunds: never more than was paid, and each once.

use futures_util::future::join_all;

use super::*;
use crate::support::gateway::{Fault, Gateway, event, with_gateway};

async fn paid_by_card(shop: &TestShop, gateway: &Gateway) -> Buyer {
    let buyer = Buyer::new(shop, "card").await;
    buyer.pay(shop, json!({})).await.expect(201);
    let paid = gateway.confirm(&gateway.intent(), "succeeded");
    shop.card_event(&event("evt_1", "payment_intent.succeeded", &paid)).await.expect(200);
    buyer.until_order(shop, "paid").await;
    buyer
}

pub async fn refund(shop: &TestShop, buyer: &Buyer, body: Value) -> Answer {
    shop.post_as(&buyer.admin, &format!("/api/payment/{}/refund/", buyer.order), body).await
}

pub async fn hasten_refunds(shop: &TestShop) {
    sqlx::query("update refund set next_check_at = now() where next_check_at is not null")
        .execute(&shop.db)
        .await
        .unwrap();
}

pub async fn refund_is(shop: &TestShop, buyer: &Buyer, status: &str) -> Value {
    eventually(async || {
        let state = buyer.state(shop).await;
        if state["refunds"][0]["status"] == status { Ok(state) } else { Err(state.to_string()) }
    })
    .await
}

/// A vendor is shown own lines, and of what was paid for others' nothing.
#[tokio::test]
async fn vendors_are_not_told_of_others_money() {
    with_gateway(async |shop, gateway| {
        let mut buyer = Buyer::new(shop, "card").await;
        let vera = shop.user("vera", Role::Vendor).await;
        let (cup, variant) = shop.shelve(&vera, "CUP", "5.00", 10).await;
        let otto = shop.user("otto", Role::Vendor).await;
        let (dear, other) = shop.shelve(&otto, "DEAR", "777.00", 10).await;
        let code = |code: &str, product: i64| {
            json!({"code": code, "discount_type": "fixed", "discount_value": "1.00", "product_ids": [product]})
        };
        for (name, product) in [("OTTOS", dear), ("VERAS", cup)] {
            shop.post_as(&buyer.admin, "/api/discount/", code(name, product)).await.expect(201);
            for variant in [variant, other] {
                shop.put(&buyer.user, variant, 1).await.expect(201);
            }
            let body = json!({"address_id": buyer.home, "payment_method": "card", "discount_code": name});
            buyer.order = shop.post_as(&buyer.user, "/api/order/", body).await.expect(201).id();
            let path = format!("/api/order/{}/", buyer.order);
            let seen = shop.get_as(&vera, &path).await.expect(200).json;
            assert_eq!(seen["discount_code"] == "VERAS", name == "VERAS", "{seen}");
        }
        buyer.pay(shop, json!({})).await.expect(201);
        let paid = gateway.confirm(&gateway.intent(), "succeeded");
        shop.card_event(&event("evt_1", "payment_intent.succeeded", &paid)).await.expect(200);
        buyer.until_order(shop, "paid").await;
        refund(shop, &buyer, json!({"amount": "700.00"})).await.expect(201);
        let told = |order: &Value| {
            let events = order["timeline"].as_array().unwrap().iter();
            events.filter(|event| event["detail"].as_str().unwrap().contains("KES")).count()
        };
        let path = format!("/api/order/{}/", buyer.order);
        let seen = shop.get_as(&vera, &path).await.expect(200).json;
        assert_eq!((&seen["payment_status"], told(&seen)), (&json!("partially_refunded"), 0), "{seen}");
        assert!(told(&buyer.look(shop).await) >= 3);
    })
    .await;
}

#[tokio::test]
async fn money_goes_back_in_parts_and_never_more_than_was_paid() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_card(shop, gateway).await;
        let path = format!("/api/payment/{}/refund/", buyer.order);
        shop.post_as(&buyer.user, &path, json!({})).await.expect(403);
        shop.post("/api/payment/999/refund/", json!({})).await.expect(401);
        shop.post_as(&buyer.admin, "/api/payment/999/refund/", json!({})).await.expect(404);
        for amount in [json!("0.00"), json!("-1"), json!("16.21"), json!(5), json!("1.001")] {
            assert_eq!(
                refund(shop, &buyer, json!({"amount": amount})).await.expect(422).faults(),
                ["/amount"]
            );
        }
        let part = refund(shop, &buyer, json!({"amount": "5.00"})).await.expect(201);
        for (name, value) in [
            ("order_id", json!(buyer.order)),
            ("amount", json!("5.00")),
            ("currency", json!("KES")),
            ("status", json!("succeeded")),
            ("payment_status", json!("partially_refunded")),
        ] {
            assert_eq!(part.json[name], value, "{name}");
        }
        refund(shop, &buyer, json!({"amount": "11.21"})).await.expect(422);
        let send = async |body: Value| {
            let request = shop.request(Method::POST, &path).bearer_auth(&buyer.admin.access);
            shop.send(request.header("idempotency-key", "k").json(&body)).await
        };
        let first = send(json!({"amount": "1.20"})).await.expect(201);
        let again = send(json!({"amount": "1.20"})).await.expect(201);
        assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, "true"));
        send(json!({"amount": "1.30"})).await.expect(422);
        let rest = refund(shop, &buyer, json!({})).await.expect(201).json;
        assert_eq!((&rest["amount"], &rest["payment_status"]), (&json!("10.00"), &json!("refunded")));
        refund(shop, &buyer, json!({})).await.expect(409);
        refund(shop, &buyer, json!({"amount": "0.01"})).await.expect(409);
        assert_eq!((ledger(shop).await, gateway.holds(), gateway.calls("refund")), ((1, 3, 0), 0, 3));
        assert_eq!(buyer.state(shop).await["refunds"].as_array().unwrap().len(), 3);
        let told = shop.get_as(&buyer.admin, "/api/admin/audit/?entity=refund").await.expect(200).json;
        assert_eq!(told["count"], 3, "{told}");
        let line = &told["results"][2];
        assert_eq!(
            (&line["action"], &line["actor"]["id"]),
            (&json!("refund.create"), &json!(buyer.admin.id))
        );
        assert_eq!(
            (&line["after"]["amount"], &line["after"]["order_id"]),
            (&json!("5.00"), &json!(buyer.order))
        );
        let unpaid = buyer.another(shop, "card").await;
        // A key is the route's: with another order it is another request.
        let other = shop
            .request(Method::POST, &format!("/api/payment/{unpaid}/refund/"))
            .bearer_auth(&buyer.admin.access);
        let reused = shop
            .send(other.header("idempotency-key", "k").json(&json!({"amount": "1.20"})))
            .await
            .expect(422);
        assert_eq!(reused.json["type"], "/problems/idempotency-key-reused");
        shop.post_as(&buyer.admin, &format!("/api/payment/{unpaid}/refund/"), json!({})).await.expect(409);
    })
    .await;
}

#[tokio::test]
async fn administrators_at_once_send_back_no_more_than_there_is() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_card(shop, gateway).await;
        let answers = join_all((0..12).map(|_| refund(shop, &buyer, json!({"amount": "5.00"})))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!((made, answers.iter().filter(|answer| answer.status == 422).count()), (3, 9));
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 3, 120), 120));
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_is_not_answered_goes_out_once() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_card(shop, gateway).await;
        gateway.fault("refund", Fault::CutAfter);
        let made = refund(shop, &buyer, json!({})).await.expect(201).json;
        assert_eq!((&made["status"], &made["payment_status"]), (&json!("unknown"), &json!("paid")));
        refund(shop, &buyer, json!({"amount": "1.00"})).await.expect(409);
        hasten_refunds(shop).await;
        buyer.until_order(shop, "refunded").await;
        assert_eq!((gateway.calls("refund"), gateway.made("refunds"), gateway.holds()), (2, 1, 0));
        assert_eq!(ledger(shop).await, (1, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_refund_whose_process_died_is_answered_as_it_stands() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_card(shop, gateway).await;
        let send = async || {
            let path = format!("/api/payment/{}/refund/", buyer.order);
            let request = shop.request(Method::POST, &path).bearer_auth(&buyer.admin.access);
            shop.send(request.header("idempotency-key", "k").json(&json!({"amount": "5.00"}))).await
        };
        let first = send().await.expect(201);
        let forget =
            "update idempotency_key set response_status = null, response_body = null, finished_at = null";
        sqlx::query(forget).execute(&shop.db).await.unwrap();
        let again = send().await.expect(201);
        assert_eq!((&again.json, again.header("idempotency-replayed")), (&first.json, "true"));
        assert_eq!((gateway.made("refunds"), ledger(shop).await), (1, (1, 1, 1120)));
        // One that may be on its way to the gateway has no answer yet.
        sqlx::query(forget).execute(&shop.db).await.unwrap();
        let is_sent = "update refund set status = 'processing', gateway_refund_id = null, finished_at = null, sent_at = now() - $1::interval";
        sqlx::query(is_sent).bind("5 seconds").execute(&shop.db).await.unwrap();
        assert_eq!(send().await.expect(409).json["type"], "/problems/idempotency-key-in-use");
        sqlx::query(is_sent).bind("31 seconds").execute(&shop.db).await.unwrap();
        assert_eq!(send().await.expect(201).json["status"], "processing");
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_is_refused_leaves_the_money_and_a_note() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_card(shop, gateway).await;
        gateway.fault("refund", Fault::Answer(400, json!({"error": {"message": "Insufficient funds."}})));
        let made = refund(shop, &buyer, json!({})).await.expect(201).json;
        assert_eq!((&made["status"], &made["payment_status"]), (&json!("failed"), &json!("paid")));
        assert!(attention(shop).await.unwrap().contains("Insufficient funds."));
        assert_eq!(refund(shop, &buyer, json!({})).await.expect(201).json["status"], "succeeded");
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 1, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_takes_its_time_is_followed() {
    with_gateway(async |shop, gateway| {
        let buyer = paid_by_card(shop, gateway).await;
        let pending = json!({"id": "re_late", "object": "refund", "status": "pending", "amount": 1620, "payment_intent": "pi_0001"});
        gateway.ledger().refunds.insert("re_late".into(), pending.clone());
        gateway.fault("refund", Fault::Answer(200, pending));
        assert_eq!(refund(shop, &buyer, json!({})).await.expect(201).json["status"], "processing");
        let intent = gateway.intent();
        gateway.ledger().refunds.get_mut("re_late").unwrap()["status"] = json!("succeeded");
        // The event only says that there is something to look at.
        let charge = json!({"id": "ch_1", "payment_intent": intent["id"], "amount_refunded": 1620, "currency": "kes"});
        shop.card_event(&event("evt_2", "charge.refunded", &charge)).await.expect(200);
        buyer.until_order(shop, "refunded").await;
        assert_eq!((ledger(shop).await, gateway.calls("look at refund"), attention(shop).await), ((1, 1, 0), 1, None));
        let more = json!({"id": "ch_1", "payment_intent": intent["id"], "amount_refunded": 1621, "currency": "kes"});
        shop.card_event(&event("evt_3", "charge.refunded", &more)).await.expect(200);
        digested(shop).await;
        assert!(attention(shop).await.is_some());
    })
    .await;
}
