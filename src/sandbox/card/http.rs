//! The wire of cards: paths, keys, idempotency, answers and errors as Stripe has them.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tower_http::cors::{Any, CorsLayer};

use super::{
    super::{Desk, locked, random_text},
    book::{Answered, Book, Later, Reply, Rest, expands},
    event,
    form::Form,
    intent::{ALPHABET, Status},
    outcome::News,
    refund::Refund,
    refusal::{Kind, Refusal},
};

pub(in crate::sandbox) fn routes() -> Router<Arc<Desk>> {
    // Browsers confirm by themselves, from the shop's pages.
    let browsers = CorsLayer::new().allow_origin(Any).allow_methods(Any).allow_headers(Any);
    Router::new()
        .route("/v1/payment_intents", post(create))
        .route("/v1/payment_intents/{id}", get(retrieve))
        .route("/v1/payment_intents/{id}/confirm", post(confirm))
        .route("/v1/payment_intents/{id}/capture", post(capture))
        .route("/v1/payment_intents/{id}/cancel", post(cancel))
        .route("/v1/refunds", post(refund).get(refunds))
        .route("/v1/refunds/{id}", get(one_refund))
        .route("/v1/charges/{id}", get(charge))
        .route("/v1/events/{id}", get(one_event))
        .method_not_allowed_fallback(async |uri: Uri| nothing_here(uri.path()))
        .layer(browsers)
}

/// The answer to a path that the gateway does not have.
pub(in crate::sandbox) fn nothing_here(path: &str) -> Response {
    answer(Err(&Refusal::of(Kind::Missing, &format!("Unrecognized request URL: {path}"))))
}

/// The gateway's own failure.
pub(in crate::sandbox) fn internal_error() -> Response {
    answer(Err(&Refusal::of(Kind::Internal, "The sandbox fails because it was told to.")))
}

fn answer(answer: Result<&Value, &Refusal>) -> Response {
    let (status, body) = match answer {
        Ok(value) => (StatusCode::OK, value.clone()),
        Err(refusal) => {
            let status = match refusal.kind {
                Kind::Invalid | Kind::Idempotency => StatusCode::BAD_REQUEST,
                Kind::Missing => StatusCode::NOT_FOUND,
                Kind::Key => StatusCode::UNAUTHORIZED,
                Kind::Permission => StatusCode::FORBIDDEN,
                Kind::Declined => StatusCode::PAYMENT_REQUIRED,
                Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, json!({"error": refusal.object()}))
        }
    };
    let mut response = (status, Json(body)).into_response();
    let request = format!("req_{}", random_text(ALPHABET, 14));
    if let Ok(request) = HeaderValue::from_str(&request) {
        response.headers_mut().insert("request-id", request);
    }
    response.headers_mut().insert("stripe-version", HeaderValue::from_static(event::VERSION));
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        answer(Err(&self))
    }
}

// Who asks -----------------------------------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// The shop.
    Shop,
    /// A browser, with the publishable key.
    Browser,
}

/// The key is a bearer token, the user of `Basic`, or the form's `key`.
fn caller(desk: &Desk, headers: &HeaderMap, form: &mut Form) -> Result<Caller, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, rest) = header.and_then(|text| text.split_once(' ')).unwrap_or_default();
    let in_form = form.take("key");
    let key = if scheme.eq_ignore_ascii_case("bearer") {
        Some(rest.trim().to_owned())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded =
            BASE64_STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.map(|pair| pair.split(':').next().unwrap_or_default().to_owned())
    } else {
        in_form
    };
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return Err(Refusal::of(Kind::Key, "No API key was given: send it as a bearer token."));
    };
    let is = |ours: &str| bool::from(key.as_bytes().ct_eq(ours.as_bytes()));
    if is(&desk.credentials.secret_key) {
        Ok(Caller::Shop)
    } else if is(&desk.credentials.publishable_key) {
        Ok(Caller::Browser)
    } else {
        Err(Refusal::of(Kind::Key, "Invalid API Key provided"))
    }
}

