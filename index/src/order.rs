//! The order of one segment's documents: the keys of a query's sort, as numbers.
//!
//! Within a segment every key is a column of numbers. Between segments only names are not: their ordinals mean
//! nothing elsewhere, so they meet by their collation keys.

use std::{cmp::Ordering, ops::RangeInclusive};

use tantivy::{f64_to_u64, i64_to_u64};

use crate::{
    compile::Matches,
    cursor::{Cursor, Place},
    generation::Segment,
    query::{Query, SortField},
    ranks::Sorted,
    segment::{UNRATED, Values},
};

/// A hit before its document is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) segment: u32,
    pub(crate) doc: u32,
    /// Its first sort key: nearly every comparison ends here.
    pub(crate) key: u64,
}

/// The order of one segment's documents: keys, of which the last is the id.
pub(crate) struct Order<'a> {
    keys: Vec<Key<'a>>,
    /// All documents of the segment, or all that match, by the first key and then by id; none by score.
    pub(crate) sorted: Option<&'a [u32]>,
    /// Whether those match, all of them.
    pub(crate) is_matching: bool,
    /// What that is by; nothing where it is by id alone.
    by: Option<Sorted>,
    pub(crate) segment: &'a Segment,
    ids: &'a [i64],
}

/// A cursor's place in the order of one segment, as numbers to compare with [`Key::placed`].
pub(crate) struct Behind(Vec<u64>);

#[derive(Clone, Copy)]
struct Key<'a> {
    column: Column<'a>,
    descending: bool,
}

#[derive(Clone, Copy)]
enum Column<'a> {
    Score(&'a [f32]),
    Number(&'a [i64]),
    Rating(&'a [f64]),
    /// Collation keys, and by document the ordinal of its own.
    Name(&'a Values, &'a [u32]),
}

impl Key<'_> {
    /// The key of a document, as a number whose plain order is the order asked for.
    #[inline]
    fn of(&self, doc: u32) -> u64 {
        let doc = doc as usize;
        let key = match self.column {
            // Scores are never negative, and their plain order is best first.
            Column::Score(scores) => u64::from(!scores[doc].to_bits()),
            Column::Number(numbers) => i64_to_u64(numbers[doc]),
            Column::Rating(ratings) if ratings[doc] <= UNRATED => return u64::MAX,
            Column::Rating(ratings) => f64_to_u64(ratings[doc]),
            Column::Name(_, ords) => u64::from(ords[doc]),
        };
        if self.descending { !key } else { key }
    }

    /// A place as a number to compare with those of this segment's documents.
    fn place(&self, place: &Place) -> u64 {
        match (place, self.column) {
            (Place::Number(number), _) => *number,
            (Place::Name(name), Column::Name(names, _)) => {
                // A name that no document here has stands before the first larger one: with ordinals doubled there
                // is room between two.
                let (ord, found) = names.locate(name);
                let ord = 2 * u64::from(ord) + u64::from(found);
                if self.descending { !ord } else { ord }
            }
            // Of another order; the caller has been promised nothing.
            (Place::Name(_), _) => 0,
        }
    }

    /// The key of a document as [`Key::place`] has them.
    fn placed(&self, doc: u32) -> u64 {
        match self.column {
            Column::Name(_, ords) => {
                let ord = 2 * u64::from(ords[doc as usize]) + 1;
                if self.descending { !ord } else { ord }
            }
            _ => self.of(doc),
        }
    }
}

impl Behind {
    pub(crate) fn is_behind(&self, order: &Order<'_>, doc: u32) -> bool {
        for (key, place) in order.keys.iter().zip(&self.0) {
            let key = key.placed(doc);
            if key != *place {
                return key > *place;
            }
        }
        order.keys.len() > self.0.len()
    }
}

impl<'a> Order<'a> {
    pub(crate) fn new(query: &Query, segment: &'a Segment, matches: &'a Matches<'_>) -> Self {
        let view = segment.view.as_ref();
        let mut keys: Vec<Key<'a>> = Vec::with_capacity(query.sort.len() + 1);
        let (mut sorted, mut by, mut is_matching) = (Some(view.by_id.as_slice()), None, false);
        for (position, key) in query.sort.iter().enumerate() {
            let (column, permutation) = match key.field {
                // Without a text all are equally relevant.
                SortField::Relevance if matches.scores().is_empty() => continue,
                // A key that came before leaves nothing to decide.
                field if query.sort[..position].iter().any(|before| before.field == field) => continue,
                SortField::Relevance => (Column::Score(matches.scores()), None),
                SortField::Price => (Column::Number(&matches.prices.prices), Some(&matches.prices.order)),
                SortField::Name => (Column::Name(&view.names, &view.name_ords), Some(&view.by_name)),
                SortField::DateAdded => (Column::Number(&view.dates), Some(&view.by_date)),
                SortField::Rating => (Column::Rating(&view.ratings), Some(&view.by_rating)),
                SortField::Popularity => (Column::Number(&view.popularity), Some(&view.by_popularity)),
            };
            if keys.is_empty() {
                sorted = permutation.map(|permutation| permutation.by(key.descending));
                by = Some((key.field, key.descending, matches.prices.interval()));
                // What matches alone, where it has been sorted by the way.
                if let Some(matching) = matches.all.sorted() {
                    (sorted, by, is_matching) = (Some(matching), None, true);
                }
            }
            keys.push(Key { column, descending: key.descending });
        }
        keys.push(Key { column: Column::Number(&view.ids), descending: false });
        Self { keys, sorted, is_matching, by, segment, ids: &view.ids }
    }

    /// What the sorted documents are sorted by; nothing where that is the id.
    pub(crate) fn key_of_sorted(&self) -> Option<Sorted> {
        self.by
    }

    /// Whether [`Order::sorted`] is this very order: where there is a second key, it only begins so.
    pub(crate) fn is_sorted(&self) -> bool {
        self.keys.len() <= 2
    }

    /// How many keys there are, the id included.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Whether keys of different segments can be compared: ordinals of names cannot.
    pub(crate) fn is_comparable(&self, key: usize) -> bool {
        !matches!(self.keys[key].column, Column::Name(..))
    }

    /// A document's key, as a number whose plain order is the order asked for.
    #[inline]
    pub(crate) fn key(&self, key: usize, doc: u32) -> u64 {
        self.keys[key].of(doc)
    }

    /// A document as a candidate.
    #[inline]
    pub(crate) fn candidate(&self, segment: u32, doc: u32) -> Candidate {
        Candidate { segment, doc, key: self.keys[0].of(doc) }
    }

    /// A cursor's place, in this segment's terms.
    pub(crate) fn behind(&self, after: &Cursor) -> Behind {
        let id = Place::Number(i64_to_u64(after.id));
        let places = self.keys.iter().zip(after.keys.iter().chain([&id]));
        Behind(places.map(|(key, place)| key.place(place)).collect())
    }

    /// Where in [`Order::sorted`] the first document stands that costs no less, or no more, than what is in a range,
    /// whichever comes first; 0 where they are not sorted by price.
    pub(crate) fn first_priced(&self, range: &RangeInclusive<i64>) -> usize {
        let Some((SortField::Price, descending, _)) = self.by else { return 0 };
        let bound = if descending { *range.end() } else { *range.start() };
        if [i64::MIN, i64::MAX].contains(&bound) {
            return 0;
        }
        let bound = if descending { !i64_to_u64(bound) } else { i64_to_u64(bound) };
        self.sorted.map_or(0, |sorted| sorted.partition_point(|&doc| self.keys[0].of(doc) < bound))
    }

    /// Where in `sorted` the first document stands that can be behind a place.
    pub(crate) fn start(&self, sorted: &[u32], behind: &Behind) -> usize {
        if self.is_sorted() {
            return sorted.partition_point(|&doc| !behind.is_behind(self, doc));
        }
        sorted.partition_point(|&doc| behind.0.first().is_some_and(|first| self.keys[0].placed(doc) < *first))
    }

    /// The place of a document: its keys but for the last one, and that, which is the id.
    pub(crate) fn places(&self, doc: u32) -> (Vec<Place>, i64) {
        let keys = &self.keys[..self.keys.len() - 1];
        let place = |key: &Key<'_>| match key.column {
            Column::Name(names, ords) => Place::Name(names.get(ords[doc as usize]).to_vec()),
            _ => Place::Number(key.of(doc)),
        };
        (keys.iter().map(place).collect(), self.ids[doc as usize])
    }

    /// Compares two candidates of this segment.
    pub(crate) fn compare(&self, one: &Candidate, other: &Candidate) -> Ordering {
        one.key.cmp(&other.key).then_with(|| {
            let mut orderings = self.keys[1..].iter().map(|key| key.of(one.doc).cmp(&key.of(other.doc)));
            orderings.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        })
    }
}

