//! Gateways that hang, fail and cut: nobody is charged twice, and everything comes to an end.

use std::time::Instant;

use super::*;
use crate::support::gateway::{Fault, Gateway, callback, event, with_gateway};

async fn card_resolves(shop: &TestShop, gateway: &Gateway, fault: Fault) {
    let buyer = Buyer::new(shop, "card").await;
    gateway.fault("create", fault.clone());
    let made = buyer.pay(shop, json!({})).await.expect(201).json;
    assert_eq!(
        (&made["payment_status"], &made["client_secret"]),
        (&json!("unknown"), &Value::Null),
        "{fault:?}"
    );
    buyer.pay(shop, json!({})).await.expect(409);
    hasten(shop).await;
    let state = buyer.until(shop, "processing").await;
    let intent = gateway.intent();
    assert_eq!(
        (&state["payment"]["transaction_id"], &state["payment"]["client_secret"]),
        (&intent["id"], &intent["client_secret"])
    );
    let paid = gateway.confirm(&intent, "succeeded");
    shop.card_event(&event("evt_1", "payment_intent.succeeded", &paid)).await.expect(200);
    buyer.until(shop, "succeeded").await;
    assert_eq!((gateway.made("intents"), gateway.holds(), ledger(shop).await), (1, 1620, (1, 0, 1620)));
}

#[tokio::test]
async fn a_card_gateway_that_cuts_after_accepting() {
    with_gateway(async |shop, gateway| card_resolves(shop, gateway, Fault::CutAfter).await).await;
}

#[tokio::test]
async fn a_card_gateway_that_cuts() {
    with_gateway(async |shop, gateway| card_resolves(shop, gateway, Fault::Cut).await).await;
}

#[tokio::test]
async fn a_card_gateway_that_hangs() {
    with_gateway(async |shop, gateway| card_resolves(shop, gateway, Fault::HangAfter).await).await;
}

#[tokio::test]
async fn a_card_gateway_that_answers_500() {
    with_gateway(async |shop, gateway| card_resolves(shop, gateway, Fault::Answer(500, Value::Null)).await)
        .await;
}

#[tokio::test]
async fn a_refusal_is_an_end_and_says_why() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        let small = json!({"error": {"type": "invalid_request_error", "code": "amount_too_small", "message": "Amount must be more."}});
        gateway.fault("create", Fault::Answer(400, small));
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        assert_eq!((&made["payment_status"], &made["result_code"]), (&json!("failed"), &json!("amount_too_small")));
        gateway.fault("create", Fault::Answer(401, json!({"error": {"message": "Invalid API Key provided: sk_test"}})));
        let made = buyer.pay(shop, json!({})).await.expect(201);
        assert_eq!(made.json["payment_status"], "failed");
        assert!(!made.text.contains("sk_test") && !made.text.contains("API Key"), "{}", made.text);
        assert_eq!(buyer.look(shop).await["payment_status"], "failed");
    })
    .await;
}

#[tokio::test]
async fn the_answer_is_kept_when_the_buyer_has_left() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        gateway.fault("create", Fault::Late(Duration::from_secs(2)));
        let request = shop.request(Method::POST, "/api/payment/initiate/").bearer_auth(&buyer.user.access);
        let request = request.json(&json!({"order_id": buyer.order})).timeout(Duration::from_millis(500));
        assert!(request.send().await.unwrap_err().is_timeout());
        assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "pending");
        let state = buyer.until(shop, "processing").await;
        assert!(state["payment"]["client_secret"].is_string());
        assert_eq!(gateway.calls("create"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_is_asked_when_the_buyer_has_left() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "card").await;
        let request = shop.request(Method::POST, "/api/payment/initiate/").bearer_auth(&buyer.user.access);
        let request = request.json(&json!({"order_id": buyer.order}));
        shop.leave(request, "lock table payment in exclusive mode", "payment", async || {}).await;
        buyer.until(shop, "processing").await;
        assert_eq!((gateway.calls("create"), gateway.made("intents")), (1, 1));
    })
    .await;
}

async fn phone_resolves(shop: &TestShop, gateway: &Gateway, fault: Fault) {
    let buyer = Buyer::new(shop, "mpesa").await;
    gateway.fault("push", fault.clone());
    let made = buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201).json;
    assert_eq!(
        (&made["payment_status"], &made["checkout_request_id"]),
        (&json!("unknown"), &Value::Null),
        "{fault:?}"
    );
    buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(409);
    hasten(shop).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        buyer.state(shop).await["payment"]["payment_status"],
        "unknown",
        "it may still be on the phone"
    );
    let push = gateway.push();
    gateway.answer(&push, "0");
    shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
    let state = buyer.until(shop, "succeeded").await;
    assert_eq!(state["payment"]["checkout_request_id"], push.checkout);
    assert_eq!(
        (gateway.calls("push"), gateway.holds(), ledger(shop).await),
        (1, 1700, (1, 0, 1700)),
        "no second push"
    );
}

#[tokio::test]
async fn m_pesa_that_cuts_after_accepting() {
    with_gateway(async |shop, gateway| phone_resolves(shop, gateway, Fault::CutAfter).await).await;
}

