//! The order of hits, and the page of it that is asked for.
//!
//! Within a segment every sort key is a column of numbers, and one pass over the matches keeps the best ones in
//! a buffer twice the page's end, cut in half when it is full: never a full sort, whatever the depth. Then the
//! segments' candidates meet, names by their collation keys, and only the page itself is sorted.

use std::cmp::Ordering;

use tantivy::{f64_to_u64, i64_to_u64};

use crate::{
    compile::Matches,
    cursor::{Cursor, Place, Reading},
    generation::Segment,
    query::{Query, SortField},
    segment::{SegmentView, UNRATED, Values},
};

/// A hit before its document is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) segment: u32,
    pub(crate) doc: u32,
    /// Its first sort key: nearly every comparison ends here.
    key: u64,
}

/// From which place on a page lies so deep that keeping all before it costs more than looking twice.
const DEEP: usize = 2_000;

/// A page of hits.
pub(crate) struct Page<'a> {
    /// In order.
    pub(crate) candidates: Vec<Candidate>,
    /// Whether there are more behind it.
    more: bool,
    orders: Vec<Order<'a>>,
}

impl<'a> Page<'a> {
    /// The page that a query asks for.
    pub(crate) fn of(query: &Query, segments: &'a [Segment], matches: &'a [Matches]) -> Self {
        let orders: Vec<Order<'_>> = segments
            .iter()
            .zip(matches)
            .map(|(segment, matches)| Order::new(query, &segment.view, matches))
            .collect();
        let mut page = Self { candidates: Vec::new(), more: false, orders };
        if query.limit > 0 {
            page.select(query, matches);
        }
        page
    }

    fn select(&mut self, query: &Query, matches: &[Matches]) {
        // One more than asked for tells whether there are more.
        let end = query.offset.saturating_add(query.limit).saturating_add(1);
        let (mut candidates, skipped) = if end > DEEP && self.has_comparable_keys() {
            self.around(query, matches, end)
        } else {
            (self.first(query, matches, end), 0)
        };
        let offset = query.offset - skipped;
        if offset >= candidates.len() {
            return;
        }
        let order = |one: &Candidate, other: &Candidate| compare(&self.orders, one, other);
        if offset > 0 {
            candidates.select_nth_unstable_by(offset, order);
            candidates.drain(..offset);
        }
        if query.limit < candidates.len() {
            candidates.select_nth_unstable_by(query.limit, order);
            candidates.truncate(query.limit);
            self.more = true;
        }
        candidates.sort_unstable_by(order);
        self.candidates = candidates;
    }

    /// The best matches of each segment, up to the page's end.
    fn first(&self, query: &Query, matches: &[Matches], end: usize) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for ((segment, order), matches) in (0..).zip(&self.orders).zip(matches) {
            let behind = query.after.as_ref().map(|after| order.behind(after));
            order.first(matches, end, segment, behind.as_ref(), &mut candidates);
        }
        candidates
    }

    /// Whether the first keys of different segments can be compared: ordinals of names cannot.
    fn has_comparable_keys(&self) -> bool {
        let mut firsts = self.orders.iter().filter_map(|order| order.keys.first());
        !firsts.any(|key| matches!(key.column, Column::Name(_)))
    }

    /// The matches around a page far down, and how many were skipped before them: those whose first key lies between
    /// that of the page's first match and that of its last, found by selecting among bare numbers.
    fn around(&self, query: &Query, matches: &[Matches], end: usize) -> (Vec<Candidate>, usize) {
        let mut keys = Vec::with_capacity(matches.iter().map(|matches| matches.all.count() as usize).sum());
        self.for_each(query, matches, |candidate| keys.push(candidate.key));
        if query.offset >= keys.len() {
            return (Vec::new(), 0);
        }
        let (_, &mut from, behind) = keys.select_nth_unstable(query.offset);
        let last = (end - query.offset - 1).min(behind.len());
        let to = if last == 0 { from } else { *behind.select_nth_unstable(last - 1).1 };
        let (mut candidates, mut skipped) = (Vec::new(), 0);
        self.for_each(query, matches, |candidate| {
            if candidate.key < from {
                skipped += 1;
            } else if candidate.key <= to {
                candidates.push(candidate);
            }
        });
        (candidates, skipped)
    }

    fn for_each(&self, query: &Query, matches: &[Matches], mut visit: impl FnMut(Candidate)) {
        for ((segment, order), matches) in (0..).zip(&self.orders).zip(matches) {
            let behind = query.after.as_ref().map(|after| order.behind(after));
            matches.all.for_each(|doc| {
                if behind.as_ref().is_none_or(|behind| behind.is_behind(order, doc)) {
                    visit(Candidate { segment, doc, key: order.keys[0].of(doc) });
                }
            });
        }
    }

    /// Where the next page begins, when there is one.
    pub(crate) fn next(&self, query: &Query, reading: Option<Reading>) -> Option<Cursor> {
        let last = self.candidates.last().filter(|_| self.more)?;
        let order = &self.orders[last.segment as usize];
        let places = order.keys.iter().map(|key| match key.column {
            Column::Name(names) => Place::Name(names.get(names.ords[last.doc as usize]).to_vec()),
            _ => Place::Number(key.of(last.doc)),
        });
        let mut keys: Vec<Place> = places.collect();
        keys.pop();
        // Only relevance depends on what words are worth, but what matches depends on how they are read.
        let reading = reading.filter(|_| query.text.is_some());
        Some(Cursor { keys, id: order.ids[last.doc as usize], reading })
    }
}

