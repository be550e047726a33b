//! From a query to sets of documents: one for each filter, in one segment.
//!
//! Filters whose kind is counted as a facet stay apart, because that facet is counted without them; the others are
//! applied at once ([`filter`]).

use std::{borrow::Cow, ops::RangeInclusive, sync::Arc};

use crate::{
    bits::Bits,
    document::number_text,
    error::Error,
    filter::{self, Filter, Left, Values},
    generation::{Generation, Segment},
    postings,
    price::PriceColumn,
    query::{Facet, Query, SortField, Visibility},
    reading::TextMatches,
    schema::attribute_term,
    segment::NO_VENDOR,
    sheet::Lent,
};

/// What matches a query in one segment.
pub(crate) struct Matches<'a> {
    /// What matches.
    pub(crate) all: Left<'a>,
    /// How many that is.
    pub(crate) count: usize,
    /// Whether it is everything that shoppers see.
    pub(crate) is_all_offered: bool,
    /// What matches but for the filters in `own`, where there are some.
    base: Left<'a>,
    /// The filters that a facet's counts leave out, of the facets that are asked for.
    own: Vec<(Facet, Bits)>,
    /// The prices at the query's instant.
    pub(crate) prices: Arc<PriceColumn>,
    /// Between which of them the query's filter leaves any, both included.
    pub(crate) priced: RangeInclusive<i64>,
    /// How well they match; none when the order does not ask.
    sheet: Option<Lent>,
}

/// What the filters of a query leave in a segment.
pub(crate) struct Filtered<'a> {
    /// What is visible and passes the filters but those in `own`.
    pub(crate) base: Left<'a>,
    own: Vec<(Facet, Bits)>,
    prices: Arc<PriceColumn>,
    /// Whether any filter was applied.
    pub(crate) is_narrowed: bool,
}

impl<'a> Filtered<'a> {
    /// Of the documents that are visible.
    pub(crate) fn new(
        query: &Query,
        visible: Cow<'a, Bits>,
        generation: &Generation,
        ordinal: usize,
    ) -> Result<Self, Error> {
        let segment = &generation.segments[ordinal];
        let prices = segment.view.prices_at(query.at);
        let mut shared = shared_filters(query, segment, &prices);
        let mut own = Vec::new();
        for (facet, filter) in own_filters(query, generation, ordinal, &prices)? {
            if query.facets.contains(&facet) {
                own.push((facet, filter.set(visible.bound())));
            } else {
                shared.push(filter);
            }
        }
        let order = query.sort.first().filter(|first| !first.descending).map(|first| first.field);
        let (base, is_narrowed) = (filter::narrow(visible, &shared, order), !shared.is_empty());
        drop(shared);
        Ok(Self { base, own, prices, is_narrowed })
    }

    /// What of it matches a text; all of it where there is none.
    pub(crate) fn matching(
        self,
        query: &Query,
        text: Option<TextMatches>,
        segment: &'a Segment,
    ) -> Matches<'a> {
        let Self { base, own, prices, is_narrowed: _ } = self;
        let (base, sheet) = text.map_or((base, None), |text| (Left::Set(Cow::Owned(text.docs)), text.sheet));
        let (all, base) = if own.is_empty() {
            (base, Left::Set(Cow::default()))
        } else {
            let mut all = base.set().clone();
            own.iter().for_each(|(_, filter)| all.and(filter));
            (Left::Set(Cow::Owned(all)), base)
        };
        let is_offered =
            matches!(&all, Left::Set(Cow::Borrowed(all)) if std::ptr::eq(*all, &raw const segment.offered));
        let count = if is_offered { segment.offered_count } else { all.count() };
        // Whoever sees what shoppers see, and leaves nothing out.
        let is_all_offered = query.visibility == Visibility::Active && count == segment.offered_count;
        let priced = query.price_min.unwrap_or(i64::MIN)..=query.price_max.unwrap_or(i64::MAX);
        Matches { count: count as usize, is_all_offered, all, base, own, prices, priced, sheet }
    }
}

