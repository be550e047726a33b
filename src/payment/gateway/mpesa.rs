//! M-Pesa Express, over the API that is called Daraja: the buyer's phone asks for the PIN.
//!
//! A push is sent once and never again: a second one would be a second prompt, and a second payment. That a request
//! was accepted says nothing of the money; the callback does, and a query confirms it.
// over 400 lines: what the gateway is asked and how each of its answers is read stand side by side, with their tests

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use tokio::{sync::Mutex, time::Instant};

use super::{CallError, Gateway, News, RefundNews, Start, Word, call, name, text_of};
use crate::{
    clock::{self, Clock},
    config::MpesaConfig,
    money::Amount,
    payment::model::{Names, Payment, Refund, RefundStatus, whole_shillings},
};

pub mod callback;
mod codes;

/// A token is given up so long before it ends.
const EARLY: Duration = Duration::from_secs(30);
/// What the API says of a payment that has not ended.
const BEING_PROCESSED: &str = "500.001.1001";
/// What it refuses under the same code, with nothing done: whose prompt is on the phone already, whom it does not know.
const REFUSALS: [&str; 3] = ["unable to lock subscriber", "merchant does not exist", "wrong credentials"];
/// What the proxy before the API refuses when it is asked too often.
const TOO_OFTEN: [&str; 2] = ["500.003.02", "500.003.03"];
/// What it says of a token that it does not take (any more).
const WRONG_TOKEN: [&str; 2] = ["404.001.03", "401.002.01"];
/// It accepts longer ones and cuts them.
const DESCRIPTION: &str = "Your order";

/// The client of M-Pesa.
pub struct Mpesa {
    account: MpesaConfig,
    callback_base_url: String,
    client: Client,
    clock: Clock,
    token: Mutex<Option<(SecretString, Instant)>>,
}

/// What a request was answered.
enum Answer {
    /// The body of a 200.
    Accepted(Value),
    /// Refused by the API itself, and nothing was done: the code and the sentence.
    Refused(String, String),
    /// A failure of the API's own, with this code: what it has done by then, nobody knows.
    Failing(String),
    /// By whatever stands before it, or not at all.
    Unanswered,
    /// It was not sent.
    NotSent,
}

impl Mpesa {
    pub(super) fn new(account: MpesaConfig, client: Client, clock: Clock, address: SocketAddr) -> Self {
        let callback_base_url = match account.callback_base_url.as_str() {
            "" => format!("http://{address}"),
            url => url.to_owned(),
        };
        Self { account, callback_base_url, client, clock, token: Mutex::new(None) }
    }

