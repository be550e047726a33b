//! Older attempts whose intents could still be paid: no buyer pays twice.

use std::time::Instant;

use super::*;
use crate::support::gateway::{Fault, Gateway, event, with_gateway};

/// A buyer whose card was declined: the intent could be paid still.
async fn declined(shop: &TestShop, gateway: &Gateway) -> (Buyer, Value) {
    let buyer = Buyer::new(shop, "card").await;
    buyer.pay(shop, json!({})).await.expect(201);
    let first = gateway.confirm(&gateway.intent(), "requires_payment_method");
    shop.card_event(&event("evt_1", "payment_intent.payment_failed", &first)).await.expect(200);
    buyer.until(shop, "failed").await;
    (buyer, first)
}

/// What the gateway has of an intent.
fn status_of(gateway: &Gateway, intent: &Value) -> String {
    gateway.ledger().intents[intent["id"].as_str().unwrap()]["status"].as_str().unwrap().to_owned()
}

async fn until_canceled(gateway: &Gateway, intent: &Value) {
    let begun = Instant::now();
    eventually(async || match status_of(gateway, intent) {
        status if status == "canceled" => Ok(()),
        status => Err(status),
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_older_intent_is_withdrawn_before_a_new_one_is_made() {
    with_gateway(async |shop, gateway| {
        let (mut buyer, mut first) = declined(shop, gateway).await;
        for body in [json!({}), json!({"payment_method": "mpesa", "phone_number": "0712345678"})] {
            let made = buyer.pay(shop, body.clone()).await.expect(201).json;
            assert_eq!(made["payment_status"], "processing");
            assert_eq!(status_of(gateway, &first), "canceled");
            let calls = gateway.ledger().calls.clone();
            let begins = if body == json!({}) { "create" } else { "push" };
            let last = |name: &str| calls.iter().rposition(|call| call == name).unwrap();
            assert!(last("cancel") < last(begins), "{calls:?}");
            buyer.order = buyer.another(shop, "card").await;
            buyer.pay(shop, json!({})).await.expect(201);
            first = gateway.confirm(&gateway.intent(), "requires_payment_method");
            shop.card_event(&event(&format!("evt_{begins}"), "payment_intent.payment_failed", &first))
                .await
                .expect(200);
            buyer.until(shop, "failed").await;
        }
    })
    .await;
}

/// The event of the first one was lost: the buyer has paid, and is not asked again.
#[tokio::test]
async fn an_older_intent_that_was_paid_wins() {
    with_gateway(async |shop, gateway| {
        let (buyer, first) = declined(shop, gateway).await;
        gateway.confirm(&first, "succeeded");
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        assert_eq!(
            (&made["payment_status"], &made["result_code"]),
            (&json!("cancelled"), &json!("not-needed"))
        );
        let order = buyer.look(shop).await;
        assert_eq!((&order["status"], &order["payment_status"]), (&json!("confirmed"), &json!("paid")));
        assert_eq!((gateway.made("intents"), gateway.holds(), ledger(shop).await), (1, 1620, (1, 0, 1620)));
        buyer.pay(shop, json!({})).await.expect(409);
    })
    .await;
}

/// The gateway does not answer: the buyer may go on, and the worker withdraws the first one later.
#[tokio::test]
async fn what_could_not_be_withdrawn_is_withdrawn_later() {
    with_gateway(async |shop, gateway| {
        let (buyer, first) = declined(shop, gateway).await;
        gateway.fault("cancel", Fault::Cut);
        gateway.fault("look", Fault::Cut);
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        assert_eq!(made["payment_status"], "processing");
        assert_eq!(status_of(gateway, &first), "requires_payment_method");
        hasten(shop).await;
        until_canceled(gateway, &first).await;
        assert_eq!(
            buyer.state(shop).await["payment"]["payment_status"],
            "processing",
            "the newer one is not touched"
        );
        assert_eq!(gateway.intent()["status"], "requires_payment_method");
    })
    .await;
}

/// It was paid in between: that is once too often, and goes back.
#[tokio::test]
async fn one_that_is_paid_before_it_can_be_withdrawn_is_a_surplus() {
    with_gateway(async |shop, gateway| {
        let (buyer, first) = declined(shop, gateway).await;
        gateway.fault("cancel", Fault::Cut);
        gateway.fault("look", Fault::Cut);
        buyer.pay(shop, json!({})).await.expect(201);
        let second = gateway.confirm(&gateway.intent(), "succeeded");
        shop.card_event(&event("evt_2", "payment_intent.succeeded", &second)).await.expect(200);
        gateway.confirm(&first, "succeeded");
        buyer.until_order(shop, "paid").await;
        hasten(shop).await;
        eventually(async || match ledger(shop).await {
            (2, 1, 1620) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        assert_eq!(
            (gateway.holds(), buyer.look(shop).await["payment_status"].clone()),
            (1620, json!("paid"))
        );
    })
    .await;
}

/// Nobody waits for the buyer's next step: what nobody wants any more is withdrawn within seconds.
#[tokio::test]
async fn what_nobody_wants_any_more_is_withdrawn_at_once() {
    with_gateway(async |shop, gateway| {
        // Declined, and then the order was cancelled.
        let (buyer, first) = declined(shop, gateway).await;
        shop.post_as(&buyer.user, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
            .await
            .expect(200);
        until_canceled(gateway, &first).await;
        // Live, and the order was paid by the older one, which could not be withdrawn.
        let buyer = Buyer { order: buyer.another(shop, "card").await, ..buyer };
        buyer.pay(shop, json!({})).await.expect(201);
        let old = gateway.confirm(&gateway.intent(), "requires_payment_method");
        shop.card_event(&event("evt_2", "payment_intent.payment_failed", &old)).await.expect(200);
        buyer.until(shop, "failed").await;
        gateway.fault("cancel", Fault::Cut);
        gateway.fault("look", Fault::Cut);
        buyer.pay(shop, json!({})).await.expect(201);
        let new = gateway.intent();
        let paid = gateway.confirm(&old, "succeeded");
        shop.card_event(&event("evt_3", "payment_intent.succeeded", &paid)).await.expect(200);
        buyer.until_order(shop, "paid").await;
        until_canceled(gateway, &new).await;
        assert_eq!((ledger(shop).await, gateway.holds()), ((1, 0, 1620), 1620));
        buyer.until(shop, "cancelled").await;
    })
    .await;
}
