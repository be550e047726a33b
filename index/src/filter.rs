//! The filters of a query in one segment, each as what it is quickest asked by.
//!
//! Most filters of a shop leave few documents, which the segment has listed already: those of a brand, of a category,
//! or between two places of the order by price. Then the shortest list is gone through and its documents are held
//! against the others, whatever the size of the catalog; else sets are intersected, 64 documents at a time.

use std::{borrow::Cow, ops::Range};

use crate::{bits::Bits, groups::Groups, price::PriceColumn};

/// A document of a list costs so many times what passing 64 in a set does, for each filter.
const LISTED: usize = 16;

/// One filter.
pub(crate) enum Filter<'a> {
    /// What has one of some values, by the ordinals of which are accepted.
    Value(&'a Groups, Vec<bool>),
    /// What stands between two places of the order by price.
    Priced(&'a PriceColumn, Range<usize>),
    /// What is in a set, or what is not.
    Member(Cow<'a, Bits>, bool),
}

impl Filter<'_> {
    /// What costs at least `min` and at most `max`.
    pub(crate) fn priced(prices: &PriceColumn, min: i64, max: i64) -> Filter<'_> {
        Filter::Priced(prices, prices.range(min, max))
    }

    /// How many documents it leaves of the whole segment, where they are listed.
    fn listed(&self) -> Option<usize> {
        match self {
            Self::Value(groups, accepted) => Some(groups.lists(accepted).map(<[u32]>::len).sum()),
            Self::Priced(_, range) => Some(range.len()),
            Self::Member(..) => None,
        }
    }

    /// Visits the documents that are listed, in no order.
    fn for_each_listed(&self, mut visit: impl FnMut(u32)) {
        match self {
            Self::Value(groups, accepted) => {
                groups.lists(accepted).for_each(|docs| docs.iter().for_each(|&doc| visit(doc)));
            }
            Self::Priced(prices, range) => {
                prices.order.ascending[range.clone()].iter().for_each(|&doc| visit(doc));
            }
            Self::Member(..) => {}
        }
    }

    /// Whether it leaves a document.
    fn leaves(&self, doc: u32) -> bool {
        match self {
            Self::Value(groups, accepted) => accepted[groups.ords[doc as usize] as usize],
            Self::Priced(prices, range) => prices.is_within(doc, range),
            Self::Member(set, is_in) => set.contains(doc) == *is_in,
        }
    }

    /// Leaves of a set what it leaves.
    fn narrow(&self, docs: &mut Bits) {
        match self {
            Self::Value(groups, accepted) => docs.and(&groups.having(accepted)),
            Self::Priced(prices, range) => docs.and(&prices.within(range.clone())),
            Self::Member(set, true) => docs.and(set),
            Self::Member(set, false) => docs.and_not(set),
        }
    }

    /// What it leaves of the whole segment.
    pub(crate) fn set(&self, bound: u32) -> Bits {
        match self {
            Self::Value(groups, accepted) => groups.having(accepted),
            Self::Priced(prices, range) => prices.within(range.clone()),
            Self::Member(set, true) => set.clone().into_owned(),
            Self::Member(..) => {
                let mut docs = Bits::all(bound);
                self.narrow(&mut docs);
                docs
            }
        }
    }
}

/// What all of the filters leave of a set.
pub(crate) fn narrow<'a>(base: Cow<'a, Bits>, filters: &[Filter<'_>]) -> Cow<'a, Bits> {
    if filters.is_empty() {
        return base;
    }
    let lists = filters.iter().enumerate().filter_map(|(place, filter)| Some((filter.listed()?, place)));
    if let Some((length, shortest)) = lists.min()
        && length * LISTED < base.bound() as usize
    {
        let mut docs = Bits::none(base.bound());
        let others = || filters.iter().enumerate().filter(|(place, _)| *place != shortest);
        filters[shortest].for_each_listed(|doc| {
            if base.contains(doc) && others().all(|(_, filter)| filter.leaves(doc)) {
                docs.insert(doc);
            }
        });
        return Cow::Owned(docs);
    }
    let mut docs = base.into_owned();
    filters.iter().for_each(|filter| filter.narrow(&mut docs));
    Cow::Owned(docs)
}

#[cfg(test)]
mod tests {
    use tantivy::i64_to_u64;

    use super::*;
    use crate::{permutation::Permutation, price::Prices};

    const DOCUMENTS: u32 = 2_000;

    fn of(belongs: impl Fn(u32) -> bool) -> Bits {
        Bits::of(&(0..DOCUMENTS).collect::<Vec<_>>(), belongs)
    }

    #[test]
    fn filters_leave_the_same_however_they_are_asked() {
        let value = |doc: u32| (doc * 7 % 101) as usize;
        let price = |doc: u32| i64::from(doc * 13 % 500);
        let groups = Groups::new((0..DOCUMENTS).map(|doc| value(doc) as u32).collect(), 100);
        let prices: Vec<i64> = (0..DOCUMENTS).map(price).collect();
        let by_id: Vec<u32> = (0..DOCUMENTS).collect();
        let order = Permutation::new(&by_id, |doc| Some(i64_to_u64(prices[doc as usize])));
        let ids: Vec<i64> = (0..i64::from(DOCUMENTS)).collect();
        let column = Prices::new(prices, Bits::none(DOCUMENTS), order, Vec::new()).at(0, &ids);
        let odd = of(|doc| doc % 2 == 1);
        let base = of(|doc| doc % 5 != 0);
        for accepted in [vec![], vec![3], vec![3, 4, 99], (0..60).collect::<Vec<usize>>()] {
            for (min, max) in [(0, 499), (100, 110), (7, 7), (300, 200), (-5, 250), (480, i64::MAX)] {
                for is_odd in [true, false] {
                    let accepts = |value: usize| accepted.contains(&value);
                    let filters = [
                        Filter::Value(&groups, (0..=100).map(accepts).collect()),
                        Filter::priced(&column, min, max),
                        Filter::Member(Cow::Borrowed(&odd), is_odd),
                    ];
                    let leaves: [&dyn Fn(u32) -> bool; 3] =
                        [&|doc| accepts(value(doc)), &|doc| (min..=max).contains(&price(doc)), &|doc| {
                            (doc % 2 == 1) == is_odd
                        }];
                    let all = of(|doc| base.contains(doc) && leaves.iter().all(|leaves| leaves(doc)));
                    let what = format!("{} values, {min}..={max}, {is_odd}", accepted.len());
                    assert_eq!(*narrow(Cow::Borrowed(&base), &filters), all, "{what}");
                    for (filter, leaves) in filters.iter().zip(leaves) {
                        let one = of(|doc| base.contains(doc) && leaves(doc));
                        let mut narrowed = base.clone();
                        filter.narrow(&mut narrowed);
                        assert_eq!(narrowed, one, "{what}");
                        assert_eq!(filter.set(DOCUMENTS), of(leaves), "{what}");
                        assert!((0..DOCUMENTS).all(|doc| filter.leaves(doc) == leaves(doc)), "{what}");
                        assert_eq!(
                            *narrow(Cow::Borrowed(&base), std::slice::from_ref(filter)),
                            one,
                            "{what}"
                        );
                    }
                }
            }
        }
        assert!(matches!(narrow(Cow::Borrowed(&base), &[]), Cow::Borrowed(_)));
    }
}
