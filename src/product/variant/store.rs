//! The SQL of variants. Every write of stock leaves its movement in the ledger, in the same statement.

use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, types::Json};
use time::OffsetDateTime;

use super::model::{NewVariant, Scope, Variant, VariantChanges, VariantFilter, VariantPlace};
use crate::{
    attributes::{self, RawAttributes},
    auth::Author,
    error::{Error, Result, violated},
    indexing::Version,
    money::Amount,
    page::Span,
    pricing::{self, Discount},
};

/// A variant, and what prices it.
pub(super) struct Row {
    id: i64,
    product_id: i64,
    position: i32,
    variant_name: String,
    sku: String,
    price: Decimal,
    stock: i32,
    image_url: Option<String>,
    attributes: Json<RawAttributes>,
    discounts: Option<Json<Vec<Discount>>>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Row {
    /// The variant as it is priced at `at`.
    pub(super) fn at(self, at: i64) -> Variant {
        let price = Amount::from_decimal(self.price);
        let discounts = self.discounts.map(|json| json.0).unwrap_or_default();
        let paid = pricing::of_offer(price.hundredths(), &discounts, at);
        Variant {
            id: self.id,
            product_id: self.product_id,
            position: self.position,
            variant_name: self.variant_name,
            sku: self.sku,
            price,
            effective_price: Amount::from_hundredths(paid.amount),
            stock: self.stock.into(),
            image_url: self.image_url,
            attributes: attributes::from_raw(self.attributes.0),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// What PostgreSQL's refusal means.
pub(super) fn refused(error: sqlx::Error) -> Error {
    match violated(&error) {
        Some("variant_sku_key" | "product_sku_key") => {
            Error::taken("/sku", "Another variant or product has this SKU; choose another.")
        }
        Some("variant_last_check") => Error::last_variant(),
        _ => error.into(),
    }
}

/// Reads along the index of the list's order, and asks for the product of each row on the way: a join would begin
/// at the first product, however far the page is.
pub(super) async fn page(
    db: impl PgExecutor<'_>,
    scope: Scope,
    filter: &VariantFilter,
    span: &Span<VariantPlace>,
    at: i64,
) -> Result<Vec<Variant>> {
    // Before every row: ids and positions are counted from 1 and 0.
    let (product_id, position, id) = span.after.unwrap_or_default();
    let rows = sqlx::query_as!(
        Row,
        r#"select v.id, v.product_id, v.position, v.variant_name, v.sku, v.price, v.stock, v.image_url,
                  v.attributes as "attributes: Json<RawAttributes>",
                  (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a where a.product_id = v.product_id)
                      as "discounts: Json<Vec<Discount>>",
                  v.created_at, v.updated_at
           from (
               select v.*
               from variant v
               where v.deleted_at is null
                 and ($1 or (select p.is_active or p.vendor_id = $2 from product p where p.id = v.product_id))
                 and ($3::bigint is null or v.product_id = $3)
                 and ($4::text is null or v.sku = $4)
                 and ($5::boolean is null or (v.stock > 0) = $5)
                 and (v.product_id, v.position, v.id) > ($6, $7, $8)
               order by v.product_id, v.position, v.id
               offset $9 limit $10
           ) v
           order by v.product_id, v.position, v.id"#,
        scope.all,
        scope.vendor_id,
        filter.product_id,
        filter.sku.as_deref(),
        filter.in_stock,
        product_id,
        position,
        id,
        span.offset,
        span.limit,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| row.at(at)).collect())
}

pub(super) async fn count(db: impl PgExecutor<'_>, scope: Scope, filter: &VariantFilter) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from variant v join product p on p.id = v.product_id
           where v.deleted_at is null
             and ($1 or p.is_active or p.vendor_id = $2)
             and ($3::bigint is null or v.product_id = $3)
             and ($4::text is null or v.sku = $4)
             and ($5::boolean is null or (v.stock > 0) = $5)"#,
        scope.all,
        scope.vendor_id,
        filter.product_id,
        filter.sku.as_deref(),
        filter.in_stock,
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn one(db: impl PgExecutor<'_>, scope: Scope, id: i64, at: i64) -> Result<Option<Variant>> {
    let row = sqlx::query_as!(
        Row,
        r#"select v.id, v.product_id, v.position, v.variant_name, v.sku, v.price, v.stock, v.image_url,
                  v.attributes as "attributes: Json<RawAttributes>",
                  (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a where a.product_id = v.product_id)
                      as "discounts: Json<Vec<Discount>>",
                  v.created_at, v.updated_at
           from variant v join product p on p.id = v.product_id
           where v.id = $1 and v.deleted_at is null and ($2 or p.is_active or p.vendor_id = $3)"#,
        id,
        scope.all,
        scope.vendor_id,
    );
    Ok(row.fetch_optional(db).await?.map(|row| row.at(at)))
}

/// The live variants of a product, in their order.
pub(super) async fn of_product(db: impl PgExecutor<'_>, product_id: i64, at: i64) -> Result<Vec<Variant>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, product_id, position, variant_name, sku, price, stock, image_url,
                  attributes as "attributes: Json<RawAttributes>",
                  (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a where a.product_id = $1)
                      as "discounts: Json<Vec<Discount>>",
                  created_at, updated_at
           from variant where product_id = $1 and deleted_at is null
           order by position, id"#,
        product_id
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| row.at(at)).collect())
}

/// The live variants in the scope of each of the products, in their order.
pub(super) async fn of_products(
    db: impl PgExecutor<'_>,
    scope: Scope,
    products: &[i64],
    at: i64,
) -> Result<Vec<Variant>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select v.id, v.product_id, v.position, v.variant_name, v.sku, v.price, v.stock, v.image_url,
                  v.attributes as "attributes: Json<RawAttributes>",
                  (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a where a.product_id = v.product_id)
                      as "discounts: Json<Vec<Discount>>",
                  v.created_at, v.updated_at
           from variant v
           join product p on p.id = v.product_id
           where v.product_id = any($3) and v.deleted_at is null and (p.is_active or $1 or p.vendor_id = $2)
           order by v.product_id, v.position, v.id"#,
        scope.all,
        scope.vendor_id,
        products
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| row.at(at)).collect())
}

