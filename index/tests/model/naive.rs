//! What a query means, said as plainly as possible: look at every document.

use std::{cmp::Ordering, collections::BTreeMap};

use duka_index::{
    Availability, CategoryCount, CategoryKey, Document, Facet, Facets, Query, RatingCount, SortField,
    ValueCount, Visibility,
};
use icu_collator::{
    Collator, CollatorBorrowed, CollatorPreferences,
    options::{CollatorOptions, Strength},
    preferences::CollationNumericOrdering,
};

use crate::{reading::Answer, text::attribute_texts};

type Catalog = BTreeMap<i64, Document>;

/// The matching documents; without the filter that `but` counts.
pub(crate) fn matches<'a>(
    catalog: &'a Catalog,
    query: &Query,
    answer: Option<&Answer>,
    but: Option<&Facet>,
) -> Vec<&'a Document> {
    let found = |document: &Document| answer.is_none_or(|answer| answer.scores.contains_key(&document.id));
    catalog.values().filter(|document| found(document) && is_match(document, query, but)).collect()
}

/// Whether a query may see a document.
pub(crate) fn sees(query: &Query, document: &Document) -> bool {
    let owned = |vendor: i64| document.vendor_id == Some(vendor);
    match query.visibility {
        Visibility::Active => document.is_active,
        Visibility::Inactive => !document.is_active,
        Visibility::All => true,
        Visibility::ActiveOrOf(vendor) => document.is_active || owned(vendor),
        Visibility::InactiveOf(vendor) => !document.is_active && owned(vendor),
    }
}

/// Everything but the text.
fn is_match(document: &Document, query: &Query, but: Option<&Facet>) -> bool {
    let counts = |facet: &Facet| but == Some(facet);
    let step = document.prices.iter().rfind(|step| step.from <= query.at).unwrap();
    let owned = |vendor: i64| document.vendor_id == Some(vendor);
    let in_category = |key: &CategoryKey| {
        document.category.iter().any(|category| match key {
            CategoryKey::Id(id) => category.id == *id,
            CategoryKey::Slug(slug) => category.slug == *slug,
        })
    };
    sees(query, document)
        && (query.categories.is_empty()
            || counts(&Facet::Category)
            || query.categories.iter().any(in_category))
        && (query.brands.is_empty()
            || counts(&Facet::Brand)
            || (!document.brand.is_empty() && query.brands.contains(&document.brand)))
        && (counts(&Facet::Price)
            || (query.price_min.is_none_or(|min| min <= step.effective_price)
                && query.price_max.is_none_or(|max| step.effective_price <= max)))
        && (counts(&Facet::Availability)
            || query.in_stock.is_none_or(|in_stock| document.in_stock == in_stock))
        && (!query.on_sale || step.discount.is_some())
        && (counts(&Facet::Rating)
            || query
                .rating_min
                .is_none_or(|min| document.rating.is_some_and(|rating| rating >= f64::from(min))))
        && query.vendor_id.is_none_or(owned)
        && query.attributes.iter().all(|(name, values)| {
            counts(&Facet::Attribute(name.clone()))
                || attribute_texts(document)
                    .iter()
                    .any(|(other, value)| other == name && values.contains(value))
        })
}

fn collator() -> CollatorBorrowed<'static> {
    let mut preferences = CollatorPreferences::default();
    preferences.numeric_ordering = Some(CollationNumericOrdering::True);
    let mut options = CollatorOptions::default();
    options.strength = Some(Strength::Secondary);
    Collator::try_new(preferences, options).unwrap()
}

