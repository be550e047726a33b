//! The header that names a key, and how a kept answer is sent.

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Answered, Header, Kept, LONGEST_KEY, Request};
use crate::{
    body::Unread,
    error::{Error, Result},
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The `Idempotency-Key` header, if any.
#[derive(Debug)]
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The request that this key names, if there is one. `route` is its method and path.
    pub fn request(self, user_id: i64, route: &str, body: &Unread) -> Option<Request> {
        Some(Request::new(user_id, route, self.0?, &body.canonical()))
    }

    /// The same of a route whose path names a thing: with another thing it is another request.
    pub fn request_of(self, user_id: i64, route: &str, id: i64, body: &Unread) -> Option<Request> {
        Some(Request::new(user_id, route, self.0?, &format!("{id} {}", body.canonical())))
    }
}

impl IdempotencyKey {
    /// A key that did not come in the header.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn new(key: Option<&str>) -> Result<Self> {
        let visible = |byte: &u8| (b' '..=b'~').contains(byte);
        let read = |text: &str| {
            let text = text.trim();
            let good = text.as_bytes().iter().all(visible) && (1..=LONGEST_KEY).contains(&text.len());
            good.then(|| text.to_owned()).ok_or_else(not_a_key)
        };
        key.map(read).transpose().map(Self)
    }
}

fn not_a_key() -> Error {
    Error::malformed(format!(
        "`Idempotency-Key` is given once, with 1 to {LONGEST_KEY} visible ASCII characters."
    ))
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let mut given = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = given.next() else { return Ok(Self(None)) };
        match (value.to_str(), given.next()) {
            (Ok(text), None) => Self::new(Some(text)),
            _ => Err(not_a_key()),
        }
    }
}

impl Kept {
    /// An answer of JSON.
    ///
    /// # Errors
    /// None that a client can cause.
    pub fn json(
        status: StatusCode,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: &impl Serialize,
    ) -> Result<Self> {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers
            .into_iter()
            .chain([kind])
            .map(|(name, value)| Header { name: name.as_str().to_owned(), value: text(&value) });
        let headers = headers.collect();
        let body = serde_json::to_vec(body).map_err(Error::internal)?;
        Ok(Self { status: status.as_u16(), headers, body })
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let (kept, replayed) = match self {
            Self::First(kept) => (kept, false),
            Self::Again(kept) => (kept, true),
        };
        let mut response = Response::new(Body::from(kept.body));
        *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        for Header { name, value } in kept.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        if replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
