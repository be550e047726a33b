//! What gateways are said to have told: only their own counts.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::support::gateway::{Gateway, WEBHOOK_SECRET, callback, event, now, signature, with_gateway};

/// Log lines, gathered.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn paid_intent(shop: &TestShop, gateway: &Gateway) -> (Buyer, Value) {
    let buyer = Buyer::new(shop, "card").await;
    buyer.pay(shop, json!({})).await.expect(201);
    // What the gateway would say of it, which it has not said.
    let mut intent = gateway.intent();
    intent["status"] = json!("succeeded");
    intent["amount_received"] = intent["amount"].clone();
    (buyer, intent)
}

#[tokio::test]
async fn a_card_event_that_is_not_the_gateway_s_changes_nothing() {
    with_gateway(async |shop, gateway| {
        let (_, intent) = paid_intent(shop, gateway).await;
        let body = event("evt_1", "payment_intent.succeeded", &intent);
        let good = signature(WEBHOOK_SECRET, now(), &body);
        let v1 = good.split_once(",v1=").unwrap().1.to_owned();
        let before = all(shop).await;
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        let guard = tracing::dispatcher::set_default(&tracing::Dispatch::new(log));
        for (body, signature) in [
            (&body, String::new()),
            (&body, "nonsense".to_owned()),
            (&body, format!("t={}", now())),
            (&body, format!("v1={v1}")),
            (&body, signature("whsec_of_somebody", now(), &body)),
            (&body, signature(WEBHOOK_SECRET, now() - 301, &body)),
            (&body, signature(WEBHOOK_SECRET, now() + 301, &body)),
            (&body, format!("t={},v1={v1}", now() + 60)),
            (&body.replace("1620", "1"), good.clone()),
            (&body.replace("evt_1", "evt_2"), good.clone()),
            (&format!("{body} "), good.clone()),
        ] {
            let refused = shop.card_event_signed(body, &signature).await.expect(400);
            assert_eq!(refused.json["type"], "/problems/invalid-signature");
        }
        let request = shop.request(Method::POST, "/api/payment/webhook/card/");
        shop.send(request.body(body.clone())).await.expect(400);
        for (body, status) in [("no json", 400), ("{}", 422), ("[]", 422), (r#"{"id": 7}"#, 422)] {
            shop.card_event(body).await.expect(status);
        }
        let large = format!("{{\"id\": \"evt_9\", \"x\": \"{}\"}}", "x".repeat(256 * 1024));
        shop.card_event(&large).await.expect(413);
        drop(guard);
        assert_eq!(all(shop).await, before);
        let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("a payment webhook was refused") && log.contains("signature"), "{log}");
        for secret in [WEBHOOK_SECRET, &v1, "pi_0001_secret"] {
            assert!(!log.contains(secret), "{log}");
        }
        // The true one, unaltered, counts.
        let taken = shop.card_event_signed(&body, &good).await.expect(200);
        assert_eq!(taken.json, json!({"received": true}));
        digested(shop).await;
        assert_eq!(ledger(shop).await, (1, 0, 1620));
        // Played again it is answered alike, and nothing happens.
        let before = all(shop).await;
        shop.card_event_signed(&body, &good).await.expect(200);
        digested(shop).await;
        assert_eq!(all(shop).await, before);
    })
    .await;
}

