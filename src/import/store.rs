//! The SQL of an import: a batch of rows at a time, one statement for each step, arrays in.

use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// The columns of a batch of products, each as long as the others.
#[derive(Default)]
pub(super) struct Products {
    pub(super) sku: Vec<String>,
    pub(super) name: Vec<String>,
    pub(super) slug: Vec<String>,
    pub(super) price: Vec<Decimal>,
    pub(super) description: Vec<Option<String>>,
    pub(super) brand: Vec<Option<String>>,
    pub(super) category_id: Vec<Option<i64>>,
    pub(super) image_url: Vec<Option<String>>,
    pub(super) is_active: Vec<Option<bool>>,
    pub(super) attributes: Vec<Option<Value>>,
    pub(super) rating: Vec<Option<Decimal>>,
    pub(super) rating_count: Vec<Option<i32>>,
    pub(super) popularity: Vec<Option<i64>>,
    pub(super) date_added: Vec<Option<OffsetDateTime>>,
}

/// The columns of a batch of variants, each as long as the others.
#[derive(Default)]
pub(super) struct Variants {
    pub(super) product_id: Vec<i64>,
    pub(super) position: Vec<i32>,
    /// `None` keeps the name of a variant that is there.
    pub(super) name: Vec<Option<String>>,
    pub(super) sku: Vec<String>,
    pub(super) price: Vec<Decimal>,
    pub(super) stock: Vec<Option<i32>>,
    pub(super) image_url: Vec<Option<String>>,
    pub(super) attributes: Vec<Option<Value>>,
}

/// A product that is there already.
pub(super) struct Known {
    pub(super) id: i64,
    pub(super) sku: String,
}

/// A live variant.
pub(super) struct Owned {
    pub(super) sku: String,
    pub(super) product_id: i64,
}

/// Imports take turns: two that name the same products in another order would each wait for the other's. Whether it
/// is this transaction's turn now, until it ends. And keeps the audit from noting each row: an import is recorded as a
/// whole.
pub(super) async fn take_turn(db: &mut PgConnection) -> sqlx::Result<bool> {
    let turn = sqlx::query!(
        r#"select set_config('duka.audit', 'off', true),
                  pg_try_advisory_xact_lock(hashtextextended('duka.import', 0)) as "taken!""#
    );
    Ok(turn.fetch_one(db).await?.taken)
}

/// Whether the transaction has changed anything of the catalog.
pub(super) async fn has_changed(db: &mut PgConnection) -> sqlx::Result<bool> {
    let changed = sqlx::query_scalar!(
        r#"select exists (select from change_log where xid = pg_current_xact_id()) as "changed!""#
    );
    changed.fetch_one(db).await
}

/// How the transaction's next statements are planned: `force_custom_plan` for looking rows up, since a plan made
/// while the table was empty would be kept for the whole import and scans (19,406 products took 7.0 s so, and a
/// third of that when planned anew); `auto` for writing, since each row's foreign keys would be planned anew too.
pub(super) async fn plan(db: &mut PgConnection, mode: &str) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('plan_cache_mode', $1, true)", mode).fetch_one(db).await.map(drop)
}

/// Those of the SKUs that live products have; locked against other writers, in id order as all do.
pub(super) async fn known(db: &mut PgConnection, skus: &[String]) -> sqlx::Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        "select id, sku from product
         where sku = any($1) and deleted_at is null
         order by id for no key update",
        skus
    )
    .fetch_all(db)
    .await
}

/// Which products the live variants with these SKUs belong to.
pub(super) async fn owners(db: &mut PgConnection, skus: &[String]) -> sqlx::Result<Vec<Owned>> {
    sqlx::query_as!(
        Owned,
        "select sku, product_id from variant where sku = any($1) and deleted_at is null",
        skus
    )
    .fetch_all(db)
    .await
}

/// Those of the products that have one live variant, with its SKU.
pub(super) async fn only_variants(db: &mut PgConnection, products: &[i64]) -> sqlx::Result<Vec<Owned>> {
    sqlx::query_as!(
        Owned,
        r#"select min(sku) as "sku!", product_id from variant
           where product_id = any($1) and deleted_at is null
           group by product_id having count(*) = 1"#,
        products
    )
    .fetch_all(db)
    .await
}

