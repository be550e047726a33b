//! Prices in time: the column of prices that holds at an instant, for one segment.
//!
//! Most documents cost the same for ever. For those with steps ahead, the segment knows all instants at which
//! any of its prices changes; between two neighbours the column, and the order by it, is constant, is computed once
//! and kept until somebody asks about another interval. So no job runs when a discount begins or ends.

use std::{
    ops::{Range, RangeInclusive},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tantivy::i64_to_u64;

use crate::{bits::Bits, groups::Groups, permutation::Permutation, prefixes::Prefixes};

/// What each document of a segment costs during one interval.
#[derive(Clone, Debug)]
pub(crate) struct PriceColumn {
    /// Effective prices in hundredths, by document.
    pub(crate) prices: Vec<i64>,
    /// Which documents have a discount running.
    pub(crate) sale: Bits,
    /// The documents by price.
    pub(crate) order: Permutation,
    /// The cheapest ones, in sets.
    cheapest: Prefixes,
    /// Once somebody has asked, the documents by category, those of one by price.
    by_chain: OnceLock<Vec<u32>>,
    /// How many of the segment's boundaries lie behind.
    interval: usize,
}

impl PriceColumn {
    fn new(prices: Vec<i64>, sale: Bits, order: Permutation, interval: usize) -> Self {
        let cheapest = Prefixes::new(&order.ascending);
        Self { prices, sale, order, cheapest, by_chain: OnceLock::new(), interval }
    }

    /// Which of its segment's intervals it holds for.
    pub(crate) fn interval(&self) -> u32 {
        u32::try_from(self.interval).unwrap_or(u32::MAX)
    }

    /// The documents as `chains` has them, but those of each chain by price.
    pub(crate) fn by_chain(&self, chains: &Groups) -> &[u32] {
        self.by_chain.get_or_init(|| chains.in_order(self.order.ascending.iter().copied()))
    }

    /// Whether those are known.
    pub(crate) fn knows_chains(&self) -> bool {
        self.by_chain.get().is_some()
    }

    /// Of documents that are sorted by price, those that cost as much as is in a range.
    pub(crate) fn part<'d>(&self, docs: &'d [u32], range: &RangeInclusive<i64>) -> &'d [u32] {
        let below = |docs: &[u32], bound: i128| {
            docs.partition_point(|&doc| i128::from(self.prices[doc as usize]) < bound)
        };
        let docs = &docs[below(docs, i128::from(*range.start()))..];
        &docs[..below(docs, i128::from(*range.end()) + 1)]
    }

    /// What costs as much as is in a range.
    pub(crate) fn between(&self, range: &RangeInclusive<i64>) -> Bits {
        self.cheapest.between(&self.order.ascending, self.range(range))
    }

    /// Where in the order that stands.
    pub(crate) fn range(&self, range: &RangeInclusive<i64>) -> Range<usize> {
        let (start, end) = (self.below(i128::from(*range.start())), self.below(i128::from(*range.end()) + 1));
        start..end.max(start)
    }

    /// How many documents cost less.
    pub(crate) fn below(&self, bound: i128) -> usize {
        self.order.ascending.partition_point(|&doc| i128::from(self.prices[doc as usize]) < bound)
    }
}

/// A document's price from an instant on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) doc: u32,
    pub(crate) from: i64,
    pub(crate) price: i64,
    pub(crate) sale: bool,
}

/// All prices of a segment, at all times.
#[derive(Debug)]
pub(crate) struct Prices {
    /// Of every document that has several prices, all of them, by instant.
    steps: Vec<Step>,
    /// The distinct instants at which one begins, ascending.
    boundaries: Vec<i64>,
    /// The interval that was asked for last: nearly always the one that holds now.
    latest: Mutex<Arc<PriceColumn>>,
}

