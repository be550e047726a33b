//! The administration of discounts in the graph.

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions,
    http::DiscountJson,
    model::{DiscountChanges, DiscountFilter, NewDiscount, ProductLinks},
};
use crate::{
    body,
    error::Result,
    page::{DeepList, Links},
    resolver::{Arguments, DateTime, Decimal, Id, Page, admin, app, form, view, wrote},
};

/// What a discount's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscountType {
    /// Per cent.
    Percentage,
    /// An amount of money.
    Fixed,
}

/// How a discount comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// By its code, on a cart.
    Code,
    /// By itself, on the prices of its products.
    Automatic,
}

/// A discount.
#[derive(SimpleObject, Deserialize)]
pub struct Discount {
    id: Id,
    code: String,
    description: String,
    discount_type: DiscountType,
    discount_value: Decimal,
    /// Null is any.
    minimum_purchase: Option<Decimal>,
    /// Null is no cap.
    maximum_discount: Option<Decimal>,
    /// The first instant at which it holds.
    start_date: DateTime,
    /// The first instant at which it holds no more; null does not end.
    end_date: Option<DateTime>,
    is_active: bool,
    activation: Activation,
    usage_limit: Option<i32>,
    usage_limit_per_user: Option<i32>,
    /// Orders that use it, cancelled ones taken back.
    times_used: i32,
    /// Ascending.
    product_ids: Vec<Id>,
}

/// Which discounts are listed.
#[derive(Default, InputObject)]
pub struct DiscountFilterInput {
    /// With this code, without regard to case.
    code: Option<String>,
    is_active: Option<bool>,
    activation: Option<Activation>,
    /// Linked to this product.
    product_id: Option<Id>,
}

/// What is read of discounts.
#[derive(Default)]
pub struct Query;

#[Object(name = "DiscountQuery")]
impl Query {
    /// The discounts. For admins.
    async fn discounts(
        &self,
        ctx: &Context<'_>,
        filter: Option<DiscountFilterInput>,
        #[graphql(desc = "At most 100", default = 24)] first: i32,
        #[graphql(desc = "The `nextCursor` of the page before")] after: Option<String>,
    ) -> Result<Page<Discount>> {
        let (app, admin) = (app(ctx)?, admin(ctx).await?);
        let asked = filter.unwrap_or_default();
        let filter: DiscountFilter = Arguments::page(Some(first), after)
            .with("code", asked.code)
            .with("is_active", asked.is_active)
            .with("activation", Arguments::word(asked.activation.as_ref())?)
            .with("product_id", asked.product_id)
            .read()?;
        let found = actions::page(app, admin, &filter).await?;
        let found = found.map(|discount| DiscountJson::new(discount, app.config.currency));
        view(&DeepList::new(found, &filter.place, &Links::NONE))
    }
}

/// A discount to be made.
#[derive(InputObject)]
pub struct DiscountInput {
    /// Unique without regard to case. An automatic discount has one too, as its name.
    code: String,
    description: Option<String>,
    discount_type: DiscountType,
    discount_value: Decimal,
    minimum_purchase: MaybeUndefined<Decimal>,
    maximum_discount: MaybeUndefined<Decimal>,
    /// Now, unless it is said.
    start_date: Option<DateTime>,
    end_date: MaybeUndefined<DateTime>,
    is_active: Option<bool>,
    /// By its code, unless it is said.
    activation: Option<Activation>,
    usage_limit: MaybeUndefined<i32>,
    usage_limit_per_user: MaybeUndefined<i32>,
    product_ids: Option<Vec<Id>>,
}

/// What changes of a discount; what is not sent stays as it is.
#[derive(InputObject)]
pub struct DiscountChangesInput {
    code: MaybeUndefined<String>,
    description: MaybeUndefined<String>,
    discount_type: MaybeUndefined<DiscountType>,
    discount_value: MaybeUndefined<Decimal>,
    minimum_purchase: MaybeUndefined<Decimal>,
    maximum_discount: MaybeUndefined<Decimal>,
    start_date: MaybeUndefined<DateTime>,
    end_date: MaybeUndefined<DateTime>,
    is_active: MaybeUndefined<bool>,
    activation: MaybeUndefined<Activation>,
    usage_limit: MaybeUndefined<i32>,
    usage_limit_per_user: MaybeUndefined<i32>,
    /// All of them: the ones not named go.
    product_ids: MaybeUndefined<Vec<Id>>,
}

/// What is done with discounts.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "DiscountMutation")]
impl Mutation {
    /// Makes a discount. For admins.
    async fn create_discount(&self, ctx: &Context<'_>, input: DiscountInput) -> Result<Discount> {
        let (app, admin) = (app(ctx)?, admin(ctx).await?);
        let new: NewDiscount = form(ctx, "input", &input)?;
        let (discount, version) = actions::create(app, admin, &new).await?;
        wrote(ctx, version);
        view(&DiscountJson::new(discount, app.config.currency))
    }

    /// Changes a discount. For admins.
    async fn update_discount(
        &self,
        ctx: &Context<'_>,
        id: Id,
        input: DiscountChangesInput,
    ) -> Result<Discount> {
        let (app, admin) = (app(ctx)?, admin(ctx).await?);
        let changes: DiscountChanges = form(ctx, "input", &input)?;
        let (discount, version) = actions::update(app, admin, id.0, &changes).await?;
        wrote(ctx, version);
        view(&DiscountJson::new(discount, app.config.currency))
    }

    /// Deletes a discount. For admins.
    async fn delete_discount(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        wrote(ctx, actions::delete(app(ctx)?, admin(ctx).await?, id.0).await?);
        Ok(true)
    }

    /// Links products to a discount, besides those that are. For admins.
    async fn link_products(&self, ctx: &Context<'_>, id: Id, product_ids: Vec<Id>) -> Result<Discount> {
        let (app, admin) = (app(ctx)?, admin(ctx).await?);
        let ids: Vec<i64> = product_ids.iter().map(|id| id.0).collect();
        let links: ProductLinks = body::read(serde_json::json!({"product_ids": ids}), app.config.currency)?;
        let (discount, version) = actions::link(app, admin, id.0, &links).await?;
        wrote(ctx, version);
        view(&DiscountJson::new(discount, app.config.currency))
    }

    /// Takes a product's link to a discount away. For admins.
    async fn unlink_product(&self, ctx: &Context<'_>, id: Id, product_id: Id) -> Result<bool> {
        wrote(ctx, actions::unlink(app(ctx)?, admin(ctx).await?, id.0, product_id.0).await?);
        Ok(true)
    }
}
