//! What gateways send: kept and answered at once, then looked at.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::HeaderMap,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, error::Result, extract::header_text, openapi::ProblemResponse, payment::actions};

/// What a gateway may send at once.
const EVENT_BYTES: usize = 256 * 1024;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(card_webhook))
        .routes(routes!(mpesa_webhook))
        .layer(DefaultBodyLimit::max(EVENT_BYTES))
}

/// What the card gateway tells
///
/// For the gateway alone: signed by it over the bytes of the body (`Stripe-Signature: t=…,v1=…`, at most five minutes
/// old). An event is kept and answered at once, then processed; the same event again is answered alike and changes
/// nothing.
#[utoipa::path(post, path = "/api/payment/webhook/card/", tag = "payments",
    params(("Stripe-Signature" = String, Header)),
    request_body(content_type = "application/json", content = Object),
    responses(
    (status = 200, body = Received, description = "It was kept"),
    (status = "4XX", response = ProblemResponse)
))]
async fn card_webhook(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Json<Received>> {
    let signature = header_text(&headers, "stripe-signature");
    let kept = actions::inbox::receive_card(&app, signature, &body).await?;
    digest(&app, kept);
    Ok(Json(Received { received: true }))
}

/// What the card gateway wants to hear.
#[derive(Serialize, ToSchema)]
struct Received {
    received: bool,
}

/// What M-Pesa tells
///
/// For M-Pesa alone, at an address that nobody can guess and that is for one attempt, or one refund. What it tells is
/// kept and answered at once; money counts after a query has confirmed it.
#[utoipa::path(post, path = "/api/payment/webhook/mpesa/{token}/", tag = "payments",
    params(("token" = String, Path)),
    request_body(content_type = "application/json", content = Object),
    responses(
    (status = 200, body = Accepted, description = "It was kept"),
    (status = "4XX", response = ProblemResponse)
))]
async fn mpesa_webhook(
    State(app): State<App>,
    Path(token): Path<String>,
    body: Bytes,
) -> Result<Json<Accepted>> {
    let kept = actions::inbox::receive_mpesa(&app, &token, &body).await?;
    digest(&app, kept);
    Ok(Json(Accepted { result_code: 0, result_desc: "Accepted" }))
}

/// What M-Pesa wants to hear.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct Accepted {
    result_code: u8,
    result_desc: &'static str,
}

/// What was told is looked at when it has been answered.
fn digest(app: &App, kept: Option<i64>) {
    if let Some(id) = kept {
        let own = app.clone();
        app.acts.spawn(async move { actions::inbox::digest_now(&own, id).await });
    }
}
