//! The documents of a segment by the value they have, and counting them by it.

use std::ops::Range;

use crate::bits::Bits;

/// Which value each document has, and which documents have each value.
#[derive(Debug)]
pub(crate) struct Groups {
    /// By document, the ordinal of its value; the number of values where there is none.
    pub(crate) ords: Vec<u32>,
    /// Value by value, those without one last.
    docs: Vec<u32>,
    /// By ordinal, where in `docs` its documents end.
    ends: Vec<u32>,
}

impl Groups {
    /// From the ordinals of `values` values, by document.
    pub(crate) fn new(ords: Vec<u32>, values: usize) -> Self {
        let mut ends = vec![0; values + 1];
        ords.iter().for_each(|&ord| ends[ord as usize] += 1);
        let mut sum = 0;
        for end in &mut ends {
            let start = sum;
            sum += *end;
            *end = start;
        }
        let mut docs = vec![0; ords.len()];
        for (doc, &ord) in (0..).zip(&ords) {
            let end = &mut ends[ord as usize];
            docs[*end as usize] = doc;
            *end += 1;
        }
        Self { ords, docs, ends }
    }

    fn range(&self, ord: usize) -> Range<usize> {
        let start = if ord == 0 { 0 } else { self.ends[ord - 1] };
        start as usize..self.ends[ord] as usize
    }

    /// The documents of each value that is accepted, by ordinal.
    pub(crate) fn lists(&self, accepted: &[bool]) -> impl Iterator<Item = &[u32]> {
        let ords = accepted.iter().enumerate().filter(|(_, is_accepted)| **is_accepted);
        ords.map(|(ord, _)| &self.docs[self.range(ord)])
    }

    /// The documents whose value is accepted, by ordinal.
    pub(crate) fn having(&self, accepted: &[bool]) -> Bits {
        if self.lists(accepted).map(<[u32]>::len).sum::<usize>() > self.ords.len() / SCATTERED {
            return Bits::of(&self.ords, |ord| accepted[ord as usize]);
        }
        let mut docs = Bits::none(u32::try_from(self.ords.len()).unwrap_or(u32::MAX));
        self.lists(accepted).for_each(|list| list.iter().for_each(|&doc| docs.insert(doc)));
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
        let groups = Groups::new(ords.clone(), 3);
        for accepted in [[false; 4], [false, true, false, false], [true, true, true, false], [true; 4]] {
            assert_eq!(
                groups.having(&accepted),
                Bits::of(&ords, |ord| accepted[ord as usize]),
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
