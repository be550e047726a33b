//! Where a page far down begins, found without visiting what stands above it.
//!
//! Where all documents of a segment are sorted already, one pass notes which places match, and from there on counting
//! the matches above a place takes no time. The place in every segment above which there are so many matches in all
//! is found by halving: the middle of the largest stretch that is left splits all others.

use crate::{
    bits::Bits,
    compile::Matches,
    order::{Candidate, Order, compare_sorted},
};

/// Stretches so short are walked.
const SHORT: usize = 32;

/// A segment's documents in order, and how many of them match.
struct Ranks<'a> {
    sorted: &'a [u32],
    /// Which places match, 64 a word.
    words: Vec<u64>,
    /// By word, the matches before it.
    before: Vec<usize>,
}

impl<'a> Ranks<'a> {
    fn new(sorted: &'a [u32], matches: &Bits) -> Self {
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
        Self { sorted, before: before.collect(), words }
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

/// Moves `starts`, which are places by segment, down over at most `count` matches that come before all behind them.
/// Returns over how many: nearly `count`, or, where the order only begins as it is sorted, down to the first of those
/// that have its key in common.
pub(crate) fn skip(orders: &[Order<'_>], matches: &[Matches], starts: &mut [usize], count: usize) -> usize {
    let sorted = orders.iter().map(|order| order.sorted.unwrap_or_default());
    let ranks: Vec<_> =
        sorted.zip(matches).map(|(sorted, matches)| Ranks::new(sorted, &matches.all)).collect();
    let above =
        |places: &[usize]| ranks.iter().zip(places).map(|(ranks, &place)| ranks.above(place)).sum::<usize>();
    let first = above(starts);
    let sought = first.saturating_add(count);
    // Between the two, in each segment, stands the match that is sought.
    let mut ends: Vec<usize> = ranks.iter().map(|ranks| ranks.sorted.len()).collect();
    let longest = |starts: &[usize], ends: &[usize]| {
        (0..ends.len()).max_by_key(|&segment| ends[segment] - starts[segment])
    };
    while let Some(segment) =
        longest(starts, &ends).filter(|&segment| ends[segment] - starts[segment] > SHORT)
    {
        let middle = ranks[segment].sorted[starts[segment].midpoint(ends[segment])];
        let middle = orders[segment].candidate(segment as u32, middle);
        let split = |is_before: &dyn Fn(&Candidate) -> bool| -> Vec<usize> {
            let split = |(other, ranks): (usize, &Ranks<'_>)| {
                let stretch = &ranks.sorted[starts[other]..ends[other]];
                let is_before = |doc: &u32| is_before(&orders[other].candidate(other as u32, *doc));
                starts[other] + stretch.partition_point(is_before)
            };
            ranks.iter().enumerate().map(split).collect()
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