    /// The access token, asked for when there is none that still holds. One request asks, the others wait for it.
    async fn token(&self) -> Result<SecretString, Answer> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && *until > Instant::now()
        {
            return Ok(token.clone());
        }
        let url = format!("{}/oauth/v1/generate?grant_type=client_credentials", self.account.base_url);
        let (key, secret) =
            (self.account.consumer_key.expose_secret(), self.account.consumer_secret.expose_secret());
        let begun = Instant::now();
        let answer = call("mpesa", "token", self.client.get(url).basic_auth(key, Some(secret))).await;
        let Ok((200, body)) = answer else {
            if let Ok((status @ 400..=499, _)) = answer {
                tracing::error!(status, "M-Pesa does not take the consumer key and secret");
            }
            // Nothing that moves money has been sent.
            return Err(Answer::NotSent);
        };
        let token = name(&body["access_token"]).map(SecretString::from).ok_or(Answer::NotSent)?;
        let seconds = text_of(&body["expires_in"]).and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        let until =
            begun + Duration::from_secs(seconds).min(Duration::from_secs(86_400)).saturating_sub(EARLY);
        *kept = Some((token.clone(), until));
        Ok(token)
    }

    /// Sends a request with a token; with a new one when the API does not take the one that was kept, for then it
    /// has refused the request.
    async fn send(&self, call_name: &'static str, path: &str, body: &Value) -> Answer {
        for is_last in [false, true] {
            let token = match self.token().await {
                Ok(token) => token,
                Err(answer) => return answer,
            };
            let request = self.client.post(format!("{}{path}", self.account.base_url));
            let answer = self.once(call_name, request.bearer_auth(token.expose_secret()).json(body)).await;
            match &answer {
                Answer::Refused(code, _) if !is_last && WRONG_TOKEN.contains(&code.as_str()) => {
                    *self.token.lock().await = None;
                }
                _ => return answer,
            }
        }
        Answer::Unanswered
    }

    async fn once(&self, call_name: &'static str, request: RequestBuilder) -> Answer {
        match call("mpesa", call_name, request).await {
            Ok((200, body)) => Answer::Accepted(body),
            Ok((status, body)) => match text_of(&body["errorCode"]) {
                Some(code) => {
                    let message =
                        text_of(&body["errorMessage"]).unwrap_or_else(|| "M-Pesa refused it.".to_owned());
                    if is_refusal(status, &code, &message) {
                        Answer::Refused(code, message)
                    } else {
                        Answer::Failing(code)
                    }
                }
                None if status == 401 => Answer::Refused(WRONG_TOKEN[0].to_owned(), String::new()),
                None => Answer::Unanswered,
            },
            Err(CallError::NotSent(_)) => Answer::NotSent,
            Err(CallError::Unanswered(_)) => Answer::Unanswered,
        }
    }

    /// The password of a request, and the time in Nairobi that it is made of.
    fn password(&self) -> (String, String) {
        let timestamp = timestamp(clock::from_micros(self.clock.micros()));
        let passkey = self.account.passkey.expose_secret();
        (BASE64_STANDARD.encode(format!("{}{passkey}{timestamp}", self.account.shortcode)), timestamp)
    }

    fn callback(&self, token: &str) -> String {
        format!("{}/api/payment/webhook/mpesa/{token}/", self.callback_base_url)
    }

    async fn push(&self, start: &Start) -> News {
        let payment = &start.payment;
        let (password, timestamp) = self.password();
        let phone = payment.phone_number.as_deref().unwrap_or_default();
        let (kind, receiver) = match &self.account.till {
            Some(till) => ("CustomerBuyGoodsOnline", till),
            None => ("CustomerPayBillOnline", &self.account.shortcode),
        };
        let body = json!({
            "BusinessShortCode": self.account.shortcode,
            "Password": password,
            "Timestamp": timestamp,
            "TransactionType": kind,
            "Amount": shillings(payment.amount),
            "PartyA": phone,
            "PartyB": receiver,
            "PhoneNumber": phone,
            "CallBackURL": self.callback(&start.token),
            "AccountReference": payment.order_number,
            "TransactionDesc": DESCRIPTION,
        });
        match self.send("push", "/mpesa/stkpush/v1/processrequest", &body).await {
            Answer::Accepted(body) if text_of(&body["ResponseCode"]).as_deref() == Some("0") => {
                let names = Names {
                    checkout_request_id: name(&body["CheckoutRequestID"]),
                    merchant_request_id: name(&body["MerchantRequestID"]),
                    ..Names::default()
                };
                let said = format!(
                    "Enter your M-Pesa PIN to pay {} {}.",
                    payment.currency,
                    shillings(payment.amount)
                );
                News { names, ..News::new(Word::Processing).because(None, said) }
            }
            Answer::Accepted(body) => match text_of(&body["ResponseCode"]) {
                Some(code) => {
                    let said = text_of(&body["ResponseDescription"]).unwrap_or_default();
                    News::new(Word::Failed).because(code.clone(), codes::reading(&code, &said))
                }
                None => News::of(&CallError::Unanswered(String::new())),
            },
            Answer::Refused(code, message) => {
                News::new(Word::Failed).because(code.clone(), codes::reading(&code, &message))
            }
            Answer::Failing(_) | Answer::Unanswered => News::of(&CallError::Unanswered(String::new())),
            Answer::NotSent => News::of(&CallError::NotSent(String::new())),
        }
    }

    async fn query(&self, payment: &Payment) -> News {
        let silent = || News::new(Word::Unknown).because(None, "M-Pesa has not answered yet.");
        let Some(checkout) = &payment.names.checkout_request_id else {
            // The push was never answered. Only the callback can name it now; that somebody is there, a token shows.
            *self.token.lock().await = None;
            return if self.token().await.is_ok() { News::new(Word::Nameless) } else { silent() };
        };
        let (password, timestamp) = self.password();
        let body = json!({
            "BusinessShortCode": self.account.shortcode,
            "Password": password,
            "Timestamp": timestamp,
            "CheckoutRequestID": checkout,
        });
        match self.send("query", "/mpesa/stkpushquery/v1/query", &body).await {
            Answer::Accepted(body) => answered(&body, payment).unwrap_or_else(silent),
            Answer::Failing(code) if code == BEING_PROCESSED => News::new(Word::Processing),
            _ => silent(),
        }
    }

    async fn reverse(&self, refund: &Refund, payment: &Payment, token: &str) -> RefundNews {
        let by_hand = |why: &str| RefundNews::new(RefundStatus::Manual).because(why);
        let Some((initiator, credential)) = &self.account.initiator else {
            return by_hand("No M-Pesa initiator is configured; send the money back by hand.");
        };
        let Some(receipt) = &payment.names.transaction_id else {
            return by_hand("M-Pesa never told its receipt; send the money back by hand.");
        };
        if whole_shillings(refund.amount) != refund.amount {
            return by_hand("M-Pesa moves no cents; send the money back by hand.");
        }
        let address = self.callback(token);
        let body = json!({
            "Initiator": initiator,
            "SecurityCredential": credential.expose_secret(),
            "CommandID": "TransactionReversal",
            "TransactionID": receipt,
            "Amount": shillings(refund.amount),
            "ReceiverParty": self.account.shortcode,
            // The API spells it so. 11: a shortcode.
            "RecieverIdentifierType": "11",
            "ResultURL": address,
            "QueueTimeOutURL": address,
            "Remarks": format!("Order {}", payment.order_number),
            "Occasion": format!("Refund {}", refund.id),
        });
        match self.send("reversal", "/mpesa/reversal/v1/request", &body).await {
            Answer::Accepted(body) if text_of(&body["ResponseCode"]).as_deref() == Some("0") => {
                let news = RefundNews::new(RefundStatus::Processing).named(name(&body["ConversationID"]));
                RefundNews { gateway_request_id: name(&body["OriginatorConversationID"]), ..news }
            }
            Answer::Accepted(body) if text_of(&body["ResponseCode"]).is_some() => {
                RefundNews::new(RefundStatus::Failed)
                    .because(text_of(&body["ResponseDescription"]).unwrap_or_default())
            }
            Answer::Refused(code, message) => {
                RefundNews::new(RefundStatus::Failed).because(format!("{message} ({code})"))
            }
            Answer::NotSent => RefundNews::new(RefundStatus::Pending).because("M-Pesa cannot be reached."),
            Answer::Accepted(_) | Answer::Failing(_) | Answer::Unanswered => {
                RefundNews::new(RefundStatus::Unknown).because("M-Pesa has not answered yet.")
            }
        }
    }
}

