//! Variants in the graph: below their products, and written one by one.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject, dataloader::Loader};
use serde::Deserialize;

use super::{
    actions,
    http::VariantJson,
    model::{AddedVariant, VariantChanges},
};
use crate::{
    app::App,
    error::{Error, Result},
    resolver::{Caller, DateTime, Decimal, Id, Json, app, form, vendor, view, wrote},
};

/// A variant: what is sold.
#[derive(Clone, SimpleObject, Deserialize)]
pub struct Variant {
    id: Id,
    product_id: Id,
    variant_name: String,
    sku: String,
    price: Decimal,
    /// What it costs now, automatic discounts applied.
    effective_price: Decimal,
    stock: i64,
    in_stock: bool,
    image_url: Option<String>,
    attributes: Json,
    created_at: DateTime,
    updated_at: DateTime,
}

/// Reads the variants of many products at once.
pub struct Variants(pub App, pub Arc<Caller>);

impl Loader<Id> for Variants {
    type Value = Vec<Variant>;
    type Error = Error;

    async fn load(&self, products: &[Id]) -> Result<HashMap<Id, Vec<Variant>>> {
        let Self(app, caller) = self;
        let products: Vec<i64> = products.iter().map(|id| id.0).collect();
        let mut found: HashMap<Id, Vec<Variant>> = HashMap::new();
        for variant in actions::of_products(app, caller.viewer()?, &products).await? {
            let product = Id(variant.product_id);
            found.entry(product).or_default().push(view(&VariantJson::new(variant, app.config.currency))?);
        }
        Ok(found)
    }
}

/// A variant of a product that is made with it.
#[derive(InputObject)]
pub struct NewVariantInput {
    variant_name: String,
    /// Unique among variants.
    sku: String,
    /// The product's unless it is said.
    price: Option<Decimal>,
    stock: Option<i64>,
    image_url: MaybeUndefined<String>,
    attributes: Option<Json>,
}

/// A variant to be made of a product that is there.
#[derive(InputObject)]
pub struct VariantInput {
    product_id: Id,
    variant_name: String,
    /// Unique among variants.
    sku: String,
    /// The product's unless it is said.
    price: Option<Decimal>,
    stock: Option<i64>,
    image_url: MaybeUndefined<String>,
    attributes: Option<Json>,
}

/// What changes of a variant; what is not sent stays as it is.
#[derive(InputObject)]
pub struct VariantChangesInput {
    variant_name: MaybeUndefined<String>,
    sku: MaybeUndefined<String>,
    price: MaybeUndefined<Decimal>,
    stock: MaybeUndefined<i64>,
    /// Null takes it away.
    image_url: MaybeUndefined<String>,
    /// All of them: the ones not named go.
    attributes: MaybeUndefined<Json>,
}

/// What is done with variants.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "VariantMutation")]
impl Mutation {
    /// Adds a variant to a product of one's own. For vendors and admins.
    async fn create_variant(&self, ctx: &Context<'_>, input: VariantInput) -> Result<Variant> {
        let (app, vendor) = (app(ctx)?, vendor(ctx).await?);
        let added: AddedVariant = form(ctx, "input", &input)?;
        let (variant, version) = actions::create(app, vendor, added).await?;
        wrote(ctx, version);
        view(&VariantJson::new(variant, app.config.currency))
    }

    /// Changes a variant of a product of one's own. For vendors; an admin changes any.
    async fn update_variant(&self, ctx: &Context<'_>, id: Id, input: VariantChangesInput) -> Result<Variant> {
        let (app, vendor) = (app(ctx)?, vendor(ctx).await?);
        let changes: VariantChanges = form(ctx, "input", &input)?;
        let (variant, version) = actions::update(app, vendor, id.0, &changes).await?;
        wrote(ctx, version);
        view(&VariantJson::new(variant, app.config.currency))
    }

    /// Deletes a variant, unless it is its product's last.
    async fn delete_variant(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        wrote(ctx, actions::delete(app(ctx)?, vendor(ctx).await?, id.0).await?);
        Ok(true)
    }
}