#[tokio::test]
async fn events_of_others_and_other_amounts_are_not_accepted() {
    with_gateway(async |shop, gateway| {
        let (buyer, intent) = paid_intent(shop, gateway).await;
        let altered = |field: &str, value: Value| {
            let mut intent = intent.clone();
            intent[field] = value;
            intent
        };
        let mut stranger = altered("id", json!("pi_9999"));
        stranger["metadata"]["payment_key"] = json!("of-another-shop");
        shop.card_event(&event("evt_1", "payment_intent.succeeded", &stranger)).await.expect(200);
        shop.card_event(&event("evt_2", "customer.created", &json!({"id": "cus_1"}))).await.expect(200);
        shop.card_event(&event("evt_3", "payment_intent.succeeded", &json!("nonsense"))).await.expect(200);
        digested(shop).await;
        assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "processing");
        assert_eq!(attention(shop).await, None);
        shop.card_event(&event("evt_4", "payment_intent.succeeded", &altered("currency", json!("usd"))))
            .await
            .expect(200);
        buyer.until(shop, "unknown").await;
        assert!(attention(shop).await.unwrap().contains("USD"));
        shop.card_event(&event(
            "evt_5",
            "payment_intent.succeeded",
            &altered("amount_received", json!(1619)),
        ))
        .await
        .expect(200);
        digested(shop).await;
        assert!(attention(shop).await.unwrap().contains("16.19"));
        assert_eq!(
            (ledger(shop).await, buyer.look(shop).await["payment_status"].clone()),
            ((0, 0, 0), json!("pending"))
        );
        // What is right all the same counts, and nobody needs to look any more.
        shop.card_event(&event("evt_6", "payment_intent.succeeded", &intent)).await.expect(200);
        buyer.until(shop, "succeeded").await;
        assert_eq!((ledger(shop).await, attention(shop).await), ((1, 0, 1620), None));
        // The same intent under another name is somebody else's.
        let mut renamed = altered("id", json!("pi_8888"));
        renamed["status"] = json!("canceled");
        shop.card_event(&event("evt_7", "payment_intent.canceled", &renamed)).await.expect(200);
        digested(shop).await;
        assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "succeeded");
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_is_not_the_attempt_s_changes_nothing() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
        let push = gateway.push();
        let address = &push.sent["CallBackURL"];
        gateway.answer(&push, "1032");
        let before = all(shop).await;
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        let guard = tracing::dispatcher::set_default(&tracing::Dispatch::new(log));
        let token = address.as_str().unwrap().trim_end_matches('/').rsplit('/').next().unwrap();
        assert!(token.len() >= 43, "{token}");
        let guessed = json!(address.as_str().unwrap().replace(&token[..8], "AAAAAAAA"));
        shop.mpesa_callback(&guessed, &callback(&push, 0)).await.expect(404);
        for (field, value) in [
            ("MerchantRequestID", json!("29115-9-1")),
            ("CheckoutRequestID", json!("ws_CO_9")),
            ("ResultCode", Value::Null),
        ] {
            let mut other = callback(&push, 0);
            other["Body"]["stkCallback"][field] = value;
            shop.mpesa_callback(address, &other).await.expect(422);
        }
        let mut silent = callback(&push, 0);
        silent["Body"]["stkCallback"]["CallbackMetadata"] = json!({});
        shop.mpesa_callback(address, &silent).await.expect(422);
        let reversal = json!({"Result": {"ResultCode": 0, "ResultDesc": "", "ConversationID": "AG_1"}});
        shop.mpesa_callback(address, &reversal).await.expect(422);
        let path = address.as_str().unwrap().strip_prefix(&shop.base).unwrap();
        shop.send(shop.request(Method::POST, path).body("no json")).await.expect(400);
        drop(guard);
        assert_eq!(all(shop).await, before);
        let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("a payment webhook was refused"), "{log}");
        assert!(!log.contains(token), "{log}");
        // It says that it was paid, and the query that it was not: the query's word counts.
        shop.mpesa_callback(address, &callback(&push, 0)).await.expect(200);
        let state = buyer.until(shop, "cancelled").await;
        assert_eq!(
            (&state["payment"]["transaction_id"], &state["payment_status"]),
            (&Value::Null, &json!("failed"))
        );
        let before = all(shop).await;
        shop.mpesa_callback(address, &callback(&push, 0)).await.expect(200);
        digested(shop).await;
        assert_eq!((all(shop).await, ledger(shop).await), (before, (0, 0, 0)));
    })
    .await;
}
