//! Cards, from the first request to the money.

use super::*;
use crate::support::{
    gateway::{event, with_gateway},
    with_shop,
};

#[tokio::test]
async fn a_card_pays_an_order() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        let intent = gateway.intent();
        for (name, value) in [
            ("order_id", json!(buyer.order)),
            ("payment_method", json!("card")),
            ("transaction_id", intent["id"].clone()),
            ("amount", json!("16.20")),
            ("currency", json!("KES")),
            ("phone_number", Value::Null),
            ("checkout_request_id", Value::Null),
            ("result_code", Value::Null),
            ("payment_status", json!("processing")),
            ("client_secret", intent["client_secret"].clone()),
            ("paid_at", Value::Null),
        ] {
            assert_eq!(made[name], value, "{name}");
        }
        assert!(made["payment_date"].is_string());
        assert_eq!((&intent["amount"], &intent["currency"]), (&json!(1620), &json!("kes")));
        let order = buyer.look(shop).await;
        assert_eq!((&order["status"], &order["payment_status"]), (&json!("pending"), &json!("pending")));
        let second = buyer.pay(shop, json!({})).await.expect(409);
        assert_eq!(second.json["type"], "/problems/payment-in-progress");

        let paid = gateway.confirm(&intent, "succeeded");
        shop.card_event(&event("evt_1", "payment_intent.succeeded", &paid)).await.expect(200);
        let state = buyer.until(shop, "succeeded").await;
        assert_eq!(state["payment_status"], "paid");
        assert_eq!(state["payment"]["client_secret"], Value::Null, "it ends with the attempt");
        assert!(state["payment"]["paid_at"].is_string());
        let order = buyer.look(shop).await;
        assert_eq!((&order["status"], &order["expires_at"]), (&json!("confirmed"), &Value::Null));
        assert_eq!(events(&order), ["placed", "paid", "confirmed"]);
        assert_eq!(ledger(shop).await, (1, 0, 1620));
        assert_eq!((gateway.calls("create"), gateway.holds()), (1, 1620));
        let again = buyer.pay(shop, json!({})).await.expect(409);
        assert_eq!(again.json["detail"], "The order has been paid already.");
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_can_be_followed_by_another() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        let first = gateway.confirm(&gateway.intent(), "requires_payment_method");
        shop.card_event(&event("evt_1", "payment_intent.payment_failed", &first)).await.expect(200);
        let state = buyer.until(shop, "failed").await;
        assert_eq!(state["payment_status"], "failed");
        assert_eq!(state["payment"]["result_code"], "generic_decline");
        assert_eq!(state["payment"]["result_description"], "Your card was declined.");
        buyer.pay(shop, json!({})).await.expect(201);
        assert_eq!(buyer.look(shop).await["payment_status"], "pending");
        let second = gateway.confirm(&gateway.intent(), "succeeded");
        assert_ne!(first["id"], second["id"]);
        shop.card_event(&event("evt_2", "payment_intent.succeeded", &second)).await.expect(200);
        buyer.until(shop, "succeeded").await;
        assert_eq!(events(&buyer.look(shop).await), ["placed", "payment_failed", "paid", "confirmed"]);
        // The first one is paid after all: that is once too often.
        let late = gateway.confirm(&first, "succeeded");
        shop.card_event(&event("evt_3", "payment_intent.succeeded", &late)).await.expect(200);
        eventually(async || {
            let now = ledger(shop).await;
            if now == (2, 1, 1620) { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        assert_eq!(gateway.holds(), 1620);
        let order = buyer.look(shop).await;
        assert_eq!((&order["status"], &order["payment_status"]), (&json!("confirmed"), &json!("paid")));
        assert!(events(&order).ends_with(&["paid_again", "refund_requested", "surplus_refunded"]), "{order}");
    })
    .await;
}

#[tokio::test]
async fn a_lost_event_is_found_by_asking() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        gateway.confirm(&gateway.intent(), "succeeded");
        let wait: f64 =
            sqlx::query_scalar("select extract(epoch from next_check_at - now())::float8 from payment")
                .fetch_one(&shop.db)
                .await
                .unwrap();
        assert!(wait > 0.0 && wait < 60.0, "{wait}");
        hasten(shop).await;
        buyer.until(shop, "succeeded").await;
        assert_eq!(ledger(shop).await, (1, 0, 1620));
        let checks: (i32, bool) = sqlx::query_as("select checks, next_check_at is null from payment")
            .fetch_one(&shop.db)
            .await
            .unwrap();
        assert_eq!(checks, (1, true), "nobody asks about what has ended");
    })
    .await;
}

