//! Events: what the shop is told, signed, and in which order.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;

use super::{
    super::{Desk, courier::Letter, locked, random_text},
    intent::ALPHABET,
    outcome::News,
};

/// The shapes are those of this version of the protocol.
pub(super) const VERSION: &str = "2024-06-20";

/// Something that the shop is to be told.
#[derive(Debug)]
pub(super) struct Event {
    /// `payment_intent.succeeded`, for example.
    pub(super) kind: &'static str,
    /// The thing as it was then.
    pub(super) object: Value,
    /// What changed, where an event tells it.
    pub(super) previous: Option<Value>,
}

impl Event {
    pub(super) fn new(kind: &'static str, object: Value) -> Self {
        Self { kind, object, previous: None }
    }

    fn envelope(&self, id: &str) -> Value {
        let mut data = json!({"object": self.object});
        if let Some(previous) = &self.previous {
            data["previous_attributes"] = previous.clone();
        }
        json!({
            "id": id,
            "object": "event",
            "api_version": VERSION,
            "created": OffsetDateTime::now_utc().unix_timestamp(),
            "data": data,
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null},
            "type": self.kind,
        })
    }
}

/// The header: `t=…,v1=…`, an HMAC-SHA256 over the time, a full stop and the body.
pub(in crate::sandbox) fn signature(secret: &str, at: i64, body: &str) -> String {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    let mac = mac.chain_update(at.to_string()).chain_update(".").chain_update(body).finalize().into_bytes();
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// Tells the shop, as the card wants it told. Returns at once unless the events are to come first.
pub(super) async fn tell(desk: &Arc<Desk>, mut events: Vec<Event>, news: News) {
    if news == News::Backwards {
        events.reverse();
    }
    let mut letters = Vec::new();
    for event in events {
        let id = format!("evt_{}", random_text(ALPHABET, 24));
        let envelope = event.envelope(&id);
        locked(&desk.cards).events.insert(&id, envelope.clone());
        let Some(url) = &desk.webhook_url else { continue };
        let secret = Some(desk.credentials.webhook_secret.clone());
        letters.push(Letter { url: url.0.clone(), about: id, body: envelope.to_string(), secret });
    }
    let told = desk.spawn(post(desk.clone(), letters, news));
    if news == News::First {
        drop(told.await);
    }
}

async fn post(desk: Arc<Desk>, letters: Vec<Letter>, news: News) {
    let times = match news {
        News::Never => return,
        News::Twice => 2,
        News::Late => {
            tokio::time::sleep(desk.pace.late).await;
            1
        }
        News::AtOnce | News::First | News::Backwards => 1,
    };
    for letter in letters {
        for _ in 0..times {
            desk.courier.deliver(letter.clone()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `openssl dgst -sha256 -hmac whsec_test`.
    #[test]
    fn a_signature_is_what_others_compute() {
        let expected = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert_eq!(signature("whsec_test", 1_700_000_000, "{\"id\":\"evt_1\"}"), expected);
    }
}
