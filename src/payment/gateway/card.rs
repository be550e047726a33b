//! Cards, by payment intents: the buyer's browser hands the card to the gateway and never to the shop.

use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{CallError, Gateway, News, RefundNews, Start, Word, call, name, text_of};
use crate::{
    clock::{self, Clock},
    config::CardConfig,
    money::{Amount, Currency},
    payment::model::{Names, Payment, Refund, RefundStatus},
};

pub mod event;

/// The version of the protocol that this speaks.
const PROTOCOL: &str = "2024-06-20";
/// The gateway forgets keys after a day: then the same request would be another refund.
const KEY_LIFE: time::Duration = time::Duration::hours(23);

/// The client of a card gateway.
pub struct Card {
    account: CardConfig,
    client: Client,
    clock: Clock,
}

impl Card {
    pub(super) fn new(account: CardConfig, client: Client, clock: Clock) -> Self {
        Self { account, client, clock }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.account.secret_key.expose_secret()).header("stripe-version", PROTOCOL)
    }

    fn post(&self, path: &str, key: &str, form: &[(&str, String)]) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.account.base_url));
        self.signed(request).header("idempotency-key", key).form(form)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.signed(self.client.get(format!("{}{path}", self.account.base_url)))
    }

    /// The request that makes the intent: byte for byte the same whenever it is sent, as its key demands.
    fn creation(&self, payment: &Payment) -> Option<RequestBuilder> {
        let form = [
            ("amount", minor_units(payment.amount, &payment.currency)?.to_string()),
            ("currency", payment.currency.to_ascii_lowercase()),
            ("payment_method_types[]", "card".to_owned()),
            ("description", format!("Order {}", payment.order_number)),
            ("metadata[order_id]", payment.order_id.to_string()),
            ("metadata[payment_id]", payment.id.to_string()),
            ("metadata[payment_key]", payment.gateway_key.clone()),
        ];
        let key = format!("payment-{}", payment.gateway_key);
        Some(self.post("/v1/payment_intents", &key, &form))
    }

    async fn create(&self, payment: &Payment) -> News {
        match self.creation(payment) {
            Some(request) => started(call("card", "create", request).await),
            None => News::new(Word::Failed)
                .because("amount".to_owned(), "The amount cannot be charged in this currency."),
        }
    }

    /// Asks for the intent; one that was never named is made again under the same key, which is the same intent.
    async fn ask(&self, payment: &Payment) -> News {
        if let Some(id) = &payment.names.transaction_id {
            return looked(call("card", "look", self.get(&format!("/v1/payment_intents/{id}"))).await);
        }
        let Some(request) = self.creation(payment) else { return News::new(Word::Nameless) };
        match call("card", "create", request).await {
            Err(_) => looked(Err(())),
            answer => match started(answer) {
                // Nobody has its secret, so nobody can pay it: after a while it may be given up.
                news if news.word == Word::Unknown => News { word: Word::Nameless, ..news },
                news => news,
            },
        }
    }

    async fn cancel(&self, payment: &Payment) -> News {
        let Some(id) = &payment.names.transaction_id else { return self.ask(payment).await };
        // A refusal is kept under its key like any answer, and must not outlive its reason. To cancel twice is no harm.
        let key = format!("cancel-{}-{}", payment.gateway_key, payment.checks);
        let cancel = self.post(&format!("/v1/payment_intents/{id}/cancel"), &key, &[]);
        match call("card", "cancel", cancel).await {
            Ok(answer @ (200, _)) => looked(Ok::<_, ()>(answer)),
            // It was paid meanwhile, or has been cancelled already.
            _ => self.ask(payment).await,
        }
    }

    async fn send_refund(&self, refund: &Refund, payment: &Payment) -> RefundNews {
        let minor = minor_units(refund.amount, payment.got_in());
        let (Some(intent), Some(minor)) = (&payment.names.transaction_id, minor) else {
            return RefundNews::new(RefundStatus::Manual).because("The gateway never named the payment.");
        };
        let form = [
            ("payment_intent", intent.clone()),
            ("amount", minor.to_string()),
            ("metadata[refund_id]", refund.id.to_string()),
        ];
        let key = format!("refund-{}", refund.gateway_key);
        refund_heard(call("card", "refund", self.post("/v1/refunds", &key, &form)).await)
    }

    async fn ask_refund(&self, refund: &Refund, payment: &Payment) -> RefundNews {
        let now = clock::from_micros(self.clock.micros());
        match &refund.gateway_refund_id {
            Some(id) => {
                match call("card", "look at refund", self.get(&format!("/v1/refunds/{id}"))).await {
                    Ok(answer @ (200, _)) => refund_heard(Ok(answer)),
                    // A question that was not answered changes nothing.
                    _ => RefundNews::new(RefundStatus::Unknown).because("The gateway has not answered yet."),
                }
            }
            None if now - refund.created_at < KEY_LIFE => self.send_refund(refund, payment).await,
            None => RefundNews::new(RefundStatus::Manual)
                .because("The gateway did not answer for a day; look there whether the money went back."),
        }
    }
}

