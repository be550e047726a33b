//! What a variant is, and what may be written of one.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    attributes::{self, Attributes},
    auth::{Role, Viewer},
    body::{Fields, Form, amount, id, integer, line, url},
    money::Amount,
    page::Place,
    params::{self, Params, QueryForm},
};

/// The most pieces of a variant.
pub const MAX_STOCK: i64 = 1_000_000_000;

/// The most variants of a product: a document holds them all.
pub const MAX_VARIANTS: i64 = 100;

/// A variant.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The row's id.
    pub id: i64,
    /// The product that it is a variant of.
    pub product_id: i64,
    /// Its position among its siblings; ties go by id.
    pub position: i32,
    /// What tells it apart from its siblings.
    pub variant_name: String,
    /// Unique among live variants.
    pub sku: String,
    /// Before automatic discounts.
    pub price: Amount,
    /// What it costs at the instant at which it was read, automatic discounts applied.
    pub effective_price: Amount,
    /// Pieces that nobody holds.
    pub stock: i64,
    /// An image's address.
    pub image_url: Option<String>,
    /// Its own attributes.
    pub attributes: Attributes,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last written, sales included.
    pub updated_at: OffsetDateTime,
}

/// Where a variant stands in the list of all: products by id, each one's variants in their order.
pub type VariantPlace = (i64, i32, i64);

impl Variant {
    /// Where it stands.
    pub fn place(&self) -> VariantPlace {
        (self.product_id, self.position, self.id)
    }
}

/// A variant to be made.
#[derive(Debug)]
pub struct NewVariant {
    /// See [`Variant`].
    pub variant_name: String,
    /// See [`Variant`].
    pub sku: String,
    /// `None`: the product's.
    pub price: Option<Amount>,
    /// See [`Variant`].
    pub stock: i64,
    /// See [`Variant`].
    pub image_url: Option<String>,
    /// See [`Variant`].
    pub attributes: Attributes,
}

impl Form for NewVariant {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        Self {
            variant_name: fields.required("variant_name", line(1..=120)),
            sku: fields.required("sku", line(1..=64)),
            price: fields.optional("price", amount(currency)),
            stock: fields.optional("stock", integer(0..=MAX_STOCK)).unwrap_or(0),
            image_url: fields.nullable("image_url", url).flatten(),
            attributes: attributes::read(fields, "attributes").unwrap_or_default(),
        }
    }
}

/// A variant to be made of a product that is there.
#[derive(Debug)]
pub struct AddedVariant {
    /// The product.
    pub product_id: i64,
    /// The variant.
    pub variant: NewVariant,
}

impl Form for AddedVariant {
    fn read(fields: &mut Fields) -> Self {
        Self { product_id: fields.required("product_id", id), variant: NewVariant::read(fields) }
    }
}

/// What changes of a variant; `None` stays as it is.
#[derive(Debug)]
pub struct VariantChanges {
    /// See [`Variant`].
    pub variant_name: Option<String>,
    /// See [`Variant`].
    pub sku: Option<String>,
    /// See [`Variant`].
    pub price: Option<Amount>,
    /// See [`Variant`].
    pub stock: Option<i64>,
    /// `Some(None)` takes it away.
    pub image_url: Option<Option<String>>,
    /// All of them: the ones not named go.
    pub attributes: Option<Attributes>,
}

impl Form for VariantChanges {
    fn read(fields: &mut Fields) -> Self {
        let currency = fields.currency();
        Self {
            variant_name: fields.optional("variant_name", line(1..=120)),
            sku: fields.optional("sku", line(1..=64)),
            price: fields.optional("price", amount(currency)),
            stock: fields.optional("stock", integer(0..=MAX_STOCK)),
            image_url: fields.nullable("image_url", url),
            attributes: attributes::read(fields, "attributes"),
        }
    }
}

/// Which variants are listed. Serialises as what it filters.
#[derive(Debug, Default, Serialize)]
pub struct VariantFilter {
    /// Of this product.
    pub product_id: Option<i64>,
    /// With this SKU.
    pub sku: Option<String>,
    /// With or without stock.
    pub in_stock: Option<bool>,
    /// Which page of them.
    #[serde(skip)]
    pub place: Place,
}

impl QueryForm for VariantFilter {
    fn read(params: &mut Params) -> Self {
        Self {
            product_id: params.parsed("product_id", params::integer(1, i64::MAX)),
            sku: params.one("sku"),
            in_stock: params.parsed("in_stock", params::boolean),
            place: Place::read(params),
        }
    }
}

/// Whose variants somebody sees: of active products everybody, of the others their vendor and admins.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scope {
    /// Of all products.
    pub all: bool,
    /// Of this vendor's products, too.
    pub vendor_id: Option<i64>,
}

impl Scope {
    /// What the viewer sees.
    pub fn of(viewer: Viewer) -> Self {
        match viewer.user {
            Some((_, Role::Admin)) => Self { all: true, vendor_id: None },
            Some((id, Role::Vendor)) => Self { all: false, vendor_id: Some(id) },
            _ => Self { all: false, vendor_id: None },
        }
    }
}
