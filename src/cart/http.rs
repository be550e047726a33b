//! `/api/cart/…`

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions,
    model::{Added, Applied, Cart, Line, Quantity, TypedCode, Warning},
};
use crate::{
    app::App,
    auth::Customer,
    error::Result,
    extract::{Body, Id},
    money::{Amount, Currency},
    openapi::ProblemResponse,
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(one))
        .routes(routes!(add))
        .routes(routes!(update))
        .routes(routes!(remove))
        .routes(routes!(set_code, clear_code))
}

/// A line of a cart.
#[derive(Debug, Serialize, ToSchema)]
struct CartItem {
    id: i64,
    variant_id: i64,
    product_id: i64,
    product_name: String,
    variant_name: String,
    sku: String,
    image_url: Option<String>,
    quantity: i32,
    /// What one cost when it was put in.
    #[schema(example = "12.50")]
    price: String,
    /// What one costs now, automatic discounts applied.
    #[schema(example = "12.50")]
    current_price: String,
    /// `quantity` times `current_price`.
    #[schema(example = "12.50")]
    subtotal: String,
    /// Whether any are left, and on offer.
    in_stock: bool,
    warnings: Vec<Warning>,
}

impl CartItem {
    fn new(line: Line, currency: Currency) -> Self {
        Self {
            id: line.id,
            price: shown(line.price, currency),
            current_price: shown(line.current_price, currency),
            subtotal: shown(line.subtotal(), currency),
            in_stock: line.available > 0,
            warnings: line.warnings(),
            variant_id: line.variant_id,
            product_id: line.product_id,
            product_name: line.product_name,
            variant_name: line.variant_name,
            sku: line.sku,
            image_url: line.image_url,
            quantity: line.quantity,
        }
    }
}

/// The code on a cart.
#[derive(Debug, Serialize, ToSchema)]
struct CartDiscount {
    code: String,
    /// What it takes off; nothing while the cart warns of `discount-not-applicable`.
    #[schema(example = "12.50")]
    amount: String,
}

/// A cart, priced at this moment. What an order of it would cost is `total`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub(super) struct CartJson {
    id: i64,
    currency: String,
    items: Vec<CartItem>,
    discount: Option<CartDiscount>,
    /// The sum of the items'.
    #[schema(example = "12.50")]
    subtotal: String,
    #[schema(example = "12.50")]
    discount_total: String,
    #[schema(example = "12.50")]
    total: String,
    /// Those of the items, each once, and the cart's own.
    warnings: Vec<Warning>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl CartJson {
    pub(super) fn new(cart: Cart, currency: Currency) -> Self {
        let amount = shown(cart.discount_total(), currency);
        let discount =
            |applied: &Applied| CartDiscount { code: applied.code.clone(), amount: amount.clone() };
        Self {
            id: cart.head.id,
            currency: currency.code().to_owned(),
            discount: cart.discount.as_ref().map(discount),
            subtotal: shown(cart.subtotal(), currency),
            total: shown(cart.total(), currency),
            warnings: cart.warnings(),
            created_at: cart.head.created_at,
            updated_at: cart.head.updated_at,
            items: cart.lines.into_iter().map(|line| CartItem::new(line, currency)).collect(),
            discount_total: amount,
        }
    }
}

fn shown(hundredths: i64, currency: Currency) -> String {
    Amount::from_hundredths(hundredths).display(currency)
}

/// One's cart
///
/// Priced at this moment; it holds no stock. `price-changed`: an item costs something else than when it was put in.
/// `out-of-stock`: none is left, or it is no longer on offer. `quantity-reduced`: fewer are left than the item asks
/// for; the quantity stays as it is until it is changed, and no order can be placed meanwhile.
/// `discount-not-applicable`: the code takes nothing off as things are.
#[utoipa::path(get, path = "/api/cart/", tag = "cart", security(("bearer" = [])), responses(
    (status = 200, body = CartJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, user: Customer) -> Result<Json<CartJson>> {
    let cart = actions::one(&app, user).await?;
    Ok(Json(CartJson::new(cart, app.config.currency)))
}

/// What is put in.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Added` reads")]
#[schema(as = CartAddition)]
struct AddedBody {
    variant_id: i64,
    /// Added to what is there.
    #[schema(minimum = 1, maximum = 10000, default = 1)]
    quantity: Option<i32>,
}

/// Put something in
///
/// At most 100 lines. More than is in stock: 409 with `available`.
#[utoipa::path(post, path = "/api/cart/add/", tag = "cart", security(("bearer" = [])), request_body = AddedBody,
    responses(
    (status = 201, body = CartJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn add(
    State(app): State<App>,
    user: Customer,
    Body(added): Body<Added>,
) -> Result<(StatusCode, Json<CartJson>)> {
    let cart = actions::add(&app, user, &added).await?;
    Ok((StatusCode::CREATED, Json(CartJson::new(cart, app.config.currency))))
}

/// How many an item has.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `Quantity` reads")]
#[schema(as = CartQuantity)]
struct QuantityBody {
    #[schema(minimum = 1, maximum = 10000)]
    quantity: i32,
}

/// Change how many of something
#[utoipa::path(patch, path = "/api/cart/update/{id}/", tag = "cart", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = QuantityBody, responses(
    (status = 200, body = CartJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn update(
    State(app): State<App>,
    user: Customer,
    Id(id): Id,
    Body(quantity): Body<Quantity>,
) -> Result<Json<CartJson>> {
    let cart = actions::update(&app, user, id, &quantity).await?;
    Ok(Json(CartJson::new(cart, app.config.currency)))
}

/// Take something out
#[utoipa::path(delete, path = "/api/cart/remove/{id}/", tag = "cart", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 204, description = "Gone"),
    (status = "4XX", response = ProblemResponse)
))]
async fn remove(State(app): State<App>, user: Customer, Id(id): Id) -> Result<StatusCode> {
    actions::remove(&app, user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A discount's code.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `TypedCode` reads")]
#[schema(as = CartCode)]
struct CodeBody {
    /// In whatever case.
    #[schema(min_length = 1, max_length = 64)]
    code: String,
}

/// Put a code on the cart
///
/// In place of the one that is on it. One that does not apply: 422, with the reason as the fault's `code`: `unknown`,
/// `inactive`, `not-started`, `ended`, `used-up`, `used-by-you`, `minimum-not-reached` or `no-product`.
#[utoipa::path(post, path = "/api/cart/discount/", tag = "cart", security(("bearer" = [])), request_body = CodeBody,
    responses(
    (status = 200, body = CartJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn set_code(
    State(app): State<App>,
    user: Customer,
    Body(typed): Body<TypedCode>,
) -> Result<Json<CartJson>> {
    let cart = actions::set_code(&app, user, &typed).await?;
    Ok(Json(CartJson::new(cart, app.config.currency)))
}

/// Take the code off
#[utoipa::path(delete, path = "/api/cart/discount/", tag = "cart", security(("bearer" = [])), responses(
    (status = 204, description = "No code is on it"),
    (status = "4XX", response = ProblemResponse)
))]
async fn clear_code(State(app): State<App>, user: Customer) -> Result<StatusCode> {
    actions::clear_code(&app, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