/// A browser shows that it was given the intent; the shop need not.
fn shown(caller: Caller, secret: Option<&str>, ours: &str) -> Result<(), Refusal> {
    let wrong = |message: &str| Refusal::param("resource_missing", "client_secret", message.to_owned());
    match (caller, secret) {
        (Caller::Shop, None) => Ok(()),
        (Caller::Browser, None) => Err(Refusal::absent("client_secret")),
        (_, Some(given)) if bool::from(given.as_bytes().ct_eq(ours.as_bytes())) => Ok(()),
        (_, Some(_)) => Err(wrong("The client_secret is not that of this PaymentIntent.")),
    }
}

fn shop_only(caller: Caller) -> Result<(), Refusal> {
    if caller == Caller::Shop {
        return Ok(());
    }
    let message = "This needs the secret key, not the publishable one.".to_owned();
    Err(Refusal::coded(Kind::Permission, "secret_key_required", message))
}

// What they ask for --------------------------------------------------------------------------------------------

/// A step: the key, what was answered to it before, or else the step itself, and what remains after it.
async fn step(
    desk: &Arc<Desk>,
    headers: &HeaderMap,
    uri: &Uri,
    body: &[u8],
    work: impl FnOnce(&mut Book, Caller, Form) -> Result<Reply, Refusal>,
) -> Result<Response, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !body.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Refusal::of(Kind::Invalid, "Send a form (application/x-www-form-urlencoded)."));
    }
    let mut form = Form::read(body);
    let caller = caller(desk, headers, &mut form)?;
    let key = headers.get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 255) {
        return Err(Refusal::of(Kind::Invalid, "An idempotency key has from 1 to 255 characters."));
    }
    let request = format!("{} {}", uri.path(), form.canonical());
    let (response, rest) = {
        let mut book = locked(&desk.cards);
        if let Some((key, answered)) = key.as_ref().and_then(|key| Some((key, book.answers.get(key)?))) {
            let mut response = answer(answered.replay(&request, key)?.as_ref());
            response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
            return Ok(response);
        }
        // What is refused here was never begun, and may be sent again with the same key.
        let reply = work(&mut book, caller, form)?;
        let response = answer(reply.answer.as_ref());
        if let Some(key) = key {
            book.answers.insert(&key, Answered { request, answer: reply.answer });
        }
        (response, reply.rest)
    };
    finish(desk, rest).await;
    Ok(response)
}

/// A step that is the shop's alone.
async fn shop_step(
    desk: &Arc<Desk>,
    headers: &HeaderMap,
    uri: &Uri,
    body: &[u8],
    work: impl FnOnce(&mut Book, Form) -> Result<Reply, Refusal>,
) -> Result<Response, Refusal> {
    let by_shop = |book: &mut Book, caller, form| {
        shop_only(caller)?;
        work(book, form)
    };
    step(desk, headers, uri, body, by_shop).await
}

/// Writes the ledger, tells the shop, and sees to what comes later.
async fn finish(desk: &Arc<Desk>, rest: Rest) {
    if let Some(movement) = rest.movement {
        locked(&desk.ledger).write(movement);
    }
    if let Some(later) = rest.later {
        desk.spawn(end(desk.clone(), later));
    }
    if !rest.events.is_empty() {
        event::tell(desk, rest.events, rest.news.unwrap_or(News::AtOnce)).await;
    }
}

/// What happens by itself.
async fn end(desk: Arc<Desk>, later: Later) {
    tokio::time::sleep(desk.pace.answer).await;
    let rest = match later {
        Later::Process(id) => locked(&desk.cards).resume(&id, Status::Processing, true),
        Later::Refund(id) => locked(&desk.cards).end_refund(&id),
    };
    let Some(rest) = rest else { return };
    if let Some(movement) = rest.movement {
        locked(&desk.ledger).write(movement);
    }
    event::tell(&desk, rest.events, News::AtOnce).await;
}

