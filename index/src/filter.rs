//! The filters of a query in one segment, each as what it is quickest asked by.
//!
//! Most filters of a shop leave few documents, which the segment has listed already: those of a brand, of a category,
//! or between two places of the order by price. Then the shortest list is gone through and its documents are held
//! against the others, whatever the size of the catalog; else sets are intersected, 64 documents at a time.

use std::{borrow::Cow, cell::OnceCell, ops::RangeInclusive};

use crate::{bits::Bits, groups::Groups, price::PriceColumn, query::SortField};

/// A document of a list costs so many times what passing 64 in a set does, for each filter.
const LISTED: usize = 16;

/// One filter.
pub(crate) enum Filter<'a> {
    /// What has one of some values.
    Value(Values<'a>),
    /// What costs at least so much, and at most so much.
    Priced(&'a PriceColumn, RangeInclusive<i64>),
    /// What is in a set, or what is not.
    Member(Cow<'a, Bits>, bool),
}

/// Values of which a document has one.
pub(crate) struct Values<'a> {
    pub(crate) groups: &'a Groups,
    /// Which ones, by ordinal, ascending.
    pub(crate) accepted: Vec<u32>,
    /// The documents by value.
    pub(crate) docs: &'a [u32],
    /// What those of a value are sorted by, the smallest first.
    pub(crate) by: Option<SortField>,
}

/// What filters leave.
pub(crate) enum Left<'a> {
    Set(Cow<'a, Bits>),
    List(List),
}

/// A few documents, as they were listed.
pub(crate) struct List {
    docs: Vec<u32>,
    /// Whether they are in the order that was asked for.
    is_sorted: bool,
    /// What each of them is below.
    bound: u32,
    /// Once somebody has asked: most want a page, and how many there are.
    set: OnceCell<Bits>,
}

impl Left<'_> {
    pub(crate) fn bound(&self) -> u32 {
        match self {
            Self::Set(set) => set.bound(),
            Self::List(list) => list.bound,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Set(set) => set.count(),
            Self::List(list) => list.docs.len() as u64,
        }
    }

    pub(crate) fn set(&self) -> &Bits {
        match self {
            Self::Set(set) => set,
            Self::List(list) => list.set.get_or_init(|| {
                let mut set = Bits::none(list.bound);
                list.docs.iter().for_each(|&doc| set.insert(doc));
                set
            }),
        }
    }

    /// All of them in the order that was asked for, where that costs nothing.
    pub(crate) fn sorted(&self) -> Option<&[u32]> {
        match self {
            Self::List(list) if list.is_sorted => Some(&list.docs),
            _ => None,
        }
    }

    /// Visits them, in no order.
    pub(crate) fn for_each(&self, visit: impl FnMut(u32)) {
        match self {
            Self::Set(set) => set.for_each(visit),
            Self::List(list) => list.docs.iter().copied().for_each(visit),
        }
    }
}

impl Values<'_> {
    fn accepts(&self, ord: u32) -> bool {
        match self.accepted[..] {
            [one] => one == ord,
            _ => self.accepted.binary_search(&ord).is_ok(),
        }
    }
}

