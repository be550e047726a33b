//! The card gateway's events: whether one is the gateway's own, and what it says.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::Sha256;

use super::{Card, looked, of_minor_units};
use crate::{
    money::Amount,
    payment::gateway::{News, Word, name},
};

/// How old, or how far ahead, a signature may be: what is older may be somebody's copy.
const TOLERANCE_SECONDS: i64 = 300;

/// Why an event is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// No signature, or not one of these.
    #[error("The Stripe-Signature header is missing, or is not `t=…,v1=…`.")]
    Unsigned,
    /// Signed too long ago.
    #[error("The signature is more than five minutes old, or from the future.")]
    Stale,
    /// Signed by somebody else, or changed since.
    #[error("The signature does not fit the body.")]
    Wrong,
}

/// What an event is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An attempt: its intent, the key that the shop gave it, and what is known of it.
    Intent {
        /// What the gateway calls it.
        id: String,
        /// The attempt's `gateway_key`, if it is of this shop.
        key: Option<String>,
        /// What became of it.
        news: Box<News>,
    },
    /// Refunds of an intent: they should be asked for.
    Refunds {
        /// The intent.
        intent: String,
        /// How much of it has gone back in all, if the event says so.
        refunded: Option<Amount>,
        /// The refund that did not arrive, if the event says so.
        returned: Option<String>,
    },
    /// Nothing that the shop acts on.
    Other,
}

impl Card {
    /// Whether the gateway has signed these bytes, lately.
    ///
    /// # Errors
    /// See [`Forged`].
    pub fn verify(&self, header: &str, body: &[u8]) -> Result<(), Forged> {
        let parts = header.split(',').filter_map(|part| part.trim().split_once('='));
        let mut at = None;
        let mut signatures = Vec::new();
        for (name, value) in parts {
            match name {
                "t" => at = value.parse::<i64>().ok(),
                "v1" => signatures.extend(hex(value)),
                _ => {}
            }
        }
        let at = at.filter(|_| !signatures.is_empty()).ok_or(Forged::Unsigned)?;
        let now = self.clock.micros() / 1_000_000;
        if now.saturating_sub(at).saturating_abs() > TOLERANCE_SECONDS {
            return Err(Forged::Stale);
        }
        let fits = self.account.webhook_secrets.iter().any(|secret| {
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
                return false;
            };
            let mac = mac.chain_update(at.to_string()).chain_update(".").chain_update(body);
            signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        });
        fits.then_some(()).ok_or(Forged::Wrong)
    }
}

/// The event's id; `None` when it is no event.
pub fn id(event: &Value) -> Option<String> {
    event["object"].as_str().is_none_or(|object| object == "event").then(|| name(&event["id"])).flatten()
}

/// What an event is about.
pub fn subject(event: &Value) -> Subject {
    let object = &event["data"]["object"];
    let kind = event["type"].as_str().unwrap_or_default();
    let intent = || name(&object["payment_intent"]);
    match kind {
        "payment_intent.succeeded" | "payment_intent.payment_failed" | "payment_intent.canceled" => {
            let mut news = looked(Ok::<_, ()>((200, object.clone())));
            if kind == "payment_intent.payment_failed" && news.word == Word::Processing {
                news = News { word: Word::Failed, client_secret: None, ..news }
                    .because(None, "The card was declined.");
            }
            match name(&object["id"]) {
                Some(id) => {
                    let key = name(&object["metadata"]["payment_key"]);
                    Subject::Intent { id, key, news: Box::new(news) }
                }
                None => Subject::Other,
            }
        }
        "charge.refunded"
        | "charge.refund.updated"
        | "refund.created"
        | "refund.updated"
        | "refund.failed" => {
            let currency = object["currency"].as_str().unwrap_or_default().to_ascii_uppercase();
            let refunded =
                object["amount_refunded"].as_i64().and_then(|minor| of_minor_units(minor, &currency));
            let is_lost = object["object"] == "refund"
                && matches!(object["status"].as_str(), Some("failed" | "canceled"));
            let returned = is_lost.then(|| name(&object["id"])).flatten();
            intent().map_or(Subject::Other, |intent| Subject::Refunds { intent, refunded, returned })
        }
        _ => Subject::Other,
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::{clock::Clock, config::CardConfig, outbound};

    const NOW: i64 = 1_790_000_000;

    fn card() -> Card {
        let account = CardConfig {
            base_url: String::new(),
            secret_key: SecretString::from("sk"),
            publishable_key: None,
            webhook_secrets: vec![SecretString::from("whsec_new"), SecretString::from("whsec_old")],
        };
        Card::new(account, outbound::client().build().unwrap(), Clock::fixed(NOW * 1_000_000))
    }

    fn sign(secret: &str, at: i64, body: &str) -> String {
        let mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(format!("{at}.{body}"));
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_signature_is_that_of_the_protocol() {
        // Computed apart, by OpenSSL: printf '%s' '1790000000.{}' | openssl dgst -sha256 -hmac whsec_new
        let known = "c0fd1e23b388608ef1a892bb62bcfb371a55e69a9421fb37dc8d4265635d99ac";
        assert_eq!(sign("whsec_new", NOW, "{}"), known);
        assert_eq!(card().verify(&format!("t={NOW},v1={known}"), b"{}"), Ok(()));
    }

    #[test]
    fn only_what_the_gateway_signed_lately_is_taken() {
        let (card, body) = (card(), "{\"id\":\"evt_1\"}");
        let (new, old, strange) =
            (sign("whsec_new", NOW, body), sign("whsec_old", NOW, body), sign("whsec_x", NOW, body));
        let verify = |header: &str| card.verify(header, body.as_bytes());
        for fine in [
            format!("t={NOW},v1={new}"),
            format!("t={NOW},v1={strange},v1={old}"),
            format!("v0=00,v1={new},t={NOW}"),
            format!("t={NOW}, v1={}", new.to_uppercase()),
        ] {
            assert_eq!(verify(&fine), Ok(()), "{fine}");
        }
        for (wrong, why) in [
            (String::new(), Forged::Unsigned),
            (format!("v1={new}"), Forged::Unsigned),
            (format!("t={NOW}"), Forged::Unsigned),
            (format!("t=x,v1={new}"), Forged::Unsigned),
            (format!("t={NOW},v0={new}"), Forged::Unsigned),
            (format!("t={NOW},v1={strange}"), Forged::Wrong),
            (format!("t={NOW},v1={}", &new[..62]), Forged::Wrong),
            (format!("t={},v1={new}", NOW + 1), Forged::Wrong),
            (format!("t={},v1={}", NOW - 301, sign("whsec_new", NOW - 301, body)), Forged::Stale),
            (format!("t={},v1={}", NOW + 301, sign("whsec_new", NOW + 301, body)), Forged::Stale),
            (format!("t={},v1={new}", i64::MIN), Forged::Stale),
        ] {
            assert_eq!(verify(&wrong), Err(why), "{wrong}");
        }
        assert_eq!(verify(&format!("t={},v1={}", NOW - 300, sign("whsec_new", NOW - 300, body))), Ok(()));
        assert_eq!(card.verify(&format!("t={NOW},v1={new}"), b"{\"id\":\"evt_2\"}"), Err(Forged::Wrong));
    }
}
