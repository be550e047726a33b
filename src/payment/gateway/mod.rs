//! The gateways: what the shop asks of them, and what it hears, in one language for all.
//!
//! A client sends a request once and says what it knows then. When nothing is heard it says so: whether to ask again,
//! and what for, is the actions' to decide. Secrets and addresses with tokens in them are in no log and no error.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{RequestBuilder, redirect};
use serde_json::Value;

use super::model::{Names, Payment, Refund, RefundStatus};
use crate::{clock::Clock, config::Config, money::Amount, order::model::PaymentMethod, outbound};

pub mod card;
pub mod mpesa;

/// How long a gateway may take to be reached.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it may take to answer one request.
const ANSWER: Duration = Duration::from_secs(6);
/// What an answer may have at most.
const ANSWER_BYTES: usize = 256 * 1024;

/// What is known of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The gateway has it, and waits.
    Processing,
    /// Nothing was paid.
    Failed,
    /// Nothing was paid, because somebody wanted it so.
    Cancelled,
    /// It was paid.
    Succeeded,
    /// No answer tells.
    Unknown,
    /// The gateway is there, and never named the attempt: it cannot be asked what became of it.
    Nameless,
}

/// What was heard of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What became of it.
    pub word: Word,
    /// How the gateway calls it, as far as it said.
    pub names: Names,
    /// What was paid, and in which currency, as far as the gateway says.
    pub paid: Option<(Amount, Option<String>)>,
    /// What the buyer's browser confirms it with.
    pub client_secret: Option<String>,
    /// The gateway's code.
    pub code: Option<String>,
    /// For people.
    pub description: Option<String>,
}

impl News {
    /// News without any details.
    pub fn new(word: Word) -> Self {
        Self { word, names: Names::default(), paid: None, client_secret: None, code: None, description: None }
    }

    /// The same with why.
    pub fn because(mut self, code: impl Into<Option<String>>, description: impl AsRef<str>) -> Self {
        self.code = code.into().map(|code| clip(&code, 100)).filter(|code| !code.is_empty());
        self.description = Some(clip(description.as_ref(), 500)).filter(|text| !text.is_empty());
        self
    }

    /// What is known when nothing was answered: nothing, or that it was never sent.
    fn of(error: &CallError) -> Self {
        match error {
            CallError::NotSent(_) => Self::new(Word::Failed).because(
                "unreachable".to_owned(),
                "The payment service cannot be reached; nothing was charged. Try again.",
            ),
            CallError::Unanswered(_) => {
                Self::new(Word::Unknown).because(None, "The payment service has not answered yet.")
            }
        }
    }
}

/// What was heard of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNews {
    /// What became of it.
    pub status: RefundStatus,
    /// How the gateway calls it, if it said so.
    pub gateway_refund_id: Option<String>,
    /// M-Pesa: how it calls the request for it, if it said so.
    pub gateway_request_id: Option<String>,
    /// Why it failed or waits.
    pub error: Option<String>,
}

impl RefundNews {
    /// News without any details.
    pub fn new(status: RefundStatus) -> Self {
        Self { status, gateway_refund_id: None, gateway_request_id: None, error: None }
    }

    /// The same with why.
    pub fn because(mut self, error: impl AsRef<str>) -> Self {
        self.error = Some(clip(error.as_ref(), 500));
        self
    }

    fn named(mut self, id: Option<String>) -> Self {
        self.gateway_refund_id = id;
        self
    }
}

/// What begins an attempt.
#[derive(Clone, Debug)]
pub struct Start {
    /// The attempt.
    pub payment: Payment,
    /// M-Pesa: the unguessable end of the address that it reports to.
    pub token: String,
}

/// A gateway.
pub trait Gateway: Send + Sync {
    /// Asks for the money.
    fn start<'a>(&'a self, start: &'a Start) -> BoxFuture<'a, News>;

    /// Asks what became of an attempt.
    fn look<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, News>;

    /// Takes an attempt back that nobody needs any more, where that can be done; else as [`look`](Self::look).
    fn abandon<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, News>;