/// Makes products, active and nobody's but the shop's; returns their ids.
pub(super) async fn insert_products(db: &mut PgConnection, p: &Products) -> sqlx::Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        "insert into product
             (sku, name, slug, price, description, brand, category_id, image_url, attributes,
              imported_rating, imported_rating_count, popularity, date_added, is_active)
         select r.sku, r.name, r.slug, r.price, coalesce(r.description, ''), r.brand, r.category_id, r.image_url,
                coalesce(r.attributes, '{}'), coalesce(r.rating, 0), coalesce(r.rating_count, 0),
                coalesce(r.popularity, 0), coalesce(r.date_added, now()), coalesce(r.is_active, true)
         from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[], $6::text[], $7::bigint[],
                     $8::text[], $9::jsonb[], $10::numeric[], $11::int[], $12::bigint[], $13::timestamptz[], $14::bool[])
              as r (sku, name, slug, price, description, brand, category_id, image_url, attributes, rating,
                    rating_count, popularity, date_added, is_active)
         returning id, sku",
        &p.sku,
        &p.name,
        &p.slug,
        &p.price,
        &p.description as &[Option<String>],
        &p.brand as &[Option<String>],
        &p.category_id as &[Option<i64>],
        &p.image_url as &[Option<String>],
        &p.attributes as &[Option<Value>],
        &p.rating as &[Option<Decimal>],
        &p.rating_count as &[Option<i32>],
        &p.popularity as &[Option<i64>],
        &p.date_added as &[Option<OffsetDateTime>],
        &p.is_active as &[Option<bool>],
    )
    .fetch_all(db)
    .await
}

/// Writes what the rows say of products that are there; what they do not mention stays, and a product that is
/// as its row says already is not touched. Returns how many were.
pub(super) async fn update_products(db: &mut PgConnection, p: &Products) -> sqlx::Result<u64> {
    let updated = sqlx::query!(
        "with said as (
             select p.id, r.name, r.price, coalesce(r.description, p.description) as description,
                    coalesce(r.brand, p.brand) as brand, coalesce(r.category_id, p.category_id) as category_id,
                    coalesce(r.image_url, p.image_url) as image_url,
                    coalesce(r.attributes, p.attributes) as attributes,
                    coalesce(r.rating, p.imported_rating)::numeric(6,4) as rating,
                    coalesce(r.rating_count, p.imported_rating_count) as rating_count,
                    coalesce(r.popularity, p.popularity) as popularity,
                    coalesce(r.date_added, p.date_added) as date_added,
                    coalesce(r.is_active, p.is_active) as is_active
             from unnest($1::text[], $2::text[], $3::numeric[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                         $8::jsonb[], $9::numeric[], $10::int[], $11::bigint[], $12::timestamptz[], $13::bool[])
                  as r (sku, name, price, description, brand, category_id, image_url, attributes, rating,
                        rating_count, popularity, date_added, is_active)
             join product p on p.sku = r.sku and p.deleted_at is null
         )
         update product p
         set name = s.name, price = s.price, description = s.description, brand = s.brand,
             category_id = s.category_id, image_url = s.image_url, attributes = s.attributes,
             imported_rating = s.rating, imported_rating_count = s.rating_count, popularity = s.popularity,
             date_added = s.date_added, is_active = s.is_active
         from said s
         where p.id = s.id
           and (p.name, p.price, p.description, p.brand, p.category_id, p.image_url, p.attributes,
                p.imported_rating, p.imported_rating_count, p.popularity, p.date_added, p.is_active)
               is distinct from
               (s.name, s.price, s.description, s.brand, s.category_id, s.image_url, s.attributes,
                s.rating, s.rating_count, s.popularity, s.date_added, s.is_active)",
        &p.sku,
        &p.name,
        &p.price,
        &p.description as &[Option<String>],
        &p.brand as &[Option<String>],
        &p.category_id as &[Option<i64>],
        &p.image_url as &[Option<String>],
        &p.attributes as &[Option<Value>],
        &p.rating as &[Option<Decimal>],
        &p.rating_count as &[Option<i32>],
        &p.popularity as &[Option<i64>],
        &p.date_added as &[Option<OffsetDateTime>],
        &p.is_active as &[Option<bool>],
    )
    .persistent(false)
    .execute(db)
    .await?;
    Ok(updated.rows_affected())
}

