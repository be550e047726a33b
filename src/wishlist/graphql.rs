//! One's own wishlist in the graph.

use async_graphql::{Context, Object, SimpleObject};
use serde::Deserialize;

use super::{
    actions,
    http::{WishJson, WishlistJson},
    model::NewWish,
};
use crate::{
    error::Result,
    product::graphql::Product,
    resolver::{DateTime, Id, app, user, view},
};

/// A user's wishlist.
#[derive(SimpleObject, Deserialize)]
pub struct Wishlist {
    id: Id,
    /// The newest first; those whose product is not on offer are left out.
    items: Vec<WishlistItem>,
    created_at: DateTime,
}

/// A product that is wished for.
#[derive(SimpleObject, Deserialize)]
pub struct WishlistItem {
    id: Id,
    product_id: Id,
    product: Product,
    created_at: DateTime,
}

/// What is read of wishlists.
#[derive(Default)]
pub struct Query;

#[Object(name = "WishlistQuery")]
impl Query {
    /// One's own wishlist; it is made on first use.
    async fn wishlist(&self, ctx: &Context<'_>) -> Result<Wishlist> {
        let app = app(ctx)?;
        view(&WishlistJson::new(actions::read(app, user(ctx).await?).await?, app.config.currency))
    }
}

/// What is done with wishlists.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "WishlistMutation")]
impl Mutation {
    /// Wishes for a product. One that is on the list already stays where it is.
    async fn add_to_wishlist(&self, ctx: &Context<'_>, product_id: Id) -> Result<WishlistItem> {
        let app = app(ctx)?;
        let new = NewWish { product_id: product_id.0 };
        let (wish, at, _) = actions::add(app, user(ctx).await?, &new).await?;
        view(&WishJson::new(wish, at, app.config.currency))
    }

    /// Takes an item off, by its id, not the product's.
    async fn remove_from_wishlist(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        actions::remove(app(ctx)?, user(ctx).await?, id.0).await.map(|()| true)
    }
}
