//! `GET /api/product/`, `GET /api/product/suggest/`, `GET /api/product/{id}/similar/`,
//! `POST /api/admin/search-settings/preview/`

mod kept;
mod shapes;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema, openapi::Ref};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::kept::{Asked, PATH, asked, is_search, kept, made, prepare};
pub(super) use self::shapes::{SearchResult, SuggestResult};
use self::shapes::{SettingsPreview, similar_products};
use super::{
    actions::{self, Answer, Demand},
    model::{Search, Similar, Suggest, Trial},
};
use crate::{
    app::App,
    auth::{Admin, Viewer},
    cache::encoding::Encoding,
    catalog::version_header,
    client::Client,
    error::{Error, Fault, Result},
    extract::{Body, Id, Query, header_text},
    indexing::Version,
    openapi::ProblemResponse,
    page::{List, Place},
    product::model::Product,
    reply,
};

/// The other way to name the write that the answer must hold.
const MIN_VERSION: &str = "X-Catalog-Min-Version";
const DEMANDED: HeaderName = HeaderName::from_static("x-catalog-min-version");

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(search))
        .routes(routes!(suggest))
        .routes(routes!(similar))
        .routes(routes!(preview))
}

/// How products are searched for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Search` reads")]
struct SearchParams {
    /// Full text over name, brand, SKU, category names, variant names, attributes and description; the last
    /// word counts as a beginning too.
    #[param(max_length = 256)]
    q: Option<String>,
    /// Another name of `q`.
    #[param(max_length = 256)]
    search: Option<String>,
    /// Id or slug, descendants included; several are alternatives.
    #[param(max_items = 100)]
    category: Option<Vec<String>>,
    /// Exact; several are alternatives.
    #[param(max_items = 100)]
    brand: Option<Vec<String>>,
    /// On `effective_price`, inclusive.
    #[param(example = "10.00")]
    price_min: Option<String>,
    /// On `effective_price`, inclusive.
    #[param(example = "99.99")]
    price_max: Option<String>,
    in_stock: Option<bool>,
    /// `true`: an automatic discount is running.
    on_sale: Option<bool>,
    #[param(minimum = 1, maximum = 5)]
    rating_min: Option<u8>,
    #[param(minimum = 1)]
    vendor_id: Option<i64>,
    /// `attr.NAME=value`, exact; several values of one name are alternatives.
    #[param(style = Form, explode, value_type = Option<BTreeMap<String, String>>)]
    attr: Option<BTreeMap<String, String>>,
    /// For admins, and for a vendor's own; everybody else finds active ones only.
    is_active: Option<bool>,
    /// Comma-separated `relevance`, `price`, `name`, `date_added`, `rating`, `popularity`, each descending with a
    /// leading `-`. By default `relevance` with `q`, else `-date_added`. Ties end on `id`.
    #[param(example = "price,-rating")]
    sort: Option<String>,
    /// Another name of `sort`.
    ordering: Option<String>,
    /// The `X-Catalog-Version` of a write that the answer must hold; also the header `X-Catalog-Min-Version`. Of two
    /// different ones it must hold both.
    min_version: Option<String>,
    /// `true`: results say what matched, in `highlights`.
    highlight: Option<bool>,
    /// Comma-separated `category`, `brand`, `price`, `availability`, `rating`, `attr.NAME`, at most ten; `none`
    /// for none. A comma in an attribute's name is written `\,` and a backslash before one, or before another, `\\`;
    /// the comma may also stand alone where what follows names no facet.
    #[param(example = "category,brand,price,availability")]
    facets: Option<String>,
}

/// Search products
#[utoipa::path(get, path = "/api/product/", tag = "products", params(
    SearchParams, Place,
    ("X-Catalog-Min-Version" = Option<String>, Header, description = "As `min_version`")
), responses(
    (status = 200, body = SearchResult, headers(("ETag" = String), ("X-Catalog-Version" = String), ("Server-Timing" = String))),
    (status = 304, description = "What `If-None-Match` names is still right"),
    (status = "4XX", response = ProblemResponse)
))]
async fn search(
    State(app): State<App>,
    viewer: Viewer,
    client: Client,
    headers: HeaderMap,
    uri: Uri,
    Query(search): Query<Search>,
) -> Result<Response> {
    let demand = demand(client, &headers, search.min_version)?;
    let answer = answer(&app, viewer, demand, search, &uri).await?;
    Ok(reply(answer, &headers))
}

/// The answer to a search, which was asked by these words.
async fn answer(app: &App, viewer: Viewer, demand: Demand, search: Search, uri: &Uri) -> Result<Answer> {
    let query = search.query(viewer, &app.keys)?;
    let search = Arc::new(search);
    let write = {
        let (app, query, search) = (app.clone(), query.clone(), Arc::clone(&search));
        move |found, rows, at| SearchResult::new(&app, &query, &search.place, found, rows, at)?.json()
    };
    let answer = actions::search(app, demand, query, write).await?;
    kept::remember(app, viewer, uri.query(), &search, answer.question);
    Ok(answer)
}

