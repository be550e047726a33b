//! Counting what matches, by value.
//!
//! Each facet counts one column of each segment over the set that its own filter leaves alone, by ordinal
//! ([`groups`](crate::groups)); only the values that occur are then spelled out and merged. Prices have rules of their own, in
//! [`price_facet`].

use std::{cmp::Reverse, collections::HashMap};

use crate::{
    attribute_facet,
    category::Node,
    compile::Matches,
    error::Error,
    generation::Generation,
    hits::{Availability, CategoryCount, Facets, RatingCount, ValueCount},
    price_facet,
    query::{Facet, Query},
    segment::SegmentView,
};

/// How many values a facet lists at most, besides the selected ones: beyond it nobody reads, and it bounds the
/// answer.
pub(crate) const MAX_VALUES: usize = 100;

/// Counts the facets that a query asks for.
pub(crate) fn count(
    query: &Query,
    generation: &Generation,
    matches: &[Matches<'_>],
) -> Result<Facets, Error> {
    let mut facets = Facets::default();
    let views: Vec<&SegmentView> = generation.segments.iter().map(|segment| segment.view.as_ref()).collect();
    for facet in &query.facets {
        match facet {
            Facet::Category => facets.category = Some(categories(&views, matches)),
            Facet::Brand => facets.brand = Some(brands(&views, matches, &query.brands)),
            Facet::Price => facets.price = Some(price_facet::count(matches)),
            Facet::Availability => facets.availability = Some(availability(&views, matches)),
            Facet::Rating => facets.rating = Some(ratings(&views, matches)),
            Facet::Attribute(name) => {
                let selected = query.attributes.get(name).map(Vec::as_slice).unwrap_or_default();
                let counts = attribute_facet::count(name, generation, matches, selected)?;
                facets.attributes.insert(name.clone(), counts);
            }
        }
    }
    Ok(facets)
}

/// The most frequent values, then in order of value. A selected one is kept however rare it is: who has ticked
/// it must be able to see it.
pub(crate) fn most_frequent(mut counts: Vec<ValueCount>, selected: &[String]) -> Vec<ValueCount> {
    counts.sort_unstable_by(|one, other| {
        (Reverse(one.count), &one.value).cmp(&(Reverse(other.count), &other.value))
    });
    let rare = counts.split_off(counts.len().min(MAX_VALUES));
    counts.extend(rare.into_iter().filter(|count| selected.contains(&count.value)));
    counts
}

fn brands(views: &[&SegmentView], matches: &[Matches<'_>], selected: &[String]) -> Vec<ValueCount> {
    let mut counts: HashMap<&[u8], u64> = HashMap::new();
    for (view, matches) in views.iter().zip(matches) {
        let by_ord = view.by_brand.count(&matches.counted_by(&Facet::Brand));
        for (ord, &count) in (0..).zip(&by_ord[..view.brands.len()]).filter(|(_, count)| **count > 0) {
            *counts.entry(view.brands.get(ord)).or_default() += count;
        }
    }
    let spelled = counts
        .into_iter()
        .map(|(value, count)| ValueCount { value: String::from_utf8_lossy(value).into_owned(), count });
    most_frequent(spelled.collect(), selected)
}

fn categories(views: &[&SegmentView], matches: &[Matches<'_>]) -> Vec<CategoryCount> {
    let mut counts: HashMap<i64, (&Node, u64)> = HashMap::new();
    for (view, matches) in views.iter().zip(matches) {
        let tree = &view.categories;
        let by_chain = tree.by_chain.count(&matches.counted_by(&Facet::Category));
        let mut by_node = vec![0; tree.nodes.len()];
        for (chain, &count) in tree.chains.iter().zip(&by_chain) {
            chain.iter().for_each(|&node| by_node[node as usize] += count);
        }
        for (node, &count) in tree.nodes.iter().zip(&by_node).filter(|(_, count)| **count > 0) {
            counts.entry(node.category.id).or_insert((node, 0)).1 += count;
        }
    }
    let mut counts: Vec<(&Node, u64)> = counts.into_values().collect();
    counts.sort_unstable_by_key(|(node, count)| (Reverse(*count), &node.category.name, node.category.id));
    counts.into_iter().map(|(node, count)| node.counted(count)).collect()
}

fn availability(views: &[&SegmentView], matches: &[Matches<'_>]) -> Availability {
    let mut availability = Availability::default();
    for (view, matches) in views.iter().zip(matches) {
        let counted = matches.counted_by(&Facet::Availability);
        let in_stock = counted.count_and(&view.in_stock);
        availability.in_stock += in_stock;
        availability.out_of_stock += counted.count() - in_stock;
    }
    availability
}

fn ratings(views: &[&SegmentView], matches: &[Matches<'_>]) -> Vec<RatingCount> {
    let mut counts = [4, 3, 2, 1].map(|from| RatingCount { from, count: 0 });
    for (view, matches) in views.iter().zip(matches) {
        let counted = matches.counted_by(&Facet::Rating);
        for count in &mut counts {
            count.count += counted.count_and(&view.rated_at_least(count.from));
        }
    }
    counts.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selected_value_is_kept_however_rare_it_is() {
        let counts: Vec<ValueCount> =
            (0..150_u64).map(|n| ValueCount { value: format!("{n:03}"), count: 1_000 - n }).collect();
        let listed = most_frequent(counts, &["007".to_owned(), "140".to_owned(), "none".to_owned()]);
        assert_eq!(listed.len(), MAX_VALUES + 1);
        assert_eq!(listed.last().map(|last| (last.value.as_str(), last.count)), Some(("140", 860)));
    }
}
