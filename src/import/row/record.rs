//! A row as a record of CSV, safe to open in a spreadsheet.
//!
//! A spreadsheet takes a cell that begins with certain characters for a formula, and formulas can send a sheet's
//! contents away. Such a cell is written with an apostrophe before it ([`guarded`]), and read without
//! ([`without_guard`]). A cell that has apostrophes before such a character of its own gets one more, so that every
//! cell is read back as it was.

use std::borrow::Cow;

use time::format_description::well_known::Rfc3339;

use super::{FIELDS, Row, cells::PATH_SEPARATOR};
use crate::money::Currency;

/// What a formula can begin with, as OWASP lists it; the last four are the full-width forms of the first four.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
const GUARD: char = '\'';

/// A row as a record of CSV with its line break (RFC 4180), or the header row: [`from_csv`](super::from_csv) reads an equal
/// row back. `currency` says how many decimals prices are written with.
pub fn to_csv(row: Option<&Row>, currency: Currency) -> Vec<u8> {
    let mut format = csv::WriterBuilder::new();
    format.terminator(csv::Terminator::CRLF).buffer_capacity(1024);
    let mut writer = format.from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = match row {
        None => writer.write_record(columns()),
        Some(row) => writer.write_record(row.cells(currency).iter().map(|cell| guarded(cell).into_owned())),
    };
    writer.into_inner().unwrap_or_default()
}

/// Every field but the other name of the first.
fn columns() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter().filter(|field| *field != "external_id")
}

fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches(GUARD).starts_with(FORMULA)
}

fn guarded(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { format!("{GUARD}{cell}").into() } else { cell.into() }
}

/// The cell as it was before it was guarded.
pub(super) fn without_guard(cell: &str) -> &str {
    cell.strip_prefix(GUARD).filter(|_| is_formula(cell)).unwrap_or(cell)
}

impl Row {
    /// In the order of [`columns`]; what is absent is empty.
    fn cells(&self, currency: Currency) -> [String; FIELDS.len() - 1] {
        // Maps of texts and lists of them cannot fail to be written.
        let json = |value| serde_json::to_string(&value).unwrap_or_default();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        [
            self.sku.clone(),
            self.name.clone(),
            self.price.display(currency),
            text(&self.description),
            text(&self.brand),
            self.category_path.as_deref().map(path).unwrap_or_default(),
            text(&self.image_url),
            self.stock.map(|stock| stock.to_string()).unwrap_or_default(),
            self.is_active.map(|active| active.to_string()).unwrap_or_default(),
            self.attributes.as_ref().map(json).unwrap_or_default(),
            self.variant_lines(currency)
                .map(|variants| serde_json::to_string(&variants).unwrap_or_default())
                .unwrap_or_default(),
            self.rating.map(|mean| mean.normalize().to_string()).unwrap_or_default(),
            self.rating_count.map(|count| count.to_string()).unwrap_or_default(),
            self.popularity.map(|number| number.to_string()).unwrap_or_default(),
            self.date_added.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default(),
        ]
    }
}

/// A category's path as a text; where its names could be read otherwise, as JSON.
fn path(names: &[String]) -> String {
    let text = names.join(PATH_SEPARATOR);
    if text.starts_with('[') || !text.split(PATH_SEPARATOR).eq(names) {
        return serde_json::to_string(names).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_is_read_back() {
        for cell in
            ["=1+1", "+1", "-1", "@a", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠a", "'=1", "''-1", "="]
        {
            let written = guarded(cell);
            assert!(written.starts_with(GUARD), "{written:?}");
            assert_eq!(without_guard(&written), cell);
        }
        for cell in ["", "'", "'a", "a=1", "1-2", "'a=1", "[1]"] {
            assert_eq!((guarded(cell).as_ref(), without_guard(cell)), (cell, cell));
        }
    }

    #[test]
    fn paths_are_told_apart() {
        for names in [
            &["Home"] as &[&str],
            &["Home", "Kitchen"],
            &["A > B"],
            &["A >", "B"],
            &["A", "> B"],
            &["[\"A\"]"],
            &["[", "]"],
            &["[1]"],
            &["[]"],
            &["=A", "B"],
        ] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let written = path(&names);
            let cell = super::super::cells::Cell::Text(&written);
            assert_eq!(super::super::cells::path(cell), Ok(Some(names)), "{written}");
        }
    }
}
