//! From a query to sets of documents: one for each filter, in one segment.
//!
//! Filters whose kind can be counted as a facet stay apart, because that facet is counted without them; the
//! others are applied at once.

use std::{borrow::Cow, sync::Arc};

use crate::{
    bits::Bits,
    document::number_text,
    error::Error,
    generation::{Generation, Segment},
    postings,
    price::PriceColumn,
    query::{Facet, Query, Visibility},
    schema::attribute_term,
    segment::NO_VENDOR,
    sheet::Lent,
};

/// What matches a query in one segment.
pub(crate) struct Matches {
    /// What matches.
    pub(crate) all: Bits,
    /// How many that is.
    pub(crate) count: usize,
    /// Whether it is everything that shoppers see.
    pub(crate) is_all_offered: bool,
    /// What matches but for the filters in `own`.
    base: Bits,
    /// The filters that a facet's counts leave out.
    own: Vec<(Facet, Bits)>,
    /// The prices at the query's instant.
    pub(crate) prices: Arc<PriceColumn>,
    /// How well they match; none when the order does not ask.
    sheet: Option<Lent>,
}

impl Matches {
    /// What matches a query in a segment, of the documents that are visible and match its text.
    pub(crate) fn find(
        query: &Query,
        mut base: Bits,
        sheet: Option<Lent>,
        generation: &Generation,
        ordinal: usize,
    ) -> Result<Self, Error> {
        let segment = &generation.segments[ordinal];
        let prices = segment.view.prices_at(query.at);
        if let Some(vendor) = query.vendor_id {
            base.and(&Bits::of(&segment.view.vendors, |other| other == vendor && other != NO_VENDOR));
        }
        if query.on_sale {
            base.and(&prices.sale);
        }
        let own = own_filters(query, generation, segment, &prices)?;
        let mut all = base.clone();
        own.iter().for_each(|(_, filter)| all.and(filter));
        let count = all.count();
        // Whoever sees what shoppers see, and leaves nothing out.
        let is_all_offered = query.visibility == Visibility::Active && count == segment.offered_count;
        Ok(Self { count: count as usize, is_all_offered, all, base, own, prices, sheet })
    }

    /// By document, how well it matches; empty when the order does not ask.
    pub(crate) fn scores(&self) -> &[f32] {
        self.sheet.as_ref().map_or(&[], |sheet| &sheet.scores)
    }

    /// What a facet counts: what matches every filter but its own.
    pub(crate) fn counted_by(&self, facet: &Facet) -> Cow<'_, Bits> {
        if self.own.iter().all(|(own, _)| own != facet) {
            return Cow::Borrowed(&self.all);
        }
        let mut counted = self.base.clone();
        self.own.iter().filter(|(own, _)| own != facet).for_each(|(_, filter)| counted.and(filter));
        Cow::Owned(counted)
    }
}

/// What somebody may see of a segment.
pub(crate) fn visible(visibility: Visibility, segment: &Segment) -> Bits {
    let owned = |vendor| Bits::of(&segment.view.vendors, |other| other == vendor && other != NO_VENDOR);
    let hidden = || {
        let mut hidden = segment.live.clone();
        hidden.and_not(&segment.view.active);
        hidden
    };
    match visibility {
        Visibility::Active => segment.offered.clone(),
        Visibility::All => segment.live.clone(),
        Visibility::Inactive => hidden(),
        Visibility::InactiveOf(vendor) => {
            let mut seen = hidden();
            seen.and(&owned(vendor));
            seen
        }
        Visibility::ActiveOrOf(vendor) => {
            let mut seen = owned(vendor);
            seen.or(&segment.view.active);
            seen.and(&segment.live);
            seen
        }
    }
}

fn own_filters(
    query: &Query,
    generation: &Generation,
    segment: &Segment,
    prices: &PriceColumn,
) -> Result<Vec<(Facet, Bits)>, Error> {
    let view = &segment.view;
    let mut own = Vec::new();
    if !query.categories.is_empty() {
        let accepted = view.categories.accepted(&query.categories);
        own.push((Facet::Category, view.categories.by_chain.having(&accepted)));
    }
    if !query.brands.is_empty() {
        let mut accepted = vec![false; view.brands.len() + 1];
        for ord in query.brands.iter().filter_map(|brand| view.brands.find(brand.as_bytes())) {
            accepted[ord as usize] = true;
        }
        own.push((Facet::Brand, view.by_brand.having(&accepted)));
    }
    if query.price_min.is_some() || query.price_max.is_some() {
        let (min, max) = (query.price_min.unwrap_or(i64::MIN), query.price_max.unwrap_or(i64::MAX));
        own.push((Facet::Price, prices.between(min, max)));
    }
    if let Some(in_stock) = query.in_stock {
        let mut filter = view.in_stock.clone();
        if !in_stock {
            filter = Bits::all(view.documents());
            filter.and_not(&view.in_stock);
        }
        own.push((Facet::Availability, filter));
    }
    if let Some(least) = query.rating_min {
        own.push((Facet::Rating, view.rated_at_least(least).into_owned()));
    }
    for (name, values) in &query.attributes {
        let filter = with_attribute(name, values, generation, segment)?;
        own.push((Facet::Attribute(name.clone()), filter));
    }
    Ok(own)
}

/// The documents whose attribute of this name has one of the values.
fn with_attribute(
    name: &str,
    values: &[String],
    generation: &Generation,
    segment: &Segment,
) -> Result<Bits, Error> {
    let index = segment.reader.inverted_index(generation.fields.attribute)?;
    let mut filter = Bits::none(segment.view.documents());
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
