//! One's own cart in the graph.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions,
    http::CartJson,
    model::{Added, Quantity, TypedCode},
};
use crate::{
    body,
    error::Result,
    resolver::{DateTime, Decimal, Id, app, form, user, view},
};

/// What a shopper should know before going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CartWarning {
    /// It costs something else than when it was put in.
    PriceChanged,
    /// None is left, or it is no longer on offer.
    OutOfStock,
    /// Some are left, but fewer than the line asks for.
    QuantityReduced,
    /// The code on the cart takes nothing off it as it is now.
    DiscountNotApplicable,
}

/// A line of a cart.
#[derive(SimpleObject, Deserialize)]
pub struct CartItem {
    id: Id,
    variant_id: Id,
    product_id: Id,
    product_name: String,
    variant_name: String,
    sku: String,
    image_url: Option<String>,
    quantity: i32,
    /// What one cost when it was put in.
    price: Decimal,
    /// What one costs now, automatic discounts applied.
    current_price: Decimal,
    /// `quantity` times `currentPrice`.
    subtotal: Decimal,
    /// Whether any are left, and on offer.
    in_stock: bool,
    warnings: Vec<CartWarning>,
}

/// The code on a cart.
#[derive(SimpleObject, Deserialize)]
pub struct CartDiscount {
    code: String,
    /// What it takes off; nothing while the cart warns of `DISCOUNT_NOT_APPLICABLE`.
    amount: Decimal,
}

/// A cart, priced at this moment. What an order of it would cost is `total`.
#[derive(SimpleObject, Deserialize)]
pub struct Cart {
    id: Id,
    currency: String,
    items: Vec<CartItem>,
    discount: Option<CartDiscount>,
    subtotal: Decimal,
    discount_total: Decimal,
    total: Decimal,
    /// Those of the items, each once, and the cart's own.
    warnings: Vec<CartWarning>,
    created_at: DateTime,
    updated_at: DateTime,
}

/// What is read of carts.
#[derive(Default)]
pub struct Query;

#[Object(name = "CartQuery")]
impl Query {
    /// One's own cart; it is made on first use.
    async fn cart(&self, ctx: &Context<'_>) -> Result<Cart> {
        let app = app(ctx)?;
        view(&CartJson::new(actions::one(app, user(ctx).await?).await?, app.config.currency))
    }
}

/// What is to be put in.
#[derive(InputObject)]
pub struct AddToCartInput {
    variant_id: Id,
    /// One unless it is said.
    quantity: Option<i32>,
}

/// What is done with carts.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "CartMutation")]
impl Mutation {
    /// Puts so many more of a variant in.
    async fn add_to_cart(&self, ctx: &Context<'_>, input: AddToCartInput) -> Result<Cart> {
        let (app, user) = (app(ctx)?, user(ctx).await?);
        let added: Added = form(ctx, "input", &input)?;
        view(&CartJson::new(actions::add(app, user, &added).await?, app.config.currency))
    }

    /// Sets how many an item has.
    async fn update_cart_item(&self, ctx: &Context<'_>, id: Id, quantity: i32) -> Result<Cart> {
        let (app, user) = (app(ctx)?, user(ctx).await?);
        let quantity: Quantity = body::read(serde_json::json!({"quantity": quantity}), app.config.currency)?;
        view(&CartJson::new(actions::update(app, user, id.0, &quantity).await?, app.config.currency))
    }

    /// Takes an item out.
    async fn remove_cart_item(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        actions::remove(app(ctx)?, user(ctx).await?, id.0).await.map(|()| true)
    }

    /// Puts a discount's code on the cart, in place of the one that is on it.
    async fn apply_discount_code(&self, ctx: &Context<'_>, code: String) -> Result<Cart> {
        let (app, user) = (app(ctx)?, user(ctx).await?);
        let typed: TypedCode = body::read(serde_json::json!({"code": code}), app.config.currency)?;
        view(&CartJson::new(actions::set_code(app, user, &typed).await?, app.config.currency))
    }

    /// Takes the code off the cart; one without a code stays as it is.
    async fn remove_discount_code(&self, ctx: &Context<'_>) -> Result<bool> {
        actions::clear_code(app(ctx)?, user(ctx).await?).await.map(|()| true)
    }
}
