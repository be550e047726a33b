//! `/api/address/…`

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Address, AddressChanges, AddressType, NewAddress},
};
use crate::{
    app::App,
    auth::Customer,
    error::Result,
    extract::{Body, Id, Query},
    openapi::ProblemResponse,
    page::{Links, List, Page},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, update, delete))
}

/// One's own addresses
#[utoipa::path(get, path = "/api/address/", tag = "addresses", security(("bearer" = [])), params(Page), responses(
    (status = 200, body = List<Address>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    user: Customer,
    RawQuery(raw): RawQuery,
    Query(page): Query<Page>,
) -> Result<Json<List<Address>>> {
    let (rows, count) = actions::page(&app, user, page).await?;
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/address/", query: &raw };
    Ok(Json(List::new(rows, count.unsigned_abs(), page, &links)))
}

/// What a new address sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewAddress` reads")]
#[schema(as = NewAddress)]
struct NewBody {
    #[schema(min_length = 1, max_length = 255)]
    street: String,
    #[schema(min_length = 1, max_length = 120)]
    city: String,
    #[schema(max_length = 120)]
    region: Option<String>,
    #[schema(min_length = 1, max_length = 120)]
    country: String,
    #[schema(max_length = 32)]
    postal_code: Option<String>,
    /// `home` when absent.
    #[schema(inline)]
    address_type: Option<AddressType>,
}

/// Keep an address
///
/// At most 100 of them.
#[utoipa::path(post, path = "/api/address/", tag = "addresses", security(("bearer" = [])), request_body = NewBody,
    responses(
    (status = 201, body = Address),
    (status = "4XX", response = ProblemResponse)
))]
async fn create(
    State(app): State<App>,
    user: Customer,
    Body(new): Body<NewAddress>,
) -> Result<(StatusCode, Json<Address>)> {
    Ok((StatusCode::CREATED, Json(actions::create(&app, user, &new).await?)))
}

/// One of one's own addresses
#[utoipa::path(get, path = "/api/address/{id}/", tag = "addresses", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 200, body = Address),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, user: Customer, Id(id): Id) -> Result<Json<Address>> {
    Ok(Json(actions::one(&app, user, id).await?))
}

/// What changes of an address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `AddressChanges` reads")]
#[schema(as = AddressChanges)]
struct ChangesBody {
    #[schema(min_length = 1, max_length = 255)]
    street: Option<String>,
    #[schema(min_length = 1, max_length = 120)]
    city: Option<String>,
    #[schema(max_length = 120)]
    region: Option<String>,
    #[schema(min_length = 1, max_length = 120)]
    country: Option<String>,
    #[schema(max_length = 32)]
    postal_code: Option<String>,
    #[schema(inline)]
    address_type: Option<AddressType>,
}

/// Change one of one's own addresses
///
/// Orders keep the address as it was when they were placed.
#[utoipa::path(patch, path = "/api/address/{id}/", tag = "addresses", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = ChangesBody, responses(
    (status = 200, body = Address),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    user: Customer,
    Id(id): Id,
    Body(changes): Body<AddressChanges>,
) -> Result<Json<Address>> {
    Ok(Json(actions::update(&app, user, id, &changes).await?))
}

/// Delete one of one's own addresses
///
/// Orders keep the address as it was when they were placed.
#[utoipa::path(delete, path = "/api/address/{id}/", tag = "addresses", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Gone"),
    (status = "4XX", response = ProblemResponse)
))]
async fn delete(State(app): State<App>, user: Customer, Id(id): Id) -> Result<StatusCode> {
    actions::delete(&app, user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
