//! How the documents of a segment that stand between two places of an order become a set, however many they are.
//!
//! A filter by a range of prices may leave half of a catalog, and putting those into a set one by one, each somewhere
//! else in memory, took longer than everything else that a search does. So the sets of the first documents of the
//! order are kept at even steps: what stands above a place is the nearest of them and a few documents more or less,
//! and what stands between two places is one without the other.

use std::ops::Range;

use crate::bits::Bits;

/// Into how many stretches an order is divided: four bytes a document in all, and making a set touches at most a
/// thirty-second part of the documents one by one.
const STRETCHES: usize = 32;

/// The sets of the first documents of an order.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes {
    /// After each stretch, what stands above; the first is empty.
    sets: Vec<Bits>,
    /// How many documents each stretch has; the last one may have fewer.
    stretch: usize,
}

impl Prefixes {
    /// Of all documents of a segment in some order.
    pub(crate) fn new(order: &[u32]) -> Self {
        let stretch = order.len().div_ceil(STRETCHES).max(1);
        let mut above = Bits::none(u32::try_from(order.len()).unwrap_or(u32::MAX));
        let mut sets = vec![above.clone()];
        for docs in order.chunks(stretch) {
            docs.iter().for_each(|&doc| above.insert(doc));
            sets.push(above.clone());
        }
        Self { sets, stretch }
    }

    /// The documents in a range of the same order.
    pub(crate) fn between(&self, order: &[u32], range: Range<usize>) -> Bits {
        if range.len() <= self.stretch {
            let mut docs = self.sets[0].clone();
            order[range].iter().for_each(|&doc| docs.insert(doc));
            return docs;
        }
        let mut docs = self.above(order, range.end);
        if range.start > 0 {
            docs.and_not(&self.above(order, range.start));
        }
        docs
    }

    /// The documents above a place.
    fn above(&self, order: &[u32], place: usize) -> Bits {
        let nearest = ((place + self.stretch / 2) / self.stretch).min(self.sets.len() - 1);
        let known = (nearest * self.stretch).min(order.len());
        let mut docs = self.sets[nearest].clone();
        if known <= place {
            order[known..place].iter().for_each(|&doc| docs.insert(doc));
        } else {
            order[place..known].iter().for_each(|&doc| docs.set(doc, false));
        }
        docs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_an_order_are_sets() {
        for documents in [0, 1, 31, 33, 130, 1_000_u32] {
            let order: Vec<u32> = (0..documents).map(|place| place * 7 % documents.max(1)).collect();
            let order = if documents % 7 == 0 { (0..documents).rev().collect() } else { order };
            let prefixes = Prefixes::new(&order);
            for start in (0..=documents as usize).step_by(7) {
                for end in (start..=documents as usize).step_by(13).chain([documents as usize]) {
                    let mut expected = Bits::none(documents);
                    order[start..end].iter().for_each(|&doc| expected.insert(doc));
                    assert_eq!(prefixes.between(&order, start..end), expected, "{documents}: {start}..{end}");
                }
            }
        }
    }
}
