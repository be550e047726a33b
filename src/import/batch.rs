//! A batch of rows as columns, and the order in which they are written.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::PgConnection;

use super::{
    row::{Attributes, Row},
    store::{self, Products, Variants},
};
use crate::{error::Result, money::Amount, text};

/// Stock of a new variant whose row does not say.
const DEFAULT_STOCK: i32 = 100;

#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<(Row, Option<i64>)>,
}

/// What is sold already of what the batch names.
struct Offered {
    /// SKUs that live variants have.
    there: HashSet<String>,
    /// Products with one live variant, and its SKU.
    default: HashMap<i64, String>,
}

impl Batch {
    pub(super) fn push(&mut self, row: Row, category_id: Option<i64>) {
        self.rows.push((row, category_id));
    }

    /// Writes the batch; how many products were made, and how many were there.
    pub(super) async fn write(self, db: &mut PgConnection) -> Result<(u64, u64)> {
        let skus: Vec<String> = self.rows.iter().map(|(row, _)| row.sku.clone()).collect();
        let known = store::known(db, &skus).await?;
        let mut ids: HashMap<String, i64> = known.into_iter().map(|known| (known.sku, known.id)).collect();
        let wanted = self.rows.iter().flat_map(|(row, _)| variant_skus(row)).map(ToOwned::to_owned);
        let there = store::owners(db, &wanted.collect::<Vec<String>>()).await?;
        let default = store::only_variants(db, &ids.values().copied().collect::<Vec<i64>>()).await?;
        let offered = Offered {
            there: there.into_iter().map(|owned| owned.sku).collect(),
            default: default.into_iter().map(|only| (only.product_id, only.sku)).collect(),
        };
        store::plan(db, "auto").await?;
        let (mut fresh, mut there) = (Products::default(), Products::default());
        for (row, category_id) in &self.rows {
            let columns = if ids.contains_key(&row.sku) { &mut there } else { &mut fresh };
            columns.push(row, *category_id);
        }
        let (created, updated) = (fresh.sku.len() as u64, there.sku.len() as u64);
        if updated > 0 {
            store::update_products(db, &there).await?;
        }
        let mut made = HashSet::new();
        if created > 0 {
            for product in store::insert_products(db, &fresh).await? {
                made.insert(product.id);
                ids.insert(product.sku, product.id);
            }
        }
        self.write_variants(db, &ids, &made, &offered).await?;
        Ok((created, updated))
    }

    async fn write_variants(
        &self,
        db: &mut PgConnection,
        ids: &HashMap<String, i64>,
        made: &HashSet<i64>,
        Offered { there, default }: &Offered,
    ) -> Result<()> {
        let (mut fresh, mut known) = (Variants::default(), Variants::default());
        let (mut replaced, mut kept) = (Vec::new(), Vec::new());
        for (row, _) in &self.rows {
            let Some(product_id) = ids.get(&row.sku).copied() else { continue };
            match &row.variants {
                None if made.contains(&product_id) => {
                    fresh.push(product_id, 0, Some("Default"), &row.sku, row.price, row.stock, None, None);
                }
                // As long as its only variant has its SKU, the product's price and stock are that variant's.
                None if default.get(&product_id) == Some(&row.sku) => {
                    known.push(product_id, 0, None, &row.sku, row.price, row.stock, None, None);
                }
                // A product that is sold through variants of its own keeps them.
                None => {}
                Some(variants) => {
                    if !made.contains(&product_id) {
                        replaced.push(product_id);
                    }
                    for (position, variant) in variants.iter().enumerate() {
                        let columns = if there.contains(&variant.sku) { &mut known } else { &mut fresh };
                        let price = variant.price.unwrap_or(row.price);
                        let stock = variant.stock.or(row.stock);
                        let attributes = variant.attributes.as_ref();
                        columns.push(
                            product_id,
                            position,
                            Some(&variant.variant_name),
                            &variant.sku,
                            price,
                            stock,
                            variant.image_url.as_deref(),
                            attributes,
                        );
                        kept.push(variant.sku.clone());
                    }
                }
            }
        }
        if !known.sku.is_empty() {
            store::update_variants(db, &known).await?;
        }
        if !fresh.sku.is_empty() {
            store::insert_variants(db, &fresh, DEFAULT_STOCK).await?;
        }
        if !replaced.is_empty() {
            // After the new ones: a product is never without a variant.
            store::delete_others(db, &replaced, &kept).await?;
        }
        Ok(())
    }
}

/// The SKUs that the row's variants will have: its own where it names none.
pub(super) fn variant_skus(row: &Row) -> impl Iterator<Item = &str> {
    let own = row.variants.is_none().then_some(row.sku.as_str());
    own.into_iter().chain(row.variants.iter().flatten().map(|variant| variant.sku.as_str()))
}

impl Products {
    fn push(&mut self, row: &Row, category_id: Option<i64>) {
        self.sku.push(row.sku.clone());
        self.name.push(row.name.clone());
        self.slug.push(text::slug(&row.name));
        self.price.push(row.price.decimal());
        self.description.push(row.description.clone());
        self.brand.push(row.brand.clone());
        self.category_id.push(category_id);
        self.image_url.push(row.image_url.clone());
        self.is_active.push(row.is_active);
        self.attributes.push(row.attributes.as_ref().map(json));
        self.rating.push(row.rating);
        self.rating_count.push(row.rating_count);
        self.popularity.push(row.popularity);
        self.date_added.push(row.date_added);
    }
}

impl Variants {
    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    fn push(
        &mut self,
        product_id: i64,
        position: usize,
        name: Option<&str>,
        sku: &str,
        price: Amount,
        stock: Option<i32>,
        image_url: Option<&str>,
        attributes: Option<&Attributes>,
    ) {
        self.product_id.push(product_id);
        self.position.push(i32::try_from(position).unwrap_or(i32::MAX));
        self.name.push(name.map(ToOwned::to_owned));
        self.sku.push(sku.to_owned());
        self.price.push(price.decimal());
        self.stock.push(stock);
        self.image_url.push(image_url.map(ToOwned::to_owned));
        self.attributes.push(attributes.map(json));
    }
}

fn json(attributes: &Attributes) -> Value {
    Value::Object(attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}