impl Matches<'_> {
    /// By document, how well it matches; empty when the order does not ask.
    pub(crate) fn scores(&self) -> &[f32] {
        self.sheet.as_ref().map_or(&[], |sheet| &sheet.scores)
    }

    /// What a facet counts: what matches every filter but its own.
    pub(crate) fn counted_by(&self, facet: &Facet) -> Cow<'_, Bits> {
        if self.own.iter().all(|(own, _)| own != facet) {
            return Cow::Borrowed(self.all.set());
        }
        let mut counted = self.base.set().clone();
        self.own.iter().filter(|(own, _)| own != facet).for_each(|(_, filter)| counted.and(filter));
        Cow::Owned(counted)
    }
}

/// What somebody may see of a segment.
pub(crate) fn visible(visibility: Visibility, segment: &Segment) -> Cow<'_, Bits> {
    let owned = |vendor| Bits::of(&segment.view.vendors, |other| other == vendor && other != NO_VENDOR);
    let hidden = || {
        let mut hidden = segment.live.clone();
        hidden.and_not(&segment.view.active);
        hidden
    };
    match visibility {
        Visibility::Active => Cow::Borrowed(&segment.offered),
        Visibility::All => Cow::Borrowed(&segment.live),
        Visibility::Inactive => Cow::Owned(hidden()),
        Visibility::InactiveOf(vendor) => {
            let mut seen = hidden();
            seen.and(&owned(vendor));
            Cow::Owned(seen)
        }
        Visibility::ActiveOrOf(vendor) => {
            let mut seen = owned(vendor);
            seen.or(&segment.view.active);
            seen.and(&segment.live);
            Cow::Owned(seen)
        }
    }
}

/// How many documents stand in the lists of what a query filters by: in the shortest of each segment, and in all of them.
/// Nothing where it filters by nothing that is listed.
pub(crate) fn listed(generation: &Generation, query: &Query) -> Option<(usize, usize)> {
    let lengths = |segment: &Segment| {
        let view = &segment.view;
        let category = accepted_categories(query, segment).map(|ords| view.categories.by_chain.listed(&ords));
        let brand = accepted_brands(query, segment).map(|ords| view.by_brand.listed(&ords));
        let both = category.into_iter().chain(brand);
        Some((both.clone().min()?, both.sum::<usize>()))
    };
    let add = |(shortest, all), (more, others): (usize, usize)| (shortest + more, all + others);
    generation.segments.iter().map(lengths).try_fold((0, 0), |sums, lengths| Some(add(sums, lengths?)))
}

/// How many documents are in segments of which prices that a query needs are not known: the first that asks after a
/// change computes them.
pub(crate) fn unpriced(generation: &Generation, query: &Query) -> usize {
    let needs_chains = !query.categories.is_empty() && is_priced(query);
    let knows = |segment: &&Segment| {
        let prices = segment.view.kept_prices_at(query.at);
        prices.is_some_and(|prices| !needs_chains || prices.knows_chains())
    };
    let unknown = generation.segments.iter().filter(|segment| !knows(segment));
    unknown.map(|segment| segment.view.documents() as usize).sum()
}

/// Whether a query is about prices.
fn is_priced(query: &Query) -> bool {
    query.price_min.or(query.price_max).is_some()
        || query.sort.first().is_some_and(|first| first.field == SortField::Price)
}

/// The filters that every facet is counted with.
fn shared_filters<'s>(query: &Query, segment: &'s Segment, prices: &'s PriceColumn) -> Vec<Filter<'s>> {
    let of = |vendor| Bits::of(&segment.view.vendors, |other| other == vendor && other != NO_VENDOR);
    let vendor = query.vendor_id.map(|vendor| Filter::Member(Cow::Owned(of(vendor)), true));
    let sale = query.on_sale.then_some(Filter::Member(Cow::Borrowed(&prices.sale), true));
    vendor.into_iter().chain(sale).collect()
}

