//! From rows to documents: one wide SELECT for those that somebody asks for, a narrow one for each table where all are read.
//!
//! Gathering what belongs to a product costs the database four times what the rows themselves do. That is less than
//! asking several times for a few products, and most of what reading a million takes.

use std::{collections::HashMap, iter::Peekable, ops::RangeInclusive};

use duka_index::{Category, Document, Variant};
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{
    PgConnection,
    types::{Json, time::OffsetDateTime},
};

use crate::{
    attributes,
    clock::micros,
    pricing::{self, Discount, Offer},
};

/// Grows whenever the same rows make other documents: a mirror made by another revision is built anew.
pub(super) const REVISION: u32 = 1;

/// A row of `product`.
struct ProductRow {
    id: i64,
    category_id: Option<i64>,
    name: String,
    slug: String,
    description: String,
    sku: String,
    brand: Option<String>,
    image_url: Option<String>,
    vendor_id: Option<i64>,
    price: i64,
    attributes: Json<Box<RawValue>>,
    is_active: bool,
    date_added: OffsetDateTime,
    updated_at: OffsetDateTime,
    rating: Option<f64>,
    review_count: i64,
    popularity: i64,
}

#[derive(Debug, Deserialize)]
struct VariantRow {
    id: i64,
    name: String,
    sku: String,
    price: i64,
    stock: i64,
    attributes: Box<RawValue>,
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
           select p.id, p.category_id, p.name, p.slug, p.description, p.sku, p.brand, p.image_url, p.vendor_id,
                  (p.price * 100)::bigint as "price!",
                  p.attributes as "attributes: Json<Box<RawValue>>",
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
        let product = ProductRow {
            id: row.id,
            category_id: row.category_id,
            name: row.name,
            slug: row.slug,
            description: row.description,
            sku: row.sku,
            brand: row.brand,
            image_url: row.image_url,
            vendor_id: row.vendor_id,
            price: row.price,
            attributes: row.attributes,
            is_active: row.is_active,
            date_added: row.date_added,
            updated_at: row.updated_at,
            rating: row.rating,
            review_count: row.review_count,
            popularity: row.popularity,
        };
        let category = row.links.map(|json| json.0).unwrap_or_default();
        let variants = row.variants.map(|json| json.0).unwrap_or_default();
        let discounts = row.discounts.map(|json| json.0).unwrap_or_default();
        document(product, category, variants, &discounts)
    });
    Ok(documents.collect())
}

/// Of each category the chain that leads to it, from the root.
pub(super) struct Paths(HashMap<i64, Vec<Category>>);

/// Ancestors that a chain has at most.
const MAX_ANCESTORS: usize = 32;

/// The whole tree, for [`documents_within`].
pub(super) async fn paths(db: &mut PgConnection) -> sqlx::Result<Paths> {
    let rows = sqlx::query!("select id, name, slug, parent_id from category").fetch_all(db).await?;
    let links: HashMap<i64, _> = rows
        .into_iter()
        .map(|row| (row.id, (Category { id: row.id, name: row.name, slug: row.slug }, row.parent_id)))
        .collect();
    let path = |leaf: &i64| {
        let upwards = std::iter::successors(links.get(leaf), |(_, parent)| links.get(parent.as_ref()?));
        let mut path: Vec<Category> =
            upwards.take(MAX_ANCESTORS + 1).map(|(category, _)| category.clone()).collect();
        path.reverse();
        path
    };
    Ok(Paths(links.keys().map(|leaf| (*leaf, path(leaf))).collect()))
}

/// The same documents as [`documents`]: of all products with such an id that are live in this transaction's snapshot, in
/// which `paths` were read as well.
pub(super) async fn documents_within(
    db: &mut PgConnection,
    ids: RangeInclusive<i64>,
    paths: &Paths,
) -> sqlx::Result<Vec<Document>> {
    let products = products_within(db, &ids).await?;
    let mut variants = variants_within(db, &ids).await?.into_iter().peekable();
    let mut discounts = discounts_within(db, &ids).await?.into_iter().peekable();
    let documents = products.into_iter().map(|product| {
        // All are in the order of products; those of products that are not live are passed by.
        let category = product.category_id.and_then(|leaf| paths.0.get(&leaf)).cloned().unwrap_or_default();
        let (variants, discounts) = (of(product.id, &mut variants), of(product.id, &mut discounts));
        document(product, category, variants, &discounts)
    });
    Ok(documents.collect())
}

