//! Payment intents: keys, each card, idempotency, captures, cancelling.

use std::{collections::BTreeSet, time::Duration};

use duka::sandbox::CARDS;
use reqwest::Method;
use serde_json::{Value, json};

use super::rig::{Rig, send, with_sandbox};

pub(super) fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

fn path(intent: &Value, step: &str) -> String {
    format!("/v1/payment_intents/{}{step}", id(intent))
}

pub(super) async fn stored(rig: &Rig, intent: &Value) -> Value {
    rig.look(&path(intent, "")).await.expect(200).json
}

#[tokio::test]
async fn only_keys_open_it() {
    with_sandbox(async |rig| {
        let intent = rig.intent().await;
        let (secret_key, public_key) = (&rig.credentials.secret_key, &rig.credentials.publishable_key);
        let secret = intent["client_secret"].as_str().unwrap();
        let get = |query: &str| rig.request(Method::GET, &format!("{}{query}", path(&intent, "")));
        let with_secret = format!("?client_secret={secret}");
        for refused in [get(""), get("").bearer_auth("sk_test_wrong"), get("").basic_auth("", None::<&str>)] {
            assert_eq!(send(refused).await.expect(401).json["error"]["type"], "invalid_request_error");
        }
        assert_eq!(send(get("").bearer_auth(secret_key)).await.expect(200).json["metadata"]["order_id"], "7");
        send(get("").basic_auth(secret_key, None::<&str>)).await.expect(200);

        // A browser shows what it was given, and sees no more than it may.
        send(get("").bearer_auth(public_key)).await.expect(400);
        send(get("?client_secret=pi_x_secret_y").bearer_auth(public_key)).await.expect(400);
        let public = send(get(&with_secret).bearer_auth(public_key)).await.expect(200).json;
        assert_eq!((&public["status"], &public["amount"]), (&json!("requires_payment_method"), &json!(1250)));
        assert!(public.get("metadata").is_none() && public.get("latest_charge").is_none());
        send(get(&format!("{with_secret}&key={public_key}"))).await.expect(200);

        let declined = rig.confirm(&intent, "4000000000000002").await.expect(402).json;
        assert!(declined["error"]["payment_intent"].get("metadata").is_none(), "{declined}");
        for step in ["", "/cancel", "/capture"] {
            let target = if step.is_empty() { "/v1/payment_intents".to_owned() } else { path(&intent, step) };
            let asked = rig.request(Method::POST, &target).bearer_auth(public_key).form(&[("amount", "5")]);
            assert_eq!(send(asked).await.expect(403).json["error"]["code"], "secret_key_required");
        }
        let refund = rig.request(Method::POST, "/v1/refunds").bearer_auth(public_key);
        send(refund.form(&[("payment_intent", id(&intent))])).await.expect(403);
        let cors = rig.request(Method::OPTIONS, &path(&intent, "/confirm"));
        let cors =
            cors.header("origin", "http://localhost:8000").header("access-control-request-method", "POST");
        assert_eq!(send(cors).await.expect(200).header("access-control-allow-origin"), "*");
    })
    .await;
}

