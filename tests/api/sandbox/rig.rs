//! A sandbox in a hurry, and a shop that only listens.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use duka::sandbox::{Credentials, Pace, Settings, serve};
use futures_util::FutureExt;
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use crate::support::send;
use crate::support::{Answer, http_client};

/// What the shop was called with.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
    pub at: Instant,
}

#[derive(Clone, Default)]
struct Ears {
    heard: Arc<Mutex<Vec<Heard>>>,
    /// What it answers next; afterwards 200.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

pub struct Rig {
    pub base: String,
    pub shop: String,
    pub credentials: Credentials,
    pub client: Client,
    ears: Ears,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

pub fn hurry() -> Pace {
    Pace {
        answer: Duration::from_millis(200),
        late: Duration::from_millis(900),
        ask: Duration::from_millis(1500),
        hang: Duration::from_secs(20),
        tries: 4,
        retry: Duration::from_millis(60),
        token: Duration::from_secs(3599),
    }
}

pub async fn with_sandbox(test: impl AsyncFnOnce(&Rig)) {
    with_settings(Settings { pace: hurry(), ..Settings::default() }, test).await;
}

/// With settings of the test's own; events of cards come to its shop.
pub async fn with_settings(settings: Settings, test: impl AsyncFnOnce(&Rig)) {
    let ears = Ears::default();
    let shop = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shop_address = shop.local_addr().unwrap();
    let routes = Router::new().fallback(listen).with_state(ears.clone());
    let listening = tokio::spawn(async move { axum::serve(shop, routes).await });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let webhook_url = Some(format!("http://{shop_address}/card/").parse().unwrap());
    let settings = Settings { webhook_url, ..settings };
    let credentials = settings.credentials.clone();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, settings, stop.clone()));
    let client = http_client().timeout(Duration::from_secs(10));
    let client =
        client.redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).build().unwrap();
    let shop = format!("http://{shop_address}");
    let rig = Rig { base, shop, credentials, client, ears, stop, serving };
    let outcome = AssertUnwindSafe(test(&rig)).catch_unwind().await;
    rig.stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(5), rig.serving).await;
    listening.abort();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    stopped.expect("the sandbox does not stop").unwrap().unwrap();
}

