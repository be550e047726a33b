//! Orders in the graph.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions,
    http::{OrderJson, placed},
    request::{OrderFilter, Scope},
};
use crate::{
    address::graphql::AddressType,
    body::Unread,
    error::{Error, Result},
    idempotency::{Answered, http::IdempotencyKey},
    page::Links,
    resolver::{Arguments, DateTime, Decimal, Id, Page, app, form, user, view, wrote},
};

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Waits for its payment.
    Pending,
    /// To be sent.
    Confirmed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Given up.
    Cancelled,
}

/// What has been paid of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing yet.
    Pending,
    /// All of it.
    Paid,
    /// The last attempt failed.
    Failed,
    /// All of it came back.
    Refunded,
    /// Some of it came back.
    PartiallyRefunded,
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// By card.
    Card,
    /// By M-Pesa.
    Mpesa,
    /// To whoever brings it.
    CashOnDelivery,
}

/// How far a parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// Being packed.
    Pending,
    /// Handed over to its carrier.
    Shipped,
    /// On its way.
    InTransit,
    /// Arrived.
    Delivered,
    /// Came back.
    Returned,
}

/// A line of an order: copies as of the purchase.
#[derive(SimpleObject, Deserialize)]
pub struct OrderItem {
    id: Id,
    variant_id: Id,
    product_id: Id,
    product_name: String,
    variant_name: String,
    sku: String,
    quantity: i32,
    /// What one cost, automatic discounts applied.
    price: Decimal,
    subtotal: Decimal,
}

/// Where an order goes: a copy of the address.
#[derive(SimpleObject, Deserialize)]
pub struct ShippingAddress {
    street: String,
    city: String,
    region: String,
    country: String,
    postal_code: String,
    address_type: AddressType,
}

/// A parcel.
#[derive(SimpleObject, Deserialize)]
pub struct Shipment {
    id: Id,
    order_id: Id,
    tracking_number: String,
    carrier: String,
    status: ShipmentStatus,
    shipped_at: Option<DateTime>,
    delivered_at: Option<DateTime>,
}

/// What happened to an order.
#[derive(SimpleObject, Deserialize)]
pub struct OrderEvent {
    at: DateTime,
    event: String,
    detail: String,
}

/// An order. To a vendor who did not place it: the own lines, and their sums.
#[derive(SimpleObject, Deserialize)]
pub struct Order {
    id: Id,
    /// What people say on the phone.
    order_number: String,
    user_id: Id,
    status: OrderStatus,
    payment_status: PaymentStatus,
    payment_method: PaymentMethod,
    currency: String,
    subtotal: Decimal,
    /// What the code took off.
    discount_total: Decimal,
    /// What is charged.
    total_amount: Decimal,
    discount_code: Option<String>,
    order_date: DateTime,
    shipped_date: Option<DateTime>,
    /// Unpaid at this instant it is cancelled; null when it does not expire.
    expires_at: Option<DateTime>,
    shipping_address: ShippingAddress,
    items: Vec<OrderItem>,
    shipments: Vec<Shipment>,
    timeline: Vec<OrderEvent>,
}

/// Which orders are listed.
#[derive(Default, InputObject)]
pub struct OrderFilterInput {
    status: Option<OrderStatus>,
    payment_status: Option<PaymentStatus>,
    /// Of this user; of those that one sees.
    user_id: Option<Id>,
}

/// What is read of orders.
#[derive(Default)]
pub struct Query;

#[Object(name = "OrderQuery")]
impl Query {
    /// The orders, from the newest down: one's own; to an admin all; to a vendor also those with own lines, and of
    /// them these lines.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        filter: Option<OrderFilterInput>,
        #[graphql(desc = "At most 100", default = 24)] first: i32,
        #[graphql(desc = "The `nextCursor` of the page before")] after: Option<String>,
    ) -> Result<Page<Order>> {
        let (app, user) = (app(ctx)?, user(ctx).await?);
        let asked = filter.unwrap_or_default();
        let filter: OrderFilter = Arguments::page(Some(first), after)
            .with("status", Arguments::word(asked.status.as_ref())?)
            .with("payment_status", Arguments::word(asked.payment_status.as_ref())?)
            .with("user_id", asked.user_id)
            .read()?;
        let (orders, count) = actions::page(app, user, &filter).await?;
        let orders = orders.into_iter().map(|order| OrderJson::new(order, app.config.currency)).collect();
        let list = filter.list(Scope::of(user));
        view(&filter.page.list(&app.keys, &list, (orders, count), OrderJson::id, &Links::NONE)?)
    }

    /// One order, as far as the user sees it.
    async fn order(&self, ctx: &Context<'_>, id: Id) -> Result<Order> {
        let app = app(ctx)?;
        let order = actions::one(app, user(ctx).await?, id.0).await?;
        view(&OrderJson::new(order, app.config.currency))
    }
}

/// What a checkout says.
#[derive(InputObject)]
pub struct CheckoutInput {
    /// One of one's own addresses: the order keeps a copy.
    address_id: Id,
    payment_method: PaymentMethod,
    /// Instead of the code on the cart.
    discount_code: Option<String>,
    /// The total that was shown: when it is another one by now, nothing is ordered, and `extensions.total` says it. With
    /// it the cart may have a code that does not apply any more, which is left out.
    expected_total: Option<Decimal>,
}

/// What is done with orders.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "OrderMutation")]
impl Mutation {
    /// Orders what is in the cart, all or nothing: prices are those of this moment, stock is taken, the code is used,
    /// the cart is emptied.
    async fn checkout(
        &self,
        ctx: &Context<'_>,
        input: CheckoutInput,
        #[graphql(
            desc = "As REST's `Idempotency-Key`: the same key and input again is answered as at first, through \
                          either door, for seven days"
        )]
        idempotency_key: Option<String>,
    ) -> Result<Order> {
        let (app, user) = (app(ctx)?, user(ctx).await?);
        let key = IdempotencyKey::new(idempotency_key.as_deref())?;
        let body: Unread = form(ctx, "input", &input)?;
        let (Answered::First(kept) | Answered::Again(kept)) = placed(app, user, key, body).await?;
        if let Some(version) = kept.header("x-catalog-version").and_then(|text| text.parse().ok()) {
            wrote(ctx, version);
        }
        serde_json::from_slice(&kept.body).map_err(Error::internal)
    }

    /// Cancels an order: one's own while it is unpaid; an admin any until it has left. Its stock goes back.
    async fn cancel_order(&self, ctx: &Context<'_>, id: Id) -> Result<Order> {
        let app = app(ctx)?;
        let (order, version) = actions::cancel(app, user(ctx).await?, id.0).await?;
        wrote(ctx, version);
        view(&OrderJson::new(order, app.config.currency))
    }
}