impl Gateway for Mpesa {
    fn start<'a>(&'a self, start: &'a Start) -> BoxFuture<'a, News> {
        Box::pin(self.push(start))
    }

    fn look<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, News> {
        Box::pin(self.query(payment))
    }

    /// A prompt on a phone cannot be taken back.
    fn abandon<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, News> {
        Box::pin(self.query(payment))
    }

    fn refund<'a>(
        &'a self,
        refund: &'a Refund,
        payment: &'a Payment,
        token: &'a str,
    ) -> BoxFuture<'a, RefundNews> {
        Box::pin(self.reverse(refund, payment, token))
    }

    /// The API has no such question: its result comes by itself.
    fn look_at_refund<'a>(&'a self, _: &'a Refund, _: &'a Payment) -> BoxFuture<'a, RefundNews> {
        Box::pin(async {
            RefundNews::new(RefundStatus::Unknown).because("M-Pesa has not sent its result yet.")
        })
    }

    fn knows_keys(&self) -> bool {
        false
    }

    fn charge(&self, amount: Amount) -> Amount {
        whole_shillings(amount)
    }
}

/// What a query's answer says; `None` when it is not about this attempt.
fn answered(body: &Value, payment: &Payment) -> Option<News> {
    let names = Names {
        checkout_request_id: name(&body["CheckoutRequestID"]),
        merchant_request_id: name(&body["MerchantRequestID"]),
        ..Names::default()
    };
    let about = names.checkout_request_id.is_some() && names.agree(&payment.names);
    let code = text_of(&body["ResultCode"])
        .filter(|_| about && text_of(&body["ResponseCode"]).as_deref() == Some("0"))?;
    let said = text_of(&body["ResultDesc"]).unwrap_or_default();
    Some(News { names, ..of_code(&code, &said) })
}

