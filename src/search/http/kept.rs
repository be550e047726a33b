//! The short way to an answer: a request in words that were used before is not read again where its answer is kept, and
//! one for which it has to be made passes by nothing that other requests need.
//!
//! Whatever is unusual about a request is none of its business: the long way has the last word on everything.

use std::{net::SocketAddr, time::Instant};

use axum::{
    body::HttpBody,
    http::{HeaderMap, HeaderValue, Method, Request, Uri, header},
    response::Response,
};

use super::{DEMANDED, TIMING, answer, timing};
use crate::{
    app::App,
    auth::Viewer,
    cache::{Question, encoding::Encoding},
    catalog::{VERSION_HEADER, version_header},
    client::Client,
    error::Result,
    params, reply,
    search::{
        actions::{self, Answer, Demand},
        model::Search,
    },
};

/// Where searches are asked.
pub const PATH: &str = "/api/product/";

/// Whether it is a search, whose answer may have to be made.
pub fn is_search<B>(request: &Request<B>) -> bool {
    matches!(request.uri().path(), PATH | "/api/product")
        && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Adds what the header of every kept answer has, or a place for it.
pub fn prepare(blank: &mut HeaderMap) {
    reply::prepare(blank);
    blank.insert(TIMING, HeaderValue::from_static(""));
    blank.insert(VERSION_HEADER, HeaderValue::from_static(""));
}

/// The answer to a request for a search, where it is the one that the long way would give, and can be had at once. Its
/// header is the blank one that was [prepared](prepare), filled in.
pub fn kept<B: HttpBody>(
    app: &App,
    begun: Instant,
    peer: SocketAddr,
    request: &Request<B>,
    blank: &HeaderMap,
) -> Option<Response> {
    let encoding = usual(request)?;
    let question = app.spellings.get(request.uri().query().unwrap_or_default())?;
    let headers = request.headers();
    let client = Client::new(peer.ip(), headers, &app.config.limits.trusted_proxies);
    let answer = actions::kept(app, begun, client, question, encoding)?;
    Some(filled_in(answer, headers, blank))
}

/// A search whose answer has to be made, and which is answered as everybody's is; or what is wrong with it.
pub struct Asked {
    demand: Demand,
    search: Result<Search>,
}

/// Reads a request as [`kept`] does. None where it is not a search, or unusual.
pub fn asked<B: HttpBody>(app: &App, peer: SocketAddr, request: &Request<B>) -> Option<Asked> {
    let encoding = usual(request)?;
    let search: Result<Search> = params::read(request.uri().query().unwrap_or_default());
    if search.as_ref().is_ok_and(|search| search.min_version.is_some()) {
        return None;
    }
    let client = Client::new(peer.ip(), request.headers(), &app.config.limits.trusted_proxies);
    Some(Asked { demand: Demand { client, versions: [None; 2], encoding }, search })
}

/// Makes the answer to what was [`asked`] by a request with this header and at this address; as [`kept`].
///
/// # Errors
/// As [`actions::search`]; 400 with whatever is wrong with it.
pub async fn made(
    app: &App,
    asked: Asked,
    uri: &Uri,
    headers: &HeaderMap,
    blank: &HeaderMap,
) -> Result<Response> {
    let answer = answer(app, Viewer::default(), asked.demand, asked.search?, uri).await?;
    Ok(filled_in(answer, headers, blank))
}

/// How a usual request for a search wants its answer coded. None for whatever is unusual about one: who asks, from which
/// page, and which write the answer must hold changes what is answered.
fn usual<B: HttpBody>(request: &Request<B>) -> Option<Encoding> {
    if request.uri().path() != PATH || request.method() != Method::GET || !request.body().is_end_stream() {
        return None;
    }
    let headers = request.headers();
    if [header::AUTHORIZATION, header::ORIGIN, DEMANDED].iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    encoding(headers)
}

fn filled_in(answer: Answer, headers: &HeaderMap, blank: &HeaderMap) -> Response {
    let own = [(TIMING, timing(&answer)), version_header(answer.version)];
    let mut response = reply::filled_in(blank.clone(), answer.body, headers);
    own.into_iter().for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
    response
}

/// Remembers what a query string asks. Only of anonymous ones, whose words mean the same whoever they are, and of those
/// that do not wait for a write.
pub(super) fn remember(app: &App, viewer: Viewer, query: Option<&str>, search: &Search, question: Question) {
    if viewer == Viewer::default() && search.min_version.is_none() {
        app.spellings.keep(query.unwrap_or_default(), question);
    }
}

/// The coding that is asked for, if there can be an answer.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    if !headers.contains_key(header::ACCEPT_ENCODING) {
        return Some(Encoding::Plain);
    }
    Encoding::is_possible(headers).then(|| Encoding::asked_for(headers))
}
