//! What each request is called, in its answer, in logs and in the audit. Nothing here is secret, or proves anything.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderValue, Request};

use super::REQUEST_ID;

/// The client's own id, when it is one that can stand in a log; else a new one.
pub(super) fn request_id<B>(request: &Request<B>) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        (1..=128).contains(&id.len())
            && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    if let Some(given) = request.headers().get(REQUEST_ID).filter(plain) {
        return given.clone();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    // Ids that follow each other: the audit's index of them then grows at its end, and a write has no page of its own there.
    let new = uuid::Builder::from_unix_timestamp_millis(now.try_into().unwrap_or(u64::MAX), &rand::random());
    let mut text = uuid::Uuid::encode_buffer();
    let text = new.into_uuid().simple().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn new_ids_follow_each_other() {
        let ask = |id: Option<&str>| {
            let mut request = Request::new(());
            request.headers_mut().extend(id.map(|id| (REQUEST_ID, HeaderValue::from_str(id).unwrap())));
            request_id(&request).to_str().unwrap().to_owned()
        };
        let first = ask(None);
        std::thread::sleep(Duration::from_millis(2));
        let second = ask(None);
        assert!(first < second, "{first} and {second}");
        assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
        assert_eq!(ask(Some("mine-1")), "mine-1");
        assert_ne!(ask(Some("not mine")), "not mine");
    }
}
