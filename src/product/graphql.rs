//! Products in the graph, but for the search, which is `search`'s.

use async_graphql::{ComplexObject, Context, InputObject, MaybeUndefined, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions,
    http::ProductDetail,
    model::{NewProduct, ProductChanges},
    variant::graphql::{NewVariantInput, Variant, Variants},
};
use crate::{
    error::{Error, Result},
    resolver::{DateTime, Decimal, Id, Json, Long, app, form, key, loader, vendor, view, viewer, wrote},
    review::graphql::{Review, Reviews},
};

/// A product: the same figures in a list, a search and the detail.
#[derive(Clone, SimpleObject, Deserialize)]
#[graphql(complex)]
pub struct Product {
    id: Id,
    category_id: Option<Id>,
    category: Option<ProductCategory>,
    /// Who sells it; null is the shop itself.
    vendor_id: Option<Id>,
    name: String,
    slug: String,
    description: String,
    /// The list price.
    price: Decimal,
    /// The lowest price over the variants in stock (over all, when none is), automatic discounts applied.
    effective_price: Decimal,
    /// The automatic discount that runs now.
    discount: Option<ProductDiscount>,
    /// The sum over its variants.
    stock_quantity: Long,
    in_stock: bool,
    sku: String,
    brand: Option<String>,
    image_url: Option<String>,
    attributes: Json,
    is_active: bool,
    date_added: DateTime,
    updated_at: DateTime,
    /// The mean, from 1 to 5; null without ratings.
    rating: Option<f64>,
    review_count: i64,
    variant_count: i64,
    /// What a search's text matched; null elsewhere, and for a search without text.
    highlights: Option<Highlights>,
    /// Those that were read with it.
    #[graphql(skip)]
    #[serde(default)]
    variants: Option<Vec<Variant>>,
}

/// A product's category, as the product knows it.
#[derive(Clone, SimpleObject, Deserialize)]
pub struct ProductCategory {
    id: Id,
    name: String,
    slug: String,
    /// Names from the root, its own last.
    path: Vec<String>,
}

/// The automatic discount that a product's price has.
#[derive(Clone, SimpleObject, Deserialize)]
pub struct ProductDiscount {
    id: Id,
    code: String,
    /// `percentage` or `fixed`.
    discount_type: String,
    discount_value: Decimal,
    end_date: Option<DateTime>,
}

/// HTML: what matched stands in `<mark>`, everything else is escaped.
#[derive(Clone, SimpleObject, Deserialize)]
pub struct Highlights {
    name: String,
    description: String,
}

#[ComplexObject]
impl Product {
    /// Its variants, in their order.
    async fn variants(&self, ctx: &Context<'_>) -> Result<Vec<Variant>> {
        if let Some(variants) = &self.variants {
            return Ok(variants.clone());
        }
        Ok(loader::<Variants>(ctx)?.load_one(self.id).await?.unwrap_or_default())
    }

    /// Its newest reviews; `reviews` at the root goes on from them.
    async fn reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 24", default = 3)] first: i32,
    ) -> Result<Vec<Review>> {
        Reviews::newest(ctx, self.id, first).await
    }
}

/// What is read of products.
#[derive(Default)]
pub struct Query;

#[Object(name = "ProductQuery")]
impl Query {
    /// One product, by its id or its slug. A slug may be several products'; it is then the oldest's that is on offer
    /// to the caller.
    async fn product(&self, ctx: &Context<'_>, id: Option<Id>, slug: Option<String>) -> Result<Product> {
        let (app, viewer) = (app(ctx)?, viewer(ctx)?);
        let detail = match (id, slug) {
            (Some(id), None) => actions::one(app, viewer, id.0).await?,
            (None, Some(slug)) => actions::with_slug(app, viewer, &key("slug", &slug)?).await?,
            _ => return Err(Error::either("id", "slug")),
        };
        view(&ProductDetail::new(detail, app.config.currency))
    }
}

/// A product to be made.
#[derive(InputObject)]
pub struct ProductInput {
    category_id: Id,
    name: String,
    price: Decimal,
    /// Unique among products.
    sku: String,
    description: Option<String>,
    /// Without `variants`: the stock of the one that is made. With them: their sum, or absent.
    stock_quantity: Option<i64>,
    brand: MaybeUndefined<String>,
    /// An http or https URL; it is never fetched.
    image_url: MaybeUndefined<String>,
    attributes: Option<Json>,
    /// True unless it is said.
    is_active: Option<bool>,
    /// Without any, one named `Default` is made with the product's SKU, price and stock.
    variants: Option<Vec<NewVariantInput>>,
}

/// What changes of a product; what is not sent stays as it is.
#[derive(InputObject)]
pub struct ProductChangesInput {
    category_id: MaybeUndefined<Id>,
    name: MaybeUndefined<String>,
    /// The default variant's too; with several variants, the list price alone.
    price: MaybeUndefined<Decimal>,
    sku: MaybeUndefined<String>,
    description: MaybeUndefined<String>,
    /// Of the default variant; with several variants, write theirs.
    stock_quantity: MaybeUndefined<i64>,
    /// Null takes it away.
    brand: MaybeUndefined<String>,
    /// Null takes it away.
    image_url: MaybeUndefined<String>,
    /// All of them: the ones not named go.
    attributes: MaybeUndefined<Json>,
    is_active: MaybeUndefined<bool>,
}

/// What is done with products.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "ProductMutation")]
impl Mutation {
    /// Makes a product; it is the caller's. For vendors and admins.
    async fn create_product(&self, ctx: &Context<'_>, input: ProductInput) -> Result<Product> {
        let (app, vendor) = (app(ctx)?, vendor(ctx).await?);
        let new: NewProduct = form(ctx, "input", &input)?;
        let (detail, version) = actions::create(app, vendor, &new).await?;
        wrote(ctx, version);
        view(&ProductDetail::new(detail, app.config.currency))
    }

    /// Changes a product of one's own. For vendors; an admin changes any.
    async fn update_product(&self, ctx: &Context<'_>, id: Id, input: ProductChangesInput) -> Result<Product> {
        let (app, vendor) = (app(ctx)?, vendor(ctx).await?);
        let changes: ProductChanges = form(ctx, "input", &input)?;
        let (detail, version) = actions::update(app, vendor, id.0, |_| Ok(()), &changes).await?;
        wrote(ctx, version);
        view(&ProductDetail::new(detail, app.config.currency))
    }

    /// Deletes a product of one's own: gone from catalog and search, while orders keep their copies.
    async fn delete_product(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        wrote(ctx, actions::delete(app(ctx)?, vendor(ctx).await?, id.0, |_| Ok(())).await?);
        Ok(true)
    }
}
