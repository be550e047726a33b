//! `/api/variant/…`

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{AddedVariant, Variant, VariantChanges, VariantFilter},
};
use crate::{
    app::App,
    attributes::Attributes,
    auth::{Vendor, Viewer},
    catalog::version_header,
    error::Result,
    extract::{Body, Id, Query},
    money::Currency,
    openapi::ProblemResponse,
    page::{DeepList, Links, Place},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, update, delete))
}

/// A variant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Variant)]
pub struct VariantJson {
    id: i64,
    product_id: i64,
    variant_name: String,
    sku: String,
    #[schema(example = "12.50")]
    price: String,
    /// What it costs now, automatic discounts applied.
    #[schema(example = "12.50")]
    effective_price: String,
    stock: i64,
    in_stock: bool,
    image_url: Option<String>,
    #[schema(value_type = Object)]
    attributes: Attributes,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl VariantJson {
    /// As clients read it.
    pub fn new(variant: Variant, currency: Currency) -> Self {
        Self {
            id: variant.id,
            product_id: variant.product_id,
            variant_name: variant.variant_name,
            sku: variant.sku,
            price: variant.price.display(currency),
            effective_price: variant.effective_price.display(currency),
            stock: variant.stock,
            in_stock: variant.stock > 0,
            image_url: variant.image_url,
            attributes: variant.attributes,
            created_at: variant.created_at,
            updated_at: variant.updated_at,
        }
    }
}

/// Which variants are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `VariantFilter` reads")]
struct FilterParams {
    /// Of this product.
    product_id: Option<i64>,
    /// With this SKU.
    sku: Option<String>,
    /// With or without stock.
    in_stock: Option<bool>,
}

/// The variants
#[utoipa::path(get, path = "/api/variant/", tag = "variants", params(FilterParams, Place), responses(
    (status = 200, body = DeepList<VariantJson>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    RawQuery(raw): RawQuery,
    Query(filter): Query<VariantFilter>,
) -> Result<Json<DeepList<VariantJson>>> {
    let found = actions::page(&app, viewer, &filter).await?;
    let found = found.map(|variant| VariantJson::new(variant, app.config.currency));
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/variant/", query: &raw };
    Ok(Json(DeepList::new(found, &filter.place, &links)))
}

/// What a variant sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewVariant` reads")]
#[schema(as = NewVariant)]
pub(in crate::product) struct NewBody {
    #[schema(min_length = 1, max_length = 120)]
    variant_name: String,
    /// Unique among variants.
    #[schema(min_length = 1, max_length = 64)]
    sku: String,
    /// The product's when absent.
    #[schema(example = "12.50")]
    price: Option<String>,
    #[schema(minimum = 0, maximum = 1_000_000_000, default = 0)]
    stock: Option<i64>,
    #[schema(format = "uri")]
    image_url: Option<String>,
    /// Texts, numbers, booleans and lists of texts by name.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Attributes>,
}

/// What a variant of a product that is there sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `AddedVariant` reads")]
#[schema(as = AddedVariant)]
struct AddedBody {
    product_id: i64,
    #[schema(min_length = 1, max_length = 120)]
    variant_name: String,
    /// Unique among variants.
    #[schema(min_length = 1, max_length = 64)]
    sku: String,
    /// The product's when absent.
    #[schema(example = "12.50")]
    price: Option<String>,
    #[schema(minimum = 0, maximum = 1_000_000_000, default = 0)]
    stock: Option<i64>,
    #[schema(format = "uri")]
    image_url: Option<String>,
    /// Texts, numbers, booleans and lists of texts by name.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Attributes>,
}

/// Add a variant to a product
#[utoipa::path(post, path = "/api/variant/", tag = "variants", security(("bearer" = [])),
    request_body = AddedBody, responses(
    (status = 201, body = VariantJson, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(State(app): State<App>, vendor: Vendor, Body(added): Body<AddedVariant>) -> Result<Response> {
    let (variant, version) = actions::create(&app, vendor, added).await?;
    let body = Json(VariantJson::new(variant, app.config.currency));
    Ok((StatusCode::CREATED, [version_header(version)], body).into_response())
}

/// One variant
#[utoipa::path(get, path = "/api/variant/{id}/", tag = "variants", params(("id" = i64, Path)), responses(
    (status = 200, body = VariantJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, viewer: Viewer, Id(id): Id) -> Result<Json<VariantJson>> {
    let variant = actions::one(&app, viewer, id).await?;
    Ok(Json(VariantJson::new(variant, app.config.currency)))
}

/// What changes of a variant.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `VariantChanges` reads")]
#[schema(as = VariantChanges)]
struct ChangesBody {
    #[schema(min_length = 1, max_length = 120)]
    variant_name: Option<String>,
    #[schema(min_length = 1, max_length = 64)]
    sku: Option<String>,
    #[schema(example = "12.50")]
    price: Option<String>,
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    stock: Option<i64>,
    /// Null takes it away.
    #[schema(format = "uri")]
    image_url: Option<String>,
    /// All of them: the ones not named go.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Attributes>,
}

/// Change a variant
#[utoipa::path(patch, path = "/api/variant/{id}/", tag = "variants", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = ChangesBody, responses(
    (status = 200, body = VariantJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    vendor: Vendor,
    Id(id): Id,
    Body(changes): Body<VariantChanges>,
) -> Result<Response> {
    let (variant, version) = actions::update(&app, vendor, id, &changes).await?;
    let body = Json(VariantJson::new(variant, app.config.currency));
    Ok(([version_header(version)], body).into_response())
}

/// Delete a variant, unless it is its product's last
#[utoipa::path(delete, path = "/api/variant/{id}/", tag = "variants", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Gone", headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, vendor: Vendor, Id(id): Id) -> Result<Response> {
    let version = actions::delete(&app, vendor, id).await?;
    Ok((StatusCode::NO_CONTENT, [version_header(version)]).into_response())
}