/// Makes variants, and enters their stock in the ledger.
pub(super) async fn insert_variants(
    db: &mut PgConnection,
    v: &Variants,
    default_stock: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with made as (
             insert into variant (product_id, position, variant_name, sku, price, stock, attributes, image_url)
             select r.product_id, r.position, r.name, r.sku, r.price, coalesce(r.stock, $8),
                    coalesce(r.attributes, '{}'), r.image_url
             from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::numeric[], $6::int[], $7::jsonb[], $9::text[])
                  as r (product_id, position, name, sku, price, stock, attributes, image_url)
             returning id, stock
         )
         insert into stock_movement (variant_id, quantity, reason)
         select id, stock, 'import' from made where stock > 0",
        &v.product_id,
        &v.position,
        &v.name as &[Option<String>],
        &v.sku,
        &v.price,
        &v.stock as &[Option<i32>],
        &v.attributes as &[Option<Value>],
        default_stock,
        &v.image_url as &[Option<String>],
    )
    .execute(db)
    .await
    .map(drop)
}

/// Writes what the rows say of variants that are there, and enters what their stock changes in the ledger.
pub(super) async fn update_variants(db: &mut PgConnection, v: &Variants) -> sqlx::Result<u64> {
    let updated = sqlx::query!(
        "with was as (
             select id, product_id, sku, variant_name, position, price, stock, attributes, image_url from variant
             where sku = any($4) and deleted_at is null
             order by id for update
         ), said as (
             select w.id, r.position, coalesce(r.name, w.variant_name) as name, r.price, coalesce(r.stock, w.stock) as stock,
                    coalesce(r.attributes, w.attributes) as attributes,
                    coalesce(r.image_url, w.image_url) as image_url, w.stock as stock_before
             from unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::numeric[], $6::int[], $7::jsonb[], $8::text[])
                  as r (product_id, position, name, sku, price, stock, attributes, image_url)
             join was w on w.sku = r.sku and w.product_id = r.product_id
             where (w.variant_name, w.position, w.price) is distinct from (coalesce(r.name, w.variant_name), r.position, r.price)
                or coalesce(r.stock, w.stock) <> w.stock
                or coalesce(r.attributes, w.attributes) <> w.attributes
                or coalesce(r.image_url, w.image_url) is distinct from w.image_url
         ), moved as (
             insert into stock_movement (variant_id, quantity, reason)
             select id, stock - stock_before, 'import' from said where stock <> stock_before
         )
         update variant v
         set variant_name = s.name, position = s.position, price = s.price, stock = s.stock,
             attributes = s.attributes, image_url = s.image_url
         from said s where v.id = s.id",
        &v.product_id,
        &v.position,
        &v.name as &[Option<String>],
        &v.sku,
        &v.price,
        &v.stock as &[Option<i32>],
        &v.attributes as &[Option<Value>],
        &v.image_url as &[Option<String>],
    )
    .persistent(false)
    .execute(db)
    .await?;
    Ok(updated.rows_affected())
}

/// Takes away the variants of these products that are not among `kept`. What they still had in stock leaves
/// the ledger with them.
pub(super) async fn delete_others(
    db: &mut PgConnection,
    products: &[i64],
    kept: &[String],
) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "with gone as (
             select id, stock from variant
             where product_id = any($1) and deleted_at is null and sku <> all($2)
             order by id for update
         ), moved as (
             insert into stock_movement (variant_id, quantity, reason)
             select id, -stock, 'import' from gone where stock > 0
         )
         update variant v set deleted_at = now(), stock = 0 from gone g where v.id = g.id",
        products,
        kept,
    )
    .persistent(false)
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}
