//! Rows that are kept: products as lists show them, ready to be sent, whatever they were asked for by.
//!
//! Most of what a search costs that nobody has asked before is reading its two dozen documents and writing them anew;
//! and most searches, however different, show the same few products. A row is known by its document's edition, so
//! nothing is ever invalidated here either.

use std::{fmt, sync::Arc};

use duka_index::{Edition, Found};
use quick_cache::{Weighter, sync::Cache};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Bytes that an entry takes beside its row.
const ENTRY_BYTES: usize = 128;
/// Documents that are read as fast as a page is found.
const FEW: usize = 4;
/// Bytes that most entries take, about: so many are prepared for.
const TYPICAL_BYTES: u64 = 1024;

/// A row as JSON. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadyRow(Arc<RawValue>);

impl ReadyRow {
    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be serialised.
    pub fn new(row: &impl Serialize) -> Result<Self> {
        Ok(Self(serde_json::value::to_raw_value(row).map_err(Error::internal)?.into()))
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.0.get().len()
    }
}

impl Serialize for ReadyRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Keeps rows up to a number of bytes. A page looks two dozen of them up, so what a look-up costs decides (the cache of
/// whole answers tells which were not asked for the longest, at five times the cost).
pub struct Rows(Option<Cache<Edition, ReadyRow, Bytes>>);

/// Weighs rows by what they take.
#[derive(Clone)]
struct Bytes;

impl Weighter<Edition, ReadyRow> for Bytes {
    fn weight(&self, _: &Edition, row: &ReadyRow) -> u64 {
        (row.length() + ENTRY_BYTES) as u64
    }
}

impl Rows {
    /// Room for so many bytes; with none, nothing is kept.
    pub fn new(bytes: u64) -> Self {
        let typical = usize::try_from(bytes / TYPICAL_BYTES).unwrap_or(usize::MAX);
        Self((bytes > 0).then(|| Cache::with_weighter(typical, bytes, Bytes)))
    }

    /// The rows of a page, if all of them are kept.
    pub fn all_of(&self, found: &Found) -> Option<Vec<ReadyRow>> {
        let Some(rows) = &self.0 else { return found.rows.is_empty().then(Vec::new) };
        found.rows.iter().map(|row| rows.get(&row.edition)).collect()
    }

    /// Whether what is missing of a page takes next to nothing to be read: few rows, all of products that have just changed.
    pub fn nearly_all_of(&self, found: &Found) -> bool {
        let Some(rows) = &self.0 else { return false };
        let mut missing = found.rows.iter().filter(|row| !rows.contains_key(&row.edition));
        missing.by_ref().take(FEW).all(|row| found.is_recent(row)) && missing.next().is_none()
    }

    /// The row that is kept, else the one that `make` makes, which is kept then.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_make(&self, edition: Edition, make: impl FnOnce() -> Result<ReadyRow>) -> Result<ReadyRow> {
        let Some(rows) = &self.0 else { return make() };
        if let Some(row) = rows.get(&edition) {
            return Ok(row);
        }
        // Two may make the same one at once: that costs less than waiting for each other.
        let row = make()?;
        rows.insert(edition, row.clone());
        Ok(row)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.0.as_ref().map_or(0, Cache::len);
        f.debug_struct("Rows").field("entries", &entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use duka_index::{Document, Engine, Lexicon, PriceStep, Query};

    use super::*;

    /// An index of one product, whose price changes at 1,000.
    fn shop() -> (tempfile::TempDir, Engine) {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let steps = [(i64::MIN, 500), (1_000, 400)];
        let prices = steps.map(|(from, effective_price)| PriceStep { from, effective_price, discount: None });
        let mut writer = engine.writer(15_000_000).unwrap();
        let document = Document { id: 1, is_active: true, prices: prices.into(), ..Document::default() };
        writer.upsert(&document).unwrap();
        writer.commit("").unwrap();
        (directory, engine)
    }

    fn edition(engine: &Engine, at: i64) -> Edition {
        let query = Query { at, limit: 1, ..Query::default() };
        let found = engine.reader().find(&query, &Lexicon::default()).unwrap();
        found.rows[0].edition
    }

    #[test]
    fn a_row_is_made_once_for_each_price_and_each_version() {
        let (_directory, engine) = shop();
        let rows = Rows::new(1 << 20);
        let made = Cell::new(0);
        let row = |edition| {
            let make = || {
                made.set(made.get() + 1);
                ReadyRow::new(&made.get())
            };
            serde_json::to_string(&rows.get_or_make(edition, make).unwrap()).unwrap()
        };
        assert_eq!([row(edition(&engine, 0)), row(edition(&engine, 999))], ["1", "1"]);
        assert_eq!([row(edition(&engine, 1_000)), row(edition(&engine, 5_000))], ["2", "2"]);
        assert_eq!(row(edition(&engine, 0)), "1", "the earlier price is still there");
        let before = engine.reader();
        let mut writer = engine.writer(15_000_000).unwrap();
        let prices = vec![PriceStep { from: i64::MIN, effective_price: 7, discount: None }];
        writer.upsert(&Document { id: 1, is_active: true, prices, ..Document::default() }).unwrap();
        writer.commit("").unwrap();
        assert_eq!(row(edition(&engine, 0)), "3", "another version of it");
        assert_ne!(engine.reader().generation(), before.generation());
    }

    #[test]
    fn few_rows_that_are_missing_are_nearly_none() {
        let (_directory, engine) = shop();
        let found = |engine: &Engine| {
            engine.reader().find(&Query { limit: 24, ..Query::default() }, &Lexicon::default()).unwrap()
        };
        assert!(
            !Rows::new(0).nearly_all_of(&found(&engine)),
            "where none are kept, all are missing at all times"
        );
        let rows = Rows::new(1 << 20);
        assert!(rows.nearly_all_of(&found(&engine)));
        let mut writer = engine.writer(15_000_000).unwrap();
        let prices = vec![PriceStep { from: i64::MIN, effective_price: 7, discount: None }];
        let document = Document { is_active: true, prices, ..Document::default() };
        (2..=5).for_each(|id| writer.upsert(&Document { id, ..document.clone() }).unwrap());
        writer.commit("").unwrap();
        let five = found(&engine);
        assert_eq!(five.rows.len(), FEW + 1);
        assert!(!rows.nearly_all_of(&five));
        rows.get_or_make(five.rows[2].edition, || ReadyRow::new(&1)).unwrap();
        assert!(rows.nearly_all_of(&five));
    }

    #[test]
    fn nothing_is_kept_without_room_nor_after_an_error() {
        let (_directory, engine) = shop();
        let edition = edition(&engine, 0);
        let refuse = || Err(Error::internal("broken"));
        for rows in [Rows::new(0), Rows::new(1 << 20)] {
            assert!(rows.get_or_make(edition, refuse).is_err());
            assert!(rows.get_or_make(edition, || ReadyRow::new(&1)).is_ok());
        }
        let rows = Rows::new(0);
        assert!(rows.get_or_make(edition, || ReadyRow::new(&1)).is_ok());
        assert!(rows.get_or_make(edition, refuse).is_err(), "it was not kept");
    }
}