impl Filter<'_> {
    /// How many documents it leaves of the whole segment, where they are listed.
    pub(crate) fn listed(&self) -> Option<usize> {
        match self {
            Self::Value(values) => Some(values.groups.listed(&values.accepted)),
            Self::Priced(prices, range) => Some(prices.range(range).len()),
            Self::Member(..) => None,
        }
    }

    /// Whether it is one by price: how many that leaves takes longer to find out than to hold a few hundred documents
    /// against it.
    fn is_priced(&self) -> bool {
        matches!(self, Self::Priced(..))
    }

    /// The documents that are listed, as lists, and what each of them is sorted by. Where that is the price, those of
    /// `priced` alone.
    fn lists(&self, priced: Option<&Self>) -> (Vec<&[u32]>, Option<SortField>) {
        match self {
            Self::Value(Values { groups, accepted, docs, by }) => {
                let lists = groups.ranges(accepted).map(|range| &docs[range]).filter(|list| !list.is_empty());
                let part = |list| match priced {
                    Some(Self::Priced(prices, range)) => prices.part(list, range),
                    _ => list,
                };
                (lists.map(part).collect(), *by)
            }
            Self::Priced(prices, range) => {
                (vec![&prices.order.ascending[prices.range(range)]], Some(SortField::Price))
            }
            Self::Member(..) => (Vec::new(), None),
        }
    }

    /// Leaves of some documents what it leaves.
    fn keep(&self, docs: &mut Vec<u32>) {
        match self {
            Self::Value(values) => keep(docs, |doc| values.accepts(values.groups.ords[doc as usize])),
            Self::Priced(prices, range) => keep(docs, |doc| range.contains(&prices.prices[doc as usize])),
            Self::Member(set, is_in) => keep(docs, |doc| set.contains(doc) == *is_in),
        }
    }

    /// Leaves of a set what it leaves.
    fn narrow(&self, docs: &mut Bits) {
        match self {
            Self::Value(values) => docs.and(&values.groups.having(&values.accepted)),
            Self::Priced(prices, range) => docs.and(&prices.between(range)),
            Self::Member(set, true) => docs.and(set),
            Self::Member(set, false) => docs.and_not(set),
        }
    }

    /// What it leaves of the whole segment.
    pub(crate) fn set(&self, bound: u32) -> Bits {
        match self {
            Self::Value(values) => values.groups.having(&values.accepted),
            Self::Priced(prices, range) => prices.between(range),
            Self::Member(set, true) => set.clone().into_owned(),
            Self::Member(..) => {
                let mut docs = Bits::all(bound);
                self.narrow(&mut docs);
                docs
            }
        }
    }
}

