//! The first matches of one segment, from its beginning or from a place on.
//!
//! The segment's documents are sorted already, so that they are walked until there are enough. Where few match, or
//! by score, every match is looked at, and the best are kept in a buffer twice as large as it must be, cut in half when
//! it is full: never a full sort.

use std::ops::ControlFlow;

use crate::{
    compile::Matches,
    order::{Behind, Candidate, Order, compare_sorted},
};

/// Looking at a match, whose keys stand somewhere in memory, costs as much as passing so many documents on a walk.
const STEPS: usize = 6;

/// One segment's part of the search for a page.
pub(crate) struct Walk<'a> {
    pub(crate) segment: u32,
    /// Of all segments.
    pub(crate) orders: &'a [Order<'a>],
    pub(crate) order: &'a Order<'a>,
    pub(crate) matches: &'a Matches<'a>,
    /// Only what is behind this place.
    pub(crate) behind: Option<Behind>,
}

impl Walk<'_> {
    /// Adds the first `count` matches to `candidates`, in no order; those behind `last`, a match of another segment, may
    /// be left out.
    pub(crate) fn first(&self, count: usize, last: Option<Candidate>, candidates: &mut Vec<Candidate>) {
        let is_behind_last = |candidate: &Candidate| {
            last.is_some_and(|last| compare_sorted(self.orders, candidate, &last).is_gt())
        };
        // Of many, only what one number tells.
        let key = last.filter(|_| self.order.is_comparable(0)).map_or(u64::MAX, |last| last.key);
        let mut best = Best::new(self.order, count, candidates);
        // As far as looking at every match would take, and not at all where that is not likely to be enough, or every
        // match is wanted.
        let documents = self.order.sorted.map_or(0, <[u32]>::len);
        // Of segments that are alike, those that come before have as many of the first ones as this.
        let wanted = count.div_ceil(if last.is_some() { self.segment as usize + 1 } else { 1 });
        let likely = wanted.saturating_mul(documents) / self.matches.count.max(1);
        let steps = self.matches.count * STEPS;
        let steps = if count < self.matches.count && likely < steps { steps } else { 0 };
        let offer = |candidate| {
            if is_behind_last(&candidate) {
                return ControlFlow::Break(());
            }
            best.offer(candidate);
            ControlFlow::Continue(())
        };
        if !self.walk(self.start(), steps, count, offer) {
            best.clear();
            self.for_each(|doc| {
                let candidate = self.order.candidate(self.segment, doc);
                if candidate.key <= key {
                    best.offer(candidate);
                }
            });
        }
        best.finish();
    }

    /// Where in the sorted documents to begin.
    pub(crate) fn start(&self) -> usize {
        let sorted = self.order.sorted.unwrap_or_default();
        let first = self.order.first_priced(&self.matches.priced);
        first.max(self.behind.as_ref().map_or(0, |behind| self.order.start(sorted, behind)))
    }

    /// Visits matches from a place among the sorted documents on, until the first `count` are among them, or nobody
    /// wants more. Returns whether so many steps were enough.
    pub(crate) fn walk(
        &self,
        start: usize,
        steps: usize,
        count: usize,
        mut visit: impl FnMut(Candidate) -> ControlFlow<()>,
    ) -> bool {
        let Some(sorted) = self.order.sorted else { return false };
        let rest = &sorted[start..];
        let mut found = 0;
        let mut last = 0;
        // Where what is walked matches anyway, no set of it is made.
        let all = (!self.order.is_matching && steps > 0).then(|| self.matches.all.set());
        for &doc in rest.iter().take(steps) {
            if all.is_some_and(|all| !all.contains(doc)) || !self.is_behind(doc) {
                continue;
            }
            let candidate = self.order.candidate(self.segment, doc);
            if (found == count && candidate.key != last) || visit(candidate).is_break() {
                return true;
            }
            if found < count {
                found += 1;
                last = candidate.key;
            }
            // Where there are more keys, what equals the last one in what is sorted by may still come before it.
            if found == count && self.order.is_sorted() {
                return true;
            }
        }
        rest.len() <= steps
    }

    /// Visits every match.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u32)) {
        self.matches.all.for_each(|doc| {
            if self.is_behind(doc) {
                visit(doc);
            }
        });
    }

    fn is_behind(&self, doc: u32) -> bool {
        self.behind.as_ref().is_none_or(|behind| behind.is_behind(self.order, doc))
    }
}

/// The best of the candidates that are offered.
struct Best<'a> {
    order: &'a Order<'a>,
    count: usize,
    candidates: &'a mut Vec<Candidate>,
    /// Where in `candidates` they begin.
    start: usize,
    /// What they are cut down to when there are so many.
    full: usize,
    /// Nothing behind it is among the best.
    worst: Option<Candidate>,
}

impl<'a> Best<'a> {
    fn new(order: &'a Order<'a>, count: usize, candidates: &'a mut Vec<Candidate>) -> Self {
        let (start, full) = (candidates.len(), count.saturating_mul(2));
        Self { order, count, candidates, start, full, worst: None }
    }

    #[inline]
    fn offer(&mut self, candidate: Candidate) {
        let is_worse =
            |worst: Candidate| candidate.key > worst.key || self.order.compare(&candidate, &worst).is_ge();
        if self.worst.is_some_and(is_worse) {
            return;
        }
        self.candidates.push(candidate);
        if self.candidates.len() - self.start == self.full {
            self.worst = Some(self.cut());
        }
    }

    fn clear(&mut self) {
        self.candidates.truncate(self.start);
        self.worst = None;
    }

    fn finish(&mut self) {
        if self.candidates.len() - self.start > self.count {
            self.cut();
        }
    }

    /// Keeps the best and returns the last of them.
    fn cut(&mut self) -> Candidate {
        let order = self.order;
        let candidates = &mut self.candidates[self.start..];
        let (_, last, _) =
            candidates.select_nth_unstable_by(self.count - 1, |one, other| order.compare(one, other));
        let last = *last;
        self.candidates.truncate(self.start + self.count);
        last
    }
}
