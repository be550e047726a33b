//! The row of a catalog file: one product, read from a line of NDJSON or a record of CSV, and written back.
//!
//! A row is read whole or refused with *all* its faults at once, so that one look at the report is enough to
//! mend a file. What is absent stays `None`: what that means for a product that already exists is the store's
//! business. Nothing here reads files ([`super::source`] does) or knows the database.
//!
//! Numbers may be written as JSON numbers or as text, and are never taken through a float where they are
//! money: `19.99` is 19.99. An exponent (`1e2`) is refused in a price, a stock or a rating.

mod cells;
mod line;
mod record;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use self::cells::{Cell, Fields};
pub use self::record::to_csv;
use crate::money::{Amount, Currency};

/// Attribute values by name: each a text, a number, a boolean or a list of texts.
pub type Attributes = BTreeMap<String, Value>;

/// The most units of one thing that a row may claim to have in stock.
pub const MAX_STOCK: i32 = 1_000_000_000;

/// One product of a catalog file, checked: every length and range below holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which product it is: `sku`, else `external_id`; 1 to 64 characters.
    pub sku: String,
    /// 1 to 280 characters.
    pub name: String,
    /// Not negative, with no more decimals than the currency has.
    pub price: Amount,
    /// At most 20,000 characters.
    pub description: Option<String>,
    /// At most 120 characters.
    pub brand: Option<String>,
    /// Names from the root: 1 to 32 of 1 to 120 characters.
    pub category_path: Option<Vec<String>>,
    /// `http` or `https`, at most 2,000 characters.
    pub image_url: Option<String>,
    /// 0 to [`MAX_STOCK`].
    pub stock: Option<i32>,
    /// Whether everybody sees it.
    pub is_active: Option<bool>,
    /// At most 250 names of at most 100 characters, texts of at most 8,000; nothing empty. An empty map says
    /// that there are none, `None` says nothing.
    pub attributes: Option<Attributes>,
    /// 1 to 100 variants with distinct SKUs.
    pub variants: Option<Vec<VariantRow>>,
    /// Mean of the ratings of another shop: above 0, at most 5, at most 6 decimals.
    pub rating: Option<Decimal>,
    /// How many ratings that mean is of, at least 1: given exactly when `rating` is.
    pub rating_count: Option<i32>,
    /// Sales or views, whatever the other shop counted; not negative.
    pub popularity: Option<i64>,
    /// When the other shop first had it, in UTC.
    pub date_added: Option<OffsetDateTime>,
}

/// One variant of a [`Row`].
#[derive(Clone, Debug, PartialEq)]
pub struct VariantRow {
    /// 1 to 120 characters.
    pub variant_name: String,
    /// 1 to 64 characters, distinct within the row.
    pub sku: String,
    /// As the row's; `None`: the row's price.
    pub price: Option<Amount>,
    /// As the row's.
    pub stock: Option<i32>,
    /// As the row's.
    pub image_url: Option<String>,
    /// As the row's.
    pub attributes: Option<Attributes>,
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer to the value, such as `/variants/0/price`; empty for the row as a whole. A CSV cell is
    /// named like the JSON field that it stands for.
    pub field: String,
    /// What is wrong, to be read after the field's name: `is required`.
    pub detail: String,
}

