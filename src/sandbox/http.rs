//! All of the sandbox's paths: the two gateways', lost answers around both, and the controls.
//!
//! The page and the controls are for people and tests of this machine: they ask that a request names this machine
//! as its host, and that no other page sent it.

use std::sync::Arc;

use axum::{
    Form, Json, Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Desk, card,
    fault::{Armed, Cut, Loss, When},
    locked, mpesa, page,
};

/// More than any request of either protocol has.
const BODY_BYTES: usize = 64 * 1024;

pub(super) fn routes(desk: Arc<Desk>) -> Router {
    let gateways = Router::new()
        .merge(mpesa::http::routes())
        .merge(card::http::routes())
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(desk.clone(), misbehave));
    let own = Router::new()
        .route("/", get(overview))
        .route("/authorize/{id}/", get(authorize))
        .route("/sandbox/decide/", post(decide))
        .route("/sandbox/ledger/", get(ledger))
        .route("/sandbox/deliveries/", get(deliveries))
        .route("/sandbox/faults/", get(faults).post(arm).delete(clear))
        .layer(middleware::from_fn(neighbours_only));
    own.merge(gateways).layer(DefaultBodyLimit::max(BODY_BYTES)).with_state(desk)
}

async fn nothing_here(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/v1/") { card::http::nothing_here(path) } else { mpesa::http::nothing_here() }
}

// Answers that get lost ----------------------------------------------------------------------------------------

/// Loses the answer if a test asked for it, or if the number does.
async fn misbehave(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let armed = desk.faults.meet(&path);
    if let Some((loss, When::Before)) = armed {
        return lose(&desk, loss, &path).await;
    }
    let answer = next.run(request).await;
    let after = armed.map(|(loss, _)| loss).or_else(|| answer.extensions().get::<Loss>().copied());
    match after {
        Some(loss) => lose(&desk, loss, &path).await,
        None => answer,
    }
}

async fn lose(desk: &Desk, loss: Loss, path: &str) -> Response {
    let internal = || {
        if path.starts_with("/v1/") { card::http::internal_error() } else { mpesa::http::internal_error() }
    };
    match loss {
        Loss::Error => internal(),
        Loss::Busy => {
            let mut busy = internal();
            *busy.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            busy
        }
        Loss::Cut => cut(),
        Loss::Hang => {
            tokio::select! {
                () = tokio::time::sleep(desk.pace.hang) => {}
                () = desk.faults.cleared() => {}
                () = desk.stop.cancelled() => {}
            }
            cut()
        }
    }
}

fn cut() -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(Cut);
    response
}

// For people and tests -----------------------------------------------------------------------------------------

/// Only requests to this machine by name or address, and no other page's.
async fn neighbours_only(request: Request, next: Next) -> Response {
    if let Err(why) = is_neighbour(request.headers()) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| policy(""));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Without any, a browser would not say either which page sends a form.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What a page may do; `leads_to` is an origin that its forms may lead to in the end, beside this one.
fn policy(leads_to: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self' {leads_to}; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn is_neighbour(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<std::net::IpAddr>();
    if name != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
        return Err("The sandbox's page and controls answer to localhost and 127.0.0.1 alone.\n");
    }
    // A browser says which page sends a form; what is no browser says nothing.
    let own = format!("http://{host}");
    if headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() != own.as_bytes()) {
        return Err("Another page sent this.\n");
    }
    Ok(())
}

async fn overview(State(desk): State<Arc<Desk>>) -> Html<String> {
    Html(page::overview(&desk))
}

async fn authorize(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    match page::authorize(&desk, &id) {
        Some(page) => {
            // Browsers hold a form's redirect against the policy, too.
            let back = page::return_to(&desk, &id).and_then(|url| url.parse::<Uri>().ok());
            let origin = back.and_then(|url| Some(format!("{}://{}", url.scheme_str()?, url.authority()?)));
            ([(header::CONTENT_SECURITY_POLICY, policy(&origin.unwrap_or_default()))], Html(page))
                .into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is no such payment intent.\n").into_response(),
    }
}

/// A decision: about a prompt's `CheckoutRequestID`, or a payment intent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    id: String,
    decision: Choice,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Approve,
    Decline,
}

/// Decides what waits for a person, and leads back to the page, or to where the intent says.
async fn decide(State(desk): State<Arc<Desk>>, Form(decision): Form<Decision>) -> Response {
    let pays = decision.decision == Choice::Approve;
    let decided = if decision.id.starts_with("pi_") {
        card::decide(&desk, &decision.id, pays).await
    } else {
        mpesa::decide(&desk, &decision.id, pays).await
    };
    if !decided {
        return (StatusCode::CONFLICT, "Nothing waits for this decision any more.\n").into_response();
    }
    let back = page::return_to(&desk, &decision.id);
    Redirect::to(back.as_deref().unwrap_or("/")).into_response()
}

async fn ledger(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(locked(&desk.ledger).as_json())
}

async fn deliveries(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(json!({"deliveries": desk.courier.deliveries()}))
}

async fn faults(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(json!({"faults": desk.faults.waiting()}))
}

async fn arm(State(desk): State<Arc<Desk>>, Json(fault): Json<Armed>) -> Response {
    if desk.faults.arm(fault) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::CONFLICT, "Too many faults wait; clear them with DELETE.\n").into_response()
    }
}

async fn clear(State(desk): State<Arc<Desk>>) -> StatusCode {
    desk.faults.clear();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_told_from_neighbours() {
        let asked = |host: &'static str, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            is_neighbour(&headers).is_ok()
        };
        assert!(asked("127.0.0.1:8001", None) && asked("localhost", None) && asked("[::1]:8001", None));
        assert!(asked("localhost:8001", Some("http://localhost:8001")));
        assert!(!asked("evil.example:8001", None) && !asked("127.0.0.1.evil.example", None));
        assert!(
            !asked("localhost:8001", Some("http://evil.example")) && !asked("localhost:8001", Some("null"))
        );
        assert!(!asked("localhost:8001", Some("http://localhost:8000")) && !asked("", None));
    }
}
