//! What a product is to its readers, and what may be written of one.

use duka_index::Document;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::variant::model::{MAX_STOCK, NewVariant};
use crate::{
    attributes::{self, Attributes},
    body::{Fields, Form, amount, boolean, id, integer, line, long, url},
    clock::from_micros,
    money::{Amount, Currency},
};

/// Characters of a name. Real catalogs reach 259.
const NAME_LENGTH: usize = 280;

/// A product as lists, searches and the detail show it: one shape, from one document, at one instant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Product {
    id: i64,
    category_id: Option<i64>,
    category: Option<CategoryRef>,
    /// Who sells it; null is the shop itself.
    vendor_id: Option<i64>,
    name: String,
    slug: String,
    description: String,
    /// The list price.
    #[schema(example = "12.50")]
    price: String,
    /// The lowest price over the variants in stock (over all, when none is), automatic discounts applied.
    #[schema(example = "12.50")]
    effective_price: String,
    /// The automatic discount that runs now.
    discount: Option<DiscountRef>,
    /// The sum over its variants.
    stock_quantity: i64,
    in_stock: bool,
    sku: String,
    brand: Option<String>,
    image_url: Option<String>,
    #[schema(value_type = Object)]
    attributes: Attributes,
    is_active: bool,
    #[serde(with = "time::serde::rfc3339")]
    date_added: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// The mean, from 1 to 5; null without ratings.
    rating: Option<f64>,
    review_count: i64,
    variant_count: usize,
}

/// A product's category.
#[derive(Debug, Serialize, ToSchema)]
struct CategoryRef {
    id: i64,
    name: String,
    slug: String,
    /// Names from the root, its own last.
    path: Vec<String>,
}

/// The automatic discount that a product's price has.
#[derive(Debug, Serialize, ToSchema)]
struct DiscountRef {
    id: i64,
    code: String,
    /// `percentage` or `fixed`.
    discount_type: String,
    #[schema(example = "10.00")]
    discount_value: String,
    #[serde(with = "time::serde::rfc3339::option")]
    end_date: Option<OffsetDateTime>,
}

impl Product {
    /// The document as it stands at `at` (microseconds since 1970).
    pub fn new(document: Document, at: i64, currency: Currency) -> Self {
        let money = |hundredths| Amount::from_hundredths(hundredths).display(currency);
        let step = document.price_at(at);
        let effective_price = money(step.effective_price);
        let discount = step.discount.as_ref().map(|discount| DiscountRef {
            id: discount.id,
            code: discount.code.clone(),
            discount_type: discount.discount_type.clone(),
            discount_value: match discount.discount_type.as_str() {
                // Per cent are no money: their decimals are not the currency's.
                "percentage" => Amount::from_hundredths(discount.discount_value).to_string(),
                _ => money(discount.discount_value),
            },
            end_date: discount.end_date.map(from_micros),
        });
        let path = document.category.iter().map(|category| category.name.clone()).collect();
        let category = document.category.last().map(|leaf| CategoryRef {
            id: leaf.id,
            name: leaf.name.clone(),
            slug: leaf.slug.clone(),
            path,
        });
        Self {
            id: document.id,
            category_id: category.as_ref().map(|category| category.id),
            category,
            vendor_id: document.vendor_id,
            name: document.name,
            slug: document.slug,
            description: document.description,
            price: money(document.price),
            effective_price,
            discount,
            stock_quantity: document.stock,
            in_stock: document.in_stock,
            sku: document.sku,
            brand: Some(document.brand).filter(|brand| !brand.is_empty()),
            image_url: document.image_url,
            attributes: document.attributes,
            is_active: document.is_active,
            date_added: from_micros(document.date_added),
            updated_at: from_micros(document.updated_at),
            rating: document.rating,
            review_count: document.review_count,
            variant_count: document.variants.len(),
        }
    }
}

/// A product to be made.
#[derive(Debug)]
pub struct NewProduct {
    /// Its category.
    pub category_id: i64,
    /// 1–280 characters.
    pub name: String,
    /// The list price.
    pub price: Amount,
    /// Unique among live products.
    pub sku: String,
    /// May be empty.
    pub description: String,
    /// What sells it.
    pub brand: Option<String>,
    /// An image's address.
    pub image_url: Option<String>,
    /// Its own attributes.
    pub attributes: Attributes,
    /// Whether everybody sees it.
    pub is_active: bool,
    /// Never empty.
    pub variants: Vec<NewVariant>,
}

