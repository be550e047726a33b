//! Reviews in the graph: a list of their own, and the newest of each product.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject, dataloader::Loader};
use serde::Deserialize;

use super::{
    actions,
    model::{MOST_NEWEST, NewReview, ReviewChanges, ReviewFilter, Scope},
};
use crate::{
    app::App,
    error::{Error, Fault, Result},
    page::Links,
    resolver::{Arguments, Caller, DateTime, Id, Page, app, form, loader, user, view, viewer, wrote},
};

/// A review.
#[derive(Clone, SimpleObject, Deserialize)]
pub struct Review {
    id: Id,
    user_id: Id,
    /// The author's name; of somebody who has left, that somebody has.
    username: String,
    product_id: Id,
    /// From 1 to 5.
    rating: i32,
    /// May be empty.
    comment: String,
    /// Whether the author has an order with the product that is paid or delivered.
    verified_purchase: bool,
    created_at: DateTime,
}

/// Reads the newest reviews of many products at once.
pub struct Reviews(pub App, pub Arc<Caller>);

impl Reviews {
    /// The newest so many of a product.
    ///
    /// # Errors
    /// 400 when it is too many.
    pub async fn newest(ctx: &Context<'_>, product: Id, first: i32) -> Result<Vec<Review>> {
        if !(1..=MOST_NEWEST).contains(&first) {
            let detail = format!("must be a whole number from 1 to {MOST_NEWEST}");
            return Err(Error::parameters(vec![Fault::parameter("page_size", "value", detail)]));
        }
        Ok(loader::<Self>(ctx)?.load_one((product, first)).await?.unwrap_or_default())
    }
}

impl Loader<(Id, i32)> for Reviews {
    type Value = Vec<Review>;
    type Error = Error;

    async fn load(&self, asked: &[(Id, i32)]) -> Result<HashMap<(Id, i32), Vec<Review>>> {
        let Self(app, caller) = self;
        let products: Vec<i64> = asked.iter().map(|(id, _)| id.0).collect();
        // As many of each as are wanted of any: still one statement.
        let most = asked.iter().map(|(_, first)| *first).max().unwrap_or_default();
        let mut found: HashMap<Id, Vec<Review>> = HashMap::new();
        for review in actions::newest(app, caller.viewer()?, &products, most.into()).await? {
            found.entry(Id(review.product_id)).or_default().push(view(&review)?);
        }
        let first = |(id, first): &(Id, i32)| {
            let reviews = found.get(id)?.iter().take(usize::try_from(*first).unwrap_or_default());
            Some(((*id, *first), reviews.cloned().collect()))
        };
        Ok(asked.iter().filter_map(first).collect())
    }
}

/// What is read of reviews.
#[derive(Default)]
pub struct Query;

#[Object(name = "ReviewQuery")]
impl Query {
    /// Reviews, from the newest down.
    async fn reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this product")] product_id: Option<Id>,
        #[graphql(desc = "With this rating")] rating: Option<i32>,
        #[graphql(desc = "At most 100", default = 24)] first: i32,
        #[graphql(desc = "The `nextCursor` of the page before")] after: Option<String>,
    ) -> Result<Page<Review>> {
        let (app, viewer) = (app(ctx)?, viewer(ctx)?);
        let arguments = Arguments::page(Some(first), after);
        let filter: ReviewFilter = arguments.with("product_id", product_id).with("rating", rating).read()?;
        let found = actions::page(app, viewer, &filter).await?;
        let list = filter.list(Scope::of(viewer));
        view(&filter.page.list(&app.keys, &list, found, |review| review.id, &Links::NONE)?)
    }
}

/// A review to be written.
#[derive(InputObject)]
pub struct ReviewInput {
    product_id: Id,
    /// From 1 to 5.
    rating: i32,
    comment: Option<String>,
}

/// What changes of a review; what is not sent stays as it is.
#[derive(InputObject)]
pub struct ReviewChangesInput {
    rating: MaybeUndefined<i32>,
    comment: MaybeUndefined<String>,
}

/// What is done with reviews.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "ReviewMutation")]
impl Mutation {
    /// Reviews a product, once.
    async fn create_review(&self, ctx: &Context<'_>, input: ReviewInput) -> Result<Review> {
        let user = user(ctx).await?;
        let new: NewReview = form(ctx, "input", &input)?;
        let (review, version) = actions::create(app(ctx)?, user, &new).await?;
        wrote(ctx, version);
        view(&review)
    }

    /// Changes a review of one's own.
    async fn update_review(&self, ctx: &Context<'_>, id: Id, input: ReviewChangesInput) -> Result<Review> {
        let user = user(ctx).await?;
        let changes: ReviewChanges = form(ctx, "input", &input)?;
        let (review, version) = actions::update(app(ctx)?, user, id.0, &changes).await?;
        wrote(ctx, version);
        view(&review)
    }

    /// Deletes a review of one's own; an admin deletes any.
    async fn delete_review(&self, ctx: &Context<'_>, id: Id) -> Result<bool> {
        wrote(ctx, actions::delete(app(ctx)?, user(ctx).await?, id.0).await?);
        Ok(true)
    }
}
