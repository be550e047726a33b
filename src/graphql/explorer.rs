//! The explorer: a page of the program's own, which loads nothing from elsewhere.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::IntoResponse,
    routing::get,
};

use crate::app::App;

/// Its own files, and this server to ask; nothing inline, nothing framed, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its two files.
pub(super) fn routes() -> Router<App> {
    let page = || async { file("text/html; charset=utf-8", include_str!("explorer/index.html")) };
    let script = || async { file("text/javascript; charset=utf-8", include_str!("explorer/explorer.js")) };
    let style = || async { file("text/css; charset=utf-8", include_str!("explorer/explorer.css")) };
    Router::new()
        .route("/graphql/", get(page))
        .route("/graphql/explorer.js", get(script))
        .route("/graphql/explorer.css", get(style))
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // It changes with the program.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text)
}
