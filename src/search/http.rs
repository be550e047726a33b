//! `GET /api/product/`

use std::{collections::BTreeMap, time::Instant};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use duka_index::{Facets, Hits};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions::{self, Found},
    model::Search,
};
use crate::{
    app::App,
    auth::Viewer,
    catalog::version_header,
    error::{Error, Fault, Result},
    extract::{Query, header_text},
    indexing::Version,
    money::{Amount, Currency},
    openapi::ProblemResponse,
    page::{Links, List, Page},
    product::model::Product,
};

/// The other way to name the write that the answer must hold.
const MIN_VERSION: &str = "X-Catalog-Min-Version";

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(search))
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
    category: Option<Vec<String>>,
    /// Exact; several are alternatives.
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
    /// The `X-Catalog-Version` of a write that the answer must hold; also the header `X-Catalog-Min-Version`.
    min_version: Option<String>,
    /// Comma-separated `category`, `brand`, `price`, `availability`, `rating`, `attr.NAME`, at most ten; `none`
    /// for none.
    #[param(example = "category,brand,price,availability")]
    facets: Option<String>,
}

/// A page of products, and what the whole result is made of.
#[derive(Serialize, ToSchema)]
struct SearchResult {
    #[serde(flatten)]
    list: List<Product>,
    /// Exact counts over the whole result. A facet's own selection does not narrow that facet.
    #[schema(value_type = FacetsJson)]
    facets: BTreeMap<String, Value>,
    /// What a typo was read as.
    corrected_query: Option<String>,
}

/// Counts by category, brand, price, availability, rating and attribute: those that were asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `facets` writes")]
#[schema(as = Facets)]
struct FacetsJson {
    /// With every ancestor.
    category: Option<Vec<CategoryCountJson>>,
    /// The hundred most frequent, and the selected ones.
    brand: Option<Vec<ValueCountJson>>,
    price: Option<PriceFacetJson>,
    availability: Option<AvailabilityJson>,
    rating: Option<Vec<RatingCountJson>>,
    /// `attr.NAME`: the values of an attribute.
    #[serde(flatten)]
    attributes: BTreeMap<String, Vec<ValueCountJson>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CategoryCount)]
struct CategoryCountJson {
    id: i64,
    name: String,
    slug: String,
    path: Vec<String>,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ValueCount)]
struct ValueCountJson {
    value: String,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PriceFacet)]
struct PriceFacetJson {
    min: Option<String>,
    max: Option<String>,
    /// At most ten, of round numbers.
    buckets: Vec<PriceBucketJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PriceBucket)]
struct PriceBucketJson {
    /// Inclusive.
    from: String,
    /// Exclusive.
    to: String,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Availability)]
struct AvailabilityJson {
    in_stock: u64,
    out_of_stock: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RatingCount)]
struct RatingCountJson {
    /// At least this mean.
    from: u8,
    count: u64,
}

/// Search products
#[utoipa::path(get, path = "/api/product/", tag = "products", params(
    SearchParams, Page,
    ("X-Catalog-Min-Version" = Option<String>, Header, description = "As `min_version`")
), responses(
    (status = 200, body = SearchResult, headers(("ETag" = String), ("X-Catalog-Version" = String), ("Server-Timing" = String))),
    (status = 304, description = "What `If-None-Match` names is still right"),
    (status = "4XX", response = ProblemResponse)
))]
async fn search(
    State(app): State<App>,
    viewer: Viewer,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    Query(search): Query<Search>,
) -> Result<Response> {
    if let Some(version) = search.min_version.or(header_version(&headers)?) {
        actions::catch_up(&app, version).await?;
    }
    let begun = Instant::now();
    let at = app.clock.micros();
    let found = match search.query(viewer, at) {
        Some(query) => actions::search(&app, query).await?,
        None => actions::nothing(&app),
    };
    let Found { hits, version } = found;
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/product/", query: &raw };
    let body = serde_json::to_vec(&result(hits, at, app.config.currency, search.page, &links));
    let body = body.map_err(Error::internal)?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
    metrics::histogram!("duka_search_seconds").record(milliseconds / 1000.0);

    let etag = entity_tag(&body);
    let unchanged = header_text(&headers, "if-none-match").is_some_and(|known| names(known, &etag));
    let timing = format!("search;dur={milliseconds:.3}, cache;desc=miss");
    let head = [
        (header::ETAG, text_value(&etag)),
        (header::HeaderName::from_static("server-timing"), text_value(&timing)),
        (header::VARY, HeaderValue::from_static("authorization")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        version_header(version),
    ];
    Ok(if unchanged {
        (StatusCode::NOT_MODIFIED, head).into_response()
    } else {
        (head, [(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
    })
}

fn header_version(headers: &HeaderMap) -> Result<Option<Version>> {
    let given = header_text(headers, MIN_VERSION);
    let version = given.map(|text| {
        text.trim()
            .parse()
            .map_err(|error: &str| Error::parameters(vec![Fault::parameter(MIN_VERSION, "value", error)]))
    });
    version.transpose()
}

fn result(hits: Hits, at: i64, currency: Currency, page: Page, links: &Links<'_>) -> SearchResult {
    let products = hits.hits.into_iter().map(|hit| Product::new(hit.document, at, currency)).collect();
    SearchResult {
        list: List::new(products, hits.total, page, links),
        facets: facets(hits.facets, currency),
        corrected_query: hits.corrected_query,
    }
}

fn facets(facets: Facets, currency: Currency) -> BTreeMap<String, Value> {
    let money = |hundredths| Amount::from_hundredths(hundredths).display(currency);
    let values = |counts: Vec<duka_index::ValueCount>| {
        json(
            counts.into_iter().map(|c| ValueCountJson { value: c.value, count: c.count }).collect::<Vec<_>>(),
        )
    };
    let category = facets.category.map(|counts| {
        let counts = counts.into_iter().map(|c| CategoryCountJson {
            id: c.id,
            name: c.name,
            slug: c.slug,
            path: c.path,
            count: c.count,
        });
        json(counts.collect::<Vec<_>>())
    });
    let price = facets.price.map(|price| {
        let buckets = price.buckets.into_iter().map(|b| PriceBucketJson {
            from: money(b.from),
            to: money(b.to),
            count: b.count,
        });
        let buckets = buckets.collect();
        json(PriceFacetJson { min: price.min.map(money), max: price.max.map(money), buckets })
    });
    let availability = facets
        .availability
        .map(|a| json(AvailabilityJson { in_stock: a.in_stock, out_of_stock: a.out_of_stock }));
    let rating = facets.rating.map(|counts| {
        json(counts.into_iter().map(|c| RatingCountJson { from: c.from, count: c.count }).collect::<Vec<_>>())
    });
    let fixed = [
        ("category", category),
        ("brand", facets.brand.map(values)),
        ("price", price),
        ("availability", availability),
        ("rating", rating),
    ];
    let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let attributes =
        facets.attributes.into_iter().map(|(name, counts)| (format!("attr.{name}"), values(counts)));
    fixed.chain(attributes).collect()
}

fn json<T: Serialize>(value: T) -> Value {
    // Plain structures of strings and numbers: there is nothing in them that JSON could not hold.
    serde_json::to_value(value).unwrap_or_default()
}

fn entity_tag(body: &[u8]) -> String {
    let hash: String = Sha256::digest(body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hash}\"")
}

/// `If-None-Match` compares weakly (RFC 9110 §13.1.2).
fn names(known: &str, etag: &str) -> bool {
    known.trim() == "*" || known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

fn text_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
