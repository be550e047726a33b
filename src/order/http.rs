//! `/api/order/…`

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
    model::{Event, Item, Order, PaymentMethod, PaymentStatus, Shipment, ShippingAddress, Status},
    request::{NewOrder, OrderFilter, Scope},
};
use crate::{
    app::App,
    auth::Customer,
    body::Unread,
    catalog::version_header,
    error::Result,
    extract::{Body, Id, NoBody, Query},
    idempotency::{Answered, Kept, http::IdempotencyKey},
    money::Currency,
    openapi::ProblemResponse,
    page::{DeepList, Links, Page},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, place)).routes(routes!(one)).routes(routes!(cancel))
}

/// A line of an order: copies as of the purchase.
#[derive(Debug, Serialize, ToSchema)]
struct OrderItem {
    id: i64,
    variant_id: i64,
    product_id: i64,
    product_name: String,
    variant_name: String,
    sku: String,
    quantity: i32,
    /// What one cost, automatic discounts applied.
    #[schema(example = "12.50")]
    price: String,
    #[schema(example = "12.50")]
    subtotal: String,
}

impl OrderItem {
    fn new(item: Item, currency: Currency) -> Self {
        Self {
            id: item.id,
            variant_id: item.variant_id,
            product_id: item.product_id,
            product_name: item.product_name,
            variant_name: item.variant_name,
            sku: item.sku,
            quantity: item.quantity,
            price: item.price.display(currency),
            subtotal: item.subtotal.display(currency),
        }
    }
}

/// An order. To a vendor who did not place it: the own lines, and their sums.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderJson {
    id: i64,
    /// What people say on the phone.
    order_number: String,
    user_id: i64,
    status: Status,
    payment_status: PaymentStatus,
    payment_method: PaymentMethod,
    currency: String,
    #[schema(example = "12.50")]
    subtotal: String,
    /// What the code took off.
    #[schema(example = "12.50")]
    discount_total: String,
    /// What is charged.
    #[schema(example = "12.50")]
    total_amount: String,
    discount_code: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    order_date: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    shipped_date: Option<OffsetDateTime>,
    /// Unpaid at this instant it is cancelled; null when it does not expire.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    shipping_address: ShippingAddress,
    items: Vec<OrderItem>,
    shipments: Vec<Shipment>,
    timeline: Vec<Event>,
}

impl OrderJson {
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    pub(super) fn new(order: Order, shop: Currency) -> Self {
        let head = order.head;
        // The currency that it was agreed in, whatever the shop's is now.
        let currency: Currency = head.currency.parse().unwrap_or(shop);
        Self {
            id: head.id,
            order_number: head.order_number,
            user_id: head.user_id,
            status: head.status,
            payment_status: head.payment_status,
            payment_method: head.payment_method,
            subtotal: head.subtotal.display(currency),
            discount_total: head.discount_total.display(currency),
            total_amount: head.total_amount.display(currency),
            currency: head.currency,
            discount_code: head.discount_code,
            order_date: head.order_date,
            shipped_date: head.shipped_at,
            expires_at: head.expires_at,
            shipping_address: head.address,
            items: order.items.into_iter().map(|item| OrderItem::new(item, currency)).collect(),
            shipments: order.shipments,
            timeline: order.timeline,
        }
    }
}

/// Which orders are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `OrderFilter` reads")]
struct FilterParams {
    /// In this state.
    #[param(inline)]
    status: Option<Status>,
    /// Paid so far.
    #[param(inline)]
    payment_status: Option<PaymentStatus>,
    /// Of this user; of those that one sees.
    user_id: Option<i64>,
    /// The `next_cursor` of a page before, instead of `page`.
    cursor: Option<String>,
}

