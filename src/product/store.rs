//! The SQL of products. What readers see of a product comes from the search document's projection.

use sqlx::{PgConnection, PgExecutor};

use super::{
    model::{NewProduct, ProductChanges},
    variant::model::Scope,
};
use crate::{
    attributes,
    error::{Error, Result, violated},
    money::Amount,
    text,
};

fn refused(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("product_sku_key" | "variant_sku_key") => {
            Error::taken("/sku", "Another product or variant has this SKU; choose another.")
        }
        Some("product_category_id_fkey") => {
            Error::field("/category_id", "unknown", "is not the id of a category")
        }
        _ => error.into(),
    }
}

pub(super) async fn is_empty(db: impl PgExecutor<'_>) -> Result<bool> {
    let empty = sqlx::query_scalar!(r#"select not exists (select from product) as "empty!""#);
    Ok(empty.fetch_one(db).await?)
}

/// The oldest live product of this slug in the scope.
pub(super) async fn with_slug(db: &mut PgConnection, scope: Scope, slug: &str) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "select id from product
         where slug = $3 and deleted_at is null and (is_active or $1 or vendor_id = $2)
         order by id
         limit 1",
        scope.all,
        scope.vendor_id,
        slug
    );
    Ok(id.fetch_optional(db).await?)
}

pub(super) async fn insert(db: &mut PgConnection, new: &NewProduct, vendor_id: i64) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into product
             (category_id, vendor_id, name, slug, description, price, sku, brand, image_url, attributes, is_active)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         returning id",
        new.category_id,
        vendor_id,
        new.name,
        text::slug(&new.name),
        new.description,
        new.price.decimal(),
        new.sku,
        new.brand.as_deref(),
        new.image_url.as_deref(),
        attributes::to_json(&new.attributes),
        new.is_active,
    );
    id.fetch_one(db).await.map_err(refused)
}

/// Locks a product that this owner may write (`None` is everybody's) against other writers: its SKU.
pub(super) async fn lock(db: &mut PgConnection, id: i64, owner: Option<i64>) -> Result<Option<String>> {
    let sku = sqlx::query_scalar!(
        "select sku from product
         where id = $1 and deleted_at is null and ($2::bigint is null or vendor_id = $2)
         for no key update",
        id,
        owner
    );
    Ok(sku.fetch_optional(db).await?)
}

pub(super) async fn update(db: &mut PgConnection, id: i64, changes: &ProductChanges) -> Result<()> {
    sqlx::query!(
        "update product
         set category_id = coalesce($2, category_id), name = coalesce($3, name),
             price = coalesce($4, price), sku = coalesce($5, sku), description = coalesce($6, description),
             brand = case when $7 then $8 else brand end, image_url = case when $9 then $10 else image_url end,
             attributes = coalesce($11, attributes), is_active = coalesce($12, is_active)
         where id = $1",
        id,
        changes.category_id,
        changes.name.as_deref(),
        changes.price.map(Amount::decimal),
        changes.sku.as_deref(),
        changes.description.as_deref(),
        changes.brand.is_some(),
        changes.brand.clone().flatten(),
        changes.image_url.is_some(),
        changes.image_url.clone().flatten(),
        changes.attributes.as_ref().map(attributes::to_json),
        changes.is_active,
    )
    .execute(db)
    .await
    .map_err(refused)?;
    Ok(())
}

/// Marks it deleted; triggers take its variants along and let go of its category.
pub(super) async fn delete(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("update product set deleted_at = now() where id = $1 and deleted_at is null", id)
        .execute(db)
        .await?;
    Ok(())
}