/// The ids of the page, by the sort keys and then the id.
pub(crate) fn page(mut matches: Vec<&Document>, query: &Query) -> Vec<i64> {
    let collator = collator();
    matches.sort_by(|one, other| {
        for key in &query.sort {
            let ordering = match key.field {
                SortField::Relevance => Ordering::Equal,
                SortField::Price => {
                    one.price_at(query.at).effective_price.cmp(&other.price_at(query.at).effective_price)
                }
                SortField::Name => collator.compare(&one.name, &other.name),
                SortField::DateAdded => one.date_added.cmp(&other.date_added),
                SortField::Popularity => one.popularity.cmp(&other.popularity),
                SortField::Rating => match (one.rating, other.rating) {
                    (Some(one), Some(other)) => one.total_cmp(&other),
                    (one, other) if one.is_some() == other.is_some() => Ordering::Equal,
                    // Last either way, so against the reversal below.
                    (one, _) if one.is_some() != key.descending => Ordering::Less,
                    _ => Ordering::Greater,
                },
            };
            let ordering = if key.descending { ordering.reverse() } else { ordering };
            if ordering.is_ne() {
                return ordering;
            }
        }
        one.id.cmp(&other.id)
    });
    matches.iter().map(|document| document.id).skip(query.offset).take(query.limit).collect()
}

/// All facets but the price's.
pub(crate) fn facets(catalog: &Catalog, query: &Query, answer: Option<&Answer>) -> Facets {
    let mut facets = Facets::default();
    for facet in &query.facets {
        let counted = matches(catalog, query, answer, Some(facet));
        let count =
            |of: &dyn Fn(&Document) -> bool| counted.iter().filter(|document| of(document)).count() as u64;
        match facet {
            Facet::Price => {}
            Facet::Category => facets.category = Some(categories(&counted)),
            Facet::Brand => {
                let brands = counted.iter().map(|document| document.brand.clone());
                facets.brand = Some(values(brands.filter(|brand| !brand.is_empty()), &query.brands));
            }
            Facet::Availability => {
                facets.availability = Some(Availability {
                    in_stock: count(&|document| document.in_stock),
                    out_of_stock: count(&|document| !document.in_stock),
                });
            }
            Facet::Rating => {
                let at_least = |from: u8| {
                    let count =
                        count(&|document| document.rating.is_some_and(|rating| rating >= f64::from(from)));
                    RatingCount { from, count }
                };
                facets.rating = Some([4, 3, 2, 1].map(at_least).to_vec());
            }
            Facet::Attribute(name) => {
                let texts = counted.iter().flat_map(|document| attribute_texts(document));
                let texts = texts.filter(|(other, _)| other == name).map(|(_, value)| value);
                let selected = query.attributes.get(name).map_or(&[][..], Vec::as_slice);
                facets.attributes.insert(name.clone(), values(texts, selected));
            }
        }
    }
    facets
}

/// The prices that the price facet counts.
pub(crate) fn prices(catalog: &Catalog, query: &Query, answer: Option<&Answer>) -> Vec<i64> {
    let counted = matches(catalog, query, answer, Some(&Facet::Price));
    counted.iter().map(|document| document.price_at(query.at).effective_price).collect()
}

/// The hundred most frequent, and those that are selected.
fn values(values: impl Iterator<Item = String>, selected: &[String]) -> Vec<ValueCount> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().map(|(value, count)| ValueCount { value, count }).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    let mut place = 0;
    counts.retain(|count| {
        place += 1;
        place <= 100 || selected.contains(&count.value)
    });
    counts
}

fn categories(counted: &[&Document]) -> Vec<CategoryCount> {
    let mut counts: BTreeMap<i64, CategoryCount> = BTreeMap::new();
    for document in counted {
        for (depth, category) in document.category.iter().enumerate() {
            let path = document.category[..=depth].iter().map(|category| category.name.clone()).collect();
            let (name, slug) = (category.name.clone(), category.slug.clone());
            let count = CategoryCount { id: category.id, name, slug, path, count: 0 };
            counts.entry(category.id).or_insert(count).count += 1;
        }
    }
    let mut counts: Vec<CategoryCount> = counts.into_values().collect();
    counts.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
    counts
}
