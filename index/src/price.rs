//! Prices in time: the column of prices that holds at an instant, for one segment.
//!
//! Most documents cost the same for ever. For those with steps ahead, the segment knows all instants at which
//! any of its prices changes; between two neighbours the column is constant, is computed once and kept until
//! somebody asks about another interval. So no job runs when a discount begins or ends.

use std::sync::{Arc, Mutex, PoisonError};

use crate::bits::Bits;

/// What each document of a segment costs during one interval.
#[derive(Clone, Debug)]
pub(crate) struct PriceColumn {
    /// Effective prices in hundredths, by document.
    pub(crate) prices: Vec<i64>,
    /// Which documents have a discount running.
    pub(crate) sale: Bits,
    /// How many of the segment's boundaries lie behind.
    interval: usize,
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
    /// What holds before the first boundary.
    base: Arc<PriceColumn>,
    /// The later steps, by instant.
    steps: Vec<Step>,
    /// Their distinct instants, ascending.
    boundaries: Vec<i64>,
    /// The interval that was asked for last: nearly always the one that holds now.
    latest: Mutex<Arc<PriceColumn>>,
}

impl Prices {
    /// From what each document costs at first, and its later steps in any order.
    pub(crate) fn new(prices: Vec<i64>, sale: Bits, mut steps: Vec<Step>) -> Self {
        steps.sort_by_key(|step| step.from);
        let mut boundaries: Vec<i64> = steps.iter().map(|step| step.from).collect();
        boundaries.dedup();
        let base = Arc::new(PriceColumn { prices, sale, interval: 0 });
        Self { latest: Mutex::new(Arc::clone(&base)), base, steps, boundaries }
    }

    /// The last boundary up to `at`.
    pub(crate) fn last_change(&self, at: i64) -> Option<i64> {
        let passed = self.boundaries.partition_point(|&boundary| boundary <= at);
        passed.checked_sub(1).map(|last| self.boundaries[last])
    }

    /// The column that holds at `at`, in microseconds since the epoch. A step holds from its own microsecond.
    pub(crate) fn at(&self, at: i64) -> Arc<PriceColumn> {
        let interval = self.boundaries.partition_point(|&boundary| boundary <= at);
        if interval == 0 {
            return Arc::clone(&self.base);
        }
        let latest = Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner));
        if latest.interval == interval {
            return latest;
        }
        // Outside the lock: two askers at a boundary may both compute it, neither waits.
        let column = Arc::new(self.compute(at, interval));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&column);
        column
    }

    fn compute(&self, at: i64, interval: usize) -> PriceColumn {
        let mut column = PriceColumn { interval, ..PriceColumn::clone(&self.base) };
        for step in self.steps.iter().take_while(|step| step.from <= at) {
            column.prices[step.doc as usize] = step.price;
            column.sale.set(step.doc, step.sale);
        }
        column
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
        let prices = Prices::new(vec![100, 100, 7], Bits::none(3), steps);
        let at = |at| {
            let column = prices.at(at);
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