fn compare(orders: &[Order<'_>], one: &Candidate, other: &Candidate) -> Ordering {
    let (left, right) = (&orders[one.segment as usize], &orders[other.segment as usize]);
    if one.segment == other.segment {
        return left.compare(one.key, one.doc, other.key, other.doc);
    }
    let mut keys = left.keys.iter().zip(&right.keys);
    keys.find_map(|(left, right)| {
        let ordering = match (left.column, right.column) {
            // Ordinals only mean something within their segment.
            (Column::Name(left_names), Column::Name(right_names)) => {
                let ordering = left_names
                    .get(left_names.ords[one.doc as usize])
                    .cmp(right_names.get(right_names.ords[other.doc as usize]));
                if left.descending { ordering.reverse() } else { ordering }
            }
            _ => left.of(one.doc).cmp(&right.of(other.doc)),
        };
        ordering.is_ne().then_some(ordering)
    })
    .unwrap_or(Ordering::Equal)
}

/// The order of one segment's documents: keys, of which the last is the id.
struct Order<'a> {
    keys: Vec<Key<'a>>,
    ids: &'a [i64],
}

/// A cursor's place in the order of one segment, as numbers to compare with [`Key::placed`].
struct Behind(Vec<u64>);

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
    Name(&'a Values),
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
            Column::Name(names) => u64::from(names.ords[doc]),
        };
        if self.descending { !key } else { key }
    }
}

impl Key<'_> {
    /// A place as a number to compare with those of this segment's documents.
    fn place(&self, place: &Place) -> u64 {
        match (place, self.column) {
            (Place::Number(number), _) => *number,
            (Place::Name(name), Column::Name(names)) => {
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
            Column::Name(names) => {
                let ord = 2 * u64::from(names.ords[doc as usize]) + 1;
                if self.descending { !ord } else { ord }
            }
            _ => self.of(doc),
        }
    }
}

impl Behind {
    fn is_behind(&self, order: &Order<'_>, doc: u32) -> bool {
        order.keys.iter().map(|key| key.placed(doc)).gt(self.0.iter().copied())
    }
}

impl<'a> Order<'a> {
    fn new(query: &Query, view: &'a SegmentView, matches: &'a Matches) -> Self {
        let mut keys: Vec<Key<'a>> = Vec::with_capacity(query.sort.len() + 1);
        for (position, key) in query.sort.iter().enumerate() {
            let column = match key.field {
                // Without a text all are equally relevant.
                SortField::Relevance if matches.scores.is_empty() => continue,
                // A key that came before leaves nothing to decide.
                field if query.sort[..position].iter().any(|before| before.field == field) => continue,
                SortField::Relevance => Column::Score(&matches.scores),
                SortField::Price => Column::Number(&matches.prices.prices),
                SortField::Name => Column::Name(&view.names),
                SortField::DateAdded => Column::Number(&view.dates),
                SortField::Rating => Column::Rating(&view.ratings),
                SortField::Popularity => Column::Number(&view.popularity),
            };
            keys.push(Key { column, descending: key.descending });
        }
        keys.push(Key { column: Column::Number(&view.ids), descending: false });
        Self { keys, ids: &view.ids }
    }

    /// A cursor's place, in this segment's terms.
    fn behind(&self, after: &Cursor) -> Behind {
        let id = Place::Number(i64_to_u64(after.id));
        let places = self.keys.iter().zip(after.keys.iter().chain([&id]));
        Behind(places.map(|(key, place)| key.place(place)).collect())
    }

    fn compare(&self, one_key: u64, one: u32, other_key: u64, other: u32) -> Ordering {
        one_key.cmp(&other_key).then_with(|| {
            let mut orderings = self.keys[1..].iter().map(|key| key.of(one).cmp(&key.of(other)));
            orderings.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        })
    }

    /// Adds the first `count` matches behind a place to `candidates`, in no order.
    fn first(
        &self,
        matches: &Matches,
        count: usize,
        segment: u32,
        behind: Option<&Behind>,
        candidates: &mut Vec<Candidate>,
    ) {
        let order = |one: &Candidate, other: &Candidate| self.compare(one.key, one.doc, other.key, other.doc);
        let start = candidates.len();
        let full = count.saturating_mul(2);
        let mut worst: Option<Candidate> = None;
        matches.all.for_each(|doc| {
            if behind.is_some_and(|behind| !behind.is_behind(self, doc)) {
                return;
            }
            let candidate = Candidate { segment, doc, key: self.keys[0].of(doc) };
            if worst.is_some_and(|worst| candidate.key > worst.key || order(&candidate, &worst).is_ge()) {
                return;
            }
            candidates.push(candidate);
            if candidates.len() - start == full {
                let (_, last, _) = candidates[start..].select_nth_unstable_by(count - 1, order);
                worst = Some(*last);
                candidates.truncate(start + count);
            }
        });
        if candidates.len() - start > count {
            candidates[start..].select_nth_unstable_by(count - 1, order);
            candidates.truncate(start + count);
        }
    }
}
