//! What can be done with discounts.

use super::{
    model::{Discount, DiscountChanges, DiscountFilter, NewDiscount, ProductLinks},
    store,
};
use crate::{
    app::App,
    auth::Admin,
    catalog::CatalogWrite,
    clock::from_micros,
    error::{Error, Fault, Result},
    indexing::Version,
    page::Found,
};

/// A page of the discounts, by id.
///
/// # Errors
/// 400 when the cursor is not of this list.
pub async fn page(app: &App, _: Admin, filter: &DiscountFilter) -> Result<Found<Discount>> {
    let list = ("discounts", filter);
    let span = filter.place.open(&app.keys, &list)?;
    let rows = store::page(&app.web, filter, &span).await?;
    let count = store::count(&app.web, filter).await?;
    span.found(&app.keys, &list, rows, count, |discount| discount.id)
}

/// One discount.
///
/// # Errors
/// 404.
pub async fn one(app: &App, _: Admin, id: i64) -> Result<Discount> {
    store::one(&app.web, id).await?.ok_or_else(not_found)
}

/// Makes a discount, linked to its products. It holds from now on where it does not say when.
///
/// # Errors
/// 409 for a taken code, 422 for an end that has passed or an unknown product.
pub async fn create(app: &App, admin: Admin, new: &NewDiscount) -> Result<(Discount, Version)> {
    let now = from_micros(app.clock.micros());
    let terms = new.terms(now, app.config.currency).map_err(Error::invalid)?;
    let mut write = CatalogWrite::begin(app, admin).await?;
    let id = store::insert(&mut write, &terms).await?;
    link_products(&mut write, id, new.product_ids()).await?;
    finish(app, write, id).await
}

/// Changes a discount, and all its links where the change names products.
///
/// # Errors
/// 404, 409 for a taken code, 422 for what contradicts the terms that stay, a limit below the number of uses, or
/// an unknown product.
pub async fn update(
    app: &App,
    admin: Admin,
    id: i64,
    changes: &DiscountChanges,
) -> Result<(Discount, Version)> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    let before = lock(&mut write, id).await?;
    let terms = changes.onto(before.terms, app.config.currency).map_err(Error::invalid)?;
    store::update(&mut write, id, &terms).await?;
    if let Some(product_ids) = &changes.product_ids {
        store::unlink_others(&mut write, id, product_ids).await?;
        link_products(&mut write, id, product_ids).await?;
    }
    finish(app, write, id).await
}

/// Deletes a discount. Orders keep its code and what it took off; carts go on without it.
///
/// # Errors
/// 404.
pub async fn delete(app: &App, admin: Admin, id: i64) -> Result<Version> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    store::lock_carts(&mut write, id).await?;
    store::lock_orders(&mut write, id).await?;
    if !store::delete(&mut write, id).await? {
        return Err(not_found());
    }
    write.commit(app).await
}

/// Links products to a discount; those linked already stay so.
///
/// # Errors
/// 404, 422 for an unknown product.
pub async fn link(app: &App, admin: Admin, id: i64, links: &ProductLinks) -> Result<(Discount, Version)> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    lock(&mut write, id).await?;
    link_products(&mut write, id, &links.0).await?;
    finish(app, write, id).await
}

/// Takes a product's link to a discount away.
///
/// # Errors
/// 404 when there is no such discount, or no such link.
pub async fn unlink(app: &App, admin: Admin, id: i64, product_id: i64) -> Result<Version> {
    let mut write = CatalogWrite::begin(app, admin).await?;
    if !store::unlink(&mut write, id, product_id).await? {
        return Err(Error::not_found("product linked to this discount"));
    }
    write.commit(app).await
}

/// Locks a discount against other writers: how it was.
async fn lock(write: &mut CatalogWrite, id: i64) -> Result<Discount> {
    if !store::lock(write, id).await? {
        return Err(not_found());
    }
    store::one(&mut **write, id).await?.ok_or_else(not_found)
}

async fn link_products(write: &mut CatalogWrite, id: i64, product_ids: &[i64]) -> Result<()> {
    if product_ids.is_empty() {
        return Ok(());
    }
    let strangers = store::strangers(write, product_ids).await?;
    if strangers.is_empty() {
        return store::link(write, id, product_ids).await;
    }
    let fault =
        |position| Fault::field(format!("/product_ids/{position}"), "unknown", "is not the id of a product");
    Err(Error::invalid(strangers.into_iter().map(fault).collect()))
}

async fn finish(app: &App, mut write: CatalogWrite, id: i64) -> Result<(Discount, Version)> {
    let discount = store::one(&mut *write, id).await?.ok_or_else(not_found)?;
    Ok((discount, write.commit(app).await?))
}

fn not_found() -> Error {
    Error::not_found("discount")
}