/// Adds variants behind those that the product has; returns their ids in the order given.
pub(super) async fn insert(
    db: &mut PgConnection,
    product_id: i64,
    variants: &[NewVariant],
    default_price: Amount,
    actor: i64,
) -> Result<Vec<i64>> {
    let names: Vec<String> = variants.iter().map(|v| v.variant_name.clone()).collect();
    let skus: Vec<String> = variants.iter().map(|v| v.sku.clone()).collect();
    let prices: Vec<Decimal> = variants.iter().map(|v| v.price.unwrap_or(default_price).decimal()).collect();
    let stocks: Vec<i32> = variants.iter().map(|v| i32::try_from(v.stock).unwrap_or(i32::MAX)).collect();
    let images: Vec<Option<String>> = variants.iter().map(|v| v.image_url.clone()).collect();
    let attributes: Vec<Value> = variants.iter().map(|v| attributes::to_json(&v.attributes)).collect();
    let ids = sqlx::query_scalar!(
        r#"with added as (
               insert into variant (product_id, position, variant_name, sku, price, stock, image_url, attributes)
               select $1,
                      (select coalesce(max(position), -1) from variant where product_id = $1) + n.position::int,
                      n.name, n.sku, n.price, n.stock, n.image, n.attributes
               from unnest($2::text[], $3::text[], $4::numeric[], $5::int[], $6::text[], $7::jsonb[])
                    with ordinality as n (name, sku, price, stock, image, attributes, position)
               order by n.position
               returning id, stock, position
           ), moved as (
               insert into stock_movement (variant_id, quantity, reason, actor_id)
               select id, stock, 'initial', $8 from added where stock > 0
           )
           select id from added order by position"#,
        product_id,
        &names,
        &skus,
        &prices,
        &stocks,
        &images as &[Option<String>],
        &attributes,
        actor,
    );
    ids.fetch_all(db).await.map_err(refused)
}

/// The product of a variant that this owner may write (`None` is everybody's), locked against other writers.
pub(super) async fn lock_product_of(
    db: &mut PgConnection,
    id: i64,
    owner: Option<i64>,
) -> Result<Option<i64>> {
    let product = sqlx::query_scalar!(
        "select p.id
         from variant v join product p on p.id = v.product_id
         where v.id = $1 and v.deleted_at is null and p.deleted_at is null and ($2::bigint is null or p.vendor_id = $2)
         for no key update of p",
        id,
        owner
    );
    Ok(product.fetch_optional(db).await?)
}

