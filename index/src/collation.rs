//! How names sort: the way people expect, whatever their bytes.
//!
//! The Unicode Collation Algorithm with its root order, as ICU4X has it, to the second level: case never
//! matters, accents decide only between names that are otherwise equal, and runs of digits count as numbers.

use icu_collator::{
    Collator, CollatorBorrowed, CollatorPreferences,
    options::{CollatorOptions, Strength},
    preferences::CollationNumericOrdering,
};

use crate::error::Error;

/// Keys are cut here. Names that share so much sort as equal, then by id.
const MAX_KEY_BYTES: usize = 1024;

/// Turns names into keys whose bytes sort as the names should.
#[derive(Debug)]
pub(crate) struct Collation(CollatorBorrowed<'static>);

impl Collation {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut preferences = CollatorPreferences::default();
        preferences.numeric_ordering = Some(CollationNumericOrdering::True);
        let mut options = CollatorOptions::default();
        options.strength = Some(Strength::Secondary);
        let collator =
            Collator::try_new(preferences, options).map_err(|error| Error::Collation(error.to_string()))?;
        Ok(Self(collator))
    }

    /// The key of a name.
    pub(crate) fn key(&self, name: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(name.len() + 8);
        let Ok(()) = self.0.write_sort_key_to(name, &mut key);
        key.truncate(MAX_KEY_BYTES);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_expect() {
        let collation = Collation::new().unwrap();
        let sorted = [
            "",
            "2 Items",
            "10 Items",
            "Äpfel",
            "apple",
            "Banana",
            "cote",
            "coté",
            "item 2",
            "Item 10",
            "zebra",
            "Яблоко",
            "水筒",
        ];
        for pair in sorted.windows(2) {
            assert!(collation.key(pair[0]) < collation.key(pair[1]), "{pair:?}");
        }
        assert_eq!(collation.key("ITEM 2"), collation.key("item 2"));
        assert_eq!(collation.key("e\u{301}"), collation.key("é"));
    }

    #[test]
    fn keys_are_bounded() {
        assert!(Collation::new().unwrap().key(&"ab".repeat(50_000)).len() <= MAX_KEY_BYTES);
    }
}
