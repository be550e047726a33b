//! The SQL of an export: the catalog in id order, a stretch at a time.

use duka_index::AttributeValue;
use futures_util::{Stream, TryStreamExt};
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    attributes::{RawAttributes, from_raw},
    import::row::{Attributes, Row, VariantRow},
    money::Amount,
};

/// The name of the variant that a product without any is given.
const DEFAULT: &str = "Default";

#[derive(Debug, Deserialize)]
struct Variant {
    name: String,
    sku: String,
    price: i64,
    stock: i32,
    image_url: Option<String>,
    attributes: RawAttributes,
}

/// How many products are live in the transaction's snapshot.
pub(super) async fn count(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from product where deleted_at is null"#)
        .fetch_one(db)
        .await
}

/// Makes the transaction's statements be planned for what the tables hold now: a plan is otherwise kept from when they
/// were empty.
pub(super) async fn plan_afresh(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(db)
        .await
        .map(drop)
}

/// The first `limit` live products after this id with what they need to be imported again, in id order; each with
/// its id.
pub(super) fn rows_after(
    db: &mut PgConnection,
    after: i64,
    limit: i64,
) -> impl Stream<Item = sqlx::Result<(i64, Row)>> {
    let rows = sqlx::query!(
        r#"with recursive
           batch as (
               select * from product where id > $1 and deleted_at is null order by id limit $2
           ),
           chain (leaf, name, parent_id, depth) as (
               select c.id, c.name, c.parent_id, 0
               from category c
               where c.id in (select category_id from batch)
               union all
               select h.leaf, c.name, c.parent_id, h.depth + 1
               from chain h join category c on c.id = h.parent_id
               where h.depth < 32
           ),
           path as (
               select leaf, array_agg(name order by depth desc) as names from chain group by leaf
           ),
           offer as (
               select product_id,
                      jsonb_agg(
                          jsonb_build_object(
                              'name', variant_name, 'sku', sku, 'price', (price * 100)::bigint, 'stock', stock,
                              'image_url', image_url, 'attributes', attributes
                          ) order by position, id
                      ) as variants
               from variant
               where product_id in (select id from batch) and deleted_at is null
               group by product_id
           )
           select p.id, p.sku, p.name, (p.price * 100)::bigint as "price!", p.description, p.brand, p.image_url,
                  p.is_active, p.attributes as "attributes: Json<RawAttributes>", p.imported_rating,
                  p.imported_rating_count, p.popularity, p.date_added,
                  t.names as "path: Vec<String>",
                  o.variants as "variants: Json<Vec<Variant>>"
           from batch p
           left join path t on t.leaf = p.category_id
           left join offer o on o.product_id = p.id
           order by p.id"#,
        after,
        limit
    );
    rows.fetch(db).map_ok(|row| {
        let rated = row.imported_rating_count > 0 && row.imported_rating > Decimal::ZERO;
        let mut product = Row {
            sku: row.sku,
            name: row.name,
            price: Amount::from_hundredths(row.price),
            description: Some(row.description).filter(|text| !text.is_empty()),
            brand: row.brand,
            category_path: row.path,
            image_url: row.image_url,
            stock: None,
            is_active: Some(row.is_active),
            attributes: Some(attributes(row.attributes.0)),
            variants: None,
            rating: rated.then_some(row.imported_rating),
            rating_count: rated.then_some(row.imported_rating_count),
            popularity: Some(row.popularity),
            date_added: Some(row.date_added),
        };
        let variants = row.variants.map(|json| json.0).unwrap_or_default();
        match variants.as_slice() {
            [only] if says_nothing_of_its_own(only, &product) => product.stock = Some(only.stock),
            _ => product.variants = Some(variants.into_iter().map(variant).collect()),
        }
        (row.id, product)
    })
}

/// Whether a row without variants makes just this one.
fn says_nothing_of_its_own(only: &Variant, product: &Row) -> bool {
    only.name == DEFAULT
        && only.sku == product.sku
        && only.price == product.price.hundredths()
        && only.image_url.is_none()
        && only.attributes.is_empty()
}

fn variant(variant: Variant) -> VariantRow {
    VariantRow {
        variant_name: variant.name,
        sku: variant.sku,
        price: Some(Amount::from_hundredths(variant.price)),
        stock: Some(variant.stock),
        image_url: variant.image_url,
        attributes: Some(attributes(variant.attributes)),
    }
}

/// As an import keeps them: what is empty is left out.
fn attributes(raw: RawAttributes) -> Attributes {
    let kept = from_raw(raw).into_iter().filter_map(|(name, value)| {
        let value = match value {
            AttributeValue::List(texts) => {
                AttributeValue::List(texts.into_iter().filter(|text| !text.is_empty()).collect())
            }
            value => value,
        };
        let is_empty = match &value {
            AttributeValue::Text(text) => text.is_empty(),
            AttributeValue::List(texts) => texts.is_empty(),
            AttributeValue::Bool(_) | AttributeValue::Number(_) => false,
        };
        Some((name, serde_json::to_value(value).ok().filter(|_| !is_empty)?))
    });
    kept.collect()
}