impl Form for NewProduct {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        let category_id = fields.required("category_id", id);
        let name = fields.required("name", line(1..=NAME_LENGTH));
        let price = fields.required("price", amount(currency));
        let sku = fields.required("sku", line(1..=64));
        let stock = fields.optional("stock_quantity", integer(0..=MAX_STOCK));
        let variants = fields.forms::<NewVariant>("variants", 100).filter(|variants| !variants.is_empty());
        if let (Some(variants), Some(stock)) = (&variants, stock)
            && !fields.is_at_fault("variants")
            && variants.iter().map(|v| v.stock).sum::<i64>() != stock
        {
            fields.fault(
                "stock_quantity",
                "contradiction",
                "must be the sum of the variants' stock, or absent",
            );
        }
        for (position, variant) in variants.iter().flatten().enumerate() {
            // One that has a fault already is empty here.
            let mut before = variants.iter().flatten().take(position);
            if !variant.sku.is_empty() && before.any(|other| other.sku == variant.sku) {
                let position = position.to_string();
                fields.fault_at(
                    &["variants", &position, "sku"],
                    "repeated",
                    "is another variant's in this list",
                );
            }
        }
        let variants = variants.unwrap_or_else(|| vec![default_variant(&sku, price, stock.unwrap_or(0))]);
        Self {
            category_id,
            name,
            price,
            sku,
            description: fields.optional("description", long(20_000)).unwrap_or_default(),
            brand: fields.nullable("brand", line(0..=120)).flatten().filter(|brand| !brand.is_empty()),
            image_url: fields.nullable("image_url", url).flatten(),
            attributes: attributes::read(fields, "attributes").unwrap_or_default(),
            is_active: fields.optional("is_active", boolean).unwrap_or(true),
            variants,
        }
    }
}

/// The variant of a product that has no others.
pub fn default_variant(sku: &str, price: Amount, stock: i64) -> NewVariant {
    NewVariant {
        variant_name: "Default".to_owned(),
        sku: sku.to_owned(),
        price: Some(price),
        stock,
        image_url: None,
        attributes: Attributes::new(),
    }
}

/// What changes of a product; `None` stays as it is.
#[derive(Debug)]
pub struct ProductChanges {
    /// See [`NewProduct`].
    pub category_id: Option<i64>,
    /// See [`NewProduct`].
    pub name: Option<String>,
    /// See [`NewProduct`]; the default variant's too.
    pub price: Option<Amount>,
    /// See [`NewProduct`]; the default variant's too.
    pub sku: Option<String>,
    /// See [`NewProduct`].
    pub description: Option<String>,
    /// The default variant's stock; refused where a product has others.
    pub stock_quantity: Option<i64>,
    /// `Some(None)` takes it away.
    pub brand: Option<Option<String>>,
    /// `Some(None)` takes it away.
    pub image_url: Option<Option<String>>,
    /// All of them: the ones not named go.
    pub attributes: Option<Attributes>,
    /// See [`NewProduct`].
    pub is_active: Option<bool>,
}

impl Form for ProductChanges {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        if fields.take("variants").is_some() {
            fields.fault("variants", "unknown", "is written at /api/variant/, one by one");
        }
        Self {
            category_id: fields.optional("category_id", id),
            name: fields.optional("name", line(1..=NAME_LENGTH)),
            price: fields.optional("price", amount(currency)),
            sku: fields.optional("sku", line(1..=64)),
            description: fields.optional("description", long(20_000)),
            stock_quantity: fields.optional("stock_quantity", integer(0..=MAX_STOCK)),
            brand: fields.nullable("brand", line(0..=120)).map(|b| b.filter(|brand| !brand.is_empty())),
            image_url: fields.nullable("image_url", url),
            attributes: attributes::read(fields, "attributes"),
            is_active: fields.optional("is_active", boolean),
        }
    }
}
