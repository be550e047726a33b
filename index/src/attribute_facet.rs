//! Counting the values of one attribute.
//!
//! A catalog has thousands of attribute names and hundreds of values a product: no column for each. The values
//! of one name are neighbours in the term dictionary, so they are read from there, and each one's postings are
//! counted against the matches, the commonest first. A value cannot be counted more often than it occurs, so the
//! long tail of rare values is never walked once a hundred better ones are known.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use crate::{
    compile::Matches,
    error::Error,
    facets::{MAX_VALUES, most_frequent},
    generation::Generation,
    hits::ValueCount,
    postings::{self, Counted, Found},
    query::Facet,
    schema::attribute_term,
};

/// How often a value can be counted at most. The largest is the commonest value, and the first of equals.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    /// Documents that have it, whether they match or not, deleted ones included.
    documents: u64,
    /// Its place among the values that occur.
    place: Reverse<usize>,
}

/// The values of an attribute, in order: all texts and all terms in one piece each, and every value's spans.
#[derive(Default)]
struct Occurring {
    texts: Vec<u8>,
    found: Vec<Found>,
    spans: Vec<(Range<usize>, Range<usize>)>,
}

/// Counts the values of an attribute among the matches.
pub(crate) fn count(
    name: &str,
    generation: &Generation,
    matches: &[Matches<'_>],
    selected: &[String],
) -> Result<Vec<ValueCount>, Error> {
    let facet = Facet::Attribute(name.to_owned());
    let sets: Vec<_> = matches.iter().map(|matches| matches.counted_by(&facet)).collect();
    let sets: Vec<Counted<'_>> = sets.iter().map(|set| Counted::from(&**set)).collect();
    let indexes = generation.indexes(generation.fields.attribute, |ordinal| !sets[ordinal].is_empty())?;
    let mut values = Occurring::default();
    let mut bounds = Vec::new();
    postings::for_each_term(&indexes, attribute_term(name, "").as_bytes(), |value, found| {
        let documents = found.iter().map(|(_, term)| u64::from(term.doc_freq)).sum();
        bounds.push(Bound { documents, place: Reverse(values.spans.len()) });
        values.push(value, found);
    })?;
    // A heap, since only its top is wanted: sorting fifty thousand values would take longer than counting.
    let mut bounds = BinaryHeap::from(bounds);
    let mut counts = Vec::new();
    let mut best: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(MAX_VALUES + 1);
    while let Some(Bound { documents, place: Reverse(place) }) = bounds.pop() {
        let (text, found) = values.get(place);
        if best.len() == MAX_VALUES && best.peek().is_some_and(|Reverse(worst)| documents < *worst) {
            if selected.is_empty() {
                break;
            }
            if !selected.iter().any(|value| value.as_bytes() == text) {
                continue;
            }
        }
        let mut count = 0;
        for (ordinal, term) in found {
            let index = generation.index(*ordinal, generation.fields.attribute)?;
            count += postings::count_in(&index, term, &sets[*ordinal])?;
        }
        if count > 0 {
            counts.push(ValueCount { value: String::from_utf8_lossy(text).into_owned(), count });
            best.push(Reverse(count));
            if best.len() > MAX_VALUES {
                best.pop();
            }
        }
    }
    Ok(most_frequent(counts, selected))
}

impl Occurring {
    fn push(&mut self, text: &[u8], found: &[Found]) {
        let (text_start, found_start) = (self.texts.len(), self.found.len());
        self.texts.extend_from_slice(text);
        self.found.extend_from_slice(found);
        self.spans.push((text_start..self.texts.len(), found_start..self.found.len()));
    }

    fn get(&self, place: usize) -> (&[u8], &[Found]) {
        let (text, found) = &self.spans[place];
        (&self.texts[text.clone()], &self.found[found.clone()])
    }
}
