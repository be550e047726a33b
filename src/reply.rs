//! Bodies that are sent under a strong entity tag: each coding under its own, and not at all to a client that has
//! it already (RFC 9110 §8.8.3, §13.1.2).

use axum::{
    Extension,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, IntoResponseParts, Response},
};

use crate::cache::Body;

/// The JSON body, whatever the client has: what a write answers.
pub fn tagged(body: Body) -> Response {
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let coding = body.encoding.name().map(|name| (header::CONTENT_ENCODING, HeaderValue::from_static(name)));
    let mut response = (head(&body), json, body.bytes).into_response();
    response.headers_mut().extend(coding);
    response
}

/// The JSON body, or 304 where `If-None-Match` names it: what a reader is answered.
pub fn unless_known(body: Body, headers: &HeaderMap) -> Response {
    if is_known(headers, &body.etag) {
        return (StatusCode::NOT_MODIFIED, head(&body), ()).into_response();
    }
    tagged(body)
}

/// Whether the client has what this tag names: `If-None-Match`.
pub fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut known = headers.get_all(header::IF_NONE_MATCH).iter();
    known.any(|known| names(known.as_bytes(), etag.as_bytes()))
}

/// What a 304 says as well.
fn head(body: &Body) -> impl IntoResponseParts + use<> {
    let headers = [
        (header::ETAG, body.etag.clone()),
        // The same address shows more to some, and nothing to others.
        (header::VARY, HeaderValue::from_static("accept-encoding, authorization")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    // Tells the layer that compresses to leave it alone.
    (Extension(body.encoding), headers)
}

/// It compares weakly.
fn names(known: &[u8], etag: &[u8]) -> bool {
    let mut tags = known.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag)
}
