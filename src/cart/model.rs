//! What a cart is, what may be done to it, and what it adds up to.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::discount::{Code, Part, Refusal};
use crate::body::{Fields, Form, id, integer, line};

/// The most lines of a cart: a cart is read as a whole.
pub const MOST_LINES: i64 = 100;
/// The most pieces of a line.
pub const MOST_PIECES: i64 = 10_000;

/// What a shopper should know before going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// It costs something else than when it was put in.
    PriceChanged,
    /// None is left, or it is no longer on offer.
    OutOfStock,
    /// Some are left, but fewer than the line asks for: an order needs a lower quantity.
    QuantityReduced,
    /// The code on the cart takes nothing off it as it is now.
    DiscountNotApplicable,
}

/// So many of a variant. Money is in hundredths.
#[derive(Clone, Debug)]
pub struct Line {
    /// The row's id.
    pub id: i64,
    /// What is bought.
    pub variant_id: i64,
    /// What it is a variant of.
    pub product_id: i64,
    /// Whose product it is; `None` is the shop's own.
    pub vendor_id: Option<i64>,
    /// The product's name.
    pub product_name: String,
    /// The variant's name.
    pub variant_name: String,
    /// The variant's SKU.
    pub sku: String,
    /// The variant's image, else the product's.
    pub image_url: Option<String>,
    /// How many.
    pub quantity: i32,
    /// What one cost when it was put in.
    pub price: i64,
    /// What one costs now.
    pub current_price: i64,
    /// Pieces that nobody holds; 0 when it is no longer on offer.
    pub available: i32,
}

impl Line {
    /// What the line costs now.
    pub fn subtotal(&self) -> i64 {
        self.current_price.saturating_mul(self.quantity.into())
    }

    /// Whether an order could not have all of it.
    pub fn is_short(&self) -> bool {
        self.available < self.quantity
    }

    /// What to know of it.
    pub fn warnings(&self) -> Vec<Warning> {
        let stock = match self.available {
            available if available >= self.quantity => None,
            0 => Some(Warning::OutOfStock),
            _ => Some(Warning::QuantityReduced),
        };
        let price = (self.price != self.current_price).then_some(Warning::PriceChanged);
        price.into_iter().chain(stock).collect()
    }
}

/// The row of a cart.
#[derive(Clone, Debug)]
pub struct Head {
    /// The row's id.
    pub id: i64,
    /// The discount whose code is on it.
    pub discount_id: Option<i64>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// A code on a cart.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The discount.
    pub id: i64,
    /// Its code.
    pub code: String,
    /// What it takes off each line, or why it does not.
    pub shares: Result<Vec<i64>, Refusal>,
}

/// A cart as it is priced at an instant.
#[derive(Clone, Debug)]
pub struct Cart {
    /// Its row.
    pub head: Head,
    /// In the order in which they were put in.
    pub lines: Vec<Line>,
    /// The code on it.
    pub discount: Option<Applied>,
}

impl Cart {
    /// Prices the code on the lines at an instant.
    pub fn new(head: Head, lines: Vec<Line>, code: Option<Code>, at: i64) -> Self {
        let parts: Vec<Part> = lines
            .iter()
            .map(|line| Part { product_id: line.product_id, subtotal: line.subtotal() })
            .collect();
        let discount = code.map(|code| {
            let shares = code.shares(&parts, at);
            Applied { id: code.terms.id, code: code.terms.code, shares }
        });
        Self { head, lines, discount }
    }

    /// What the lines cost together.
    pub fn subtotal(&self) -> i64 {
        self.lines.iter().fold(0, |sum, line| sum.saturating_add(line.subtotal()))
    }

    /// What the code takes off each line.
    pub fn shares(&self) -> Vec<i64> {
        let applied = self.discount.as_ref().and_then(|discount| discount.shares.clone().ok());
        applied.unwrap_or_else(|| vec![0; self.lines.len()])
    }

    /// What the code takes off.
    pub fn discount_total(&self) -> i64 {
        self.shares().iter().sum()
    }

    /// What is to be paid.
    pub fn total(&self) -> i64 {
        self.subtotal() - self.discount_total()
    }

    /// What to know of it: its lines' warnings, each once, and its own.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = self.lines.iter().flat_map(Line::warnings).collect();
        if self.discount.as_ref().is_some_and(|discount| discount.shares.is_err()) {
            warnings.push(Warning::DiscountNotApplicable);
        }
        warnings.sort_unstable();
        warnings.dedup();
        warnings
    }
}

/// What is to be put in.
#[derive(Debug)]
pub struct Added {
    /// Of this variant.
    pub variant_id: i64,
    /// So many more.
    pub quantity: i32,
}

impl Form for Added {
    fn read(fields: &mut Fields) -> Self {
        Self {
            variant_id: fields.required("variant_id", id),
            quantity: pieces(fields.optional("quantity", integer(1..=MOST_PIECES)).unwrap_or(1)),
        }
    }
}

/// How many a line is to have.
#[derive(Debug)]
pub struct Quantity(pub i32);

impl Form for Quantity {
    fn read(fields: &mut Fields) -> Self {
        Self(pieces(fields.required("quantity", integer(1..=MOST_PIECES))))
    }
}

fn pieces(quantity: i64) -> i32 {
    i32::try_from(quantity).unwrap_or(i32::MAX)
}

/// A code, as somebody typed it.
#[derive(Debug)]
pub struct TypedCode(pub String);

impl Form for TypedCode {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.required("code", line(1..=64)))
    }
}
