//! `/api/admin/index/` and `/api/admin/reindex/`

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Comparison, Status},
};
use crate::{
    app::App,
    auth::Admin,
    error::Result,
    extract::{Id, NoBody, Query},
    indexing::verify::Report,
    job::model::{Job, Kind},
    openapi::{JobEvent, ProblemResponse},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(verify))
        .routes(routes!(go_back))
        .routes(routes!(reindex))
        .routes(routes!(one, cancel))
        .routes(routes!(events))
}

/// The index of the node that answers.
#[derive(Serialize, ToSchema)]
pub(super) struct IndexStatus {
    documents: u64,
    segments: u64,
    /// On disk.
    bytes: u64,
    /// Grows with every commit; begins anew with the process.
    generation: u64,
    /// The newest write of which the index holds everything, as `X-Catalog-Version`.
    version: String,
    /// For how long the oldest change that is not applied has waited; 0 when all are. Null while the database is
    /// away.
    lag_seconds: Option<f64>,
    /// Products that changed and are not applied. Null while the database is away.
    pending_changes: Option<u64>,
    /// For how long the oldest writing transaction has been open: hours are worth a look. Null while the database is
    /// away.
    horizon_seconds: Option<f64>,
    /// What the index is made for; another program with another fingerprint builds its own.
    schema_fingerprint: &'static str,
    #[serde(with = "time::serde::rfc3339::option")]
    last_commit_at: Option<OffsetDateTime>,
    /// Whether the index before the last reindex is still there; see `/api/admin/index/rollback/`.
    can_roll_back: bool,
    cache: CacheStatus,
}

/// Kept answers.
#[derive(Serialize, ToSchema)]
struct CacheStatus {
    /// Since the process started.
    hits: u64,
    /// Since the process started.
    misses: u64,
    /// Bodies that are kept now.
    entries: u64,
}

impl From<Status> for IndexStatus {
    fn from(status: Status) -> Self {
        let cache = status.cache;
        Self {
            documents: status.documents,
            segments: status.segments,
            bytes: status.bytes,
            generation: status.generation,
            version: status.version.to_string(),
            lag_seconds: status.lag.map(|lag| lag.seconds),
            pending_changes: status.lag.map(|lag| lag.pending_changes),
            horizon_seconds: status.lag.map(|lag| lag.horizon_seconds),
            schema_fingerprint: duka_index::fingerprint(),
            last_commit_at: status.last_commit_at,
            can_roll_back: status.can_go_back,
            cache: CacheStatus { hits: cache.hits, misses: cache.misses, entries: cache.entries },
        }
    }
}

/// How the index is
#[utoipa::path(get, path = "/api/admin/index/", tag = "administration", security(("bearer" = [])), responses(
    (status = 200, body = IndexStatus),
    (status = "4XX", response = ProblemResponse)
))]
async fn status(State(app): State<App>, admin: Admin) -> Json<IndexStatus> {
    Json(actions::status(&app, admin).await.into())
}

/// Compare every document with the database
///
/// In every field, at one snapshot; what changed after the index's last commit is left out and counted as pending. First,
/// every file of the index is compared with its checksum; where one differs, it is named, and nothing else is compared.
/// With `repair`, products that differ are indexed anew, and an index with damaged files is replaced before this is
/// answered; the answer says what was found before. One comparison goes on at a time; who asks meanwhile waits for it.
#[utoipa::path(post, path = "/api/admin/index/verify/", tag = "administration", security(("bearer" = [])), params(
    ("repair" = Option<bool>, Query, description = "Index products that differ anew")
), responses(
    (status = 200, body = Report),
    (status = "4XX", response = ProblemResponse)
))]
async fn verify(
    State(app): State<App>,
    admin: Admin,
    Query(comparison): Query<Comparison>,
    _: NoBody,
) -> Result<Json<Report>> {
    Ok(Json(actions::verify(&app, admin, comparison).await?))
}

/// Go back to the index before the last reindex
///
/// It is brought up to date and checked first; searches see the one, then the other.
#[utoipa::path(post, path = "/api/admin/index/rollback/", tag = "administration", security(("bearer" = [])), responses(
    (status = 200, body = IndexStatus),
    (status = 409, description = "There is none, or it cannot be brought up to date", body = crate::error::Problem,
        content_type = "application/problem+json"),
    (status = "4XX", response = ProblemResponse)
))]
async fn go_back(State(app): State<App>, admin: Admin, _: NoBody) -> Result<Json<IndexStatus>> {
    actions::go_back(&app, admin).await?;
    Ok(Json(actions::status(&app, admin).await.into()))
}

/// Build the index anew
///
/// Beside the one that answers, from one snapshot of the database; it is brought up to date, checked and takes over
/// at once. One at a time, on all nodes together; it is the index of the node that answers here.
#[utoipa::path(post, path = "/api/admin/reindex/", tag = "administration", security(("bearer" = [])), responses(
    (status = 202, body = Job, headers(("Location" = String))),
    (status = 409, description = "One has not ended yet", body = crate::error::Problem,
        content_type = "application/problem+json"),
    (status = "4XX", response = ProblemResponse)
))]
async fn reindex(State(app): State<App>, admin: Admin, _: NoBody) -> Result<Response> {
    let id = actions::reindex(&app, admin).await?;
    let job = app.jobs.one(admin, Kind::Reindex, id).await?;
    let location = HeaderValue::from_str(&Kind::Reindex.path(id));
    let location = location.unwrap_or(HeaderValue::from_static(""));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(job)).into_response())
}

/// How far a reindex is
#[utoipa::path(get, path = "/api/admin/reindex/{id}/", tag = "administration", security(("bearer" = [])), params(
    ("id" = i64, Path)
), responses(
    (status = 200, body = Job),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Json<Job>> {
    Ok(Json(app.jobs.one(admin, Kind::Reindex, id).await?))
}

/// Cancel a reindex
///
/// It stops at the next opportunity, and leaves the index as it was.
#[utoipa::path(delete, path = "/api/admin/reindex/{id}/", tag = "administration", security(("bearer" = [])), params(
    ("id" = i64, Path)
), responses(
    (status = 202, body = Job, description = "It will stop; follow its status"),
    (status = 409, description = "It has succeeded or failed", body = crate::error::Problem,
        content_type = "application/problem+json"),
    (status = "4XX", response = ProblemResponse)
))]
async fn cancel(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Response> {
    let job = app.jobs.cancel(admin, Kind::Reindex, id).await?;
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}

/// A reindex's progress as it happens
///
/// Server-sent events: the job's JSON as data, now and after each change; the last one is its final state.
#[utoipa::path(get, path = "/api/admin/reindex/{id}/events/", tag = "administration", security(("bearer" = [])), params(
    ("id" = i64, Path)
), responses(
    (status = 200, description = "An event for each change, its data a job as above", content_type = "text/event-stream", body = JobEvent),
    (status = "4XX", response = ProblemResponse)
))]
async fn events(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Response> {
    Ok(app.jobs.events(admin, Kind::Reindex, id, |job| job).await?.into_response())
}