/// A product that this owner may write, locked against other writers: its list price.
pub(super) async fn lock_product(
    db: &mut PgConnection,
    id: i64,
    owner: Option<i64>,
) -> Result<Option<Amount>> {
    let price = sqlx::query_scalar!(
        "select price from product
         where id = $1 and deleted_at is null and ($2::bigint is null or vendor_id = $2)
         for no key update",
        id,
        owner
    );
    Ok(price.fetch_optional(db).await?.map(Amount::from_decimal))
}

/// Changes a variant of a product that this owner may write (`None` is everybody's) in the author's name, and reads what it
/// is then, and which version that is: in one statement, since most writes are such ones. None where there is none. The
/// product is locked against other writers, and truncation, which begins another epoch, waits for the transaction.
/// Discounts are those from before a wait for the product, if there is one.
pub(super) async fn update(
    db: &mut PgConnection,
    id: i64,
    owner: Option<i64>,
    changes: &VariantChanges,
    author: &Author,
) -> sqlx::Result<Option<(Row, Version)>> {
    let stock = changes.stock.map(|stock| i32::try_from(stock).unwrap_or(i32::MAX));
    let row = sqlx::query!(
        r#"with owned as (
               select p.id
               from variant v join product p on p.id = v.product_id
               where sign_write($11, $9, $12)
                 and v.id = $1 and v.deleted_at is null and p.deleted_at is null
                 and ($10::bigint is null or p.vendor_id = $10)
               for no key update of p
           ), was as (
               select id, stock from variant
               where id = $1 and deleted_at is null and product_id = (select id from owned)
               for update
           ), moved as (
               insert into stock_movement (variant_id, quantity, reason, actor_id)
               select id, $5::int - stock, 'adjustment', $9 from was where $5::int <> stock
           )
           update variant v
           set variant_name = coalesce($2, variant_name), sku = coalesce($3, sku), price = coalesce($4, price),
               stock = coalesce($5, v.stock), image_url = case when $6 then $7 else image_url end,
               attributes = coalesce($8, attributes)
           from was where v.id = was.id
           returning v.id, v.product_id, v.position, v.variant_name, v.sku, v.price, v.stock, v.image_url,
                     v.attributes as "attributes: Json<RawAttributes>",
                     (select jsonb_agg(to_jsonb(a) order by a.id) from automatic_discount a
                      where a.product_id = v.product_id) as "discounts: Json<Vec<Discount>>",
                     v.created_at, v.updated_at,
                     (select epoch from index_epoch) as "epoch!", pg_current_xact_id()::text as "xid!""#,
        id,
        changes.variant_name.as_deref(),
        changes.sku.as_deref(),
        changes.price.map(Amount::decimal),
        stock,
        changes.image_url.is_some(),
        changes.image_url.clone().flatten(),
        changes.attributes.as_ref().map(attributes::to_json),
        author.user_id(),
        owner,
        author.mode(),
        author.request_id(),
    );
    // Read to its end, which is also its commit's where it is alone: what a deferred trigger refuses is refused there.
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let xid = row.xid.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let version = Version { epoch: row.epoch, xid };
    let row = Row {
        id: row.id,
        product_id: row.product_id,
        position: row.position,
        variant_name: row.variant_name,
        sku: row.sku,
        price: row.price,
        stock: row.stock,
        image_url: row.image_url,
        attributes: row.attributes,
        discounts: row.discounts,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Some((row, version)))
}

/// Gives a product the price and SKU that its only variant is about to get, where it has that one's SKU.
pub(super) async fn share(db: &mut PgConnection, id: i64, changes: &VariantChanges) -> Result<()> {
    sqlx::query!(
        "update product p set price = coalesce($2, p.price), sku = coalesce($3, p.sku)
         from variant v
         where v.id = $1 and p.id = v.product_id and p.sku = v.sku
           and not exists (select from variant o where o.product_id = p.id and o.deleted_at is null and o.id <> v.id)",
        id,
        changes.price.map(Amount::decimal),
        changes.sku.as_deref(),
    )
    .execute(db)
    .await
    .map_err(refused)?;
    Ok(())
}

/// How many live variants a product has.
pub(super) async fn count_of(db: &mut PgConnection, product_id: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from variant where product_id = $1 and deleted_at is null"#,
        product_id
    );
    Ok(count.fetch_one(db).await?)
}

pub(super) async fn delete(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("update variant set deleted_at = now() where id = $1 and deleted_at is null", id)
        .execute(db)
        .await
        .map_err(refused)?;
    Ok(())
}
