//! `/api/wishlist/…`

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{NewWish, Wish, Wishlist},
};
use crate::{
    app::App,
    auth::Customer,
    error::Result,
    extract::{Body, Id},
    money::Currency,
    openapi::ProblemResponse,
    product::model::Product,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(add)).routes(routes!(remove))
}

/// A user's wishlist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wishlist)]
pub(super) struct WishlistJson {
    id: i64,
    /// The newest first; those whose product is not on offer are left out.
    #[schema(max_items = 100)]
    items: Vec<WishJson>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl WishlistJson {
    pub(super) fn new(list: Wishlist, currency: Currency) -> Self {
        let items = list.wishes.into_iter().map(|wish| WishJson::new(wish, list.at, currency)).collect();
        Self { id: list.id, items, created_at: list.created_at }
    }
}

/// A product that is wished for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WishlistItem)]
pub(super) struct WishJson {
    id: i64,
    product_id: i64,
    product: Product,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl WishJson {
    pub(super) fn new(wish: Wish, at: i64, currency: Currency) -> Self {
        Self {
            id: wish.id,
            product_id: wish.product.id,
            product: Product::new(wish.product, at, currency),
            created_at: wish.created_at,
        }
    }
}

/// One's own wishlist
///
/// A product that is not on offer is left out, and is there again when it is.
#[utoipa::path(get, path = "/api/wishlist/", tag = "wishlist", security(("bearer" = [])), responses(
    (status = 200, body = WishlistJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn read(State(app): State<App>, user: Customer) -> Result<Json<WishlistJson>> {
    Ok(Json(WishlistJson::new(actions::read(&app, user).await?, app.config.currency)))
}

/// What a new wish sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewWish` reads")]
#[schema(as = NewWish)]
struct NewBody {
    product_id: i64,
}

/// Wish for a product
///
/// At most 100 of them. One that is on the list already stays where it is.
#[utoipa::path(post, path = "/api/wishlist/add/", tag = "wishlist", security(("bearer" = [])), request_body = NewBody,
    responses(
    (status = 201, description = "On the list now", body = WishJson),
    (status = 200, description = "On the list already", body = WishJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn add(
    State(app): State<App>,
    user: Customer,
    Body(new): Body<NewWish>,
) -> Result<(StatusCode, Json<WishJson>)> {
    let (wish, at, is_new) = actions::add(&app, user, &new).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(WishJson::new(wish, at, app.config.currency))))
}

/// Take a product off one's wishlist
///
/// By the item's id, not the product's.
#[utoipa::path(delete, path = "/api/wishlist/remove/{item_id}/", tag = "wishlist", security(("bearer" = [])),
    params(("item_id" = i64, Path)), responses(
    (status = 204, description = "Gone"),
    (status = "4XX", response = ProblemResponse)
))]
async fn remove(State(app): State<App>, user: Customer, Id(id): Id) -> Result<StatusCode> {
    actions::remove(&app, user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