/// Compares two candidates of any segments.
pub(crate) fn compare(orders: &[Order<'_>], one: &Candidate, other: &Candidate) -> Ordering {
    if one.segment == other.segment {
        return orders[one.segment as usize].compare(one, other);
    }
    compare_keys(orders, one, other, usize::MAX)
}

/// Compares two candidates of any segments as [`Order::sorted`] has them: by all keys if that is this very order,
/// and only by the first one otherwise.
pub(crate) fn compare_sorted(orders: &[Order<'_>], one: &Candidate, other: &Candidate) -> Ordering {
    let keys = if orders[one.segment as usize].is_sorted() { usize::MAX } else { 1 };
    compare_keys(orders, one, other, keys)
}

fn compare_keys(orders: &[Order<'_>], one: &Candidate, other: &Candidate, keys: usize) -> Ordering {
    // Nearly every comparison ends here.
    if one.key != other.key && orders[one.segment as usize].is_comparable(0) {
        return one.key.cmp(&other.key);
    }
    let (left, right) = (&orders[one.segment as usize], &orders[other.segment as usize]);
    let mut keys = left.keys.iter().zip(&right.keys).take(keys);
    keys.find_map(|(left, right)| {
        let ordering = match (left.column, right.column) {
            // Ordinals only mean something within their segment.
            (Column::Name(left_names, left_ords), Column::Name(right_names, right_ords)) => {
                let ordering = left_names
                    .get(left_ords[one.doc as usize])
                    .cmp(right_names.get(right_ords[other.doc as usize]));
                if left.descending { ordering.reverse() } else { ordering }
            }
            _ => left.of(one.doc).cmp(&right.of(other.doc)),
        };
        ordering.is_ne().then_some(ordering)
    })
    .unwrap_or(Ordering::Equal)
}
