//! `/api/discount/…`

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
    model::{Discount, DiscountChanges, DiscountFilter, NewDiscount, ProductLinks},
};
use crate::{
    app::App,
    auth::Admin,
    catalog::version_header,
    error::Result,
    extract::{Body, Id, Ids, Query},
    money::Currency,
    openapi::ProblemResponse,
    page::{DeepList, Links, Place},
    pricing::DiscountType,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, update, delete))
        .routes(routes!(link))
        .routes(routes!(unlink))
}

/// A discount.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Discount)]
pub struct DiscountJson {
    id: i64,
    code: String,
    description: String,
    /// `percentage` or `fixed`.
    discount_type: &'static str,
    /// Per cent, always with two decimals, or an amount of money.
    #[schema(example = "10.00")]
    discount_value: String,
    /// Null is any.
    #[schema(example = "50.00")]
    minimum_purchase: Option<String>,
    /// Null is no cap.
    #[schema(example = "20.00")]
    maximum_discount: Option<String>,
    /// The first instant at which it holds.
    #[serde(with = "time::serde::rfc3339")]
    start_date: OffsetDateTime,
    /// The first instant at which it holds no more; null does not end.
    #[serde(with = "time::serde::rfc3339::option")]
    end_date: Option<OffsetDateTime>,
    is_active: bool,
    /// `code` or `automatic`.
    activation: &'static str,
    usage_limit: Option<i32>,
    usage_limit_per_user: Option<i32>,
    /// Orders that use it, cancelled ones taken back.
    times_used: i32,
    /// Ascending.
    product_ids: Vec<i64>,
}

impl DiscountJson {
    pub(super) fn new(discount: Discount, currency: Currency) -> Self {
        let terms = discount.terms;
        Self {
            id: discount.id,
            code: terms.code,
            description: terms.description,
            discount_type: terms.discount_type.as_str(),
            discount_value: match terms.discount_type {
                DiscountType::Percentage => terms.discount_value.to_string(),
                DiscountType::Fixed => terms.discount_value.display(currency),
            },
            minimum_purchase: terms.minimum_purchase.map(|amount| amount.display(currency)),
            maximum_discount: terms.maximum_discount.map(|amount| amount.display(currency)),
            start_date: terms.start_date,
            end_date: terms.end_date,
            is_active: terms.is_active,
            activation: terms.activation.as_str(),
            usage_limit: terms.usage_limit,
            usage_limit_per_user: terms.usage_limit_per_user,
            times_used: discount.times_used,
            product_ids: discount.product_ids,
        }
    }
}

/// Which discounts are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `DiscountFilter` reads")]
struct FilterParams {
    /// With this code, without regard to case.
    code: Option<String>,
    is_active: Option<bool>,
    /// `code` or `automatic`.
    #[param(pattern = "^(code|automatic)$")]
    activation: Option<String>,
    /// Linked to this product.
    #[param(minimum = 1)]
    product_id: Option<i64>,
}

