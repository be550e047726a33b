//! The words of a small segment, in memory.
//!
//! A commit brings a small segment, in which every word of every text has to be looked for anew: in some eight
//! dictionaries, in half a dozen forms, of which nearly all are not there, and the others in few. A single table says
//! which, and a sorted list which begin so. Both are made by whoever commits or opens the index, and never change.

use std::{collections::HashMap, hash::BuildHasher as _, sync::Arc};

use foldhash::fast::RandomState;
use tantivy::index::InvertedIndexReader;

use crate::{error::Error, schema::TextField};

/// Documents of a segment whose words are listed, at most: those that come and go with commits.
pub(crate) const MOST_DOCUMENTS: u32 = 2_048;
/// And how many there are of them: a dozen megabytes.
const MOST_TERMS: usize = 200_000;

/// All terms of all texts of a segment, marked ones included.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// In the order of bytes, each once, with the texts that have it.
    terms: Box<[(Box<str>, Texts)]>,
    /// By a term's hash, so that one that is not there costs a single look. Terms of one hash share their texts.
    texts: HashMap<u64, Texts, RandomState>,
}

/// Kinds of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Texts(u8);

impl Texts {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u8::MAX);

    pub(crate) const fn of(field: TextField) -> Self {
        Self(1 << field as u8)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn have(self, field: TextField) -> bool {
        self.and(Self::of(field)).0 != 0
    }
}

impl Vocabulary {
    /// Of the segment's dictionaries, in the order of [`TextField::ALL`]; none where they hold too much.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn read(indexes: &[Arc<InvertedIndexReader>]) -> Result<Option<Self>, Error> {
        let mut terms: Vec<(Box<str>, Texts)> = Vec::new();
        for (field, index) in TextField::ALL.into_iter().zip(indexes) {
            let mut stream = index.terms().stream()?;
            while stream.advance() {
                let term = str::from_utf8(stream.key()).map_err(|error| Error::Corrupt(error.to_string()))?;
                if terms.len() == MOST_TERMS {
                    return Ok(None);
                }
                terms.push((term.into(), Texts::of(field)));
            }
        }
        terms.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        terms.dedup_by(|(again, here), (term, texts)| {
            let is_same = again == term;
            if is_same {
                *texts = texts.or(*here);
            }
            is_same
        });
        Ok(Some(Self::new(terms.into())))
    }

    fn new(terms: Box<[(Box<str>, Texts)]>) -> Self {
        let mut texts = HashMap::with_capacity_and_hasher(terms.len(), RandomState::default());
        for (term, having) in &terms {
            let hash = texts.hasher().hash_one(&**term);
            let known = texts.entry(hash).or_insert(Texts::NONE);
            *known = known.or(*having);
        }
        Self { terms, texts }
    }

    /// The texts that may have the term: all that have it.
    pub(crate) fn having(&self, term: &str) -> Texts {
        self.texts.get(&self.texts.hasher().hash_one(term)).copied().unwrap_or(Texts::NONE)
    }

    /// The terms that begin so, in order, itself included, and the texts that have them.
    pub(crate) fn beginning<'v>(&'v self, prefix: &'v str) -> impl Iterator<Item = (&'v str, Texts)> {
        let first = self.terms.partition_point(|(known, _)| **known < *prefix);
        let terms = self.terms[first..].iter().map(|(term, texts)| (&**term, *texts));
        terms.take_while(move |(term, _)| term.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_a_whole_and_by_their_beginning() {
        let (name, sku) = (Texts::of(TextField::Name), Texts::of(TextField::Sku));
        let terms = [("a", name), ("kettle", sku), ("kettles", name), ("kex", name.or(sku))];
        let vocabulary = Vocabulary::new(terms.map(|(term, texts)| (Box::from(term), texts)).into());
        let having = ["kettle", "kett", "", "z"].map(|term| vocabulary.having(term));
        assert_eq!(having, [sku, Texts::NONE, Texts::NONE, Texts::NONE]);
        let beginning = |prefix| vocabulary.beginning(prefix).collect::<Vec<_>>();
        assert_eq!(beginning("kettle"), [("kettle", sku), ("kettles", name)]);
        assert_eq!(beginning("ke").len(), 3);
        assert!(beginning("kf").is_empty() && beginning("zz").is_empty());
    }
}
