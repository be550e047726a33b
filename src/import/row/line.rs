//! A row as it is written: one line of NDJSON, fields in the order of the contract, absent ones left out.

use serde::Serialize;
use serde_json::value::RawValue;
use time::format_description::well_known::Rfc3339;

use super::{Attributes, Row, VariantRow};
use crate::money::Currency;

impl Row {
    /// The row as one line of NDJSON, without the line break: [`parse_json`](super::parse_json) reads an equal row back.
    /// `currency` says how many decimals prices are written with.
    pub fn to_json(&self, currency: Currency) -> String {
        let line = Line {
            sku: &self.sku,
            name: &self.name,
            price: self.price.display(currency),
            description: self.description.as_deref(),
            brand: self.brand.as_deref(),
            category_path: self.category_path.as_deref(),
            image_url: self.image_url.as_deref(),
            stock: self.stock,
            is_active: self.is_active,
            attributes: self.attributes.as_ref(),
            variants: self.variant_lines(currency),
            rating: self.rating.and_then(|mean| RawValue::from_string(mean.normalize().to_string()).ok()),
            rating_count: self.rating_count,
            popularity: self.popularity,
            date_added: self.date_added.and_then(|at| at.format(&Rfc3339).ok()),
        };
        // Fails only for maps whose keys are not texts, and there are none.
        serde_json::to_string(&line).unwrap_or_default()
    }

    pub(super) fn variant_lines(&self, currency: Currency) -> Option<Vec<VariantLine<'_>>> {
        let variants = self.variants.as_ref()?;
        Some(variants.iter().map(|variant| VariantLine::new(variant, currency)).collect())
    }
}

/// A [`Row`] as it is written: absent fields are left out.
#[derive(Serialize)]
struct Line<'a> {
    sku: &'a str,
    name: &'a str,
    price: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category_path: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variants: Option<Vec<VariantLine<'a>>>,
    /// A JSON number with the decimal's own digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    popularity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_added: Option<String>,
}

/// A [`VariantRow`] as it is written.
#[derive(Serialize)]
pub(super) struct VariantLine<'a> {
    variant_name: &'a str,
    sku: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a Attributes>,
}

impl<'a> VariantLine<'a> {
    fn new(variant: &'a VariantRow, currency: Currency) -> Self {
        Self {
            variant_name: &variant.variant_name,
            sku: &variant.sku,
            price: variant.price.map(|price| price.display(currency)),
            stock: variant.stock,
            image_url: variant.image_url.as_deref(),
            attributes: variant.attributes.as_ref(),
        }
    }
}