/// Whether an error says that nothing was done. One of the API's own failures does not: a phone may ring all the same.
fn is_refusal(status: u16, code: &str, message: &str) -> bool {
    let said = message.to_ascii_lowercase();
    match status {
        400..=499 => status != 408,
        _ => {
            TOO_OFTEN.contains(&code)
                || (code == BEING_PROCESSED && REFUSALS.iter().any(|refusal| said.contains(refusal)))
        }
    }
}

/// What a result code says.
fn of_code(code: &str, said: &str) -> News {
    let word = match code {
        "0" => Word::Succeeded,
        // Some versions answer a query that came too early so.
        "4999" | BEING_PROCESSED => return News::new(Word::Processing),
        "1032" => Word::Cancelled,
        _ => Word::Failed,
    };
    News::new(word).because(code.to_owned(), codes::reading(code, said))
}

/// The amount as M-Pesa takes it.
fn shillings(amount: Amount) -> String {
    format!("{:.0}", whole_shillings(amount).decimal())
}

/// `YYYYMMDDHHmmss` in Nairobi, where the clocks are never changed.
fn timestamp(at: OffsetDateTime) -> String {
    let nairobi = UtcOffset::from_hms(3, 0, 0).map_or(at, |offset| at.to_offset(offset));
    nairobi.format(format_description!("[year][month][day][hour][minute][second]")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn requests_are_stamped_in_nairobi() {
        assert_eq!(timestamp(datetime!(2026-12-31 22:05:09.75 UTC)), "20270101010509");
    }

    #[test]
    fn amounts_are_whole() {
        assert_eq!(shillings(Amount::from_hundredths(1620)), "17");
        assert_eq!(shillings(Amount::from_hundredths(100_000)), "1000");
    }

    #[test]
    fn only_a_plain_refusal_is_one() {
        let locked =
            "Unable to lock subscriber, a transaction is already in process for the current subscriber";
        for (status, code, message) in [
            (400, "400.002.02", "Bad Request - Invalid Amount"),
            (404, "404.001.03", "Invalid Access Token"),
            (500, "500.001.1001", locked),
            (500, "500.001.1001", "Merchant does not exist"),
            (500, "500.001.1001", "[MerchantValidate] - Wrong credentials"),
            (500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
        ] {
            assert!(is_refusal(status, code, message), "{code} {message}");
        }
        for (status, code, message) in [
            (500, "500.003.1001", "Internal Server Error"),
            (500, "500.001.1001", "The transaction is being processed"),
            (503, "500.001.1001", "Service is currently under maintenance"),
            (502, "400.002.02", locked),
            (408, "408", "Timeout"),
        ] {
            assert!(!is_refusal(status, code, message), "{code} {message}");
        }
    }

    #[test]
    fn codes_are_words_of_ours() {
        for (code, word) in [
            ("0", Word::Succeeded),
            ("1032", Word::Cancelled),
            ("1", Word::Failed),
            ("1037", Word::Failed),
            ("4999", Word::Processing),
            ("31415", Word::Failed),
        ] {
            assert_eq!(of_code(code, "said").word, word, "{code}");
        }
    }
}