/// Those that one facet is counted without.
fn own_filters<'s>(
    query: &Query,
    generation: &'s Generation,
    ordinal: usize,
    prices: &'s PriceColumn,
) -> Result<Vec<(Facet, Filter<'s>)>, Error> {
    let segment = &generation.segments[ordinal];
    let view = &segment.view;
    let mut own = by_value(query, segment, prices);
    if query.price_min.is_some() || query.price_max.is_some() {
        let (min, max) = (query.price_min.unwrap_or(i64::MIN), query.price_max.unwrap_or(i64::MAX));
        own.push((Facet::Price, Filter::Priced(prices, min..=max)));
    }
    if let Some(in_stock) = query.in_stock {
        own.push((Facet::Availability, Filter::Member(Cow::Borrowed(&view.in_stock), in_stock)));
    }
    if let Some(least) = query.rating_min {
        own.push((Facet::Rating, Filter::Member(view.rated_at_least(least), true)));
    }
    for (name, values) in &query.attributes {
        let having = with_attribute(name, values, generation, ordinal)?;
        own.push((Facet::Attribute(name.clone()), Filter::Member(Cow::Owned(having), true)));
    }
    Ok(own)
}

/// Those whose documents are listed.
fn by_value<'s>(query: &Query, segment: &'s Segment, prices: &'s PriceColumn) -> Vec<(Facet, Filter<'s>)> {
    let view = &segment.view;
    let mut filters = Vec::new();
    if let Some(accepted) = accepted_categories(query, segment) {
        let groups = &view.categories.by_chain;
        let (docs, by) = match is_priced(query) {
            true => (prices.by_chain(groups), Some(SortField::Price)),
            false => (groups.docs.as_slice(), None),
        };
        filters.push((Facet::Category, Filter::Value(Values { groups, accepted, docs, by })));
    }
    if let Some(accepted) = accepted_brands(query, segment) {
        let (groups, by) = (&view.by_brand, Some(SortField::Name));
        filters.push((Facet::Brand, Filter::Value(Values { groups, accepted, docs: &groups.docs, by })));
    }
    filters
}

/// The ordinals of the chains of categories that a query accepts; none where it accepts all.
fn accepted_categories(query: &Query, segment: &Segment) -> Option<Vec<u32>> {
    (!query.categories.is_empty()).then(|| segment.view.categories.accepted(&query.categories))
}

/// And those of the brands.
fn accepted_brands(query: &Query, segment: &Segment) -> Option<Vec<u32>> {
    let found = query.brands.iter().filter_map(|brand| segment.view.brands.find(brand.as_bytes()));
    let mut accepted: Vec<u32> = found.collect();
    accepted.sort_unstable();
    accepted.dedup();
    (!query.brands.is_empty()).then_some(accepted)
}

/// The documents whose attribute of this name has one of the values.
fn with_attribute(
    name: &str,
    values: &[String],
    generation: &Generation,
    ordinal: usize,
) -> Result<Bits, Error> {
    let index = generation.index(ordinal, generation.fields.attribute)?;
    let mut filter = Bits::none(generation.segments[ordinal].view.documents());
    let given = values.iter().filter(|value| !value.is_empty()).map(|value| Cow::Borrowed(value.as_str()));
    let numbers = values.iter().filter_map(|value| whole_number(value)).map(Cow::Owned);
    for value in given.chain(numbers) {
        if let Some(term) = index.terms().get(attribute_term(name, &value))? {
            postings::collect(&index, &term, &mut filter)?;
        }
    }
    Ok(filter)
}

/// The text of a number that is whole and written with decimals: `6` for `6.0`.
fn whole_number(value: &str) -> Option<String> {
    let is_decimal = value.contains('.') && value.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
    let text = is_decimal.then(|| serde_json::from_str(value).ok().map(|number| number_text(&number)))??;
    (!text.contains('.')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_no_decimals() {
        for (value, text) in [("6.0", "6"), ("6.00", "6"), ("-12.0", "-12"), ("-0.0", "0")] {
            assert_eq!(whole_number(value).as_deref(), Some(text), "{value}");
        }
        for value in ["6", "6.5", "6.", ".0", "06.0", "1e1", "1.0e1", "6.0.0", "", "-", "6.0 "] {
            assert_eq!(whole_number(value), None, "{value}");
        }
    }
}