impl Gateway for Card {
    fn start<'a>(&'a self, start: &'a Start) -> BoxFuture<'a, News> {
        Box::pin(self.create(&start.payment))
    }

    fn look<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, News> {
        Box::pin(self.ask(payment))
    }

    fn abandon<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, News> {
        Box::pin(self.cancel(payment))
    }

    fn refund<'a>(
        &'a self,
        refund: &'a Refund,
        payment: &'a Payment,
        _: &'a str,
    ) -> BoxFuture<'a, RefundNews> {
        Box::pin(self.send_refund(refund, payment))
    }

    fn look_at_refund<'a>(&'a self, refund: &'a Refund, payment: &'a Payment) -> BoxFuture<'a, RefundNews> {
        Box::pin(self.ask_refund(refund, payment))
    }

    fn knows_keys(&self) -> bool {
        true
    }

    fn charge(&self, amount: Amount) -> Amount {
        amount
    }
}

/// What the answer to the first request says.
fn started(answer: Result<(u16, Value), CallError>) -> News {
    match answer {
        // Refused, and not merely for now.
        Ok((status @ 400..=499, body))
            if !matches!(status, 408 | 409 | 429) && body["error"]["type"] != "idempotency_error" =>
        {
            let (code, message) = refusal(status, &body);
            News::new(Word::Failed).because(code, message)
        }
        Ok(answer) => looked(Ok::<_, ()>(answer)),
        Err(error) => News::of(&error),
    }
}

/// What the answer to a question says: nothing, but where it shows the intent.
fn looked<E>(answer: Result<(u16, Value), E>) -> News {
    match answer {
        Ok((200, intent)) if intent["object"] == "payment_intent" => of_intent(&intent),
        _ => News::new(Word::Unknown).because(None, "The payment service has not answered yet."),
    }
}

/// What an intent says of its attempt.
fn of_intent(intent: &Value) -> News {
    let error = &intent["last_payment_error"];
    let word = match intent["status"].as_str().unwrap_or_default() {
        "succeeded" if received(intent).is_some() => Word::Succeeded,
        "canceled" => Word::Cancelled,
        "requires_payment_method" if error.is_object() => Word::Failed,
        "requires_payment_method"
        | "requires_confirmation"
        | "requires_action"
        | "processing"
        | "requires_capture" => Word::Processing,
        _ => Word::Unknown,
    };
    let mut news = News::new(word);
    match word {
        Word::Succeeded => {
            news.paid = received(intent).map(|(amount, currency)| (amount, Some(currency)));
            news = news.because("succeeded".to_owned(), "Paid.");
        }
        Word::Failed => {
            let code = text_of(&error["decline_code"]).or_else(|| text_of(&error["code"]));
            news = news.because(code, error["message"].as_str().unwrap_or("The card was declined."));
        }
        Word::Cancelled => {
            news = news.because(text_of(&intent["cancellation_reason"]), "The payment was cancelled.");
        }
        _ => news.client_secret = name(&intent["client_secret"]),
    }
    news.names = Names { transaction_id: name(&intent["id"]), ..Names::default() };
    news
}

/// What an intent was paid; a success that does not say so is none.
fn received(intent: &Value) -> Option<(Amount, String)> {
    let minor = intent["amount_received"].as_i64().or_else(|| intent["amount"].as_i64())?;
    let currency = intent["currency"].as_str()?.to_ascii_uppercase();
    let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let amount = of_minor_units(minor, &currency)?;
    is_code.then_some((amount, currency))
}

/// The code and the sentence of a refusal. What is wrong with the shop's own key is not the buyer's business.
fn refusal(status: u16, body: &Value) -> (Option<String>, String) {
    let error = &body["error"];
    if matches!(status, 401 | 403) {
        tracing::error!(status, "the card gateway does not take the secret key");
        return (
            Some("gateway".to_owned()),
            "Cards cannot be charged at the moment; nothing was charged.".to_owned(),
        );
    }
    let code =
        text_of(&error["code"]).or_else(|| text_of(&error["type"])).or_else(|| Some(status.to_string()));
    (code, text_of(&error["message"]).unwrap_or_else(|| "The payment service refused it.".to_owned()))
}

fn refund_heard(answer: Result<(u16, Value), CallError>) -> RefundNews {
    match answer {
        Ok((200, refund)) if refund["object"] == "refund" => of_refund(&refund),
        Ok((status @ 400..=499, body)) if !matches!(status, 401 | 403 | 408 | 409 | 429) => {
            RefundNews::new(RefundStatus::Failed).because(refusal(status, &body).1)
        }
        Ok((status, _)) => {
            RefundNews::new(RefundStatus::Unknown).because(format!("The gateway answered {status}."))
        }
        Err(CallError::NotSent(_) | CallError::Unanswered(_)) => {
            RefundNews::new(RefundStatus::Unknown).because("The gateway has not answered yet.")
        }
    }
}

