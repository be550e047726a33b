//! A gateway under the test's control: it speaks as much of both protocols as a shop needs, fails as it is told to, and
//! keeps a ledger of its own.

mod messages;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Method, Request, StatusCode},
    response::{IntoResponse, Response},
};
use duka::config::{PaymentSettings, Settings};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::messages::{callback, event, now, result, signature};
use super::{TestShop, with_settings};

pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

/// What goes wrong, once, with the next request of a name.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered so, and not done.
    Answer(u16, Value),
    /// Not done, and the connection is cut.
    Cut,
    /// Done, and the connection is cut.
    CutAfter,
    /// Done, and answered so.
    AnswerAfter(u16, Value),
    /// Done, and never answered.
    HangAfter,
    /// Done, and answered late.
    Late(Duration),
}

/// A prompt on a phone.
#[derive(Clone, Debug)]
pub struct Push {
    pub merchant: String,
    pub checkout: String,
    pub sent: Value,
    /// How it ended: the code.
    pub code: Option<String>,
}

#[derive(Default)]
pub struct Ledger {
    /// Every request, by its name.
    pub calls: Vec<String>,
    pub bodies: Vec<(String, Value)>,
    pub intents: BTreeMap<String, Value>,
    pub refunds: BTreeMap<String, Value>,
    pub pushes: Vec<Push>,
    pub reversals: Vec<Value>,
    faults: HashMap<String, VecDeque<Fault>>,
    answers: HashMap<String, Value>,
    next: u32,
    is_down: bool,
}

/// The gateway.
#[derive(Clone)]
pub struct Gateway {
    pub base: String,
    ledger: Arc<Mutex<Ledger>>,
}

/// Opens a shop in shillings and the gateway that it is set up with.
pub async fn with_gateway(test: impl AsyncFnOnce(&TestShop, &Gateway)) {
    with_gateway_settings(Settings::default(), test).await;
}

/// [`with_gateway`] with settings of the test's own.
pub async fn with_gateway_settings(settings: Settings, test: impl AsyncFnOnce(&TestShop, &Gateway)) {
    let (gateway, server) = Gateway::open().await;
    let settings = Settings { currency: Some("KES".into()), payment: gateway.settings(), ..settings };
    with_settings(settings, async |shop| test(shop, &gateway).await).await;
    server.abort();
}