async fn listen(State(ears): State<Ears>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let json = serde_json::from_str(&text).unwrap();
    let (path, headers) = (parts.uri.path().to_owned(), parts.headers);
    ears.heard.lock().unwrap().push(Heard { path, headers, text, json, at: Instant::now() });
    let status = ears.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

impl Rig {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// What the shop has heard so far on this path.
    pub fn heard(&self, path: &str) -> Vec<Heard> {
        let heard = self.ears.heard.lock().unwrap();
        heard.iter().filter(|heard| heard.path == path).cloned().collect()
    }

    /// Waits until the shop has heard so many on this path, at most five seconds.
    pub async fn hears(&self, path: &str, count: usize) -> Vec<Heard> {
        let begin = Instant::now();
        loop {
            let heard = self.heard(path);
            if heard.len() >= count || begin.elapsed() > Duration::from_secs(5) {
                assert_eq!(heard.len(), count, "on {path}: {heard:#?}");
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The shop's next answers.
    pub fn answers_next(&self, statuses: &[u16]) {
        self.ears.answers.lock().unwrap().extend(statuses);
    }

    /// The entries of the ledger that belong to a request: kind and minor amount.
    pub async fn ledger(&self, request: &str) -> Vec<(String, u64)> {
        let ledger = self.get("/sandbox/ledger/").await.expect(200).json;
        let entries = ledger["entries"].as_array().unwrap().clone();
        let own = entries.iter().filter(|entry| entry["request"] == request);
        own.map(|entry| (entry["kind"].as_str().unwrap().to_owned(), entry["amount_minor"].as_u64().unwrap()))
            .collect()
    }

    pub async fn entries(&self) -> Vec<Value> {
        self.get("/sandbox/ledger/").await.expect(200).json["entries"].as_array().unwrap().clone()
    }

    pub async fn arm(&self, fault: Value) {
        send(self.request(Method::POST, "/sandbox/faults/").json(&fault)).await.expect(204);
    }

    // M-Pesa ---------------------------------------------------------------------------------------------------

    pub async fn token(&self) -> String {
        let asked = self
            .request(Method::GET, "/oauth/v1/generate?grant_type=client_credentials")
            .basic_auth(&self.credentials.consumer_key, Some(&self.credentials.consumer_secret));
        send(asked).await.expect(200).json["access_token"].as_str().unwrap().to_owned()
    }

    /// A push as it should be.
    pub fn push_body(&self, phone: &str, amount: u64) -> Value {
        let (password, timestamp) = self.password();
        json!({
            "BusinessShortCode": self.credentials.shortcode, "Password": password, "Timestamp": timestamp,
            "TransactionType": "CustomerPayBillOnline", "Amount": amount, "PartyA": phone,
            "PartyB": self.credentials.shortcode, "PhoneNumber": phone,
            "CallBackURL": format!("{}/mpesa/{phone}/", self.shop),
            "AccountReference": "ORDER-000001", "TransactionDesc": "Order 1",
        })
    }

    pub fn password(&self) -> (String, &'static str) {
        let timestamp = "20261125160000";
        let text = format!("{}{}{timestamp}", self.credentials.shortcode, self.credentials.passkey);
        (BASE64_STANDARD.encode(text), timestamp)
    }

    pub fn mpesa(&self, token: &str, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, &format!("/mpesa/{path}")).bearer_auth(token).json(body)
    }

    /// Pushes, and gives the `CheckoutRequestID`.
    pub async fn push(&self, token: &str, phone: &str, amount: u64) -> String {
        let body = self.push_body(phone, amount);
        let accepted = send(self.mpesa(token, "stkpush/v1/processrequest", &body)).await.expect(200);
        assert_eq!(accepted.json["ResponseCode"], "0");
        accepted.json["CheckoutRequestID"].as_str().unwrap().to_owned()
    }

    pub async fn query(&self, token: &str, id: &str) -> Answer {
        let (password, timestamp) = self.password();
        let body = json!({
            "BusinessShortCode": self.credentials.shortcode, "Password": password, "Timestamp": timestamp,
            "CheckoutRequestID": id,
        });
        send(self.mpesa(token, "stkpushquery/v1/query", &body)).await
    }

    // Cards ----------------------------------------------------------------------------------------------------

    /// Sends a form with the secret key.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.request(Method::POST, path).bearer_auth(&self.credentials.secret_key).form(fields)
    }

    pub async fn look(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path).bearer_auth(&self.credentials.secret_key)).await
    }

    /// A new intent over 1,250 US cents.
    pub async fn intent(&self) -> Value {
        let fields = [("amount", "1250"), ("currency", "usd"), ("metadata[order_id]", "7")];
        send(self.form("/v1/payment_intents", &fields)).await.expect(200).json
    }

    /// Confirms as a browser does.
    pub async fn confirm(&self, intent: &Value, card: &str) -> Answer {
        let fields = [
            ("client_secret", intent["client_secret"].as_str().unwrap()),
            ("payment_method_data[type]", "card"),
            ("payment_method_data[card][number]", card),
            ("payment_method_data[card][exp_month]", "12"),
            ("payment_method_data[card][exp_year]", "2034"),
            ("payment_method_data[card][cvc]", "123"),
        ];
        let path = format!("/v1/payment_intents/{}/confirm", intent["id"].as_str().unwrap());
        let key = &self.credentials.publishable_key;
        send(self.request(Method::POST, &path).basic_auth(key, None::<&str>).form(&fields)).await
    }

    /// The events that the shop has heard: type, and the object's status.
    pub fn events(&self) -> Vec<(String, Value)> {
        let event = |heard: Heard| {
            (heard.json["type"].as_str().unwrap().to_owned(), heard.json["data"]["object"].clone())
        };
        self.heard("/card/").into_iter().map(event).collect()
    }
}