#[tokio::test]
async fn an_intent_is_checked_and_what_is_wrong_with_it_is_named() {
    with_sandbox(async |rig| {
        for (fields, code, param) in [
            (&[("currency", "usd")] as &[(&str, &str)], "parameter_missing", "amount"),
            (&[("amount", "5")], "parameter_missing", "currency"),
            (&[("amount", "12.50"), ("currency", "usd")], "parameter_invalid_integer", "amount"),
            (&[("amount", "0"), ("currency", "usd")], "parameter_invalid_integer", "amount"),
            (&[("amount", "-5"), ("currency", "usd")], "parameter_invalid_integer", "amount"),
            (&[("amount", "100000000"), ("currency", "usd")], "amount_too_large", "amount"),
            (&[("amount", "5"), ("currency", "dollars")], "parameter_invalid_string", "currency"),
            (&[("amount", "5"), ("currency", "usd"), ("colour", "red")], "parameter_unknown", "colour"),
            (
                &[("amount", "5"), ("currency", "usd"), ("confirm", "yes")],
                "parameter_invalid_boolean",
                "confirm",
            ),
            (
                &[("amount", "5"), ("currency", "usd"), ("confirm", "true")],
                "parameter_missing",
                "payment_method",
            ),
            (
                &[("amount", "5"), ("currency", "usd"), ("capture_method", "x")],
                "parameter_invalid_enum",
                "capture_method",
            ),
        ] {
            let error = send(rig.form("/v1/payment_intents", fields)).await.expect(400).json["error"].clone();
            assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!(param)), "{fields:?}");
            assert_eq!(error["type"], "invalid_request_error");
            assert!(error["message"].is_string());
        }
        let json = rig.request(Method::POST, "/v1/payment_intents").bearer_auth(&rig.credentials.secret_key);
        send(json.json(&json!({"amount": 5, "currency": "usd"}))).await.expect(400);
        let missing = rig.look("/v1/payment_intents/pi_nothing").await.expect(404).json;
        assert_eq!(missing["error"]["code"], "resource_missing");
        for path in
            ["/v1/payment_intents", "/v1/refunds/re_x", "/v1/charges/ch_x", "/v1/events/evt_x", "/v1/nothing"]
        {
            assert_eq!(rig.look(path).await.expect(404).json["error"]["type"], "invalid_request_error");
        }

        let fields =
            [("amount", "1250"), ("currency", "USD"), ("description", "Order 7"), ("metadata[order]", "7")];
        let intent = send(rig.form("/v1/payment_intents", &fields)).await.expect(200);
        assert!(intent.header("request-id").starts_with("req_"));
        let intent = intent.json;
        assert!(id(&intent).starts_with("pi_"));
        assert!(intent["client_secret"].as_str().unwrap().starts_with(&format!("{}_secret_", id(&intent))));
        assert_eq!((&intent["object"], &intent["currency"]), (&json!("payment_intent"), &json!("usd")));
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!((&intent["amount"], &intent["amount_received"]), (&json!(1250), &json!(0)));
        assert!(intent["created"].is_i64() && intent["latest_charge"].is_null());
    })
    .await;
}

