//! The page that is asked for, of what matches.
//!
//! Each segment gives its first matches, up to the page's end ([`walk`](crate::walk)); far down only those that can
//! be on the page, found by counting ([`ranks`]) or, where few match, by selecting among bare numbers. Then the
//! segments' candidates meet, and only the page itself is sorted.

use std::ops::ControlFlow;

use crate::{
    compile::Matches,
    cursor::{Cursor, Reading},
    generation::Generation,
    order::{Candidate, Order, compare},
    query::Query,
    ranks::Bookmarks,
    walk::Walk,
};

/// From which place on a page lies so deep that keeping all before it costs more than looking twice.
pub(crate) const DEEP: usize = 1_000;

/// Up to which share of all documents matches are few: looking at each of them twice costs less than looking at all
/// documents once.
const FEW: usize = 32;

/// A page of hits.
pub(crate) struct Page<'a> {
    /// In order.
    pub(crate) candidates: Vec<Candidate>,
    /// Whether there are more behind it.
    more: bool,
    orders: Vec<Order<'a>>,
    bookmarks: &'a Bookmarks,
}

impl<'a> Page<'a> {
    /// The page that a query asks for.
    pub(crate) fn of(query: &Query, generation: &'a Generation, matches: &'a [Matches<'_>]) -> Self {
        let orders: Vec<Order<'_>> = generation
            .segments
            .iter()
            .zip(matches)
            .map(|(segment, matches)| Order::new(query, segment, matches))
            .collect();
        let bookmarks = &generation.bookmarks;
        let mut page = Self { candidates: Vec::new(), more: false, orders, bookmarks };
        if query.limit > 0 {
            page.select(query, matches);
        }
        page
    }

    fn select(&mut self, query: &Query, matches: &[Matches<'_>]) {
        let (candidates, skipped) = self.around(query, matches);
        let (mut candidates, offset) = self.narrow(candidates, query.offset - skipped, query.limit);
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

    /// Matches among which the page is, in no order, and how many were skipped that come before all of them.
    fn around(&self, query: &Query, matches: &[Matches<'_>]) -> (Vec<Candidate>, usize) {
        let walks = (0..).zip(&self.orders).zip(matches).map(|((segment, order), matches)| {
            let behind = query.after.as_ref().map(|after| order.behind(after));
            Walk { segment, orders: &self.orders, order, matches, behind }
        });
        let walks: Vec<Walk<'_>> = walks.collect();
        let mut candidates = Vec::new();
        // One more than asked for tells whether there are more.
        let end = query.offset.saturating_add(query.limit).saturating_add(1);
        let documents: usize = matches.iter().map(|matches| matches.all.bound() as usize).sum();
        let count: usize = matches.iter().map(|matches| matches.count).sum();
        let is_comparable = self.orders.iter().all(|order| order.is_comparable(0));
        // From a cursor's place, those that equal it in what is sorted by are on both sides of it.
        let has_ranks =
            |order: &Order<'_>| order.sorted.is_some() && (order.is_sorted() || query.after.is_none());
        if end > DEEP && count > documents / FEW && self.orders.iter().all(has_ranks) {
            let starts = walks.iter().map(Walk::start).collect();
            let (starts, skipped) = self.bookmarks.find(&self.orders, matches, starts, query.offset);
            for (walk, start) in walks.iter().zip(starts) {
                walk.walk(start, usize::MAX, end - skipped, |candidate| {
                    candidates.push(candidate);
                    ControlFlow::Continue(())
                });
            }
            return (candidates, skipped);
        }
        if end > DEEP && is_comparable {
            return between(&walks, query.offset, end);
        }
        let mut last = None;
        for walk in &walks {
            walk.first(end, last, &mut candidates);
            // What comes behind so many is not wanted of the next segment.
            if candidates.len() >= end {
                let order = |one: &Candidate, other: &Candidate| compare(&self.orders, one, other);
                last = Some(*candidates.select_nth_unstable_by(end - 1, order).1);
                candidates.truncate(end);
            }
        }
        (candidates, 0)
    }

    /// Leaves out of many candidates those whose keys say that they are before the page or behind it, and those before
    /// it out of the offset. Many may have the first key in common, and bare numbers are selected among more quickly.
    fn narrow(
        &self,
        mut candidates: Vec<Candidate>,
        mut offset: usize,
        limit: usize,
    ) -> (Vec<Candidate>, usize) {
        for key in 0..self.orders.first().map_or(0, Order::keys) {
            let is_comparable = self.orders.iter().all(|order| order.is_comparable(key));
            if candidates.len() <= DEEP || offset >= candidates.len() || !is_comparable {
                break;
            }
            let key_of =
                |candidate: &Candidate| self.orders[candidate.segment as usize].key(key, candidate.doc);
            let keys: Vec<u64> = candidates.iter().map(key_of).collect();
            if keys.iter().all(|key| *key == keys[0]) {
                continue;
            }
            let (from, to) = bounds(&mut keys.clone(), offset, limit.saturating_add(1));
            offset -= keys.iter().filter(|key| **key < from).count();
            let mut keys = keys.into_iter();
            candidates.retain(|_| keys.next().is_some_and(|key| (from..=to).contains(&key)));
            if from != to {
                break;
            }
        }
        (candidates, offset)
    }

    /// Where the next page begins, when there is one.
    pub(crate) fn next(&self, query: &Query, reading: Option<Reading>) -> Option<Cursor> {
        let last = self.candidates.last().filter(|_| self.more)?;
        Some(self.place(last, query, reading))
    }

    /// Where a candidate stands.
    pub(crate) fn place(&self, candidate: &Candidate, query: &Query, reading: Option<Reading>) -> Cursor {
        let (keys, id) = self.orders[candidate.segment as usize].places(candidate.doc);
        // Only relevance depends on what words are worth, but what matches depends on how they are read.
        let reading = reading.filter(|_| query.text.is_some());
        Cursor { keys, id, reading }
    }
}

/// The matches around a page far down, and how many were skipped before them: those whose first key lies between
/// that of the page's first match and that of its last.
fn between(walks: &[Walk<'_>], offset: usize, end: usize) -> (Vec<Candidate>, usize) {
    let mut keys = Vec::with_capacity(walks.iter().map(|walk| walk.matches.count).sum());
    let for_each = |visit: &mut dyn FnMut(Candidate)| {
        walks.iter().for_each(|walk| walk.for_each(|doc| visit(walk.order.candidate(walk.segment, doc))));
    };
    for_each(&mut |candidate| keys.push(candidate.key));
    if offset >= keys.len() {
        return (Vec::new(), 0);
    }
    let (from, to) = bounds(&mut keys, offset, end - offset);
    let (mut candidates, mut skipped) = (Vec::new(), 0);
    for_each(&mut |candidate| {
        if candidate.key < from {
            skipped += 1;
        } else if candidate.key <= to {
            candidates.push(candidate);
        }
    });
    (candidates, skipped)
}

/// The keys of the match at an offset, and of the last one of so many from there on.
fn bounds(keys: &mut [u64], offset: usize, count: usize) -> (u64, u64) {
    let (_, &mut from, behind) = keys.select_nth_unstable(offset);
    match behind.len().min(count - 1) {
        0 => (from, from),
        last => (from, *behind.select_nth_unstable(last - 1).1),
    }
}