/// The orders, from the newest down
///
/// One's own; to an admin all; to a vendor also those with own lines, and of them these lines.
#[utoipa::path(get, path = "/api/order/", tag = "orders", security(("bearer" = [])), params(FilterParams, Page),
    responses(
    (status = 200, body = DeepList<OrderJson>),
    (status = "4XX", response = ProblemResponse)
))]
async fn list(
    State(app): State<App>,
    user: Customer,
    RawQuery(raw): RawQuery,
    Query(filter): Query<OrderFilter>,
) -> Result<Json<DeepList<OrderJson>>> {
    let (orders, count) = actions::page(&app, user, &filter).await?;
    let orders = orders.into_iter().map(|order| OrderJson::new(order, app.config.currency)).collect();
    let raw = raw.unwrap_or_default();
    let links = Links { base: &app.config.public_url, path: "/api/order/", query: &raw };
    let list = filter.list(Scope::of(user));
    Ok(Json(filter.page.list(&app.keys, &list, (orders, count), OrderJson::id, &links)?))
}

/// What a checkout sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewOrder` reads")]
#[schema(as = NewOrder)]
struct NewBody {
    /// One of one's own addresses: the order keeps a copy.
    address_id: i64,
    #[schema(inline)]
    payment_method: PaymentMethod,
    /// Instead of the code on the cart.
    #[schema(min_length = 1, max_length = 64)]
    discount_code: Option<String>,
    /// The total that was shown: when it is another one by now, nothing is ordered (409, with `total`). With it the cart
    /// may have a code that does not apply any more, which is left out.
    #[schema(example = "12.50")]
    expected_total: Option<String>,
}

/// Order what is in the cart
///
/// All or nothing: prices are those of this moment, stock is taken, the code is used, the cart is emptied. Lines of
/// which there is not enough: 409 with `items`, which names each. A code that does not apply: 422, unless it is the
/// cart's own and `expected_total` is right without it. An unpaid order gives its stock back at `expires_at`; cash on delivery confirms at once, and so does an order that costs nothing.
#[utoipa::path(post, path = "/api/order/", tag = "orders", security(("bearer" = [])), request_body = NewBody,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key and body again is answered as at first, for seven days; 409 while the first runs",
        max_length = 255)),
    responses(
    (status = 201, body = OrderJson, headers(("X-Catalog-Version" = String), ("Idempotency-Replayed" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn place(
    State(app): State<App>,
    user: Customer,
    key: IdempotencyKey,
    Body(body): Body<Unread>,
) -> Result<Response> {
    Ok(placed(&app, user, key, body).await?.into_response())
}

/// Places the order that the body asks for, and keeps what is answered: whichever door a key comes through, it is the
/// same request.
pub(super) async fn placed(app: &App, user: Customer, key: IdempotencyKey, body: Unread) -> Result<Answered> {
    let request = key.request(user.user_id(), "POST /api/order/", &body);
    let new: NewOrder = body.read(app.config.currency)?;
    let answer = |order: &Order, version| {
        let body = OrderJson::new(order.clone(), app.config.currency);
        Kept::json(StatusCode::CREATED, [version_header(version)], &body)
    };
    actions::place(app, user, &new, request.as_ref(), answer).await
}

/// One order
#[utoipa::path(get, path = "/api/order/{id}/", tag = "orders", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 200, body = OrderJson),
    (status = "4XX", response = ProblemResponse)
))]
async fn one(State(app): State<App>, user: Customer, Id(id): Id) -> Result<Json<OrderJson>> {
    let order = actions::one(&app, user, id).await?;
    Ok(Json(OrderJson::new(order, app.config.currency)))
}

/// Cancel an order
///
/// One's own while it is unpaid; an admin any until it has left. Its stock goes back.
#[utoipa::path(post, path = "/api/order/{id}/cancel/", tag = "orders", security(("bearer" = [])),
    params(("id" = i64, Path)), responses(
    (status = 200, body = OrderJson, headers(("X-Catalog-Version" = String))),
    (status = "4XX", response = ProblemResponse)
))]
async fn cancel(State(app): State<App>, user: Customer, Id(id): Id, _: NoBody) -> Result<Response> {
    let (order, version) = actions::cancel(&app, user, id).await?;
    let body = Json(OrderJson::new(order, app.config.currency));
    Ok(([version_header(version)], body).into_response())
}