/// The next rows that are of a product, given that all are in the order of products.
fn of<T>(product: i64, rows: &mut Peekable<impl Iterator<Item = (i64, T)>>) -> Vec<T> {
    while rows.next_if(|(other, _)| *other < product).is_some() {}
    std::iter::from_fn(|| rows.next_if(|(other, _)| *other == product).map(|(_, row)| row)).collect()
}

async fn products_within(db: &mut PgConnection, ids: &RangeInclusive<i64>) -> sqlx::Result<Vec<ProductRow>> {
    sqlx::query_as!(
        ProductRow,
        r#"select id, category_id, name, slug, description, sku, brand, image_url, vendor_id,
                  (price * 100)::bigint as "price!",
                  attributes as "attributes: Json<Box<RawValue>>",
                  is_active, date_added, updated_at,
                  rating::float8 as "rating", review_count as "review_count!", popularity
           from product
           where id between $1 and $2 and deleted_at is null
           order by id"#,
        ids.start(),
        ids.end()
    )
    .fetch_all(db)
    .await
}

async fn variants_within(
    db: &mut PgConnection,
    products: &RangeInclusive<i64>,
) -> sqlx::Result<Vec<(i64, VariantRow)>> {
    let rows = sqlx::query!(
        r#"select product_id, id, variant_name as name, sku, (price * 100)::bigint as "price!", stock,
                  attributes as "attributes: Json<Box<RawValue>>"
           from variant
           where product_id between $1 and $2 and deleted_at is null
           order by product_id, position, id"#,
        products.start(),
        products.end()
    )
    .fetch_all(db)
    .await?;
    let variants = rows.into_iter().map(|row| {
        let (stock, attributes) = (row.stock.into(), row.attributes.0);
        let variant =
            VariantRow { id: row.id, name: row.name, sku: row.sku, price: row.price, stock, attributes };
        (row.product_id, variant)
    });
    Ok(variants.collect())
}

async fn discounts_within(
    db: &mut PgConnection,
    products: &RangeInclusive<i64>,
) -> sqlx::Result<Vec<(i64, Discount)>> {
    let rows = sqlx::query!(
        r#"select product_id as "product_id!", to_jsonb(a) as "discount!: Json<Discount>"
           from automatic_discount a
           where product_id between $1 and $2
           order by product_id, id"#,
        products.start(),
        products.end()
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.product_id, row.discount.0)).collect())
}

fn document(
    product: ProductRow,
    category: Vec<Category>,
    variants: Vec<VariantRow>,
    discounts: &[Discount],
) -> Document {
    let mut offers: Vec<Offer> = variants.iter().map(|v| Offer { price: v.price, stock: v.stock }).collect();
    if offers.is_empty() {
        offers.push(Offer { price: product.price, stock: 0 });
    }
    let stock: i64 = variants.iter().map(|v| v.stock).sum();
    Document {
        id: product.id,
        name: product.name,
        slug: product.slug,
        description: product.description,
        sku: product.sku,
        brand: product.brand.unwrap_or_default(),
        image_url: product.image_url,
        category,
        vendor_id: product.vendor_id,
        price: product.price,
        prices: pricing::steps(&offers, discounts),
        stock,
        in_stock: stock > 0,
        attributes: attributes::from_json(&product.attributes.0),
        is_active: product.is_active,
        date_added: micros(product.date_added),
        updated_at: micros(product.updated_at),
        rating: product.rating,
        review_count: product.review_count,
        popularity: product.popularity,
        variants: variants.into_iter().map(variant).collect(),
    }
}

fn variant(row: VariantRow) -> Variant {
    Variant { id: row.id, name: row.name, sku: row.sku, attributes: attributes::from_json(&row.attributes) }
}
