//! What the shop is told: signed, in time or not, again when it does not listen, and never without end.

use std::time::{Duration, Instant};

use duka::sandbox::{Pace, Settings};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::Value;
use sha2::Sha256;
use time::OffsetDateTime;

use super::rig::{Heard, hurry, send, with_sandbox, with_settings};

/// Verified as a shop would, from the protocol's description alone.
#[track_caller]
fn verify(heard: &Heard, secret: &str) -> i64 {
    let header = heard.headers["stripe-signature"].to_str().unwrap();
    let part = |name: &str| {
        let mut parts = header.split(',').filter_map(|part| part.split_once('='));
        parts.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("no {name} in {header}")).1
    };
    let given: Vec<u8> = part("v1")
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{}.{}", part("t"), heard.text));
    mac.verify_slice(&given).unwrap();
    let at: i64 = part("t").parse().unwrap();
    assert!((OffsetDateTime::now_utc().unix_timestamp() - at).abs() < 60);
    at
}

#[tokio::test]
async fn an_event_is_signed_anew_each_time_it_is_sent() {
    let pace = Pace { retry: Duration::from_millis(1100), ..hurry() };
    with_settings(Settings { pace, ..Settings::default() }, async |rig| {
        rig.answers_next(&[500]);
        let intent = rig.intent().await;
        rig.confirm(&intent, "4242424242424242").await.expect(200);
        let heard = rig.hears("/card/", 2).await;
        let secret = &rig.credentials.webhook_secret;
        assert!(verify(&heard[0], secret) < verify(&heard[1], secret));
        assert_eq!(heard[0].text, heard[1].text);
        let event = &heard[0].json;
        assert_eq!((event["object"].as_str(), event["livemode"].as_bool()), (Some("event"), Some(false)));
        assert_eq!(event["data"]["object"]["status"], "succeeded");
        let id = event["id"].as_str().unwrap();
        assert!(id.starts_with("evt_"));
        assert_eq!(&rig.look(&format!("/v1/events/{id}")).await.expect(200).json, event);
        let other = Heard { text: heard[0].text.replace("1250", "1"), ..heard[0].clone() };
        assert!(std::panic::catch_unwind(|| verify(&other, secret)).is_err(), "the signature says nothing");
    })
    .await;
}

#[tokio::test]
async fn a_shop_that_does_not_listen_is_called_again_and_not_for_ever() {
    with_sandbox(async |rig| {
        let token = rig.token().await;
        rig.answers_next(&[500, 503, 404, 200]);
        rig.push(&token, "254712345600", 3).await;
        let heard = rig.hears("/mpesa/254712345600/", 4).await;
        let pause = |at: usize| heard[at + 1].at - heard[at].at;
        assert!(pause(2) > pause(0), "the pauses do not grow: {:?} {:?}", pause(0), pause(2));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(rig.heard("/mpesa/254712345600/").len(), 4, "it was taken, and came again");

        rig.answers_next(&[500; 10]);
        let intent = rig.intent().await;
        rig.confirm(&intent, "4242424242424242").await.expect(200);
        rig.hears("/card/", 4).await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        let heard = rig.heard("/card/");
        assert_eq!(heard.len(), 4, "it does not give up");
        let deliveries = rig.get("/sandbox/deliveries/").await.expect(200).json["deliveries"].clone();
        let about = heard[0].json["id"].as_str().unwrap();
        let own = deliveries.as_array().unwrap().iter().filter(|delivery| delivery["about"] == about);
        let tries: Vec<_> =
            own.map(|d| (d["attempt"].as_u64().unwrap(), d["status"].as_u64().unwrap())).collect();
        assert_eq!(tries, [(1, 500), (2, 500), (3, 500), (4, 500)]);
    })
    .await;
}