impl Gateway {
    async fn open() -> (Self, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let gateway = Self { base, ledger: Arc::default() };
        let router = Router::new().fallback(serve).with_state(gateway.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (gateway, server)
    }

    fn settings(&self) -> PaymentSettings {
        let some = |text: &str| Some(text.to_owned());
        PaymentSettings {
            mpesa_base_url: some(&self.base),
            mpesa_consumer_key: some("consumer"),
            mpesa_consumer_secret: some("consumer-secret"),
            mpesa_shortcode: some("174379"),
            mpesa_passkey: some("passkey"),
            mpesa_initiator: some("initiator"),
            mpesa_security_credential: some("credential"),
            card_base_url: some(&self.base),
            card_secret_key: some("sk_test"),
            card_webhook_secret: some(WEBHOOK_SECRET),
            ..PaymentSettings::default()
        }
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// The next request of this name goes wrong: `create`, `look`, `cancel`, `refund`, `look at refund`, `token`,
    /// `push`, `query`, `reversal`.
    pub fn fault(&self, name: &str, fault: Fault) {
        self.ledger().faults.entry(name.to_owned()).or_default().push_back(fault);
    }

    /// Whether nobody is there: every request is answered 503.
    pub fn down(&self, is_down: bool) {
        self.ledger().is_down = is_down;
    }

    pub fn calls(&self, name: &str) -> usize {
        self.ledger().calls.iter().filter(|call| *call == name).count()
    }

    /// How many `intents`, `refunds`, `pushes` or `reversals` there are.
    pub fn made(&self, what: &str) -> usize {
        let ledger = self.ledger();
        match what {
            "intents" => ledger.intents.len(),
            "refunds" => ledger.refunds.len(),
            "pushes" => ledger.pushes.len(),
            "reversals" => ledger.reversals.len(),
            other => panic!("{other}"),
        }
    }

    /// The only intent, or the latest.
    pub fn intent(&self) -> Value {
        self.ledger().intents.values().next_back().cloned().unwrap()
    }

    pub fn push(&self) -> Push {
        self.ledger().pushes.last().cloned().unwrap()
    }

    /// The buyer confirms in the browser: how it ends.
    pub fn confirm(&self, intent: &Value, status: &str) -> Value {
        let id = intent["id"].as_str().unwrap();
        let mut ledger = self.ledger();
        let intent = ledger.intents.get_mut(id).unwrap();
        intent["status"] = json!(status);
        match status {
            "succeeded" => intent["amount_received"] = intent["amount"].clone(),
            "requires_payment_method" => {
                intent["last_payment_error"] = json!({"code": "card_declined", "decline_code": "generic_decline", "message": "Your card was declined."});
            }
            _ => {}
        }
        intent.clone()
    }

    /// The phone's owner answers the prompt, with this code.
    pub fn answer(&self, push: &Push, code: &str) {
        let mut ledger = self.ledger();
        let push = ledger.pushes.iter_mut().find(|known| known.checkout == push.checkout).unwrap();
        push.code = Some(code.to_owned());
    }

    /// Money that the gateway holds for the shop: what was paid less what went back, in hundredths.
    pub fn holds(&self) -> i64 {
        let ledger = self.ledger();
        let number = |value: &Value| {
            value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap_or(0)
        };
        let intents = ledger.intents.values().filter(|intent| intent["status"] == "succeeded");
        let refunds = ledger.refunds.values().filter(|refund| refund["status"] == "succeeded");
        let pushes = ledger.pushes.iter().filter(|push| push.code.as_deref() == Some("0"));
        intents.map(|intent| number(&intent["amount_received"])).sum::<i64>()
            - refunds.map(|refund| number(&refund["amount"])).sum::<i64>()
            + pushes.map(|push| number(&push.sent["Amount"]) * 100).sum::<i64>()
            - ledger.reversals.iter().map(|sent| number(&sent["Amount"]) * 100).sum::<i64>()
    }

    fn do_it(&self, name: &str, path: &str, key: Option<String>, sent: &Value) -> (u16, Value) {
        let mut ledger = self.ledger();
        if let Some(answer) = key.as_ref().and_then(|key| ledger.answers.get(key)) {
            return (200, answer.clone());
        }
        ledger.next += 1;
        let number = ledger.next;
        let tail = path.trim_end_matches("/cancel").rsplit('/').next().unwrap_or_default().to_owned();
        let missing = json!({"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such thing"}});
        let answer = match name {
            "token" => json!({"access_token": format!("token-{number}"), "expires_in": "3599"}),
            "create" => {
                let id = format!("pi_{number:04}");
                let intent = json!({
                    "id": id, "object": "payment_intent", "status": "requires_payment_method",
                    "amount": sent["amount"].as_str().unwrap().parse::<i64>().unwrap(), "amount_received": 0,
                    "currency": sent["currency"], "client_secret": format!("{id}_secret_x"), "last_payment_error": null,
                    "metadata": {"payment_key": sent["metadata[payment_key]"], "order_id": sent["metadata[order_id]"]},
                });
                ledger.intents.insert(id, intent.clone());
                intent
            }
            "look" => match ledger.intents.get(&tail) {
                Some(intent) => intent.clone(),
                None => return (404, missing),
            },
            "cancel" => match ledger.intents.get_mut(&tail) {
                Some(intent) if intent["status"] == "succeeded" => {
                    return (
                        400,
                        json!({"error": {"code": "payment_intent_unexpected_state", "message": "It is paid."}}),
                    );
                }
                Some(intent) => {
                    intent["status"] = json!("canceled");
                    intent.clone()
                }
                None => return (404, missing),
            },
            "refund" => {
                let id = format!("re_{number:04}");
                let refund = json!({"id": id, "object": "refund", "status": "succeeded",
                    "amount": sent["amount"].as_str().unwrap().parse::<i64>().unwrap(), "payment_intent": sent["payment_intent"]});
                ledger.refunds.insert(id, refund.clone());
                refund
            }
            "look at refund" => match ledger.refunds.get(&tail) {
                Some(refund) => refund.clone(),
                None => return (404, missing),
            },
            "push" => {
                let push = Push {
                    merchant: format!("29115-{number}-1"),
                    checkout: format!("ws_CO_{number:04}"),
                    sent: sent.clone(),
                    code: None,
                };
                ledger.pushes.push(push.clone());
                json!({"MerchantRequestID": push.merchant, "CheckoutRequestID": push.checkout, "ResponseCode": "0",
                    "ResponseDescription": "Success. Request accepted for processing", "CustomerMessage": "Success."})
            }
            "query" => {
                let push = ledger.pushes.iter().find(|push| sent["CheckoutRequestID"] == push.checkout);
                match push.map(|push| (push, push.code.clone())) {
                    Some((push, Some(code))) => {
                        json!({"ResponseCode": "0", "ResponseDescription": "Accepted",
                        "MerchantRequestID": push.merchant, "CheckoutRequestID": push.checkout, "ResultCode": code,
                        "ResultDesc": "The gateway's words."})
                    }
                    Some((_, None)) => {
                        return (
                            500,
                            json!({"requestId": "1", "errorCode": "500.001.1001",
                            "errorMessage": "The transaction is being processed"}),
                        );
                    }
                    None => {
                        return (
                            404,
                            json!({"requestId": "1", "errorCode": "404.001.04", "errorMessage": "Unknown"}),
                        );
                    }
                }
            }
            "reversal" => {
                let names = json!({"OriginatorConversationID": format!("o-{number}"), "ConversationID": format!("AG_{number:04}")});
                // As it was sent, with the names that it was given.
                let mut known = sent.clone();
                known.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
                ledger.reversals.push(known);
                let mut answer = names;
                answer["ResponseCode"] = json!("0");
                answer["ResponseDescription"] = json!("Accept the service request successfully.");
                answer
            }
            other => panic!("{other}"),
        };
        if let Some(key) = key {
            ledger.answers.insert(key, answer.clone());
        }
        (200, answer)
    }
}

fn name_of(method: &Method, path: &str) -> &'static str {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["oauth", "v1", "generate"]) => "token",
        ("POST", ["mpesa", "stkpush", "v1", "processrequest"]) => "push",
        ("POST", ["mpesa", "stkpushquery", "v1", "query"]) => "query",
        ("POST", ["mpesa", "reversal", "v1", "request"]) => "reversal",
        ("POST", ["v1", "payment_intents"]) => "create",
        ("GET", ["v1", "payment_intents", _]) => "look",
        ("POST", ["v1", "payment_intents", _, "cancel"]) => "cancel",
        ("POST", ["v1", "refunds"]) => "refund",
        ("GET", ["v1", "refunds", _]) => "look at refund",
        other => panic!("the gateway has no {other:?}"),
    }
}

