//! `/api/admin/search-settings/`

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use duka_index::{Settings, Synonym, Weights};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Current, REBUILD_NEEDED},
};
use crate::{
    app::App,
    auth::Admin,
    cache::{self, encoding::Encoding},
    catalog::version_header,
    error::{Error, Result},
    extract::{Body, IfMatch},
    openapi::ProblemResponse,
    reply,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(one, replace))
}

/// How searches are read and ranked.
#[derive(Serialize, ToSchema)]
struct SearchSettings {
    /// Grows with every change; 0 is the defaults.
    version: i64,
    #[schema(value_type = Vec<SynonymBody>)]
    synonyms: Vec<Synonym>,
    /// In order, each once.
    stop_words: Vec<String>,
    #[schema(value_type = WeightsBody)]
    weights: Weights,
    /// Null for version 0.
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    /// Whether they hold only after a reindex. False: they act on queries.
    rebuild_needed: bool,
}

/// What is written: all of it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Settings` reads")]
#[schema(as = NewSearchSettings)]
struct SettingsBody {
    #[schema(max_items = 5000)]
    synonyms: Vec<SynonymBody>,
    /// Single words that need not occur in a product, unless the query has no others.
    #[schema(max_items = 1000, example = json!(["the", "for", "with"]))]
    stop_words: Vec<String>,
    weights: WeightsBody,
}

/// Phrases that find each other, or of which one finds the others. A phrase has 1 to 5 words; what separates them
/// does not matter.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
#[expect(dead_code, reason = "describes what `Synonym` reads")]
#[schema(as = Synonym)]
enum SynonymBody {
    /// Each finds all the others.
    TwoWay {
        #[schema(min_items = 2, max_items = 20, example = json!(["tv", "television"]))]
        phrases: Vec<String>,
    },
    /// A query for `from` also finds each of `to`, and not the other way round.
    OneWay {
        #[schema(min_length = 1, max_length = 200, example = "phone")]
        from: String,
        #[schema(min_items = 1, max_items = 20, example = json!(["smartphone"]))]
        to: Vec<String>,
    },
}

/// What a match in each kind of text is worth, relative to the others. With 0 the words are still found there, but
/// add nothing to the score.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Weights` reads")]
#[schema(as = SearchWeights)]
struct WeightsBody {
    #[schema(minimum = 0, maximum = 100, example = 8.0)]
    name: f32,
    #[schema(minimum = 0, maximum = 100, example = 5.0)]
    brand: f32,
    /// Stock keeping units, the variants' too.
    #[schema(minimum = 0, maximum = 100, example = 5.0)]
    sku: f32,
    /// Names of the category and of those above it.
    #[schema(minimum = 0, maximum = 100, example = 3.0)]
    category: f32,
    /// Values of attributes, and names of those that are true.
    #[schema(minimum = 0, maximum = 100, example = 2.0)]
    attributes: f32,
    /// Names of variants.
    #[schema(minimum = 0, maximum = 100, example = 2.5)]
    variants: f32,
    #[schema(minimum = 0, maximum = 100, example = 1.0)]
    description: f32,
}

/// The search's settings
#[utoipa::path(get, path = "/api/admin/search-settings/", tag = "administration", security(("bearer" = [])),
    responses(
    (status = 200, body = SearchSettings, headers(("ETag" = String))),
    (status = 304, description = "What `If-None-Match` names is still right"),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, admin: Admin, headers: HeaderMap) -> Result<Response> {
    Ok(reply::unless_known(shown(actions::current(&app, admin).await?, &headers)?, &headers))
}

/// Set the search's settings
///
/// They are replaced as a whole, at every node and without a rebuild: a search that waits for the answer's
/// `X-Catalog-Version` is answered under them. Settings equal to those that hold make no new version.
#[utoipa::path(put, path = "/api/admin/search-settings/", tag = "administration", security(("bearer" = [])),
    params(("If-Match" = Option<String>, Header, description = "The ETag that was read, in whatever coding")),
    request_body = SettingsBody, responses(
    (status = 200, body = SearchSettings, headers(("ETag" = String), ("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn replace(
    State(app): State<App>,
    admin: Admin,
    if_match: IfMatch,
    headers: HeaderMap,
    Body(settings): Body<Settings>,
) -> Result<Response> {
    let (current, version) = actions::replace(&app, admin, &if_match, settings).await?;
    Ok(([version_header(version)], reply::tagged(shown(current, &headers)?)).into_response())
}

fn shown(current: Current, headers: &HeaderMap) -> Result<cache::Body> {
    let etag = current.etag();
    let Current { version, settings: Settings { synonyms, stop_words, weights }, updated_at } = current;
    let stop_words = stop_words.into_iter().collect();
    let settings =
        SearchSettings { version, synonyms, stop_words, weights, updated_at, rebuild_needed: REBUILD_NEEDED };
    let body = serde_json::to_vec(&settings).map_err(Error::internal)?;
    cache::Body::of_version(body, &etag).coded(Encoding::asked_for(headers))
}