impl Fault {
    /// A fault of the row as a whole.
    pub(super) fn of_row(detail: impl Into<String>) -> Self {
        Self { field: String::new(), detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the row" } else { &self.field };
        write!(f, "{field} {}", self.detail)
    }
}

/// A refused row: where it stands and everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Line of the file on which the row starts, from 1.
    pub line: u64,
    /// The row's SKU, where it could be read.
    pub sku: Option<String>,
    /// At least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(sku) = &self.sku {
            write!(f, " ({sku})")?;
        }
        for (i, fault) in self.faults.iter().enumerate() {
            write!(f, "{} {fault}", if i == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl std::error::Error for RowError {}

/// The names that a row may use, which are also the columns that a CSV file may have.
const FIELDS: [&str; 16] = [
    "sku",
    "external_id",
    "name",
    "price",
    "description",
    "brand",
    "category_path",
    "image_url",
    "stock",
    "is_active",
    "attributes",
    "variants",
    "rating",
    "rating_count",
    "popularity",
    "date_added",
];

/// The names that a variant of a row may use.
const VARIANT_FIELDS: [&str; 6] = ["variant_name", "sku", "price", "stock", "image_url", "attributes"];

/// Reads one line of NDJSON.
///
/// # Errors
/// Every fault of the row, at least one. A field that no row has, or that is given twice, is a fault.
pub fn parse_json(line: &str, currency: Currency) -> Result<Row, Vec<Fault>> {
    if !line.trim_start().starts_with('{') {
        let detail = "is not a JSON object; write one product on each line, without a list around them";
        return Err(vec![Fault::of_row(detail)]);
    }
    let entries = cells::entries(line).map_err(|e| vec![Fault::of_row(format!("is not valid JSON: {e}"))])?;
    let cells = entries.into_iter().map(|(name, value)| (name, Cell::Json(value))).collect();
    read_row(Fields::new(String::new(), cells), currency)
}

/// The SKU of a line that [`parse_json`] refuses, where there is one to read.
pub(super) fn sku_of_json(line: &str) -> Option<String> {
    let entries = cells::entries(line).ok()?;
    let named = |name| entries.iter().find(|(key, _)| key == name).map(|(_, value)| Cell::Json(value));
    first_sku([named("sku"), named("external_id")])
}

/// What each column of a CSV file holds, by its header row.
#[derive(Clone, Debug)]
pub struct Columns(Vec<Column>);

#[derive(Clone, Debug)]
enum Column {
    Field(&'static str),
    Attribute(String),
}

/// Why a header row is not one of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A name that is neither a field's nor `attr.NAME`.
    #[error(
        "the header row names `{0}`, which no catalog has: separate the columns by commas and name them {known} \
         or attr.NAME",
        known = FIELDS.join(", ")
    )]
    Unknown(String),
    /// The same name twice.
    #[error("the header row names `{0}` twice; keep one of the columns")]
    Twice(String),
    /// No column for a required field.
    #[error("the header row lacks the column `{0}`; the first line of a CSV file names its columns")]
    Missing(&'static str),
}

impl Columns {
    /// Reads the header row. Upper and lower case are the same in fields' names, not in attributes'.
    ///
    /// # Errors
    /// [`HeaderError`]: the file as a whole cannot be read.
    pub fn read(header: &csv::StringRecord) -> Result<Self, HeaderError> {
        let mut seen = HashSet::new();
        let mut columns = Vec::with_capacity(header.len());
        for cell in header.iter().map(str::trim) {
            let column = match cell.strip_prefix("attr.").filter(|name| !name.trim().is_empty()) {
                Some(name) => Column::Attribute(name.to_owned()),
                None => FIELDS
                    .into_iter()
                    .find(|field| field.eq_ignore_ascii_case(cell))
                    .map(Column::Field)
                    .ok_or_else(|| HeaderError::Unknown(cell.to_owned()))?,
            };
            let name = if let Column::Field(field) = column { field } else { cell };
            if !seen.insert(name.to_owned()) {
                return Err(HeaderError::Twice(name.to_owned()));
            }
            columns.push(column);
        }
        let has = |name: &str| seen.contains(name);
        if !has("sku") && !has("external_id") {
            return Err(HeaderError::Missing("sku"));
        }
        match ["name", "price"].into_iter().find(|name| !has(name)) {
            Some(missing) => Err(HeaderError::Missing(missing)),
            None => Ok(Self(columns)),
        }
    }
}

/// Reads one record of CSV. An empty cell is an absent field; `category_path` is separated by ` > ` or a list in
/// JSON, `attributes` and `variants` are JSON, and a cell under `attr.NAME` is an attribute's text. An apostrophe
/// that keeps a cell from being a formula is not the cell's own.
///
/// # Errors
/// Every fault of the row, at least one.
pub fn from_csv(
    columns: &Columns,
    record: &csv::StringRecord,
    currency: Currency,
) -> Result<Row, Vec<Fault>> {
    if record.len() != columns.0.len() {
        let (cells, wanted) = (record.len(), columns.0.len());
        let detail = format!("has {cells} cells where the header has {wanted}; quote cells that hold commas");
        return Err(vec![Fault::of_row(detail)]);
    }
    let mut fields = Fields::new(String::new(), Vec::with_capacity(record.len()));
    for (column, cell) in columns.0.iter().zip(record) {
        let cell = record::without_guard(cell);
        match column {
            Column::Field(name) => fields.push(name, Cell::Text(cell)),
            Column::Attribute(name) => fields.push_attribute(name, cell),
        }
    }
    read_row(fields, currency)
}

/// The SKU of a record that [`from_csv`] refuses, where there is one to read.
pub(super) fn sku_of_csv(columns: &Columns, record: &csv::StringRecord) -> Option<String> {
    let named = |name| {
        let at =
            columns.0.iter().position(|column| matches!(column, Column::Field(field) if *field == name))?;
        record.get(at).map(record::without_guard).map(Cell::Text)
    };
    first_sku([named("sku"), named("external_id")])
}

fn first_sku(cells: [Option<Cell<'_>>; 2]) -> Option<String> {
    cells.into_iter().flatten().find_map(|cell| cells::code(cell).ok().flatten())
}

fn read_row(mut fields: Fields<'_>, currency: Currency) -> Result<Row, Vec<Fault>> {
    let mut sku = fields.optional("sku", cells::code);
    if sku.is_some() {
        fields.ignore("external_id");
    } else {
        sku = fields.optional("external_id", cells::code);
    }
    if sku.is_none() && !fields.is_faulty() {
        fields.fault("sku", "is required, or `external_id` in its place");
    }
    let name = fields.required("name", |cell| cells::line(cell, 280));
    let price = fields.required("price", |cell| cells::amount(cell, currency));
    let (rating, rating_count) = read_rating(&mut fields);
    let row = Row {
        sku: sku.unwrap_or_default(),
        name: name.unwrap_or_default(),
        price: price.unwrap_or_default(),
        description: fields.optional("description", |cell| cells::long(cell, 20_000)),
        brand: fields.optional("brand", |cell| cells::line(cell, 120)),
        category_path: fields.optional("category_path", cells::path),
        image_url: fields.optional("image_url", cells::url),
        stock: fields.optional("stock", cells::count),
        is_active: fields.optional("is_active", cells::boolean),
        attributes: fields.attributes("attributes"),
        variants: read_variants(&mut fields, currency),
        rating,
        rating_count,
        popularity: fields.optional("popularity", |cell| cells::whole(cell, i64::MAX)),
        date_added: fields.optional("date_added", cells::instant),
    };
    fields.finish(&FIELDS)?;
    Ok(row)
}

/// A mean of 0, or of no ratings, is none; a count alone says nothing.
fn read_rating(fields: &mut Fields<'_>) -> (Option<Decimal>, Option<i32>) {
    let rating = fields.optional("rating", cells::rating).filter(|mean| !mean.is_zero());
    let count = fields.optional("rating_count", cells::count);
    match (rating, count) {
        (None, _) | (_, Some(0)) => (None, None),
        (Some(mean), count) => (Some(mean), count.or(Some(1))),
    }
}

fn read_variants(fields: &mut Fields<'_>, currency: Currency) -> Option<Vec<VariantRow>> {
    let items = fields.items("variants", 100)?;
    let mut variants: Vec<VariantRow> = Vec::with_capacity(items.len());
    for mut item in items {
        let variant = VariantRow {
            variant_name: item.required("variant_name", |cell| cells::line(cell, 120)).unwrap_or_default(),
            sku: item.required("sku", cells::code).unwrap_or_default(),
            price: item.optional("price", |cell| cells::amount(cell, currency)),
            stock: item.optional("stock", cells::count),
            image_url: item.optional("image_url", cells::url),
            attributes: item.attributes("attributes"),
        };
        let same = variants.iter().position(|other| other.sku == variant.sku && !variant.sku.is_empty());
        if let Some(other) = same {
            item.fault("sku", format!("is also that of /variants/{other}; each variant has its own"));
        }
        variants.push(variant);
        if let Err(faults) = item.finish(&VARIANT_FIELDS) {
            fields.adopt(faults);
        }
    }
    (!variants.is_empty()).then_some(variants)
}

#[cfg(test)]
mod tests;