/// What is completed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Suggest` reads")]
struct SuggestParams {
    /// What is typed so far; the last word counts as a beginning.
    #[param(min_length = 1, max_length = 256)]
    q: String,
    /// The `X-Catalog-Version` of a write that the answer must hold; also the header `X-Catalog-Min-Version`.
    min_version: Option<String>,
}

/// Complete what somebody types
///
/// At most ten texts to search for, products, categories and brands, each best first.
#[utoipa::path(get, path = "/api/product/suggest/", tag = "products", params(
    SuggestParams,
    ("X-Catalog-Min-Version" = Option<String>, Header, description = "As `min_version`")
), responses(
    (status = 200, body = SuggestResult, headers(("ETag" = String), ("X-Catalog-Version" = String), ("Server-Timing" = String))),
    (status = 304, description = "What `If-None-Match` names is still right"),
    (status = "4XX", response = ProblemResponse)
))]
async fn suggest(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Query(suggest): Query<Suggest>,
) -> Result<Response> {
    let demand = demand(client, &headers, suggest.min_version)?;
    let currency = app.config.currency;
    let write = move |found, at| json(&SuggestResult::new(found, at, currency));
    let answer = actions::suggest(&app, demand, suggest.query, write).await?;
    Ok(reply(answer, &headers))
}

/// How many products like one are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `Similar` reads")]
struct SimilarParams {
    #[param(minimum = 1, maximum = 24, default = 24)]
    page_size: Option<u32>,
    /// The `X-Catalog-Version` of a write that the answer must hold; also the header `X-Catalog-Min-Version`.
    min_version: Option<String>,
}

/// Products like this one
///
/// The most alike first: one page, and the whole list.
#[utoipa::path(get, path = "/api/product/{id}/similar/", tag = "products", params(
    ("id" = i64, Path),
    SimilarParams,
    ("X-Catalog-Min-Version" = Option<String>, Header, description = "As `min_version`")
), responses(
    (status = 200, body = List<Product>, headers(("ETag" = String), ("X-Catalog-Version" = String), ("Server-Timing" = String))),
    (status = 304, description = "What `If-None-Match` names is still right"),
    (status = "4XX", response = ProblemResponse)
))]
async fn similar(
    State(app): State<App>,
    Id(id): Id,
    client: Client,
    headers: HeaderMap,
    Query(similar): Query<Similar>,
) -> Result<Response> {
    let demand = demand(client, &headers, similar.min_version)?;
    let currency = app.config.currency;
    let write = move |hits, at| json(&similar_products(hits, at, currency));
    let answer = actions::similar(&app, demand, id, similar.limit as usize, write).await?;
    Ok(reply(answer, &headers))
}

/// Settings, and a text to try them with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Trial` reads")]
#[schema(as = SettingsTrial)]
struct TrialBody {
    /// The text to search for.
    #[schema(min_length = 1, max_length = 256, example = "tv")]
    q: String,
    #[schema(minimum = 1, maximum = 100, default = 10)]
    page_size: Option<u32>,
    #[schema(schema_with = new_settings)]
    settings: (),
}

fn new_settings() -> Ref {
    Ref::from_schema_name("NewSearchSettings")
}

/// Try settings of the search out
///
/// What a text finds now, and what it would find under these settings, which hold for this answer alone.
#[utoipa::path(post, path = "/api/admin/search-settings/preview/", tag = "administration", security(("bearer" = [])),
    request_body = TrialBody, responses(
    (status = 200, body = SettingsPreview),
    (status = "4XX", response = ProblemResponse)
))]
async fn preview(
    State(app): State<App>,
    admin: Admin,
    Body(trial): Body<Trial>,
) -> Result<Json<SettingsPreview>> {
    let currency = app.config.currency;
    let write = move |hits, at| SettingsPreview::new(hits, at, currency);
    Ok(Json(actions::try_out(&app, admin, trial, write).await?))
}

fn json(shape: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(shape).map_err(Error::internal)
}

/// What the request demands: the writes that parameter and header name, and the coding.
fn demand(client: Client, headers: &HeaderMap, version: Option<Version>) -> Result<Demand> {
    let versions = [version, min_version(headers)?];
    Ok(Demand { client, versions, encoding: Encoding::asked_for(headers) })
}

/// The write that the header demands.
pub(super) fn min_version(headers: &HeaderMap) -> Result<Option<Version>> {
    let given = header_text(headers, MIN_VERSION);
    let version = given.map(|text| {
        text.trim()
            .parse()
            .map_err(|error: &str| Error::parameters(vec![Fault::parameter(MIN_VERSION, "value", error)]))
    });
    version.transpose()
}

const TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The answer, or that it is still what the client has.
fn reply(answer: Answer, headers: &HeaderMap) -> Response {
    let head = [(TIMING, timing(&answer)), version_header(answer.version)];
    (head, reply::unless_known(answer.body, headers)).into_response()
}

/// What the search took, and whether it was kept: milliseconds, to three places.
fn timing(answer: &Answer) -> HeaderValue {
    let micros = u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX);
    let (whole, part) = (micros / 1_000, micros % 1_000);
    reply::short_value(format_args!("search;dur={whole}.{part:03}, cache;desc={}", answer.outcome.as_str()))
}
