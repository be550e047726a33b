//! `/api/admin/audit/`

use axum::{
    Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Actor, Entry, EntryFilter},
};
use crate::{
    app::App,
    auth::Admin,
    error::Result,
    extract::Query,
    openapi::ProblemResponse,
    page::{DeepList, Links, Place},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Something that a vendor or an administrator changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct EntryJson {
    id: i64,
    /// When it was committed.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// Null: the command line, or somebody at the database's prompt.
    actor: Option<ActorJson>,
    /// What was done, as `entity.verb`.
    #[schema(example = "product.update")]
    action: String,
    /// What kind of thing it was done to.
    #[schema(example = "product")]
    entity: String,
    /// Which one.
    entity_id: Option<i64>,
    /// What it was: null when it was made, every field when it was deleted, else those that changed. Of a list (a
    /// product's `variants`, a discount's `product_ids`) only the entries that changed. Personal fields are named,
    /// and null.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it became: null when it was deleted, every field when it was made, else those that changed.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    /// The `X-Request-Id` of the answer.
    request_id: Option<String>,
    /// The client's network address, where it is known.
    address: Option<String>,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub struct ActorJson {
    id: i64,
    /// As it is now.
    username: String,
}

impl From<Actor> for ActorJson {
    fn from(Actor { id, username }: Actor) -> Self {
        Self { id, username }
    }
}

impl From<Entry> for EntryJson {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor.map(Into::into),
            action: entry.action,
            entity: entry.entity,
            entity_id: entry.entity_id,
            before: entry.before,
            after: entry.after,
            request_id: entry.request_id,
            address: entry.address,
        }
    }
}

/// Which lines are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `EntryFilter` reads")]
struct FilterParams {
    /// By this user.
    #[param(minimum = 1)]
    actor_id: Option<i64>,
    #[param(example = "product.update")]
    action: Option<String>,
    #[param(example = "product")]
    entity: Option<String>,
    #[param(minimum = 1)]
    entity_id: Option<i64>,
    /// At this instant or later.
    since: Option<OffsetDateTime>,
    /// Before this instant.
    until: Option<OffsetDateTime>,
    /// In the request with this `X-Request-Id`.
    request_id: Option<String>,
}

/// What vendors and administrators changed, newest first
///
/// Nothing of it is ever changed or removed. Behind a cursor `count` stays what it was on the first page.
#[utoipa::path(get, path = "/api/admin/audit/", tag = "administration", security(("bearer" = [])),
    params(FilterParams, Place), responses(
    (status = 200, body = DeepList<EntryJson>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    admin: Admin,
    RawQuery(raw): RawQuery,
    Query(filter): Query<EntryFilter>,
) -> Result<Json<DeepList<EntryJson>>> {
    let found = actions::page(&app, admin, &filter).await?.map(EntryJson::from);
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/admin/audit/", query: &raw };
    Ok(Json(DeepList::new(found, &filter.place, &links)))
}
