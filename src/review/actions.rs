//! What can be done with reviews.

use super::{
    model::{NewReview, Review, ReviewChanges, ReviewFilter, Scope},
    store,
};
use crate::{
    app::App,
    auth::{Customer, Viewer},
    catalog::CatalogWrite,
    error::{Error, Result},
    indexing::Version,
};

/// A page of the reviews that the viewer sees, from the newest down, and how many there are.
///
/// # Errors
/// 400 for a cursor of another list.
pub async fn page(app: &App, viewer: Viewer, filter: &ReviewFilter) -> Result<(Vec<Review>, u64)> {
    let scope = Scope::of(viewer);
    let span = filter.page.span(&app.keys, &filter.list(scope))?;
    let rows = store::page(&app.web, scope, filter, span).await?;
    let count = store::count(&app.web, scope, filter).await?;
    Ok((rows, count.unsigned_abs()))
}

/// The newest so many reviews of each of the products, as far as the viewer sees them.
///
/// # Errors
/// None of its own.
pub async fn newest(app: &App, viewer: Viewer, products: &[i64], most: i64) -> Result<Vec<Review>> {
    store::newest(&app.web, Scope::of(viewer), products, most).await
}

/// One review, if the viewer sees it.
///
/// # Errors
/// 404.
pub async fn one(app: &App, viewer: Viewer, id: i64) -> Result<Review> {
    store::one(&app.web, Scope::of(viewer), id).await?.ok_or_else(not_found)
}

/// Writes the user's review of a product.
///
/// # Errors
/// 404 for a product that is not on offer, 409 for a second review of one.
pub async fn create(app: &App, user: Customer, new: &NewReview) -> Result<(Review, Version)> {
    let mut write = CatalogWrite::begin(app, user).await?;
    let id = store::insert(&mut write, user.user_id(), new).await?;
    let id = id.ok_or_else(|| Error::names_nothing("/product_id", "product"))?;
    finish(app, write, user, id).await
}

/// Changes a review of the user's own.
///
/// # Errors
/// 404.
pub async fn update(
    app: &App,
    user: Customer,
    id: i64,
    changes: &ReviewChanges,
) -> Result<(Review, Version)> {
    let mut write = CatalogWrite::begin(app, user).await?;
    if !store::update(&mut write, user.user_id(), id, changes).await? {
        return Err(not_found());
    }
    finish(app, write, user, id).await
}

/// Deletes a review: its author, or an administrator.
///
/// # Errors
/// 404.
pub async fn delete(app: &App, user: Customer, id: i64) -> Result<Version> {
    let author = match user.admin() {
        Some(_) => None,
        None => Some(user.user_id()),
    };
    let mut write = CatalogWrite::begin(app, user).await?;
    if !store::delete(&mut write, author, id).await? {
        return Err(not_found());
    }
    write.commit(app).await
}

async fn finish(app: &App, mut write: CatalogWrite, user: Customer, id: i64) -> Result<(Review, Version)> {
    let review = store::one(&mut *write, Scope::Own(user.user_id()), id).await?.ok_or_else(not_found)?;
    Ok((review, write.commit(app).await?))
}

fn not_found() -> Error {
    Error::not_found("review")
}
