//! `/api/product/…`, but for the search, which is `search`'s.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions::{self, Detail},
    model::{NewProduct, Product, ProductChanges},
    variant::http::{NewBody as NewVariantBody, VariantJson},
};
use crate::{
    app::App,
    attributes::Attributes,
    auth::{Vendor, Viewer},
    cache::{self, encoding::Encoding},
    catalog::version_header,
    error::{Error, Result},
    extract::{Body, Id, IfMatch},
    money::Currency,
    openapi::ProblemResponse,
    reply,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(one, update, delete))
        .merge(super::variant::http::routes())
}

/// A product with its variants.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductDetail {
    #[serde(flatten)]
    product: Product,
    variants: Vec<VariantJson>,
}

impl ProductDetail {
    pub(super) fn new(detail: Detail, currency: Currency) -> Self {
        let variants =
            detail.variants.into_iter().map(|variant| VariantJson::new(variant, currency)).collect();
        Self { product: Product::new(detail.document, detail.at, currency), variants }
    }
}

/// The detail as it is shown, plain.
fn shown(app: &App, detail: Detail) -> Result<cache::Body> {
    let body = ProductDetail::new(detail, app.config.currency);
    Ok(cache::Body::new(serde_json::to_vec(&body).map_err(Error::internal)?))
}

/// What a new product sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewProduct` reads")]
#[schema(as = NewProduct)]
struct NewBody {
    category_id: i64,
    #[schema(min_length = 1, max_length = 280)]
    name: String,
    #[schema(example = "12.50")]
    price: String,
    /// Unique among products.
    #[schema(min_length = 1, max_length = 64)]
    sku: String,
    #[schema(max_length = 20000)]
    description: Option<String>,
    /// Without `variants`: the stock of the one that is made. With them: their sum, or absent.
    #[schema(minimum = 0, maximum = 1000000000)]
    stock_quantity: Option<i64>,
    #[schema(max_length = 120)]
    brand: Option<String>,
    /// An http or https URL; it is never fetched.
    #[schema(format = "uri", max_length = 2000)]
    image_url: Option<String>,
    /// Texts, numbers, booleans and lists of texts by name.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Attributes>,
    #[schema(default = true)]
    is_active: Option<bool>,
    /// Without any, one named `Default` is made with the product's SKU, price and stock.
    #[schema(max_items = 100)]
    variants: Option<Vec<NewVariantBody>>,
}

/// Make a product
#[utoipa::path(post, path = "/api/product/", tag = "products", security(("bearer" = [])),
    request_body = NewBody, responses(
    (status = 201, body = ProductDetail, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(
    State(app): State<App>,
    vendor: Vendor,
    headers: HeaderMap,
    Body(new): Body<NewProduct>,
) -> Result<Response> {
    let (detail, version) = actions::create(&app, vendor, &new).await?;
    let body = shown(&app, detail)?.coded(Encoding::asked_for(&headers))?;
    Ok((StatusCode::CREATED, [version_header(version)], reply::tagged(body)).into_response())
}

/// One product with its variants
///
/// Each coding of it has an `ETag` of its own; any of them permits a write.
#[utoipa::path(get, path = "/api/product/{id}/", tag = "products", params(("id" = i64, Path)), responses(
    (status = 200, body = ProductDetail, headers(("ETag" = String))),
    (status = 304, description = "What `If-None-Match` names is still right"),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, viewer: Viewer, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let body = shown(&app, actions::one(&app, viewer, id).await?)?;
    Ok(reply::unless_known(body.coded(Encoding::asked_for(&headers))?, &headers))
}

/// What changes of a product.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `ProductChanges` reads")]
#[schema(as = ProductChanges)]
struct ChangesBody {
    category_id: Option<i64>,
    #[schema(min_length = 1, max_length = 280)]
    name: Option<String>,
    /// The default variant's too; with several variants, the list price alone.
    #[schema(example = "12.50")]
    price: Option<String>,
    #[schema(min_length = 1, max_length = 64)]
    sku: Option<String>,
    #[schema(max_length = 20000)]
    description: Option<String>,
    /// Of the default variant; with several variants, write theirs.
    #[schema(minimum = 0, maximum = 1000000000)]
    stock_quantity: Option<i64>,
    /// Null takes it away.
    #[schema(max_length = 120)]
    brand: Option<String>,
    /// Null takes it away.
    #[schema(format = "uri", max_length = 2000)]
    image_url: Option<String>,
    /// All of them: the ones not named go.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Attributes>,
    is_active: Option<bool>,
}

/// Change a product
#[utoipa::path(patch, path = "/api/product/{id}/", tag = "products", security(("bearer" = [])),
    params(("id" = i64, Path), ("If-Match" = Option<String>, Header, description = "The ETag that was read, in whatever coding")),
    request_body = ChangesBody, responses(
    (status = 200, body = ProductDetail, headers(("ETag" = String), ("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    vendor: Vendor,
    Id(id): Id,
    if_match: IfMatch,
    headers: HeaderMap,
    Body(changes): Body<ProductChanges>,
) -> Result<Response> {
    let as_read = |before: &Detail| if_match.demand(shown(&app, before.clone())?.tag());
    let (detail, version) = actions::update(&app, vendor, id, as_read, &changes).await?;
    let body = shown(&app, detail)?.coded(Encoding::asked_for(&headers))?;
    Ok(([version_header(version)], reply::tagged(body)).into_response())
}

/// Delete a product
///
/// It is gone from catalog and search; orders keep their copies.
#[utoipa::path(delete, path = "/api/product/{id}/", tag = "products", security(("bearer" = [])),
    params(("id" = i64, Path), ("If-Match" = Option<String>, Header, description = "The ETag that was read, in whatever coding")),
    responses(
    (status = 204, description = "Gone", headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, vendor: Vendor, Id(id): Id, if_match: IfMatch) -> Result<Response> {
    let as_read = |before: &Detail| if_match.demand(shown(&app, before.clone())?.tag());
    let version = actions::delete(&app, vendor, id, as_read).await?;
    Ok((StatusCode::NO_CONTENT, [version_header(version)]).into_response())
}
