//! Bodies that are sent under a strong entity tag: each coding under its own, and not at all to a client that has
//! it already (RFC 9110 §8.8.3, §13.1.2). And how a header's short values are written.

use std::{fmt, io::Write};

use axum::{
    Extension,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, IntoResponseParts, Response},
};

use crate::cache::Body;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The JSON body, whatever the client has: what a write answers.
pub fn tagged(body: Body) -> Response {
    let json = [(header::CONTENT_TYPE, JSON)];
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

/// Adds to the header of a kept answer what all of them have, and a place for the rest.
pub fn prepare(blank: &mut HeaderMap) {
    blank.extend(common());
    blank.insert(header::CONTENT_TYPE, JSON);
    blank.insert(header::ETAG, HeaderValue::from_static(""));
}

/// As [`unless_known`], by a header that was [prepared](prepare). It must not pass by what compresses.
pub fn filled_in(mut header: HeaderMap, body: Body, asked: &HeaderMap) -> Response {
    let is_known = is_known(asked, &body.etag);
    header.insert(header::ETAG, body.etag);
    let mut response = if is_known {
        header.remove(header::CONTENT_TYPE);
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        if let Some(coding) = body.encoding.name() {
            header.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        Response::new(body.bytes.into())
    };
    *response.headers_mut() = header;
    response
}

/// A header's value of at most 64 bytes, for which nothing is written down twice; an empty one where it is longer, or
/// cannot stand in a header.
pub fn short_value(text: fmt::Arguments<'_>) -> HeaderValue {
    let mut room = [0; 64];
    let mut rest = &mut room[..];
    let written = rest.write_fmt(text).map(|()| rest.len());
    let value = written.ok().and_then(|left| HeaderValue::from_bytes(&room[..64 - left]).ok());
    value.unwrap_or(HeaderValue::from_static(""))
}

/// Whether the client has what this tag names: `If-None-Match`.
pub fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut known = headers.get_all(header::IF_NONE_MATCH).iter();
    known.any(|known| names(known.as_bytes(), etag.as_bytes()))
}

/// What a 304 says as well.
fn head(body: &Body) -> impl IntoResponseParts + use<> {
    // Tells the layer that compresses to leave it alone.
    (Extension(body.encoding), [(header::ETAG, body.etag.clone())], common())
}

/// What all of them say.
fn common() -> [(HeaderName, HeaderValue); 2] {
    [
        // The same address shows more to some, and nothing to others.
        (header::VARY, HeaderValue::from_static("accept-encoding, authorization")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]
}

/// It compares weakly.
fn names(known: &[u8], etag: &[u8]) -> bool {
    let mut tags = known.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag)
}
