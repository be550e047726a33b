//! The short way: a search need not pass all that surrounds a request to a route, as long as its answer looks as if it
//! had. One whose answer is kept takes less than half of the time so, one for which it has to be made some 8 µs less,
//! and turning one away must cost next to nothing.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    time::Instant,
};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use futures_util::{FutureExt, future::Either};
use metrics::{Counter, Histogram};

use super::{
    POLICY, PROTECTION, REQUEST_ID, TRANSPORT, in_time::made_in_time, join_vary, names_one_host, panicked,
    request_id,
};
use crate::{
    app::App,
    error::{self, Error},
    search, telemetry,
};

/// What an answer depends on besides: a page of another origin is told more.
const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// A refusal in parts: ids are letters, digits and the like, which stand in a body as they are.
fn refusal(around: HeaderMap) -> (HeaderMap, [Bytes; 2]) {
    const ID: &str = "the-id-of-the-request";
    let refusal = Error::unavailable("Too many searches are waiting.").into_response();
    let (mut parts, body) = error::finish(refusal, ID).into_parts();
    parts.headers.extend(around);
    // It is there: nothing is waited for.
    let body = to_bytes(body, usize::MAX).now_or_never().and_then(Result::ok).unwrap_or_default();
    let at = body.windows(ID.len()).position(|window| window == ID.as_bytes()).unwrap_or_default();
    (parts.headers, [body.slice(..at), body.slice(at + ID.len().min(body.len())..)])
}

fn counted(status: StatusCode) -> Counter {
    metrics::counter!("duka_http_responses_total", "status" => status.as_str().to_owned())
}

/// An answer that is being made.
pub(super) type Making = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What answers at once where it can.
pub(super) struct Short {
    app: App,
    /// What every header has.
    around: HeaderMap,
    /// The header of an answer, with whatever is its own still to be filled in.
    blank: HeaderMap,
    /// The header of a refusal, its request's id aside, and its body up to the id and from there on.
    refusal: (HeaderMap, [Bytes; 2]),
    seconds: Histogram,
    found: Counter,
    unmodified: Counter,
    unavailable: Counter,
    refused: Counter,
}

impl Short {
    pub(super) fn new(app: App) -> Self {
        let mut around = HeaderMap::new();
        around.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        for (name, value) in PROTECTION {
            around.insert(name, HeaderValue::from_static(value));
        }
        if app.config.public_url.starts_with("https://") {
            around.insert(header::STRICT_TRANSPORT_SECURITY, TRANSPORT);
        }
        let mut blank = around.clone();
        blank.insert(REQUEST_ID, HeaderValue::from_static(""));
        search::http::prepare(&mut blank);
        blank.append(header::VARY, ORIGIN);
        join_vary(&mut blank);
        let seconds = metrics::histogram!("duka_http_request_seconds", "route" => search::http::PATH, "method" => "GET");
        Self {
            app,
            blank,
            refusal: refusal(around.clone()),
            around,
            seconds,
            found: counted(StatusCode::OK),
            unmodified: counted(StatusCode::NOT_MODIFIED),
            unavailable: counted(StatusCode::SERVICE_UNAVAILABLE),
            refused: metrics::counter!("duka_search_refused_total"),
        }
    }

    /// The answer, where it is one that is kept. Whoever watches requests closely sees all of them, by the long way.
    pub(super) fn answer<B: HttpBody>(
        &self,
        peer: SocketAddr,
        request: &Request<B>,
    ) -> Option<Response<Body>> {
        let begun = Instant::now();
        if telemetry::is_detailed() || !names_one_host(request) {
            return None;
        }
        let mut response = search::http::kept(&self.app, begun, peer, request, &self.blank)?;
        response.headers_mut().insert(REQUEST_ID, request_id(request));
        let counter = if response.status() == StatusCode::OK { &self.found } else { &self.unmodified };
        counter.increment(1);
        self.seconds.record(begun.elapsed().as_secs_f64());
        Some(response)
    }

    /// Makes the answer to a search where there is nothing unusual about it, as [`answer`](Self::answer) does; or the
    /// request, for the long way.
    pub(super) fn make<B: HttpBody>(
        self: &Arc<Self>,
        peer: SocketAddr,
        request: Request<B>,
    ) -> Either<Making, Request<B>> {
        let begun = Instant::now();
        if telemetry::is_detailed() || !names_one_host(&request) {
            return Either::Right(request);
        }
        let read = AssertUnwindSafe(|| search::http::asked(&self.app, peer, &request));
        let Ok(Some(asked)) = catch_unwind(read) else { return Either::Right(request) };
        let id = request_id(&request);
        let (parts, _) = request.into_parts();
        let short = Arc::clone(self);
        // Boxed: each connection, idle or not, keeps the room for what it waits for.
        Either::Left(Box::pin(async move {
            let made = search::http::made(&short.app, asked, &parts.uri, &parts.headers, &short.blank);
            let made = AssertUnwindSafe(made_in_time(made)).catch_unwind().await;
            let made = made.unwrap_or_else(|panic| Err(panicked(&*panic)));
            let mut response = made.unwrap_or_else(|error| short.fail(error, &id));
            response.headers_mut().insert(REQUEST_ID, id);
            match response.status() {
                StatusCode::OK => short.found.increment(1),
                StatusCode::NOT_MODIFIED => short.unmodified.increment(1),
                StatusCode::SERVICE_UNAVAILABLE => short.unavailable.increment(1),
                status => counted(status).increment(1),
            }
            short.seconds.record(begun.elapsed().as_secs_f64());
            response
        }))
    }

    /// What is told where there is no answer.
    fn fail(&self, error: Error, id: &HeaderValue) -> Response<Body> {
        let id = id.to_str().unwrap_or_default();
        let route = search::http::PATH;
        // For what is said of the error. To be in it for as long as the answer is made would take what this way saves.
        let span = tracing::error_span!("request", %id, method = %Method::GET, route);
        let (mut parts, body) = error::finish(span.in_scope(|| error.into_response()), id).into_parts();
        let own = std::mem::replace(&mut parts.headers, self.around.clone());
        parts.headers.extend(own);
        parts.headers.insert(header::VARY, ORIGIN);
        Response::from_parts(parts, body)
    }

    /// What a search that no page sends is told where there is no time for it.
    pub(super) fn refuse_outright<B>(&self, request: &Request<B>) -> Response<Body> {
        let mut response = self.refuse(request);
        response.headers_mut().insert(header::VARY, ORIGIN);
        response
    }

    /// What a search is told that there is no time for; which pages may read it, the layer for other origins adds.
    pub(super) fn refuse<B>(&self, request: &Request<B>) -> Response<Body> {
        let begun = Instant::now();
        let id = request_id(request);
        let (header, [before, behind]) = &self.refusal;
        let body = [before, id.as_bytes(), behind].concat();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().clone_from(header);
        response.headers_mut().insert(REQUEST_ID, id);
        self.refused.increment(1);
        self.unavailable.increment(1);
        self.seconds.record(begun.elapsed().as_secs_f64());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_in_parts_is_the_whole_one() {
        let (header, [before, behind]) = refusal(HeaderMap::new());
        let whole =
            error::finish(Error::unavailable("Too many searches are waiting.").into_response(), "mine-1");
        let (parts, body) = whole.into_parts();
        let body = to_bytes(body, usize::MAX).now_or_never().unwrap().unwrap();
        assert_eq!([&before[..], b"mine-1", &behind[..]].concat(), body);
        assert_eq!(header, parts.headers);
    }
}