#[tokio::test]
async fn m_pesa_that_hangs() {
    with_gateway(async |shop, gateway| phone_resolves(shop, gateway, Fault::HangAfter).await).await;
}

#[tokio::test]
async fn m_pesa_that_answers_502_after_accepting() {
    with_gateway(async |shop, gateway| {
        phone_resolves(shop, gateway, Fault::AnswerAfter(502, Value::Null)).await;
    })
    .await;
}

#[tokio::test]
async fn a_push_that_nobody_answers_for_is_given_up_when_its_time_is_over_and_counts_if_it_was_paid() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        gateway.fault("push", Fault::CutAfter);
        buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
        gateway.down(true);
        let back = "update payment set payment_date = now() - interval '56 seconds', next_check_at = now()";
        sqlx::query(back).execute(&shop.db).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(buyer.state(shop).await["payment"]["payment_status"], "unknown", "nobody is there to ask");
        gateway.down(false);
        hasten(shop).await;
        let state = buyer.until(shop, "failed").await;
        assert_eq!(state["payment"]["result_code"], "unanswered");
        assert!(attention(shop).await.is_some(), "a person can look at M-Pesa's statement");
        // It was on the phone all the time.
        let push = gateway.push();
        gateway.answer(&push, "0");
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        let state = buyer.until(shop, "succeeded").await;
        assert_eq!(state["payment_status"], "paid");
        assert_eq!(
            (gateway.calls("push"), ledger(shop).await, attention(shop).await),
            (1, (1, 0, 1700), None)
        );
    })
    .await;
}

#[tokio::test]
async fn a_success_beats_the_refusal_before_it() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        let locked = json!({"requestId": "1", "errorCode": "500.001.1001", "errorMessage": "Unable to lock subscriber"});
        gateway.fault("push", Fault::AnswerAfter(500, locked));
        let made = buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201).json;
        assert_eq!((&made["payment_status"], &made["result_code"]), (&json!("failed"), &json!("500.001.1001")));
        let said = made["result_description"].as_str().unwrap();
        assert!(!said.contains("charged") && !said.contains("asked for"), "nothing is: {said}");
        let push = gateway.push();
        gateway.answer(&push, "0");
        shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
        let state = buyer.until(shop, "succeeded").await;
        assert_eq!((&state["payment_status"], ledger(shop).await), (&json!("paid"), (1, 0, 1700)));
    })
    .await;
}

#[tokio::test]
async fn a_callback_may_overtake_the_answer() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        gateway.fault("push", Fault::Late(Duration::from_secs(3)));
        let overtaking = async {
            let push =
                eventually(async || gateway.ledger().pushes.last().cloned().ok_or_else(String::new)).await;
            gateway.answer(&push, "0");
            shop.mpesa_callback(&push.sent["CallBackURL"], &callback(&push, 0)).await.expect(200);
            let state = buyer.until(shop, "succeeded").await;
            assert_eq!(state["payment"]["checkout_request_id"], push.checkout);
        };
        let (made, ()) = tokio::join!(buyer.pay(shop, json!({"phone_number": "0712345678"})), overtaking);
        assert_eq!(made.expect(201).json["payment_status"], "succeeded", "the answer says how it stands");
        assert_eq!((ledger(shop).await, attention(shop).await), ((1, 0, 1700), None));
    })
    .await;
}

/// As it happens, without anybody making time pass.
#[tokio::test]
async fn what_a_gateway_that_was_away_knows_is_learnt_within_a_minute_of_its_return() {
    with_gateway(async |shop, gateway| {
        let buyer = Buyer::new(shop, "mpesa").await;
        buyer.pay(shop, json!({"phone_number": "0712345678"})).await.expect(201);
        gateway.down(true);
        gateway.answer(&gateway.push(), "0");
        eventually(async || if gateway.calls("query") > 0 { Ok(()) } else { Err("nobody asks".to_owned()) })
            .await;
        gateway.down(false);
        let back = Instant::now();
        buyer.until(shop, "succeeded").await;
        assert!(back.elapsed() < Duration::from_secs(60), "{:?}", back.elapsed());
        assert_eq!((gateway.calls("push"), ledger(shop).await), (1, (1, 0, 1700)));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_cannot_be_reached_charges_nothing() {
    use duka::config::{PaymentSettings, Settings};
    // A port that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let some = |text: &str| Some(text.to_owned());
    let payment = PaymentSettings {
        card_base_url: Some(format!("http://{free}")),
        card_secret_key: some("sk_test"),
        card_webhook_secret: some("whsec"),
        ..PaymentSettings::default()
    };
    crate::support::with_settings(Settings { payment, ..Settings::default() }, async |shop| {
        let buyer = Buyer::new(shop, "card").await;
        let made = buyer.pay(shop, json!({})).await.expect(201).json;
        assert_eq!(
            (&made["payment_status"], &made["result_code"]),
            (&json!("failed"), &json!("unreachable"))
        );
        buyer.pay(shop, json!({})).await.expect(201);
    })
    .await;
}
