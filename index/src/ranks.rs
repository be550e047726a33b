//! Where a page far down begins, found without visiting what stands above it.
//!
//! Where all documents of a segment are sorted already, one pass notes which places match, and from there on counting
//! the matches above a place takes no time. The place in every segment above which there are so many matches in all
//! is found by halving: the middle of the largest stretch that is left splits all others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    bits::Bits,
    compile::Matches,
    order::{Candidate, Order, compare_sorted},
    query::SortField,
};

/// Stretches so short are walked.
const SHORT: usize = 32;

/// How many of a segment's documents, in an order, match.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// Which places match, 64 a word.
    words: Vec<u64>,
    /// By word, the matches before it.
    before: Vec<usize>,
}

impl Ranks {
    fn new(sorted: &[u32], matches: &Bits) -> Self {
        let word = |docs: &[u32]| {
            docs.iter()
                .enumerate()
                .fold(0, |word, (bit, &doc)| word | (u64::from(matches.contains(doc)) << bit))
        };
        let words: Vec<u64> = sorted.chunks(64).map(word).collect();
        let mut sum = 0;
        let before = words.iter().map(|word| {
            let before = sum;
            sum += word.count_ones() as usize;
            before
        });
        Self { before: before.collect(), words }
    }

    /// The matches above a place.
    fn above(&self, place: usize) -> usize {
        let (Some(word), Some(before)) = (self.words.get(place / 64), self.before.get(place / 64)) else {
            let last = self.words.last().map_or(0, |word| word.count_ones() as usize);
            return self.before.last().map_or(0, |before| before + last);
        };
        before + (word & ((1 << (place % 64)) - 1)).count_ones() as usize
    }
}

/// Of everything that shoppers see, which is what most people leaf through, they are noted once.
fn of(order: &Order<'_>, matches: &Matches<'_>) -> Arc<Ranks> {
    let ranks = || Arc::new(Ranks::new(order.sorted.unwrap_or_default(), matches.all.set()));
    match order.key_of_sorted().filter(|_| matches.is_all_offered) {
        Some(key) => order.segment.leafed.get_or_make(key, ranks),
        None => ranks(),
    }
}

/// An order of a segment's documents: what it is by, whether descending, and for which interval of prices.
pub(crate) type Sorted = (SortField, bool, u32);

/// Orders in which everything was leafed through at most; beyond that they are forgotten.
const MOST_LEAFED: usize = 16;

/// The ranks of everything that shoppers see of a segment, in the orders that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Leafed(Mutex<HashMap<Sorted, Arc<Ranks>>>);

impl Leafed {
    fn get_or_make(&self, sorted: Sorted, make: impl FnOnce() -> Arc<Ranks>) -> Arc<Ranks> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ranks) = kept().get(&sorted) {
            return Arc::clone(ranks);
        }
        // Outside of the lock: nobody waits for it.
        let ranks = make();
        let mut kept = kept();
        if kept.len() >= MOST_LEAFED {
            kept.clear();
        }
        kept.insert(sorted, Arc::clone(&ranks));
        ranks
    }
}

/// Where a page begins: by segment, and how many matches are above all of that.
type Beginning = (Vec<usize>, usize);

/// A page: what each segment is sorted by, how many keys the order has, and how many hits come before.
type Opened = (Vec<Sorted>, usize, usize);

/// Pages that were found at most; beyond that they are forgotten.
const MOST_MARKED: usize = 256;

/// Where pages far down in everything that shoppers see begin, of those that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Bookmarks(Mutex<HashMap<Opened, Beginning>>);

impl Bookmarks {
    /// Where the page at an offset begins, at or behind `starts`; see [`skip`].
    pub(crate) fn find(
        &self,
        orders: &[Order<'_>],
        matches: &[Matches<'_>],
        mut starts: Vec<usize>,
        offset: usize,
    ) -> Beginning {
        let is_all =
            matches.iter().all(|matches| matches.is_all_offered) && starts.iter().all(|start| *start == 0);
        let keys: Option<Vec<Sorted>> = orders.iter().map(Order::key_of_sorted).collect();
        let Some(page) =
            keys.filter(|_| is_all).map(|sorted| (sorted, orders.first().map_or(0, Order::keys), offset))
        else {
            let skipped = skip(orders, matches, &mut starts, offset);
            return (starts, skipped);
        };
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(beginning) = kept().get(&page) {
            return beginning.clone();
        }
        let skipped = skip(orders, matches, &mut starts, offset);
        let beginning = (starts, skipped);
        let mut kept = kept();
        if kept.len() >= MOST_MARKED {
            kept.clear();
        }
        kept.insert(page, beginning.clone());
        beginning
    }
}

/// Moves `starts`, which are places by segment, down over at most `count` matches that come before all behind them.
/// Returns over how many: nearly `count`, or, where the order only begins as it is sorted, down to the first of those
/// that have its key in common.
fn skip(orders: &[Order<'_>], matches: &[Matches<'_>], starts: &mut [usize], count: usize) -> usize {
    let sorted: Vec<&[u32]> = orders.iter().map(|order| order.sorted.unwrap_or_default()).collect();
    let ranks: Vec<Arc<Ranks>> =
        orders.iter().zip(matches).map(|(order, matches)| of(order, matches)).collect();
    let above =
        |places: &[usize]| ranks.iter().zip(places).map(|(ranks, &place)| ranks.above(place)).sum::<usize>();
    let first = above(starts);
    let sought = first.saturating_add(count);
    // Between the two, in each segment, stands the match that is sought.
    let mut ends: Vec<usize> = sorted.iter().map(|sorted| sorted.len()).collect();
    let longest = |starts: &[usize], ends: &[usize]| {
        (0..ends.len()).max_by_key(|&segment| ends[segment] - starts[segment])
    };
    while let Some(segment) =
        longest(starts, &ends).filter(|&segment| ends[segment] - starts[segment] > SHORT)
    {
        let middle = sorted[segment][starts[segment].midpoint(ends[segment])];
        let middle = orders[segment].candidate(segment as u32, middle);
        let split = |is_before: &dyn Fn(&Candidate) -> bool| -> Vec<usize> {
            let split = |(other, sorted): (usize, &&[u32])| {
                let stretch = &sorted[starts[other]..ends[other]];
                let is_before = |doc: &u32| is_before(&orders[other].candidate(other as u32, *doc));
                starts[other] + stretch.partition_point(is_before)
            };
            sorted.iter().enumerate().map(split).collect()
        };
        let before = split(&|other| compare_sorted(orders, other, &middle).is_lt());
        if above(&before) > sought {
            ends = before;
            continue;
        }
        let behind = split(&|other| compare_sorted(orders, other, &middle).is_le());
        if above(&behind) > sought {
            starts.copy_from_slice(&before);
            break;
        }
        starts.copy_from_slice(&behind);
    }
    above(starts) - first
}