impl Prices {
    /// From what each document costs at first, the order by that, and the later steps in any order.
    pub(crate) fn new(prices: Vec<i64>, sale: Bits, order: Permutation, mut steps: Vec<Step>) -> Self {
        steps.sort_by_key(|step| step.from);
        let mut boundaries: Vec<i64> = steps.iter().map(|step| step.from).collect();
        boundaries.dedup();
        let mut docs: Vec<u32> = steps.iter().map(|step| step.doc).collect();
        docs.sort_unstable();
        docs.dedup();
        let first = |doc| Step { doc, from: i64::MIN, price: prices[doc as usize], sale: sale.contains(doc) };
        steps.splice(..0, docs.into_iter().map(first));
        let latest = Mutex::new(Arc::new(PriceColumn::new(prices, sale, order, 0)));
        Self { steps, boundaries, latest }
    }

    /// The last boundary up to `at`.
    pub(crate) fn last_change(&self, at: i64) -> Option<i64> {
        let passed = self.boundaries.partition_point(|&boundary| boundary <= at);
        passed.checked_sub(1).map(|last| self.boundaries[last])
    }

    fn passed(&self, at: i64) -> usize {
        self.boundaries.partition_point(|&boundary| boundary <= at)
    }

    /// The column that holds at `at`, where it need not be computed.
    pub(crate) fn kept_at(&self, at: i64) -> Option<Arc<PriceColumn>> {
        let latest = Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner));
        (latest.interval == self.passed(at)).then_some(latest)
    }

    /// The column that holds at `at`, in microseconds since the epoch. A step holds from its own microsecond. `ids` are
    /// the documents', which decide between equal prices.
    pub(crate) fn at(&self, at: i64, ids: &[i64]) -> Arc<PriceColumn> {
        let interval = self.passed(at);
        let latest = Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner));
        if latest.interval == interval {
            return latest;
        }
        // Outside the lock: two askers at a boundary may both compute it, neither waits.
        let column = Arc::new(self.compute(&latest, at, ids, interval));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&column);
        column
    }

    /// Changes the column of another interval, be it earlier or later.
    fn compute(&self, other: &PriceColumn, at: i64, ids: &[i64], interval: usize) -> PriceColumn {
        let (mut prices, mut sale) = (other.prices.clone(), other.sale.clone());
        for step in self.steps.iter().take_while(|step| step.from <= at) {
            prices[step.doc as usize] = step.price;
            sale.set(step.doc, step.sale);
        }
        let mut changed = Bits::none(sale.bound());
        let docs = self.steps.iter().map(|step| step.doc);
        docs.filter(|&doc| prices[doc as usize] != other.prices[doc as usize])
            .for_each(|doc| changed.insert(doc));
        let order = other.order.changed(&changed, ids, |doc| i64_to_u64(prices[doc as usize]));
        PriceColumn::new(prices, sale, order, interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_changes_at_the_microsecond() {
        let step = |doc, from, price, sale| Step { doc, from, price, sale };
        let steps = vec![
            step(1, 20, 80, true),
            step(0, 10, 50, true),
            step(1, 10, 90, true),
            step(0, 30, 100, false),
        ];
        let ids = [5, 3, 4];
        let order =
            |prices: &[i64]| Permutation::new(&[1, 2, 0], |doc| Some(i64_to_u64(prices[doc as usize])));
        let base = vec![100, 100, 7];
        let prices = Prices::new(base.clone(), Bits::none(3), order(&base), steps);
        let at = |at| {
            let column = prices.at(at, &ids);
            assert_eq!(column.order, order(&column.prices));
            let sale: Vec<bool> = (0..3).map(|doc| column.sale.contains(doc)).collect();
            (column.prices.clone(), sale)
        };
        // Back and forth, so that the kept column is replaced.
        for _ in 0..2 {
            assert_eq!(at(i64::MIN), (vec![100, 100, 7], vec![false; 3]));
            assert_eq!(at(9), (vec![100, 100, 7], vec![false; 3]));
            assert_eq!(at(10), (vec![50, 90, 7], vec![true, true, false]));
            assert_eq!(at(19), (vec![50, 90, 7], vec![true, true, false]));
            assert_eq!(at(29), (vec![50, 80, 7], vec![true, true, false]));
            assert_eq!(at(30), (vec![100, 80, 7], vec![false, true, false]));
            assert_eq!(at(i64::MAX), (vec![100, 80, 7], vec![false, true, false]));
        }
    }
}
