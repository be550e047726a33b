//! The words of a small segment, in memory.
//!
//! A commit brings a small segment, in which every word of every text has to be looked for anew: in some eight
//! dictionaries, in half a dozen forms, of which nearly all are not there. Finding that out in one sorted list takes a
//! tenth of it. It is made by whoever commits or opens the index, and never changes.

use std::sync::Arc;

use tantivy::index::InvertedIndexReader;

use crate::error::Error;

/// Documents of a segment whose words are listed, at most: those that come and go with commits.
pub(crate) const MOST_DOCUMENTS: u32 = 2_048;
/// And how many there are of them: some megabytes.
const MOST_TERMS: usize = 200_000;

/// All terms of all texts of a segment, marked ones included.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// In the order of bytes, each once.
    terms: Box<[Box<str>]>,
}

impl Vocabulary {
    /// Of the segment's dictionaries; none where they hold too much.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn read(indexes: &[Arc<InvertedIndexReader>]) -> Result<Option<Self>, Error> {
        let mut terms: Vec<Box<str>> = Vec::new();
        for index in indexes {
            let mut stream = index.terms().stream()?;
            while stream.advance() {
                let term = str::from_utf8(stream.key()).map_err(|error| Error::Corrupt(error.to_string()))?;
                if terms.len() == MOST_TERMS {
                    return Ok(None);
                }
                terms.push(term.into());
            }
        }
        terms.sort_unstable();
        terms.dedup();
        Ok(Some(Self { terms: terms.into() }))
    }

    /// Whether any text has the term.
    pub(crate) fn has(&self, term: &str) -> bool {
        self.terms.binary_search_by(|known| (**known).cmp(term)).is_ok()
    }

    /// The terms that begin so, in order, itself included.
    pub(crate) fn beginning<'v>(&'v self, prefix: &'v str) -> impl Iterator<Item = &'v str> {
        let first = self.terms.partition_point(|known| **known < *prefix);
        self.terms[first..].iter().map(|term| &**term).take_while(move |term| term.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_a_whole_and_by_their_beginning() {
        let vocabulary = Vocabulary { terms: ["a", "kettle", "kettles", "kex"].map(Box::from).into() };
        assert_eq!(["kettle", "kett", "", "z"].map(|term| vocabulary.has(term)), [true, false, false, false]);
        let beginning = |prefix| vocabulary.beginning(prefix).collect::<Vec<_>>();
        assert_eq!(beginning("kettle"), ["kettle", "kettles"]);
        assert_eq!(beginning("ke").len(), 3);
        assert!(beginning("kf").is_empty() && beginning("zz").is_empty());
    }
}