fn of_refund(refund: &Value) -> RefundNews {
    let status = match refund["status"].as_str().unwrap_or_default() {
        "succeeded" => RefundStatus::Succeeded,
        "failed" | "canceled" => RefundStatus::Failed,
        _ => RefundStatus::Processing,
    };
    let news = RefundNews::new(status).named(name(&refund["id"]));
    match status {
        RefundStatus::Failed => news.because(
            text_of(&refund["failure_reason"]).unwrap_or_else(|| "The gateway gave it up.".to_owned()),
        ),
        _ => news,
    }
}

/// How many decimals the gateway counts a currency in, which is not always as many as people use.
fn decimals(currency: &str) -> u32 {
    match currency {
        "MGA" => 0,
        "ISK" | "UGX" => 2,
        other => other.parse::<Currency>().map_or(2, |currency| currency.decimals()),
    }
}

/// An amount in the gateway's smallest unit.
fn minor_units(amount: Amount, currency: &str) -> Option<i64> {
    let minor = amount.decimal() * Decimal::from(10_i64.pow(decimals(currency)));
    minor.is_integer().then(|| minor.to_i64()).flatten()
}

/// The inverse of [`minor_units`].
fn of_minor_units(minor: i64, currency: &str) -> Option<Amount> {
    let amount = Decimal::new(minor, decimals(currency));
    (Decimal::ZERO..=Decimal::new(999_999_999_999, 2)).contains(&amount).then(|| Amount::from_decimal(amount))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_in_the_gateway_s_units() {
        let of = |hundredths, currency| minor_units(Amount::from_hundredths(hundredths), currency);
        assert_eq!(of(1250, "USD"), Some(1250));
        assert_eq!(of(1_250_000, "JPY"), Some(12_500));
        assert_eq!(of(500, "UGX"), Some(500));
        assert_eq!(of(1250, "JPY"), None);
        for (minor, currency) in [(1250, "USD"), (12_500, "JPY"), (500, "ISK"), (0, "KES")] {
            let amount = of_minor_units(minor, currency).unwrap();
            assert_eq!(minor_units(amount, currency), Some(minor));
        }
        assert_eq!(of_minor_units(-1, "USD"), None);
    }

    #[test]
    fn an_intent_says_where_it_is() {
        let intent = |status: &str| {
            json!({"object": "payment_intent", "id": "pi_1", "status": status, "amount": 1250,
            "amount_received": 1250, "currency": "usd", "client_secret": "pi_1_secret_x"})
        };
        let word = |intent: Value| looked(Ok::<_, ()>((200, intent))).word;
        for status in [
            "requires_payment_method",
            "requires_confirmation",
            "requires_action",
            "processing",
            "requires_capture",
        ] {
            let news = looked(Ok::<_, ()>((200, intent(status))));
            assert_eq!((news.word, news.client_secret.as_deref()), (Word::Processing, Some("pi_1_secret_x")));
        }
        let paid = looked(Ok::<_, ()>((200, intent("succeeded"))));
        assert_eq!(paid.word, Word::Succeeded);
        assert_eq!(paid.paid, Some((Amount::from_hundredths(1250), Some("USD".to_owned()))));
        assert_eq!(
            (word(intent("canceled")), word(intent("never heard of"))),
            (Word::Cancelled, Word::Unknown)
        );
        let mut declined = intent("requires_payment_method");
        declined["last_payment_error"] =
            json!({"code": "card_declined", "decline_code": "insufficient_funds", "message": "No."});
        let news = looked(Ok::<_, ()>((200, declined)));
        assert_eq!((news.word, news.code.as_deref()), (Word::Failed, Some("insufficient_funds")));
    }

    #[test]
    fn only_a_plain_refusal_is_a_failure() {
        let error = || json!({"error": {"code": "amount_too_small", "message": "Too small."}});
        assert_eq!(started(Ok((400, error()))).word, Word::Failed);
        assert!(!started(Ok((401, error()))).description.unwrap().contains("Too small"));
        for status in [200, 202, 302, 408, 409, 429, 500, 503] {
            assert_eq!(started(Ok((status, error()))).word, Word::Unknown, "{status}");
        }
        for status in 400..=599 {
            assert_eq!(
                looked(Ok::<_, ()>((status, error()))).word,
                Word::Unknown,
                "a question changes nothing"
            );
        }
        assert_eq!(started(Err(CallError::NotSent(String::new()))).word, Word::Failed);
        assert_eq!(started(Err(CallError::Unanswered(String::new()))).word, Word::Unknown);
    }
}