#[tokio::test]
async fn one_key_is_one_payment_with_one_answer() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        let body = json!({"order_id": buyer.order});
        let send = async |body: &Value| {
            let request = shop.request(Method::POST, "/api/payment/initiate/").bearer_auth(&buyer.user.access);
            shop.send(request.header("idempotency-key", "k").json(body)).await
        };
        let first = send(&body).await.expect(201);
        gateway.confirm(&gateway.intent(), "succeeded");
        hasten(shop).await;
        buyer.until(shop, "succeeded").await;
        let again = send(&body).await.expect(201);
        assert_eq!((again.text, again.headers["idempotency-replayed"].to_str().unwrap()), (first.text, "true"));
        let other = send(&json!({"order_id": buyer.order, "payment_method": "card"})).await.expect(422);
        assert_eq!(other.json["type"], "/problems/idempotency-key-reused");
        assert_eq!(gateway.calls("create"), 1);

        // The process that took the first request has died over it, after the gateway was asked.
        let order = buyer.another(shop, "card").await;
        let body = json!({"order_id": order});
        let send = async || {
            let request = shop.request(Method::POST, "/api/payment/initiate/").bearer_auth(&buyer.user.access);
            shop.send(request.header("idempotency-key", "l").json(&body)).await
        };
        let first = send().await.expect(201);
        let forget = "update idempotency_key set response_status = null, response_body = null, finished_at = null where key = 'l'";
        sqlx::query(forget).execute(&shop.db).await.unwrap();
        sqlx::query("update payment set payment_status = 'pending' where order_id = $1").bind(order).execute(&shop.db).await.unwrap();
        assert_eq!(send().await.expect(409).json["type"], "/problems/idempotency-key-in-use");
        hasten(shop).await;
        let again = eventually(async || match send().await {
            answer if answer.status == 201 => Ok(answer),
            answer => Err(answer.text),
        })
        .await;
        assert_eq!(again.json["transaction_id"], first.json["transaction_id"]);
        assert_eq!(again.json["client_secret"], first.json["client_secret"]);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(send().await.expect(201).text, again.text);
        assert_eq!(gateway.made("intents"), 2);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_paid_is_refused_before_anybody_is_asked() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        let eve = shop.user("eve", Role::Customer).await;
        let body = json!({"order_id": buyer.order});
        for other in [&eve, &buyer.admin] {
            shop.post_as(other, "/api/payment/initiate/", body.clone()).await.expect(404);
        }
        shop.get_as(&eve, &format!("/api/payment/{}/status/", buyer.order)).await.expect(404);
        let seen =
            shop.get_as(&buyer.admin, &format!("/api/payment/{}/status/", buyer.order)).await.expect(200);
        assert_eq!(
            seen.json,
            json!({"order_id": buyer.order, "payment_status": "pending", "payment": null, "refunds": [], "attention": []})
        );
        shop.post("/api/payment/initiate/", body).await.expect(401);
        for (body, pointer) in [
            (json!({"payment_method": "cash_on_delivery"}), "/payment_method"),
            (json!({"payment_method": "cheque"}), "/payment_method"),
            (json!({"payment_method": "mpesa"}), "/phone_number"),
            (json!({"payment_method": "mpesa", "phone_number": "0812345678"}), "/phone_number"),
            (json!({"phone_number": "0712345678"}), "/phone_number"),
            (json!({"amount": "1.00"}), "/amount"),
            (json!({"order_id": "1"}), "/order_id"),
        ] {
            assert_eq!(buyer.pay(shop, body).await.expect(422).faults(), [pointer]);
        }
        let cash = buyer.another(shop, "cash_on_delivery").await;
        let refused =
            shop.post_as(&buyer.user, "/api/payment/initiate/", json!({"order_id": cash})).await.expect(409);
        assert_eq!(refused.json["type"], "/problems/wrong-state");
        sqlx::query("update orders set expires_at = now() + interval '1 hour'")
            .execute(&shop.db)
            .await
            .unwrap();
        shop.post_as(&buyer.user, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
            .await
            .expect(200);
        let refused = buyer.pay(shop, json!({})).await.expect(409);
        assert_eq!(refused.json["detail"], "The order has been cancelled.");
        assert_eq!(gateway.ledger().calls, [""; 0]);
        // What is to be paid on delivery may be paid now.
        let now = json!({"order_id": cash, "payment_method": "card"});
        shop.post_as(&buyer.user, "/api/payment/initiate/", now).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn what_is_paid_beside_cash_is_told_to_a_person() {
    with_gateway(async |shop, gateway| {
        let mut buyer = Buyer::new(shop, "card").await;
        buyer.order = buyer.another(shop, "cash_on_delivery").await;
        buyer.pay(shop, json!({"payment_method": "card"})).await.expect(201);
        let intent = gateway.confirm(&gateway.intent(), "succeeded");
        let parcel = format!("/api/shipments/{}/", buyer.order);
        shop.post_as(&buyer.admin, &parcel, json!({"status": "delivered"})).await.expect(201);
        assert_eq!(buyer.look(shop).await["payment_status"], "paid");
        shop.card_event(&event("evt_1", "payment_intent.succeeded", &intent)).await.expect(200);
        buyer.until(shop, "succeeded").await;
        assert!(attention(shop).await.unwrap().contains("in cash"));
        // What is sent back is not what the order was paid with.
        super::refunds::refund(shop, &buyer, json!({})).await.expect(201);
        let order = buyer.look(shop).await;
        assert_eq!(order["payment_status"], "paid", "{order}");
        assert_eq!(order["timeline"].as_array().unwrap().last().unwrap()["event"], "surplus_refunded");
        assert_eq!(attention(shop).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_method_that_is_not_set_up_is_not_offered() {
    with_shop(async |shop| {
        let buyer = Buyer::new(shop, "card").await;
        for body in [json!({}), json!({"payment_method": "mpesa", "phone_number": "0712345678"})] {
            let refused = buyer.pay(shop, body).await.expect(409);
            assert_eq!(refused.json["type"], "/problems/payment-method-unavailable");
        }
        shop.card_event("{}").await.expect(404);
    })
    .await;
}
