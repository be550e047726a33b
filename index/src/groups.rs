//! The documents of a segment by the value they have, and counting them by it.

use std::ops::Range;

use crate::bits::Bits;

/// Which value each document has, and which documents have each value.
#[derive(Debug)]
pub(crate) struct Groups {
    /// By document, the ordinal of its value; the number of values where there is none.
    pub(crate) ords: Vec<u32>,
    /// Value by value, those without one last; those of a value in the order that was given.
    pub(crate) docs: Vec<u32>,
    /// By ordinal, where in `docs` its documents end.
    ends: Vec<u32>,
}

impl Groups {
    /// From the ordinals of `values` values, by document, and the documents in the order in which those of a value are
    /// wanted.
    pub(crate) fn new(ords: Vec<u32>, values: usize, order: impl IntoIterator<Item = u32>) -> Self {
        let mut ends = vec![0; values + 1];
        ords.iter().for_each(|&ord| ends[ord as usize] += 1);
        let mut sum = 0;
        ends.iter_mut().for_each(|end| {
            sum += *end;
            *end = sum;
        });
        let mut groups = Self { ords, docs: Vec::new(), ends };
        groups.docs = groups.in_order(order);
        groups
    }

    /// All documents, value by value as in `docs`, those of a value in another order.
    pub(crate) fn in_order(&self, order: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let mut docs = vec![0; self.ords.len()];
        let mut places: Vec<u32> = [0].into_iter().chain(self.ends.iter().copied()).collect();
        for doc in order {
            let place = &mut places[self.ords[doc as usize] as usize];
            docs[*place as usize] = doc;
            *place += 1;
        }
        docs
    }

    fn range(&self, ord: usize) -> Range<usize> {
        let start = if ord == 0 { 0 } else { self.ends[ord - 1] };
        start as usize..self.ends[ord] as usize
    }

    /// Where in `docs` the documents of each value that is accepted stand, by ordinal.
    pub(crate) fn ranges(&self, accepted: &[u32]) -> impl Iterator<Item = Range<usize>> {
        accepted.iter().map(|&ord| self.range(ord as usize))
    }

    /// How many those are.
    pub(crate) fn listed(&self, accepted: &[u32]) -> usize {
        self.ranges(accepted).map(|range| range.len()).sum()
    }

    /// The documents whose value is accepted, by ordinal.
    pub(crate) fn having(&self, accepted: &[u32]) -> Bits {
        if self.listed(accepted) > self.ords.len() / SCATTERED {
            let mut is_accepted = vec![false; self.ends.len()];
            accepted.iter().for_each(|&ord| is_accepted[ord as usize] = true);
            return Bits::of(&self.ords, |ord| is_accepted[ord as usize]);
        }
        let mut docs = Bits::none(u32::try_from(self.ords.len()).unwrap_or(u32::MAX));
        self.ranges(accepted).for_each(|range| self.docs[range].iter().for_each(|&doc| docs.insert(doc)));
        docs
    }

    /// How many documents of a set have each value, by ordinal; those without one last.
    pub(crate) fn count(&self, set: &Bits) -> Vec<u64> {
        let all = (0..self.ends.len()).map(|ord| self.range(ord).len() as u64).collect();
        tally(set, all, |doc| self.ords[doc as usize] as usize)
    }
}

/// Putting documents into a set one by one costs so many times what looking at one in passing does.
const SCATTERED: usize = 3;

/// How many documents of a set are of each class. `all` says how many of the whole segment are: most sets are either
/// small or nearly everything, so that those outside are counted where they are fewer.
pub(crate) fn tally(set: &Bits, all: Vec<u64>, class_of: impl Fn(u32) -> usize) -> Vec<u64> {
    let inside = set.count();
    if u64::from(set.bound()) - inside < inside {
        let mut counts = all;
        let mut outside = Bits::all(set.bound());
        outside.and_not(set);
        outside.for_each(|doc| counts[class_of(doc)] -= 1);
        return counts;
    }
    let mut counts = vec![0; all.len()];
    set.for_each(|doc| counts[class_of(doc)] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_and_counted_by_value() {
        let ords: Vec<u32> = (0..200).map(|doc| doc % 5 % 4).collect();
        let groups = Groups::new(ords.clone(), 3, 0..200);
        let backwards = groups.in_order((0..200).rev());
        for range in groups.ranges(&[0, 1, 2, 3]) {
            let (mut one, other) = (groups.docs[range.clone()].to_vec(), &backwards[range]);
            one.reverse();
            assert_eq!(one, other);
        }
        for accepted in [&[][..], &[1], &[0, 1, 2], &[0, 1, 2, 3]] {
            assert_eq!(
                groups.having(accepted),
                Bits::of(&ords, |ord| accepted.contains(&ord)),
                "{accepted:?}"
            );
        }
        for least in [0, 3, 100, 190, 200] {
            let set = Bits::of(&(0..200).collect::<Vec<u32>>(), |doc| doc >= least);
            let expected =
                [0, 1, 2, 3].map(|value| (least..200).filter(|doc| doc % 5 % 4 == value).count() as u64);
            assert_eq!(groups.count(&set), expected, "{least}");
        }
    }
}