/// What all of the filters leave of a set; `order` is what it is wanted by, the smallest first.
pub(crate) fn narrow<'a>(base: Cow<'a, Bits>, filters: &[Filter<'_>], order: Option<SortField>) -> Left<'a> {
    let lists = |is_priced| {
        let those = filters.iter().enumerate().filter(move |(_, filter)| filter.is_priced() == is_priced);
        those.filter_map(|(place, filter)| Some((filter.listed()?, place)))
    };
    let is_short = |(length, _): &(usize, usize)| length * LISTED < base.bound() as usize;
    let quick = lists(false).min().filter(is_short);
    if let Some((_, shortest)) = quick.or_else(|| lists(true).min().filter(is_short)) {
        return among(&base, filters, shortest, order);
    }
    if filters.is_empty() {
        return Left::Set(base);
    }
    let mut docs = base.into_owned();
    filters.iter().for_each(|filter| filter.narrow(&mut docs));
    Left::Set(Cow::Owned(docs))
}

/// Leaves those that pass, in their order. Without a branch that nobody could foretell: half the time.
fn keep(docs: &mut Vec<u32>, passes: impl Fn(u32) -> bool) {
    let mut kept = 0;
    for place in 0..docs.len() {
        let doc = docs[place];
        docs[kept] = doc;
        kept += usize::from(passes(doc));
    }
    docs.truncate(kept);
}

/// What all of the filters leave of a set, among what one of them lists.
fn among(base: &Bits, filters: &[Filter<'_>], one: usize, order: Option<SortField>) -> Left<'static> {
    let by_price = matches!(&filters[one], Filter::Value(values) if values.by == Some(SortField::Price));
    // Part of a list that is sorted by price needs no look at prices.
    let priced = filters.iter().position(|filter| by_price && filter.is_priced());
    let (lists, by) = filters[one].lists(priced.map(|priced| &filters[priced]));
    let is_other = |place: usize| place != one && Some(place) != priced;
    let others: Vec<&Filter<'_>> =
        filters.iter().enumerate().filter(|(place, _)| is_other(*place)).map(|(_, filter)| filter).collect();
    let is_sorted = by.is_some() && by == order && lists.len() <= 1;
    let mut docs = lists.concat();
    keep(&mut docs, |doc| base.contains(doc));
    others.iter().for_each(|filter| filter.keep(&mut docs));
    Left::List(List { docs, is_sorted, bound: base.bound(), set: OnceCell::new() })
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
        let price = |doc: u32| i64::from(doc * 13 % 50);
        let ords = (0..DOCUMENTS).map(|doc| value(doc) as u32).collect();
        let groups = Groups::new(ords, 100, (0..DOCUMENTS).rev());
        let prices: Vec<i64> = (0..DOCUMENTS).map(price).collect();
        let by_id: Vec<u32> = (0..DOCUMENTS).collect();
        let order = Permutation::new(&by_id, |doc| Some(i64_to_u64(prices[doc as usize])));
        let ids: Vec<i64> = (0..i64::from(DOCUMENTS)).collect();
        let column = Prices::new(prices, Bits::none(DOCUMENTS), order, Vec::new()).at(0, &ids);
        let by_price = |docs: &mut Vec<u32>| docs.sort_by_key(|&doc| (price(doc), doc));
        let odd = of(|doc| doc % 2 == 1);
        let base = of(|doc| doc % 5 != 0);
        let mut sorted = 0;
        for accepted in [vec![], vec![3], vec![3, 4, 99], (0..60).collect::<Vec<usize>>()] {
            for (min, max) in [(0, 49), (10, 11), (7, 7), (30, 20), (-5, 25), (48, i64::MAX)] {
                for (is_odd, is_priced) in [(true, true), (true, false), (false, true), (false, false)] {
                    let accepts = |value: usize| accepted.contains(&value);
                    let docs = if is_priced { column.by_chain(&groups) } else { &groups.docs };
                    let by = is_priced.then_some(SortField::Price);
                    let accepted = accepted.iter().map(|&value| value as u32).collect();
                    let filters = [
                        Filter::Value(Values { groups: &groups, accepted, docs, by }),
                        Filter::Priced(&column, min..=max),
                        Filter::Member(Cow::Borrowed(&odd), is_odd),
                    ];
                    let leaves: [&dyn Fn(u32) -> bool; 3] =
                        [&|doc| accepts(value(doc)), &|doc| (min..=max).contains(&price(doc)), &|doc| {
                            (doc % 2 == 1) == is_odd
                        }];
                    let what = format!("{min}..={max}, {is_odd}, {is_priced}");
                    let check = |filters: &[Filter<'_>], expected: &Bits| {
                        for order in [None, Some(SortField::Price), Some(SortField::Name)] {
                            let left = narrow(Cow::Borrowed(&base), filters, order);
                            assert_eq!(left.count(), expected.count(), "{what}");
                            let mut visited = Bits::none(DOCUMENTS);
                            left.for_each(|doc| visited.insert(doc));
                            assert_eq!((left.set(), &visited), (expected, expected), "{what}");
                            let Some(kept) = left.sorted() else { continue };
                            let mut wanted = Vec::new();
                            expected.for_each(|doc| wanted.push(doc));
                            by_price(&mut wanted);
                            assert_eq!((kept, order), (&wanted[..], Some(SortField::Price)), "{what}");
                            return 1;
                        }
                        0
                    };
                    let all = of(|doc| base.contains(doc) && leaves.iter().all(|leaves| leaves(doc)));
                    sorted += check(&filters, &all);
                    for (filter, leaves) in filters.iter().zip(leaves) {
                        let one = of(|doc| base.contains(doc) && leaves(doc));
                        let mut narrowed = base.clone();
                        filter.narrow(&mut narrowed);
                        assert_eq!(narrowed, one, "{what}");
                        assert_eq!(filter.set(DOCUMENTS), of(leaves), "{what}");
                        let mut kept: Vec<u32> = (0..DOCUMENTS).rev().collect();
                        filter.keep(&mut kept);
                        assert!(
                            kept.into_iter().eq((0..DOCUMENTS).rev().filter(|doc| leaves(*doc))),
                            "{what}"
                        );
                        check(std::slice::from_ref(filter), &one);
                    }
                }
            }
        }
        assert!(sorted > 10, "lists that are sorted as was asked are used: {sorted}");
        assert!(matches!(narrow(Cow::Borrowed(&base), &[], None), Left::Set(Cow::Borrowed(_))));
    }
}