/// A person's decision about an intent that asks. False when there is none that does.
pub(in crate::sandbox) async fn decide(desk: &Arc<Desk>, id: &str, pays: bool) -> bool {
    let rest = locked(&desk.cards).resume(id, Status::RequiresAction, pays);
    let asked = rest.is_some();
    if let Some(rest) = rest {
        finish(desk, rest).await;
    }
    asked
}

type Asked = Result<Response, Refusal>;

async fn create(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Asked {
    shop_step(&desk, &headers, &uri, &body, |book, form| book.create(&desk, form)).await
}

async fn confirm(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Asked {
    let work = |book: &mut Book, caller, mut form: Form| {
        let secret = form.take("client_secret");
        shown(caller, secret.as_deref(), &book.of(&id)?.secret)?;
        let confirmed = book.confirm(&desk, &id, form);
        if caller == Caller::Shop {
            return confirmed;
        }
        let public = book.of(&id)?.public(&desk.base);
        let mut reply = confirmed.map_err(|refusal| refusal.without_secrets(&public))?;
        reply.answer = match reply.answer {
            Ok(_) => Ok(public),
            Err(refusal) => Err(refusal.without_secrets(&public)),
        };
        Ok(reply)
    };
    step(&desk, &headers, &uri, &body, work).await
}

async fn capture(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Asked {
    shop_step(&desk, &headers, &uri, &body, |book, form| book.capture(&desk, &id, form)).await
}

async fn cancel(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Asked {
    shop_step(&desk, &headers, &uri, &body, |book, form| book.cancel(&desk, &id, form)).await
}

async fn refund(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Asked {
    shop_step(&desk, &headers, &uri, &body, super::Book::refund).await
}

// What they look at --------------------------------------------------------------------------------------------

async fn retrieve(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Asked {
    let mut form = Form::read(uri.query().unwrap_or_default().as_bytes());
    let caller = caller(&desk, &headers, &mut form)?;
    let secret = form.take("client_secret");
    let expands = expands(&mut form);
    form.end()?;
    let mut book = locked(&desk.cards);
    shown(caller, secret.as_deref(), &book.of(&id)?.secret)?;
    let object = match caller {
        Caller::Shop => book.show(&desk, &id, expands)?,
        Caller::Browser => book.of(&id)?.public(&desk.base),
    };
    Ok(answer(Ok(&object)))
}

/// Looks at something that only the shop may see.
fn look(
    desk: &Desk,
    headers: &HeaderMap,
    uri: &Uri,
    find: impl FnOnce(&mut Book, Form) -> Result<Value, Refusal>,
) -> Asked {
    let mut form = Form::read(uri.query().unwrap_or_default().as_bytes());
    shop_only(caller(desk, headers, &mut form)?)?;
    let found = find(&mut locked(&desk.cards), form)?;
    Ok(answer(Ok(&found)))
}

async fn refunds(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap) -> Asked {
    look(&desk, &headers, &uri, |book, mut form| {
        let of = form.take("payment_intent");
        let limit = form.whole("limit")?.unwrap_or(10).min(100);
        form.end()?;
        let wanted = |refund: &&Refund| of.as_ref().is_none_or(|of| *of == refund.intent);
        let mut found: Vec<Value> = book.refunds.newest().filter(wanted).map(Refund::object).collect();
        let limit = usize::try_from(limit).unwrap_or(100);
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok(json!({"object": "list", "url": "/v1/refunds", "has_more": has_more, "data": found}))
    })
}

async fn one_refund(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Asked {
    look(&desk, &headers, &uri, |book, _| {
        let refund = book.refunds.get(&id).map(Refund::object);
        refund.ok_or_else(|| Refusal::missing("refund", "id", &id))
    })
}

async fn charge(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Asked {
    look(&desk, &headers, &uri, |book, _| {
        let charge = book.charge(&id).map(|(intent, charge)| intent.charge_object(charge));
        charge.ok_or_else(|| Refusal::missing("charge", "id", &id))
    })
}

async fn one_event(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Asked {
    look(&desk, &headers, &uri, |book, _| {
        book.events.get(&id).cloned().ok_or_else(|| Refusal::missing("event", "id", &id))
    })
}