/// The discounts
#[utoipa::path(get, path = "/api/discount/", tag = "discounts", security(("bearer" = [])),
    params(FilterParams, Place), responses(
    (status = 200, body = DeepList<DiscountJson>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    admin: Admin,
    RawQuery(raw): RawQuery,
    Query(filter): Query<DiscountFilter>,
) -> Result<Json<DeepList<DiscountJson>>> {
    let found = actions::page(&app, admin, &filter).await?;
    let found = found.map(|discount| DiscountJson::new(discount, app.config.currency));
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/discount/", query: &raw };
    Ok(Json(DeepList::new(found, &filter.place, &links)))
}

/// What a new discount sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewDiscount` reads")]
#[schema(as = NewDiscount)]
struct NewBody {
    /// Unique without regard to case. An automatic discount has one too, as its name.
    #[schema(min_length = 1, max_length = 64)]
    code: String,
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// `percentage` or `fixed`.
    #[schema(pattern = "^(percentage|fixed)$")]
    discount_type: String,
    /// Above zero. Per cent: at most 100, with at most two decimals. What it takes off is rounded half-up to the
    /// currency's decimals.
    #[schema(example = "10.00")]
    discount_value: String,
    /// Of a code: the subtotal from which it applies. Of an automatic discount: it lowers only variants whose own
    /// price is at least this.
    #[schema(example = "50.00")]
    minimum_purchase: Option<String>,
    /// The most that it takes off; above zero.
    #[schema(example = "20.00")]
    maximum_discount: Option<String>,
    /// The first instant at which it holds; now when absent.
    start_date: Option<OffsetDateTime>,
    /// The first instant at which it holds no more, after `start_date`; null or absent: it does not end.
    end_date: Option<OffsetDateTime>,
    #[schema(default = true)]
    is_active: Option<bool>,
    /// `code`: given on the cart. `automatic`: while its window is open it lowers the price of each linked
    /// product; of several the one that leaves the lowest price.
    #[schema(default = "code", pattern = "^(code|automatic)$")]
    activation: Option<String>,
    /// Orders that may use the code; an automatic discount has no limit.
    #[schema(minimum = 1)]
    usage_limit: Option<i32>,
    /// Orders of one user that may use the code.
    #[schema(minimum = 1)]
    usage_limit_per_user: Option<i32>,
    /// The products that it is for. A code without any is for the whole cart; an automatic discount without any
    /// lowers nothing.
    #[schema(max_items = 10000)]
    product_ids: Option<Vec<i64>>,
}

/// Make a discount
#[utoipa::path(post, path = "/api/discount/", tag = "discounts", security(("bearer" = [])),
    request_body = NewBody, responses(
    (status = 201, body = DiscountJson, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(State(app): State<App>, admin: Admin, Body(new): Body<NewDiscount>) -> Result<Response> {
    let (discount, version) = actions::create(&app, admin, &new).await?;
    let body = Json(DiscountJson::new(discount, app.config.currency));
    Ok((StatusCode::CREATED, [version_header(version)], body).into_response())
}

/// One discount
#[utoipa::path(get, path = "/api/discount/{id}/", tag = "discounts", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 200, body = DiscountJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Json<DiscountJson>> {
    let discount = actions::one(&app, admin, id).await?;
    Ok(Json(DiscountJson::new(discount, app.config.currency)))
}

/// What changes of a discount.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `DiscountChanges` reads")]
#[schema(as = DiscountChanges)]
struct ChangesBody {
    #[schema(min_length = 1, max_length = 64)]
    code: Option<String>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// `percentage` or `fixed`.
    #[schema(pattern = "^(percentage|fixed)$")]
    discount_type: Option<String>,
    #[schema(example = "10.00")]
    discount_value: Option<String>,
    /// Null is any.
    #[schema(example = "50.00")]
    minimum_purchase: Option<String>,
    /// Null is no cap.
    #[schema(example = "20.00")]
    maximum_discount: Option<String>,
    start_date: Option<OffsetDateTime>,
    /// Null does not end.
    end_date: Option<OffsetDateTime>,
    is_active: Option<bool>,
    /// `code` or `automatic`.
    #[schema(pattern = "^(code|automatic)$")]
    activation: Option<String>,
    /// Null is any number; not below `times_used`.
    #[schema(minimum = 1)]
    usage_limit: Option<i32>,
    /// Null is any number.
    #[schema(minimum = 1)]
    usage_limit_per_user: Option<i32>,
    /// All of them: the ones not named go.
    #[schema(max_items = 10000)]
    product_ids: Option<Vec<i64>>,
}

/// Change a discount
#[utoipa::path(patch, path = "/api/discount/{id}/", tag = "discounts", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = ChangesBody, responses(
    (status = 200, body = DiscountJson, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    Body(changes): Body<DiscountChanges>,
) -> Result<Response> {
    let (discount, version) = actions::update(&app, admin, id, &changes).await?;
    let body = Json(DiscountJson::new(discount, app.config.currency));
    Ok(([version_header(version)], body).into_response())
}

/// Delete a discount
///
/// Orders keep its code and what it took off; carts go on without it.
#[utoipa::path(delete, path = "/api/discount/{id}/", tag = "discounts", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Gone", headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, admin: Admin, Id(id): Id) -> Result<Response> {
    let version = actions::delete(&app, admin, id).await?;
    Ok((StatusCode::NO_CONTENT, [version_header(version)]).into_response())
}

/// Products to be linked.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `ProductLinks` reads")]
#[schema(as = ProductLinks)]
struct LinksBody {
    #[schema(max_items = 10000)]
    product_ids: Vec<i64>,
}

/// Link products to a discount
///
/// Those that are linked already stay so.
#[utoipa::path(post, path = "/api/discount/{id}/products/", tag = "discounts", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = LinksBody, responses(
    (status = 200, body = DiscountJson, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn link(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    Body(links): Body<ProductLinks>,
) -> Result<Response> {
    let (discount, version) = actions::link(&app, admin, id, &links).await?;
    let body = Json(DiscountJson::new(discount, app.config.currency));
    Ok(([version_header(version)], body).into_response())
}

/// Take a product's link to a discount away
#[utoipa::path(delete, path = "/api/discount/{id}/products/{product_id}/", tag = "discounts",
    security(("bearer" = [])), params(("id" = i64, Path), ("product_id" = i64, Path)), responses(
    (status = 204, description = "Gone", headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn unlink(State(app): State<App>, admin: Admin, Ids(id, product_id): Ids) -> Result<Response> {
    let version = actions::unlink(&app, admin, id, product_id).await?;
    Ok((StatusCode::NO_CONTENT, [version_header(version)]).into_response())
}
