//! The wire of M-Pesa: Daraja's paths, answers and errors.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    super::{Desk, locked, random_text},
    book,
    outcome::{Answer, Number},
    play,
    request::{Fields, Push, Refusal, ReversalRequest},
};

pub(in crate::sandbox) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/oauth/v1/generate", get(token))
        .route("/mpesa/stkpush/v1/processrequest", post(push))
        .route("/mpesa/stkpushquery/v1/query", post(query))
        .route("/mpesa/reversal/v1/request", post(reversal))
        .method_not_allowed_fallback(async || Refusal::Method)
}

/// The answer to a path that Daraja does not have.
pub(in crate::sandbox) fn nothing_here() -> Response {
    Refusal::Resource.into_response()
}

/// The gateway's own failure.
pub(in crate::sandbox) fn internal_error() -> Response {
    Refusal::Internal.into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        use StatusCode as S;
        let field;
        let (status, code, message) = match self {
            Self::Authentication => (S::BAD_REQUEST, "400.008.01", "Invalid Authentication passed"),
            Self::GrantType => (S::BAD_REQUEST, "400.008.02", "Invalid grant type passed"),
            Self::Header => (S::NOT_FOUND, "404.001.04", "Invalid Authentication Header"),
            Self::Token => (S::NOT_FOUND, "404.001.03", "Invalid Access Token"),
            Self::Field(name) => {
                field = format!("Bad Request - Invalid {name}");
                (S::BAD_REQUEST, "400.002.02", field.as_str())
            }
            Self::Payload => (S::BAD_REQUEST, "400.002.05", "Invalid Request Payload"),
            Self::Merchant => (S::INTERNAL_SERVER_ERROR, "500.001.1001", "Merchant does not exist"),
            Self::Password => (S::INTERNAL_SERVER_ERROR, "500.001.1001", "Wrong credentials"),
            Self::Locked => (
                S::INTERNAL_SERVER_ERROR,
                "500.001.1001",
                "Unable to lock subscriber, a transaction is already in process for the current subscriber",
            ),
            Self::Processing => {
                (S::INTERNAL_SERVER_ERROR, "500.001.1001", "The transaction is being processed")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "500.003.1001", "Internal Server Error"),
            Self::Resource => (S::NOT_FOUND, "404.001.01", "Resource not found"),
            Self::Method => (S::METHOD_NOT_ALLOWED, "405.001", "Method Not Allowed"),
        };
        let request = format!("{}-{}-1", random_text(b"0123456789", 5), random_text(b"0123456789", 8));
        let body = json!({"requestId": request, "errorCode": code, "errorMessage": message});
        (status, Json(body)).into_response()
    }
}

async fn token(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    let user = format!("{}:{}", desk.credentials.consumer_key, desk.credentials.consumer_secret);
    let given = credentials(&headers, "Basic ").ok_or(Refusal::Authentication)?;
    if given != BASE64_STANDARD.encode(user) {
        return Err(Refusal::Authentication);
    }
    if parameters.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return Err(Refusal::GrantType);
    }
    let good_for = desk.pace.token;
    let (token, as_number) = locked(&desk.mpesa).token(good_for);
    let seconds = good_for.as_secs();
    let expires_in = if as_number { json!(seconds) } else { json!(seconds.to_string()) };
    Ok(Json(json!({"access_token": token, "expires_in": expires_in})))
}

/// What follows the scheme in `Authorization`.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| text[scheme.len()..].trim())
}

fn authorise(desk: &Desk, headers: &HeaderMap) -> Result<(), Refusal> {
    let token = credentials(headers, "Bearer ").ok_or(Refusal::Header)?;
    if !locked(&desk.mpesa).knows_token(token) {
        return Err(Refusal::Token);
    }
    let json = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if json.is_some_and(|kind| kind.starts_with("application/json")) { Ok(()) } else { Err(Refusal::Payload) }
}

async fn push(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Result<Response, Refusal> {
    authorise(&desk, &headers)?;
    let push = Push::read(&body, &desk)?;
    let number = Number::of(&push.phone);
    match number.answer {
        Answer::Locked => return Err(Refusal::Locked),
        Answer::Broken => return Err(Refusal::Internal),
        Answer::Accepted | Answer::AfterSteps | Answer::Lost(_) => {}
    }
    let prompt = locked(&desk.mpesa).accept(push, number);
    let accepted = json!({
        "MerchantRequestID": prompt.merchant_request,
        "CheckoutRequestID": prompt.checkout_request,
        "ResponseCode": "0",
        "ResponseDescription": "Success. Request accepted for processing",
        "CustomerMessage": "Success. Request accepted for processing",
    });
    // A shop that gives up waiting does not stop what it has begun.
    let played = desk.spawn(play::prompt(desk.clone(), prompt));
    let mut answer = Json(accepted).into_response();
    match number.answer {
        Answer::AfterSteps => drop(played.await),
        Answer::Lost(loss) => drop(answer.extensions_mut().insert(loss)),
        Answer::Accepted | Answer::Locked | Answer::Broken => {}
    }
    Ok(answer)
}

/// A prompt that nobody knows is said to be in process, as Daraja does.
async fn query(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorise(&desk, &headers)?;
    let fields = Fields::read(&body)?;
    fields.signed(&desk)?;
    let id = fields.text("CheckoutRequestID")?;
    if !id.starts_with("ws_CO_") {
        return Err(Refusal::Field("CheckoutRequestID"));
    }
    let book = locked(&desk.mpesa);
    book.prompt(&id).and_then(book::Prompt::queried).map(Json).ok_or(Refusal::Processing)
}

async fn reversal(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    authorise(&desk, &headers)?;
    let request = ReversalRequest::read(&body, &desk)?;
    let (originator, id) = book::conversation();
    desk.spawn(play::reversal(desk.clone(), request, originator.clone(), id.clone()));
    Ok(Json(json!({
        "OriginatorConversationID": originator,
        "ConversationID": id,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    })))
}
