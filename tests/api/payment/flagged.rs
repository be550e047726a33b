//! Money that comes in otherwise than it was asked for: it pays nothing, administrators see it, and it goes back.

use super::*;
use crate::support::{
    bank::with_bank,
    gateway::{Fault, Gateway, event, with_gateway},
};

/// The only intent is paid with so much, in that currency, and the gateway tells it.
async fn paid_strangely(shop: &TestShop, gateway: &Gateway, id: &str, minor: i64, currency: &str) {
    let mut intent = gateway.confirm(&gateway.intent(), "succeeded");
    intent["amount_received"] = json!(minor);
    intent["currency"] = json!(currency);
    gateway.ledger().intents.insert(intent["id"].as_str().unwrap().to_owned(), intent.clone());
    shop.card_event(&event(id, "payment_intent.succeeded", &intent)).await.expect(200);
}

async fn seen_by(shop: &TestShop, user: &User, order: i64) -> Value {
    shop.get_as(user, &format!("/api/payment/{order}/status/")).await.expect(200).json
}

async fn refunds_are(shop: &TestShop, buyer: &Buyer, statuses: &[&str]) -> Value {
    eventually(async || {
        let state = buyer.state(shop).await;
        let are: Vec<&str> = state["refunds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|refund| refund["status"].as_str().unwrap())
            .collect();
        if are == statuses { Ok(state.clone()) } else { Err(state.to_string()) }
    })
    .await
}

#[tokio::test]
async fn another_amount_goes_back_by_itself_when_the_order_is_cancelled() {
    for (minor, currency, amount, code) in [(1619, "kes", "16.19", "KES"), (1620, "usd", "16.20", "USD")] {
        with_gateway(async |shop, gateway| {
            let buyer = Buyer::new(shop, "card").await;
            buyer.pay(shop, json!({})).await.expect(201);
            paid_strangely(shop, gateway, "evt_1", minor, currency).await;
            buyer.until(shop, "unknown").await;
            let seen = seen_by(shop, &buyer.admin, buyer.order).await;
            let flagged = &seen["attention"][0];
            assert_eq!(
                (&flagged["received_amount"], &flagged["received_currency"], &flagged["refundable_amount"]),
                (&json!(amount), &json!(code), &json!(amount)),
                "{seen}"
            );
            assert!(flagged["reason"].as_str().unwrap().contains(amount), "{seen}");
            assert_eq!(buyer.state(shop).await.get("attention"), None, "that is the shop's affair");
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(
                (gateway.made("refunds"), ledger(shop).await),
                (0, (0, 0, 0)),
                "the order still waits"
            );

            shop.post_as(&buyer.user, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
                .await
                .expect(200);
            let state = refunds_are(shop, &buyer, &["succeeded"]).await;
            let refund = &state["refunds"][0];
            assert_eq!((&refund["amount"], &refund["currency"]), (&json!(amount), &json!(code)));
            let sent = gateway.ledger().refunds.values().next().unwrap()["amount"].clone();
            assert_eq!((sent, gateway.holds()), (json!(minor), 0));
            assert_eq!((ledger(shop).await, attention(shop).await), ((1, 1, 0), None));
            let order = buyer.look(shop).await;
            assert_eq!(order["payment_status"], "pending", "it was never paid");
            let told = ["placed", "cancelled", "refund_requested", "wrong_amount_refunded"];
            assert_eq!(events(&order), told, "{order}");
            let currencies: Vec<String> = sqlx::query_scalar("select distinct currency from payment_ledger")
                .fetch_all(&shop.db)
                .await
                .unwrap();
            assert_eq!(currencies, [code]);
            // The gateway says it again.
            let before = buyer.state(shop).await;
            paid_strangely(shop, gateway, "evt_2", minor, currency).await;
            digested(shop).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(
                (buyer.state(shop).await, gateway.made("refunds"), attention(shop).await),
                (before, 1, None)
            );
        })
        .await;
    }
}

#[tokio::test]
async fn another_amount_for_an_expired_order_goes_back_by_itself() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        paid_strangely(shop, gateway, "evt_1", 1700, "kes").await;
        buyer.until(shop, "unknown").await;
        let due = "update orders set expires_at = now() where id = $1";
        sqlx::query(due).bind(buyer.order).execute(&shop.db).await.unwrap();
        refunds_are(shop, &buyer, &["succeeded"]).await;
        let order = buyer.look(shop).await;
        assert_eq!((&order["status"], &order["payment_status"]), (&json!("cancelled"), &json!("pending")));
        assert_eq!((gateway.holds(), ledger(shop).await), (0, (1, 1, 0)));
    })
    .await;
}

