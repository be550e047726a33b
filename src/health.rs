//! Whether this process lives, whether it should get requests, and what it counts.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    database,
    error::{Error, Problem, Result},
    telemetry,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(metrics))
}

/// All is well.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthStatus)]
struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz/", tag = "health", responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether it should get requests: the database answers and the index is open
#[utoipa::path(get, path = "/readyz/", tag = "health", responses(
    (status = 200, body = Health),
    (status = 503, description = "Starting, stopping, or the database is away", body = Problem, content_type = "application/problem+json")
))]
async fn ready(State(app): State<App>) -> Result<Json<Health>> {
    if !app.is_ready() {
        return Err(Error::unavailable("The server is stopping."));
    }
    database::ping(&app.health).await?;
    Ok(Json(Health { status: "ready" }))
}

/// Counters and histograms, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "Prometheus' text format", content_type = "text/plain", body = String)
))]
async fn metrics() -> Response {
    let text = telemetry::metrics().map(metrics_exporter_prometheus::PrometheusHandle::render);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text.unwrap_or_default()).into_response()
}
