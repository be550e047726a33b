//! What can be done with products.

use duka_index::Document;
use sqlx::{PgConnection, PgPool};

use super::{
    model::{NewProduct, ProductChanges},
    store,
    variant::{
        self,
        model::{Variant, VariantChanges},
    },
};
use crate::{
    app::App,
    auth::{Role, Vendor, Viewer},
    catalog::CatalogWrite,
    database,
    error::{Error, Kind, Result},
    indexing::{self, Version},
};

/// A product with its variants, read in one snapshot.
#[derive(Clone, Debug)]
pub struct Detail {
    /// What a search shows of it.
    pub document: Document,
    /// Its live variants, in their order.
    pub variants: Vec<Variant>,
    /// The instant of all its prices, in microseconds since 1970.
    pub at: i64,
}

/// One product, if the viewer sees it: active ones everybody, the others their vendor and admins.
///
/// # Errors
/// 404.
pub async fn one(app: &App, viewer: Viewer, id: i64) -> Result<Detail> {
    let mut snapshot = database::begin_snapshot(&app.web).await?;
    let detail = read(app, &mut snapshot, id).await?;
    snapshot.rollback().await?;
    detail.filter(|detail| sees(viewer, &detail.document)).ok_or_else(|| Error::not_found("product"))
}

/// [`one`] by its slug; of several that the viewer sees, the oldest.
///
/// # Errors
/// 404.
pub async fn with_slug(app: &App, viewer: Viewer, slug: &str) -> Result<Detail> {
    let mut snapshot = database::begin_snapshot(&app.web).await?;
    let id = store::with_slug(&mut snapshot, variant::model::Scope::of(viewer), slug).await?;
    let detail = match id {
        Some(id) => read(app, &mut snapshot, id).await?,
        None => None,
    };
    snapshot.rollback().await?;
    detail.ok_or_else(|| Error::not_found("product"))
}

/// Whether the shop has never had a product: for the demo, which fills an empty one only.
///
/// # Errors
/// When the database does not answer.
pub async fn is_catalog_empty(pool: &PgPool) -> Result<bool> {
    store::is_empty(pool).await
}

fn sees(viewer: Viewer, document: &Document) -> bool {
    document.is_active
        || match viewer.user {
            Some((_, Role::Admin)) => true,
            Some((id, Role::Vendor)) => document.vendor_id == Some(id),
            _ => false,
        }
}

/// Makes a product with its variants; it is the caller's.
///
/// # Errors
/// 409 for a taken SKU, 422 for an unknown category.
pub async fn create(app: &App, vendor: Vendor, new: &NewProduct) -> Result<(Detail, Version)> {
    let mut write = CatalogWrite::begin(app, vendor).await?;
    let id = store::insert(&mut write, new, vendor.user_id()).await?;
    let inserted = variant::actions::insert(&mut write, id, &new.variants, new.price, vendor.user_id()).await;
    inserted.map_err(|error| match error.kind() {
        // The default variant's SKU is the product's own field.
        Kind::AlreadyTaken if new.variants.iter().any(|variant| variant.sku != new.sku) => {
            Error::taken("/variants", "Another variant has one of these SKUs; choose another.")
        }
        _ => error,
    })?;
    finish(app, write, id).await
}

/// Changes a product of the vendor's own, if `as_read` permits it, which is shown how the product was.
///
/// # Errors
/// 404, 409 for a taken SKU, those of `as_read`, 422 for an unknown category, or for a stock where there are
/// several variants.
pub async fn update(
    app: &App,
    vendor: Vendor,
    id: i64,
    as_read: impl FnOnce(&Detail) -> Result<()>,
    changes: &ProductChanges,
) -> Result<(Detail, Version)> {
    let mut write = CatalogWrite::begin(app, vendor).await?;
    let (sku, before) = lock(app, &mut write, vendor, id, as_read).await?;
    let default = match before.variants.as_slice() {
        [only] if only.sku == sku => Some(only.id),
        _ => None,
    };
    if default.is_none() && changes.stock_quantity.is_some() {
        let detail = "is the sum over its variants; write theirs at /api/variant/";
        return Err(Error::field("/stock_quantity", "contradiction", detail));
    }
    store::update(&mut write, id, changes).await?;
    let carried = changes.price.is_some() || changes.sku.is_some() || changes.stock_quantity.is_some();
    if let (Some(default), true) = (default, carried) {
        let carried = VariantChanges {
            variant_name: None,
            sku: changes.sku.clone(),
            price: changes.price,
            stock: changes.stock_quantity,
            image_url: None,
            attributes: None,
        };
        variant::actions::carry(&mut write, default, &carried, &vendor.into()).await?;
    }
    finish(app, write, id).await
}

/// Deletes a product of the vendor's own, if `as_read` permits it: gone from catalog and search.
///
/// # Errors
/// 404, those of `as_read`.
pub async fn delete(
    app: &App,
    vendor: Vendor,
    id: i64,
    as_read: impl FnOnce(&Detail) -> Result<()>,
) -> Result<Version> {
    let mut write = CatalogWrite::begin(app, vendor).await?;
    lock(app, &mut write, vendor, id, as_read).await?;
    store::delete(&mut write, id).await?;
    write.commit(app).await
}

/// Locks a product of the vendor's own: its SKU, and how it was.
async fn lock(
    app: &App,
    write: &mut CatalogWrite,
    vendor: Vendor,
    id: i64,
    as_read: impl FnOnce(&Detail) -> Result<()>,
) -> Result<(String, Detail)> {
    let not_found = || Error::not_found("product");
    let sku = store::lock(write, id, vendor.owner()).await?.ok_or_else(not_found)?;
    let before = read(app, write, id).await?.ok_or_else(not_found)?;
    as_read(&before)?;
    Ok((sku, before))
}

async fn finish(app: &App, mut write: CatalogWrite, id: i64) -> Result<(Detail, Version)> {
    let detail = read(app, &mut write, id).await?.ok_or_else(|| Error::not_found("product"))?;
    Ok((detail, write.commit(app).await?))
}

async fn read(app: &App, db: &mut PgConnection, id: i64) -> Result<Option<Detail>> {
    let Some(document) = indexing::documents(db, &[id]).await?.pop() else { return Ok(None) };
    let at = app.clock.micros();
    Ok(Some(Detail { document, variants: variant::actions::of_product(db, id, at).await?, at }))
}