/// What each card comes to: the answer to its confirmation, the state then, the one in the end, the events' types
/// in the order in which they come, and what is in the ledger of an intent over 1,250.
type Outcome = (&'static str, u16, &'static str, &'static str, &'static [&'static str], &'static [u64]);
const PAID: &[&str] = &["payment_intent.succeeded"];
const FAILED: &[&str] = &["payment_intent.payment_failed"];
const OUTCOMES: [Outcome; 17] = [
    ("4242424242424242", 200, "succeeded", "succeeded", PAID, &[1250]),
    ("4000000000000002", 402, "requires_payment_method", "requires_payment_method", FAILED, &[]),
    ("4000000000009995", 402, "requires_payment_method", "requires_payment_method", FAILED, &[]),
    ("4000000000000069", 402, "requires_payment_method", "requires_payment_method", FAILED, &[]),
    ("4000000000000127", 402, "requires_payment_method", "requires_payment_method", FAILED, &[]),
    ("4000000000000119", 402, "requires_payment_method", "requires_payment_method", FAILED, &[]),
    ("4000000000003184", 200, "requires_action", "requires_action", &[], &[]),
    ("4000000088000015", 200, "processing", "succeeded", PAID, &[1250]),
    ("4000000088000023", 200, "succeeded", "succeeded", PAID, &[1250]),
    ("4000000088000031", 200, "succeeded", "succeeded", &[PAID[0], PAID[0]], &[1250]),
    ("4000000088000049", 200, "succeeded", "succeeded", PAID, &[1250]),
    ("4000000088000056", 200, "succeeded", "succeeded", &[], &[1250]),
    ("4000000088000064", 200, "succeeded", "succeeded", &[PAID[0], FAILED[0]], &[1250]),
    ("4000000088000072", 200, "succeeded", "succeeded", PAID, &[1249]),
    ("4000000088000080", 200, "succeeded", "succeeded", &[FAILED[0], PAID[0]], &[1250]),
    ("4000000000007726", 200, "succeeded", "succeeded", PAID, &[1250]),
    ("4000000000005126", 200, "succeeded", "succeeded", PAID, &[1250]),
];

#[tokio::test]
async fn each_card_has_its_outcome() {
    let tried: BTreeSet<_> = OUTCOMES.iter().map(|row| row.0).collect();
    assert_eq!(tried, CARDS.iter().map(|card| card.number).collect());
    with_sandbox(async |rig| {
        let mut intents = Vec::new();
        for (card, status, state, ..) in OUTCOMES {
            let intent = rig.intent().await;
            let answer = rig.confirm(&intent, card).await.expect(status).json;
            let shown = if status == 200 { &answer } else { &answer["error"]["payment_intent"] };
            assert_eq!(shown["status"], state, "{card}");
            intents.push(intent);
        }
        tokio::time::sleep(Duration::from_millis(1800)).await;
        let events = rig.events();
        for ((card, _, _, state, types, captured), intent) in OUTCOMES.into_iter().zip(&intents) {
            let last = stored(rig, intent).await;
            assert_eq!(last["status"], state, "{card}");
            assert_eq!(last["amount_received"].as_u64(), Some(captured.iter().sum()), "{card}");
            let told = events.iter().filter(|(_, object)| object["id"] == intent["id"]);
            assert_eq!(told.map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), types, "{card}");
            let entries: Vec<u64> =
                rig.ledger(id(intent)).await.into_iter().map(|(_, amount)| amount).collect();
            assert_eq!(entries, captured, "{card}");
        }
        let entry =
            rig.entries().await.into_iter().find(|entry| entry["request"] == intents[0]["id"]).unwrap();
        assert_eq!((&entry["metadata"]["order_id"], &entry["currency"]), (&json!("7"), &json!("USD")));
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_says_why_and_another_one_pays() {
    with_sandbox(async |rig| {
        for (card, code, decline_code) in [
            ("4000000000000002", "card_declined", "generic_decline"),
            ("4000000000009995", "card_declined", "insufficient_funds"),
            ("4000000000000069", "expired_card", "expired_card"),
            ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
            ("4000000000000119", "processing_error", "processing_error"),
            ("5555555555554444", "card_declined", "test_mode_live_card"),
            ("4242424242424241", "incorrect_number", "incorrect_number"),
        ] {
            let intent = rig.intent().await;
            let error = rig.confirm(&intent, card).await.expect(402).json["error"].clone();
            assert_eq!(error["type"], "card_error");
            assert_eq!(
                (&error["code"], &error["decline_code"]),
                (&json!(code), &json!(decline_code)),
                "{card}"
            );
            let last = stored(rig, &intent).await;
            assert_eq!(last["last_payment_error"]["decline_code"], decline_code);
            let charge = rig.look(&format!("/v1/charges/{}", last["latest_charge"].as_str().unwrap())).await;
            assert_eq!((&charge.json["status"], &charge.json["paid"]), (&json!("failed"), &json!(false)));
            let paid = rig.confirm(&intent, "4242 4242 4242 4242").await.expect(200).json;
            assert_eq!(paid["status"], "succeeded");
            assert!(stored(rig, &intent).await["last_payment_error"].is_null());
            assert_eq!(rig.ledger(id(&intent)).await.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_shop_confirms_at_once_by_name() {
    with_sandbox(async |rig| {
        let fields = [
            ("amount", "99"),
            ("currency", "kes"),
            ("confirm", "true"),
            ("payment_method", "pm_card_visa"),
            ("expand[]", "latest_charge"),
        ];
        let paid = send(rig.form("/v1/payment_intents", &fields)).await.expect(200).json;
        assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(99)));
        assert_eq!(
            (&paid["latest_charge"]["object"], &paid["latest_charge"]["paid"]),
            (&json!("charge"), &json!(true))
        );
        let mut later = fields;
        later[2].1 = "false";
        let waits = send(rig.form("/v1/payment_intents", &later)).await.expect(200).json;
        assert_eq!(waits["status"], "requires_confirmation");
        let paid = send(rig.form(&path(&waits, "/confirm"), &[])).await.expect(200).json;
        assert_eq!(paid["status"], "succeeded");
        later[3].1 = "pm_card_nobody";
        send(rig.form("/v1/payment_intents", &later)).await.expect(404);
        let bare = rig.intent().await;
        let error = send(rig.form(&path(&bare, "/confirm"), &[])).await.expect(400).json;
        assert_eq!(error["error"]["code"], "payment_intent_unexpected_state");
    })
    .await;
}

#[tokio::test]
async fn a_key_stands_for_one_answer() {
    with_sandbox(async |rig| {
        let create = |amount: &str, key: &str| {
            let fields =
                [("amount", amount), ("currency", "usd"), ("metadata[a]", "1"), ("metadata[b]", "2")];
            rig.form("/v1/payment_intents", &fields).header("idempotency-key", key)
        };
        let first = send(create("700", "order-7")).await.expect(200);
        let again = send(create("700", "order-7")).await.expect(200);
        assert_eq!(first.text, again.text);
        assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
        let other = send(create("701", "order-7")).await.expect(400).json;
        assert_eq!(other["error"]["type"], "idempotency_error");
        assert_ne!(send(create("700", "order-8")).await.expect(200).text, first.text);
        // The order of the fields is no difference, the path is.
        let mixed = [("metadata[b]", "2"), ("currency", "usd"), ("metadata[a]", "1"), ("amount", "700")];
        let mixed = rig.form("/v1/payment_intents", &mixed).header("idempotency-key", "order-7");
        assert_eq!(send(mixed).await.expect(200).text, first.text);
        let elsewhere = rig.form("/v1/refunds", &[("payment_intent", id(&first.json))]);
        send(elsewhere.header("idempotency-key", "order-7")).await.expect(400);

        // What was refused before it began may be sent again, put right.
        send(create("0", "order-9")).await.expect(400);
        send(create("900", "order-9")).await.expect(200);
        // A declined card stays declined: the first answer is the answer.
        let charge = |card: &str| {
            let fields =
                [("amount", "5"), ("currency", "usd"), ("confirm", "true"), ("payment_method", card)];
            rig.form("/v1/payment_intents", &fields).header("idempotency-key", "charge")
        };
        let declined = send(charge("pm_card_chargeDeclined")).await.expect(402);
        assert_eq!(send(charge("pm_card_chargeDeclined")).await.expect(402).text, declined.text);

        // Twenty at once are one charge.
        let fields =
            [("amount", "31"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
        let many =
            (0..20).map(|_| send(rig.form("/v1/payment_intents", &fields).header("idempotency-key", "many")));
        let answers = futures_util::future::join_all(many).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.text == answers[0].text));
        let captured = rig.entries().await.into_iter().filter(|entry| entry["amount_minor"] == 31).count();
        assert_eq!(captured, 1);
        send(rig.form("/v1/refunds", &[]).header("idempotency-key", "x".repeat(256))).await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn money_is_authorised_first_and_captured_later() {
    with_sandbox(async |rig| {
        let fields = [
            ("amount", "1000"),
            ("currency", "usd"),
            ("capture_method", "manual"),
            ("confirm", "true"),
            ("payment_method", "pm_card_visa"),
        ];
        let held = send(rig.form("/v1/payment_intents", &fields)).await.expect(200).json;
        assert_eq!((&held["status"], &held["amount_capturable"]), (&json!("requires_capture"), &json!(1000)));
        assert_eq!(held["amount_received"], 0);
        assert!(rig.entries().await.is_empty() && rig.events().is_empty());
        send(rig.form(&path(&held, "/capture"), &[("amount_to_capture", "1001")])).await.expect(400);
        let taken =
            send(rig.form(&path(&held, "/capture"), &[("amount_to_capture", "900")])).await.expect(200).json;
        assert_eq!((&taken["status"], &taken["amount_received"]), (&json!("succeeded"), &json!(900)));
        assert_eq!(rig.ledger(id(&held)).await, [("capture".to_owned(), 900)]);
        send(rig.form(&path(&held, "/capture"), &[])).await.expect(400);
        let let_go = send(rig.form("/v1/payment_intents", &fields)).await.expect(200).json;
        assert_eq!(
            send(rig.form(&path(&let_go, "/cancel"), &[])).await.expect(200).json["status"],
            "canceled"
        );
        assert!(rig.ledger(id(&let_go)).await.is_empty());
        rig.hears("/card/", 2).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_paid_is_cancelled_and_then_never_paid() {
    with_sandbox(async |rig| {
        let intent = rig.intent().await;
        send(rig.form(&path(&intent, "/cancel"), &[("cancellation_reason", "bored")])).await.expect(400);
        let reason = [("cancellation_reason", "abandoned")];
        let cancelled = send(rig.form(&path(&intent, "/cancel"), &reason)).await.expect(200).json;
        assert_eq!(
            (&cancelled["status"], &cancelled["cancellation_reason"]),
            (&json!("canceled"), &json!("abandoned"))
        );
        assert!(cancelled["canceled_at"].is_i64());
        let event = rig.hears("/card/", 1).await[0].json.clone();
        assert_eq!(
            (&event["type"], &event["data"]["object"]["id"]),
            (&json!("payment_intent.canceled"), &intent["id"])
        );
        for card in ["4242424242424242", "4000000000000002", "4242424242424241"] {
            let error = rig.confirm(&intent, card).await.expect(400).json["error"].clone();
            assert_eq!(error["code"], "payment_intent_unexpected_state");
            assert_eq!(error["payment_intent"]["status"], "canceled");
        }
        send(rig.form(&path(&intent, "/cancel"), &[])).await.expect(400);

        let paid = rig.intent().await;
        rig.confirm(&paid, "4242424242424242").await.expect(200);
        let error = send(rig.form(&path(&paid, "/cancel"), &[])).await.expect(400).json["error"].clone();
        assert_eq!(
            (&error["code"], &error["payment_intent"]["status"]),
            (&json!("payment_intent_unexpected_state"), &json!("succeeded"))
        );
        rig.confirm(&paid, "4242424242424242").await.expect(400);
        rig.confirm(&paid, "4000000000000002").await.expect(400);
        assert_eq!(rig.entries().await.len(), 1);
    })
    .await;
}