async fn serve(State(gateway): State<Gateway>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let name = name_of(&parts.method, &path);
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let right = match name {
        "token" => "Basic Y29uc3VtZXI6Y29uc3VtZXItc2VjcmV0".to_owned(),
        "push" | "query" | "reversal" => "Bearer token-".to_owned(),
        _ => "Bearer sk_test".to_owned(),
    };
    assert!(header("authorization").is_some_and(|given| given.starts_with(&right)), "{name}");
    let bytes = axum::body::to_bytes(body, 64 * 1024).await.unwrap();
    let sent: Value = match header("content-type").as_deref() {
        Some("application/json") => serde_json::from_slice(&bytes).unwrap(),
        _ => {
            let form =
                reqwest::Url::parse(&format!("http://x/?{}", str::from_utf8(&bytes).unwrap())).unwrap();
            let pairs = form
                .query_pairs()
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
            Value::Object(pairs.collect())
        }
    };
    let fault = {
        let mut ledger = gateway.ledger();
        ledger.calls.push(name.to_owned());
        ledger.bodies.push((name.to_owned(), sent.clone()));
        if ledger.is_down {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        ledger.faults.get_mut(name).and_then(VecDeque::pop_front)
    };
    let cut = || {
        Body::from_stream(futures_util::stream::once(async { Err::<&[u8], _>(io::Error::other("cut")) }))
            .into_response()
    };
    let json = |(status, body): (u16, Value)| {
        (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
    };
    match &fault {
        Some(Fault::Answer(status, body)) => return json((*status, body.clone())),
        Some(Fault::Cut) => return cut(),
        _ => {}
    }
    let done = gateway.do_it(name, &path, header("idempotency-key"), &sent);
    match fault {
        Some(Fault::CutAfter) => cut(),
        Some(Fault::AnswerAfter(status, body)) => json((status, body)),
        Some(Fault::HangAfter) => std::future::pending().await,
        Some(Fault::Late(wait)) => {
            tokio::time::sleep(wait).await;
            json(done)
        }
        _ => json(done),
    }
}