#[tokio::test]
async fn a_shop_that_is_down_hears_it_when_it_is_back() {
    with_sandbox(async |rig| {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        let token = rig.token().await;
        let mut body = rig.push_body("254712345600", 3);
        body["CallBackURL"] = Value::from(format!("http://localhost:{}/back/", address.port()));
        send(rig.mpesa(&token, "stkpush/v1/processrequest", &body)).await.expect(200);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let back = tokio::net::TcpListener::bind(address).await.unwrap();
        let (heard, mut hears) = tokio::sync::mpsc::channel(4);
        let routes = axum::Router::new().fallback(async move |body: String| heard.send(body).await.unwrap());
        let served = tokio::spawn(async move { axum::serve(back, routes).await });
        let body = tokio::time::timeout(Duration::from_secs(3), hears.recv()).await.unwrap().unwrap();
        assert!(body.contains("MpesaReceiptNumber"), "{body}");
        served.abort();
    })
    .await;
}

#[tokio::test]
async fn events_come_late_early_or_the_wrong_way_round() {
    with_sandbox(async |rig| {
        let intent = rig.intent().await;
        rig.confirm(&intent, "4000000088000049").await.expect(200);
        assert_eq!(
            rig.heard("/card/").len(),
            1,
            "the event was not there when the confirmation was answered"
        );

        let late = rig.intent().await;
        let begin = Instant::now();
        rig.confirm(&late, "4000000088000023").await.expect(200);
        assert_eq!(
            rig.look(&format!("/v1/payment_intents/{}", late["id"].as_str().unwrap())).await.json["status"],
            "succeeded"
        );
        let heard = rig.hears("/card/", 2).await;
        assert!(heard[1].at - begin >= hurry().late);

        let mixed = rig.intent().await;
        rig.confirm(&mixed, "4000000088000064").await.expect(200);
        let heard = rig.hears("/card/", 4).await;
        let state = |heard: &Heard| heard.json["data"]["object"]["status"].as_str().unwrap().to_owned();
        assert_eq!(
            (state(&heard[2]), state(&heard[3])),
            ("succeeded".into(), "requires_payment_method".into())
        );
        let twice = rig.intent().await;
        rig.confirm(&twice, "4000000088000031").await.expect(200);
        let heard = rig.hears("/card/", 6).await;
        assert_eq!(heard[4].json["id"], heard[5].json["id"]);
    })
    .await;
}

#[tokio::test]
async fn it_calls_nobody_who_was_not_allowed() {
    let settings = Settings {
        pace: hurry(),
        allowed: vec!["http://shop.invalid:8000".parse().unwrap()],
        ..Settings::default()
    };
    with_settings(settings, async |rig| {
        let token = rig.token().await;
        let push = async |url: &str| {
            let mut body = rig.push_body("254712345600", 3);
            body["CallBackURL"] = Value::from(url);
            send(rig.mpesa(&token, "stkpush/v1/processrequest", &body)).await.status
        };
        assert_eq!(push("http://shop.invalid:8000/x/").await, 200);
        assert_eq!(push("http://shop.invalid/x/").await, 400);
        assert_eq!(push("http://example.com/x/").await, 400);
    })
    .await;
    assert!("example.com".parse::<duka::sandbox::Target>().is_err());
}

#[tokio::test]
async fn it_remembers_so_much_and_no_more() {
    let settings = Settings { pace: hurry(), remember: 3, ..Settings::default() };
    with_settings(settings, async |rig| {
        let first = rig.intent().await;
        for _ in 0..3 {
            rig.intent().await;
        }
        rig.look(&format!("/v1/payment_intents/{}", first["id"].as_str().unwrap())).await.expect(404);
        let token = rig.token().await;
        for _ in 0..32 {
            rig.push(&token, "254712345642", 1).await;
        }
        let ledger = rig.get("/sandbox/ledger/").await.expect(200).json;
        assert_eq!(
            (ledger["entries"].as_array().unwrap().len(), ledger["forgotten"].as_u64()),
            (30, Some(2))
        );
        let deliveries = rig.request(Method::GET, "/sandbox/deliveries/");
        assert_eq!(send(deliveries).await.json["deliveries"].as_array().unwrap().len(), 3);
    })
    .await;
}