/// The order waits, and the administrator decides: the money goes back, and the buyer pays what was asked for.
#[tokio::test]
async fn an_administrator_sends_another_amount_back_and_the_order_is_paid_anew() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        paid_strangely(shop, gateway, "evt_1", 1619, "kes").await;
        buyer.until(shop, "unknown").await;
        buyer.pay(shop, json!({})).await.expect(409);
        let path = format!("/api/payment/{}/refund/", buyer.order);
        shop.post_as(&buyer.user, &path, json!({})).await.expect(403);
        let more = shop.post_as(&buyer.admin, &path, json!({"amount": "16.20"})).await.expect(422);
        assert_eq!(more.faults(), ["/amount"]);
        let some = shop.post_as(&buyer.admin, &path, json!({"amount": "1.00"})).await.expect(422);
        assert_eq!(
            (some.faults(), gateway.made("refunds")),
            (vec!["/amount"], 0),
            "the rest would be nobody's"
        );
        let made = shop.post_as(&buyer.admin, &path, json!({})).await.expect(201).json;
        assert_eq!(
            (&made["amount"], &made["status"], &made["payment_status"]),
            (&json!("16.19"), &json!("succeeded"), &json!("failed")),
            "no order is paid by it: {made}"
        );
        shop.post_as(&buyer.admin, &path, json!({})).await.expect(409);
        let state = buyer.until(shop, "failed").await;
        let said = state["payment"]["result_description"].as_str().unwrap();
        assert!(said.contains("16.19") && said.contains("goes back"), "{said}");
        assert_eq!((ledger(shop).await, attention(shop).await), ((1, 1, 0), None));

        buyer.pay(shop, json!({})).await.expect(201);
        let paid = gateway.confirm(&gateway.intent(), "succeeded");
        shop.card_event(&event("evt_2", "payment_intent.succeeded", &paid)).await.expect(200);
        buyer.until_order(shop, "paid").await;
        assert_eq!((ledger(shop).await, gateway.holds()), ((2, 1, 1620), 1620));
        let rest = shop.post_as(&buyer.admin, &path, json!({})).await.expect(201).json;
        assert_eq!((&rest["amount"], &rest["payment_status"]), (&json!("16.20"), &json!("refunded")));
        assert_eq!((ledger(shop).await, gateway.holds()), ((2, 2, 0), 0));
    })
    .await;
}

#[tokio::test]
async fn what_could_not_go_back_by_itself_waits_for_an_administrator() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        buyer.pay(shop, json!({})).await.expect(201);
        paid_strangely(shop, gateway, "evt_1", 1619, "kes").await;
        buyer.until(shop, "unknown").await;
        gateway.fault("refund", Fault::Answer(400, json!({"error": {"message": "Insufficient funds."}})));
        shop.post_as(&buyer.admin, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
            .await
            .expect(200);
        refunds_are(shop, &buyer, &["failed"]).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(
            (gateway.calls("refund"), ledger(shop).await),
            (1, (1, 0, 1619)),
            "it is not tried for ever"
        );
        let seen = seen_by(shop, &buyer.admin, buyer.order).await;
        assert!(seen["attention"][0]["reason"].as_str().unwrap().contains("Insufficient funds."), "{seen}");
        let path = format!("/api/payment/{}/refund/", buyer.order);
        let made = shop.post_as(&buyer.admin, &path, json!({})).await.expect(201).json;
        assert_eq!(made["status"], "succeeded");
        assert_eq!((ledger(shop).await, gateway.holds(), attention(shop).await), ((1, 1, 0), 0, None));
    })
    .await;
}

#[tokio::test]
async fn a_shilling_too_little_goes_back_to_the_phone() {
    with_bank(async |shop, bank| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": "0712345646"})).await.expect(201);
        buyer.until(shop, "unknown").await;
        shop.post_as(&buyer.user, &format!("/api/order/{}/cancel/", buyer.order), json!({}))
            .await
            .expect(200);
        refunds_are(shop, &buyer, &["succeeded"]).await;
        let money = bank.moved(&buyer.look(shop).await).await;
        assert_eq!(money, [("capture".to_owned(), 1600), ("refund".to_owned(), 1600)]);
        assert_eq!((ledger(shop).await, attention(shop).await), ((1, 1, 0), None));
    })
    .await;
}
