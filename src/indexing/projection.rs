//! From rows to documents: the one wide SELECT.

use duka_index::{Category, Document, Variant};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};

use crate::{
    attributes::{self, RawAttributes},
    clock::micros,
    pricing::{self, Discount, Offer},
};

/// Grows whenever the same rows make other documents: a mirror made by another revision is built anew.
pub(super) const REVISION: u32 = 1;

#[derive(Debug, Deserialize)]
struct VariantRow {
    id: i64,
    name: String,
    sku: String,
    price: i64,
    stock: i64,
    attributes: RawAttributes,
}

/// The documents of those of `ids` that are live in this transaction's snapshot, in id order.
///
/// A document depends on the rows alone, never on the time at which it is made: that is what lets `verify`
/// compare it with its mirror for equality.
pub(super) async fn documents(db: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<Document>> {
    let rows = sqlx::query!(
        r#"with recursive
           batch as (
               select * from product where id = any($1) and deleted_at is null
           ),
           chain (leaf, id, name, slug, parent_id, depth) as (
               select c.id, c.id, c.name, c.slug, c.parent_id, 0
               from category c
               where c.id in (select category_id from batch)
               union all
               select h.leaf, c.id, c.name, c.slug, c.parent_id, h.depth + 1
               from chain h join category c on c.id = h.parent_id
               where h.depth < 32
           ),
           path as (
               select leaf,
                      jsonb_agg(jsonb_build_object('id', id, 'name', name, 'slug', slug) order by depth desc) as links
               from chain group by leaf
           ),
           offer as (
               select product_id,
                      jsonb_agg(
                          jsonb_build_object(
                              'id', id, 'name', variant_name, 'sku', sku, 'price', (price * 100)::bigint,
                              'stock', stock, 'attributes', attributes
                          ) order by position, id
                      ) as variants
               from variant
               where product_id in (select id from batch) and deleted_at is null
               group by product_id
           ),
           bargain as (
               select product_id, jsonb_agg(to_jsonb(a) order by id) as discounts
               from automatic_discount a
               where product_id in (select id from batch)
               group by product_id
           )
           select p.id, p.name, p.slug, p.description, p.sku, p.brand, p.image_url, p.vendor_id,
                  (p.price * 100)::bigint as "price!",
                  p.attributes as "attributes: Json<RawAttributes>",
                  p.is_active, p.date_added, p.updated_at,
                  p.rating::float8 as "rating", p.review_count as "review_count!", p.popularity,
                  t.links as "links: Json<Vec<Category>>",
                  o.variants as "variants: Json<Vec<VariantRow>>",
                  b.discounts as "discounts: Json<Vec<Discount>>"
           from batch p
           left join path t on t.leaf = p.category_id
           left join offer o on o.product_id = p.id
           left join bargain b on b.product_id = p.id
           order by p.id"#,
        ids
    )
    .fetch_all(db)
    .await?;

    let documents = rows.into_iter().map(|row| {
        let variants = row.variants.map(|json| json.0).unwrap_or_default();
        let mut offers: Vec<Offer> =
            variants.iter().map(|v| Offer { price: v.price, stock: v.stock }).collect();
        if offers.is_empty() {
            offers.push(Offer { price: row.price, stock: 0 });
        }
        let discounts = row.discounts.map(|json| json.0).unwrap_or_default();
        let stock: i64 = variants.iter().map(|v| v.stock).sum();
        Document {
            id: row.id,
            name: row.name,
            slug: row.slug,
            description: row.description,
            sku: row.sku,
            brand: row.brand.unwrap_or_default(),
            image_url: row.image_url,
            category: row.links.map(|json| json.0).unwrap_or_default(),
            vendor_id: row.vendor_id,
            price: row.price,
            prices: pricing::steps(&offers, &discounts),
            stock,
            in_stock: stock > 0,
            attributes: attributes::from_raw(row.attributes.0),
            is_active: row.is_active,
            date_added: micros(row.date_added),
            updated_at: micros(row.updated_at),
            rating: row.rating,
            review_count: row.review_count,
            popularity: row.popularity,
            variants: variants.into_iter().map(variant).collect(),
        }
    });
    Ok(documents.collect())
}

fn variant(row: VariantRow) -> Variant {
    Variant { id: row.id, name: row.name, sku: row.sku, attributes: attributes::from_raw(row.attributes) }
}
