//! What can be done with variants.

use sqlx::PgConnection;

use super::{
    model::{AddedVariant, MAX_VARIANTS, NewVariant, Scope, Variant, VariantChanges, VariantFilter},
    store,
};
use crate::{
    app::App,
    auth::{Author, Vendor, Viewer},
    catalog::CatalogWrite,
    database,
    error::{Error, Kind, Result},
    indexing::Version,
    money::Amount,
    page::Found,
};

/// A page of the variants that the viewer sees.
///
/// # Errors
/// 400 when the cursor is not of this list.
pub async fn page(app: &App, viewer: Viewer, filter: &VariantFilter) -> Result<Found<Variant>> {
    let scope = Scope::of(viewer);
    let list = ("variants", scope, filter);
    let span = filter.place.open(&app.keys, &list)?;
    let rows = store::page(&app.web, scope, filter, &span, app.clock.micros()).await?;
    let count = store::count(&app.web, scope, filter).await?;
    span.found(&app.keys, &list, rows, count, Variant::place)
}

/// One variant, if the viewer sees it.
///
/// # Errors
/// 404.
pub async fn one(app: &App, viewer: Viewer, id: i64) -> Result<Variant> {
    store::one(&app.web, Scope::of(viewer), id, app.clock.micros())
        .await?
        .ok_or_else(|| Error::not_found("variant"))
}

/// The variants of each of the products, as far as the viewer sees them, in their order.
///
/// # Errors
/// None of its own.
pub async fn of_products(app: &App, viewer: Viewer, products: &[i64]) -> Result<Vec<Variant>> {
    store::of_products(&app.web, Scope::of(viewer), products, app.clock.micros()).await
}

/// Adds a variant to a product of the vendor's own.
///
/// # Errors
/// 404 for a product that is not there or not the vendor's, 409 for a taken SKU.
pub async fn create(app: &App, vendor: Vendor, added: AddedVariant) -> Result<(Variant, Version)> {
    let mut write = CatalogWrite::begin(app, vendor).await?;
    let price = store::lock_product(&mut write, added.product_id, vendor.owner()).await?;
    let price = price.ok_or_else(|| Error::names_nothing("/product_id", "product"))?;
    if store::count_of(&mut write, added.product_id).await? >= MAX_VARIANTS {
        let detail = format!("The product has {MAX_VARIANTS} variants; make another product for more.");
        return Err(Error::new(Kind::TooMany, detail));
    }
    let ids = store::insert(&mut write, added.product_id, &[added.variant], price, vendor.user_id()).await?;
    let id = ids.first().copied().unwrap_or_default();
    let variant = store::one(&mut *write, Scope::of(vendor.viewer()), id, app.clock.micros()).await?;
    let variant = variant.ok_or_else(|| Error::not_found("variant"))?;
    Ok((variant, write.commit(app).await?))
}

/// Changes a variant of a product of the vendor's own.
///
/// # Errors
/// 404, 409 for a taken SKU.
pub async fn update(
    app: &App,
    vendor: Vendor,
    id: i64,
    changes: &VariantChanges,
) -> Result<(Variant, Version)> {
    if changes.price.is_none() && changes.sku.is_none() {
        let changed = update_alone(app, vendor, id, changes).await.map_err(store::refused)?;
        let (row, version) = changed.ok_or_else(|| Error::not_found("variant"))?;
        app.indexing.changed();
        return Ok((row.at(app.clock.micros()), version));
    }
    let mut write = CatalogWrite::begin(app, vendor).await?;
    let product = store::lock_product_of(&mut write, id, vendor.owner()).await?;
    product.ok_or_else(|| Error::not_found("variant"))?;
    store::share(&mut write, id, changes).await?;
    let changed = store::update(&mut write, id, vendor.owner(), changes, &vendor.into()).await;
    let (row, version) = changed.map_err(store::refused)?.ok_or_else(|| Error::not_found("variant"))?;
    let variant = row.at(app.clock.micros());
    write.commit_told(app).await?;
    Ok((variant, version))
}

/// Changes what concerns no other row: one statement, which is a transaction by itself, and so two messages less. Given up in
/// its middle, it is not taken back, and found by the mirror when that looks next.
async fn update_alone(
    app: &App,
    vendor: Vendor,
    id: i64,
    changes: &VariantChanges,
) -> sqlx::Result<Option<(store::Row, Version)>> {
    let author = vendor.into();
    if let Some(mut turn) = app.turns.next().await {
        match store::update(&mut turn, id, vendor.owner(), changes, &author).await {
            Ok(changed) => {
                turn.done();
                return Ok(changed);
            }
            Err(error) if !database::was_not_run(&error) => return Err(error),
            Err(_) => {}
        }
    }
    store::update(&mut *app.web.acquire().await?, id, vendor.owner(), changes, &author).await
}

/// Deletes a variant, unless it is the product's last.
///
/// # Errors
/// 404, 409.
pub async fn delete(app: &App, vendor: Vendor, id: i64) -> Result<Version> {
    let mut write = CatalogWrite::begin(app, vendor).await?;
    let product = store::lock_product_of(&mut write, id, vendor.owner()).await?;
    product.ok_or_else(|| Error::not_found("variant"))?;
    store::delete(&mut write, id).await?;
    write.commit(app).await
}

/// Adds variants to a product in the product's own write.
pub(in crate::product) async fn insert(
    write: &mut CatalogWrite,
    product_id: i64,
    variants: &[NewVariant],
    default_price: Amount,
    actor: i64,
) -> Result<Vec<i64>> {
    store::insert(write, product_id, variants, default_price, actor).await
}

/// Changes a variant in its product's own write.
pub(in crate::product) async fn carry(
    write: &mut CatalogWrite,
    id: i64,
    changes: &VariantChanges,
    author: &Author,
) -> Result<()> {
    store::update(write, id, None, changes, author).await.map(drop).map_err(store::refused)
}

/// The live variants of a product, in their order, as they are priced at an instant.
pub(in crate::product) async fn of_product(
    db: &mut PgConnection,
    product_id: i64,
    at: i64,
) -> Result<Vec<Variant>> {
    store::of_product(db, product_id, at).await
}