    /// Sends money back; `token` as in [`Start`].
    fn refund<'a>(
        &'a self,
        refund: &'a Refund,
        payment: &'a Payment,
        token: &'a str,
    ) -> BoxFuture<'a, RefundNews>;

    /// Asks what became of a refund that was sent.
    fn look_at_refund<'a>(&'a self, refund: &'a Refund, payment: &'a Payment) -> BoxFuture<'a, RefundNews>;

    /// Whether the same request under the same key is the same payment, however often it is sent.
    fn knows_keys(&self) -> bool;

    /// What it moves of an amount.
    fn charge(&self, amount: Amount) -> Amount;
}

/// The gateways of a shop.
#[derive(Clone)]
pub struct Gateways {
    card: Option<Arc<card::Card>>,
    mpesa: Option<Arc<mpesa::Mpesa>>,
}

impl Gateways {
    /// Those that are configured. `address` is where the shop listens, for gateways near by.
    ///
    /// # Errors
    /// When the system has no certificates to trust.
    pub fn open(config: &Config, clock: &Clock, address: SocketAddr) -> Result<Self, reqwest::Error> {
        let client = outbound::client()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("duka/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let (card, mpesa) = (config.accounts.card.clone(), config.accounts.mpesa.clone());
        Ok(Self {
            card: card.map(|account| Arc::new(card::Card::new(account, client.clone(), clock.clone()))),
            mpesa: mpesa.map(|account| Arc::new(mpesa::Mpesa::new(account, client, clock.clone(), address))),
        })
    }

    /// The gateway of a method, if it is offered.
    pub fn of(&self, method: PaymentMethod) -> Option<&dyn Gateway> {
        match method {
            PaymentMethod::Card => self.card.as_deref().map(|card| card as &dyn Gateway),
            PaymentMethod::Mpesa => self.mpesa.as_deref().map(|mpesa| mpesa as &dyn Gateway),
            PaymentMethod::CashOnDelivery => None,
        }
    }

    /// The card gateway, for its events.
    pub fn card(&self) -> Option<&card::Card> {
        self.card.as_deref()
    }
}

/// Why a request has no answer.
#[derive(Debug)]
enum CallError {
    /// It has not reached the gateway.
    NotSent(String),
    /// It may have.
    Unanswered(String),
}

/// Sends a request: the status and the JSON of the answer, null when it is none.
async fn call(
    method: &'static str,
    name: &'static str,
    request: RequestBuilder,
) -> Result<(u16, Value), CallError> {
    let begun = std::time::Instant::now();
    let answer = answered(request).await;
    metrics::histogram!("duka_gateway_request_seconds", "method" => method, "call" => name)
        .record(begun.elapsed().as_secs_f64());
    let outcome = match &answer {
        Ok((status, _)) => status.to_string(),
        Err(CallError::NotSent(_)) => "unreachable".to_owned(),
        Err(CallError::Unanswered(_)) => "unanswered".to_owned(),
    };
    metrics::counter!("duka_gateway_requests_total", "method" => method, "call" => name, "outcome" => outcome)
        .increment(1);
    if let Err(CallError::NotSent(error) | CallError::Unanswered(error)) = &answer {
        tracing::warn!(method, call = name, error, "a payment gateway did not answer");
    }
    answer
}

async fn answered(request: RequestBuilder) -> Result<(u16, Value), CallError> {
    let mut response = request.send().await.map_err(|error| {
        let sent = !error.is_connect() && !error.is_builder();
        let text = told(&error.without_url());
        if sent { CallError::Unanswered(text) } else { CallError::NotSent(text) }
    })?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| CallError::Unanswered(told(&error.without_url())))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            return Err(CallError::Unanswered(format!("the answer has more than {ANSWER_BYTES} bytes")));
        }
    }
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// An error with what caused it.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// A gateway's text without what cannot be kept or shown, and not longer than so many characters.
fn clip(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect::<String>().trim().to_owned()
}

/// A string, or a number as one: gateways do not agree which it is.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(clip(text, 500)).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A name that can be kept as it is.
fn name(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let plain = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| text.to_owned())
}
