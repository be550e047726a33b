//! Where pages and their files are, and how they are sent.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    bundle::{Bundle, Coded, File, Pages},
    shell::Settings,
};
use crate::{
    cache::encoding::Encoding,
    config::Config,
    error::{Error, OwnBody, Result},
    extract::header_text,
    reply,
};

/// The addresses that the storefront's page makes sense of by itself.
const SHOP: [&str; 11] = [
    "/",
    "/search/",
    "/product/{id}/",
    "/product/{id}/{slug}/",
    "/account/",
    "/account/{page}/",
    "/cart/",
    "/checkout/",
    "/orders/",
    "/orders/{id}/",
    "/wishlist/",
];
/// The same of the console's.
const CONSOLE: [&str; 2] = ["/admin/", "/admin/{*page}"];

/// A file's address changes with it, so that nobody need ask for it twice.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A page's does not: it is asked for, and answered by 304 while it is the same.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The pages and their files, and what is answered where there is nothing. Pages take parameters of their own, which
/// are the pages' business.
pub fn routes<S: Clone + Send + Sync + 'static>(config: &Config) -> Router<S> {
    let router = Router::new().route("/assets/{bundle}/{*path}", get(asset)).fallback(lost);
    let router = SHOP.into_iter().fold(router, |router, path| router.route(path, get(shop)));
    let router = CONSOLE.into_iter().fold(router, |router, path| router.route(path, get(console)));
    router.with_state(Arc::new(Pages::new(Settings::of(config))))
}

async fn shop(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    page(pages, &headers, |bundle| &bundle.shop).await
}

async fn console(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    page(pages, &headers, |bundle| &bundle.console).await
}

/// Where nobody has a route: a person with a browser gets the storefront's page, which says so; a program the problem.
async fn lost(State(pages): State<Arc<Pages>>, method: Method, uri: Uri, mut headers: HeaderMap) -> Response {
    let reads = matches!(method, Method::GET | Method::HEAD);
    let accepted = header_text(&headers, header::ACCEPT.as_str()).unwrap_or_default();
    let is_page = !uri.path().starts_with("/api/") && !uri.path().starts_with("/assets/");
    if !reads || !is_page || !accepted.contains("text/html") {
        return StatusCode::NOT_FOUND.into_response();
    }
    headers.remove(header::IF_NONE_MATCH);
    let mut page = page(pages, &headers, |bundle| &bundle.shop).await;
    *page.status_mut() = StatusCode::NOT_FOUND;
    page.extensions_mut().insert(OwnBody);
    page
}

async fn page(pages: Arc<Pages>, headers: &HeaderMap, which: fn(&Bundle) -> &File) -> Response {
    let coding = Encoding::asked_for(headers);
    let found = off_the_runtime(move || {
        let bundle = pages.newest();
        let coded = which(&bundle).coded(coding).map_err(Error::internal)?;
        Ok((coded, bundle.policy.clone()))
    });
    match found.await {
        Ok((coded, policy)) => {
            let mut page = send(coded, headers, ASK_AGAIN);
            page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            page.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
            page
        }
        Err(error) => error.into_response(),
    }
}

async fn asset(
    State(pages): State<Arc<Pages>>,
    Path((bundle, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let coding = Encoding::asked_for(&headers);
    let found = off_the_runtime(move || {
        let present = pages.present();
        let file = present.file(&bundle, &path);
        file.map(|file| file.coded(coding).map_err(Error::internal)).transpose()
    });
    match found.await {
        Ok(Some(coded)) => send(coded, &headers, FOR_EVER),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => error.into_response(),
    }
}

/// Coding a file for the first time takes milliseconds, and a build for development reads the disk.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn send(file: Coded, headers: &HeaderMap, kept: HeaderValue) -> Response {
    let etag = HeaderValue::from_str(&file.etag).unwrap_or(HeaderValue::from_static("\"\""));
    let head = [
        (header::ETAG, etag.clone()),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (header::CACHE_CONTROL, kept),
    ];
    // Tells the layer that compresses to leave it alone.
    let head = (Extension(file.encoding), head);
    if reply::is_known(headers, &etag) {
        return (StatusCode::NOT_MODIFIED, head, ()).into_response();
    }
    let coding = file.encoding.name().map(|name| (header::CONTENT_ENCODING, HeaderValue::from_static(name)));
    let mut response =
        (head, [(header::CONTENT_TYPE, HeaderValue::from_static(file.kind))], file.bytes).into_response();
    response.headers_mut().extend(coding);
    response
}
