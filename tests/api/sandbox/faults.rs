//! Lost answers on demand, and a stop in the middle of everything.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::rig::{Rig, send, with_sandbox};

const CREATE: [(&str, &str); 4] =
    [("amount", "77"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")];

fn charge(rig: &Rig, key: &str) -> reqwest::RequestBuilder {
    let asked = rig.form("/v1/payment_intents", &CREATE).header("idempotency-key", key);
    asked.timeout(Duration::from_millis(500))
}

#[tokio::test]
async fn a_card_s_answer_is_lost_before_or_after_it_is_done() {
    with_sandbox(async |rig| {
        let mut captured = 0;
        for loss in ["error", "busy", "cut", "hang"] {
            for when in ["before", "after"] {
                rig.arm(json!({"path": "/v1/", "loss": loss, "when": when})).await;
                let key = format!("{loss}-{when}");
                match (loss, charge(rig, &key).send().await) {
                    ("error", Ok(answer)) => assert_eq!(answer.status(), 500),
                    ("busy", Ok(answer)) => assert_eq!(answer.status(), 503),
                    ("cut", Err(error)) => assert!(!error.is_timeout() && !error.is_connect(), "{error:?}"),
                    ("hang", Err(error)) => assert!(error.is_timeout(), "{error:?}"),
                    (_, answer) => panic!("{loss} {when}: {answer:?}"),
                }
                captured += usize::from(when == "after");
                assert_eq!(rig.entries().await.len(), captured, "{loss} {when}");
                // The same key again: done if it was not, and never twice.
                let again = send(charge(rig, &key)).await.expect(200);
                assert_eq!(again.header("idempotent-replayed"), if when == "after" { "true" } else { "" });
                assert_eq!(again.json["status"], "succeeded");
                captured += usize::from(when == "before");
                assert_eq!(rig.entries().await.len(), captured, "{loss} {when}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_fault_meets_the_calls_that_it_is_for() {
    with_sandbox(async |rig| {
        rig.arm(json!({"path": "/mpesa/stkpushquery/", "loss": "error", "calls": 2})).await;
        let waiting = rig.get("/sandbox/faults/").await.json;
        assert_eq!(
            (&waiting["faults"][0]["calls"], &waiting["faults"][0]["when"]),
            (&json!(2), &json!("before"))
        );
        let token = rig.token().await;
        let id = rig.push(&token, "254712345600", 4).await;
        rig.hears("/mpesa/254712345600/", 1).await;
        for _ in 0..2 {
            let failed = rig.query(&token, &id).await.expect(500).json;
            assert_eq!(failed["errorCode"], "500.003.1001");
        }
        rig.query(&token, &id).await.expect(200);
        assert_eq!(rig.get("/sandbox/faults/").await.json["faults"], json!([]));

        rig.arm(json!({"path": "/oauth/", "loss": "busy"})).await;
        let busy = rig.get("/oauth/v1/generate?grant_type=client_credentials").await.expect(503);
        assert_eq!(busy.header("retry-after"), "1");
        for wrong in [json!({"loss": "boredom"}), json!({"loss": "cut", "colour": "red"}), json!({})] {
            let refused = send(rig.request(Method::POST, "/sandbox/faults/").json(&wrong)).await;
            assert_eq!(refused.status, 422, "{wrong}");
        }
        rig.arm(json!({"loss": "cut", "calls": 9})).await;
        send(rig.request(Method::DELETE, "/sandbox/faults/")).await.expect(204);
        rig.token().await;
    })
    .await;
}

#[tokio::test]
async fn what_hangs_ends_when_faults_are_cleared() {
    with_sandbox(async |rig| {
        rig.arm(json!({"path": "/mpesa/", "loss": "hang", "when": "after"})).await;
        let token = rig.token().await;
        let body: Value = rig.push_body("254712345600", 4);
        let hanging = rig.mpesa(&token, "stkpush/v1/processrequest", &body).send();
        let begin = Instant::now();
        let clearing = async {
            rig.hears("/mpesa/254712345600/", 1).await;
            send(rig.request(Method::DELETE, "/sandbox/faults/")).await.expect(204);
        };
        let (hung, ()) = futures_util::future::join(hanging, clearing).await;
        assert!(!hung.unwrap_err().is_timeout() && begin.elapsed() < Duration::from_secs(4));
        assert_eq!(rig.entries().await.len(), 1);
    })
    .await;
}

/// The rig demands that the sandbox ends within five seconds; a hang is twenty.
#[tokio::test]
async fn it_stops_in_the_middle_of_everything() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        let body = rig.push_body("254712345652", 4);
        let hangs = rig.mpesa(&token, "stkpush/v1/processrequest", &body).timeout(Duration::from_millis(300));
        assert!(hangs.send().await.unwrap_err().is_timeout());
        rig.push(&token, "254712345699", 4).await;
        let still = rig.mpesa(&token, "stkpush/v1/processrequest", &body);
        tokio::spawn(async move { still.send().await });
        tokio::time::sleep(Duration::from_millis(100)).await;
    })
    .await;
}
