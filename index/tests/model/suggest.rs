//! What is suggested and what is similar: only what the catalog really holds, and how much of it.

use std::collections::{BTreeMap, BTreeSet};

use duka_index::{CategoryCount, Document, Lexicon, Query, SuggestQuery, ValueCount};

use crate::{
    Catalog,
    catalog::{self, Dice},
    shelf::Rules,
    text::{Asked, typed, words},
    texts::filled,
    typing,
};

/// The words typed, the last of which may only be begun.
fn asked(text: &str) -> Vec<String> {
    let asked = typed(text).asked.into_iter().map(|(asked, _)| match asked {
        Asked::Word(word) => vec![word],
        Asked::Phrase(words) => words,
        Asked::Inches(inches) => inches.split('.').map(str::to_owned).collect(),
    });
    asked.flatten().collect()
}

fn names(asked: &[String], name: &str) -> bool {
    let name = words(name);
    let Some((last, whole)) = asked.split_last() else { return false };
    whole.iter().all(|word| name.contains(word)) && name.iter().any(|word| word.starts_with(last.as_str()))
}

fn brands(catalog: &Catalog, asked: &[String]) -> Vec<ValueCount> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for document in catalog.values().filter(|document| document.is_active && names(asked, &document.brand)) {
        *counts.entry(document.brand.clone()).or_default() += 1;
    }
    let mut counts: Vec<ValueCount> =
        counts.into_iter().map(|(value, count)| ValueCount { value, count }).collect();
    counts.sort_by_key(|brand| std::cmp::Reverse(brand.count));
    counts
}

fn categories(catalog: &Catalog, asked: &[String]) -> Vec<CategoryCount> {
    let mut counts: BTreeMap<i64, CategoryCount> = BTreeMap::new();
    for document in catalog.values().filter(|document| document.is_active) {
        for (depth, category) in document.category.iter().enumerate() {
            if names(asked, &category.name) {
                let path = document.category[..=depth].iter().map(|category| category.name.clone()).collect();
                let (id, name, slug) = (category.id, category.name.clone(), category.slug.clone());
                counts.entry(id).or_insert(CategoryCount { id, name, slug, path, count: 0 }).count += 1;
            }
        }
    }
    let mut counts: Vec<CategoryCount> = counts.into_values().collect();
    counts.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
    counts
}

fn beginning(dice: &mut Dice) -> String {
    let known = [
        "kif", "red sh", "run", "Größ", "sho", "trai", "a br", "co a", "水", "ad", "s", "keybaord",
        "chargr c",
    ];
    if dice.one_in(2) {
        return (*dice.pick(&known)).to_owned();
    }
    let text = typing::text(dice);
    let signs = text.chars().count();
    text.chars().take(1 + dice.below(signs + 1)).collect()
}

#[test]
fn suggestions_are_what_there_is() {
    let mut completed = 0;
    for seed in 1..=7 {
        let mut dice = Dice::new(seed * 101);
        let size = *dice.pick(&[3, 60, 200]);
        let catalog: Catalog = (0..size).map(|id| (id, catalog::document(&mut dice, id))).collect();
        let directory = tempfile::tempdir().unwrap();
        let engine = filled(directory.path(), &mut dice, &catalog);
        let settings = typing::settings(&mut dice);
        let (lexicon, rules) = (Lexicon::new(&settings).unwrap(), Rules::new(&settings));
        for _ in 0..60 {
            let query = SuggestQuery { text: beginning(&mut dice), limit: *dice.pick(&[0, 1, 5, 100]) };
            let suggested = engine.reader().suggest(&query, &lexicon).unwrap();
            let context = format!("seed {seed}: {settings:?} {query:?}");
            let search =
                |text: &str| Query { text: Some(text.to_owned()), limit: query.limit, ..Query::default() };
            let hits = engine.reader().search(&search(&query.text), &lexicon).unwrap();
            let asked = asked(hits.corrected_query.as_ref().unwrap_or(&query.text));
            let first = |length: usize| length.min(query.limit);

            let brands = brands(&catalog, &asked);
            assert_eq!(suggested.brands, brands[..first(brands.len())], "{context}");
            let categories = categories(&catalog, &asked);
            assert_eq!(suggested.categories, categories[..first(categories.len())], "{context}");

            let products: BTreeSet<i64> = suggested.products.iter().map(|document| document.id).collect();
            assert_eq!(products.len(), suggested.products.len(), "{context}");
            assert_eq!(products.len(), if asked.is_empty() { 0 } else { hits.hits.len() }, "{context}");
            for document in &suggested.products {
                assert!(document.is_active && Some(document) == catalog.get(&document.id), "{context}");
            }

            assert!(suggested.queries.len() <= query.limit, "{context}");
            let distinct: BTreeSet<&String> = suggested.queries.iter().collect();
            assert_eq!(distinct.len(), suggested.queries.len(), "{context}");
            for text in &suggested.queries {
                completed += 1;
                let (completed, begun) = (words(text), asked.split_last().unwrap());
                let (last, whole) = completed.split_last().unwrap();
                assert!(whole == begun.1 && last.starts_with(begun.0.as_str()), "{text}; {context}");
                assert!(!rules.stop_words.contains(last), "{text}; {context}");
                let found = engine.reader().search(&search(text), &lexicon).unwrap();
                assert!(found.total > 0, "{text} finds nothing; {context}");
                assert_eq!(found.corrected_query, None, "{text} is read as another; {context}");
            }
        }
    }
    assert!(completed > 150, "{completed}");
}

#[test]
fn what_is_similar_is_another_product() {
    for seed in 1..=5 {
        let mut dice = Dice::new(seed * 211);
        let catalog: Catalog = (0..120).map(|id| (id, catalog::document(&mut dice, id))).collect();
        let directory = tempfile::tempdir().unwrap();
        let engine = filled(directory.path(), &mut dice, &catalog);
        let reader = engine.reader();
        assert_eq!(reader.similar(999, 5).unwrap(), None);
        for document in catalog.values() {
            let limit = *dice.pick(&[0, 1, 4, 500]);
            let Some(similar) = reader.similar(document.id, limit).unwrap() else {
                assert!(!document.is_active);
                continue;
            };
            assert!(document.is_active);
            assert_eq!(reader.similar(document.id, limit).unwrap().as_ref(), Some(&similar), "stable");
            assert!(similar.hits.len() <= limit);
            assert_eq!(similar.total, similar.hits.len() as u64);
            let ids: Vec<i64> = similar.hits.iter().map(|hit| hit.document.id).collect();
            let distinct: BTreeSet<&i64> = ids.iter().collect();
            assert_eq!(distinct.len(), ids.len(), "twice");
            for hit in &similar.hits {
                let other = &hit.document;
                assert!(other.is_active && other.id != document.id && Some(other) == catalog.get(&other.id));
                assert!(is_related(document, other), "{document:?} {other:?}");
            }
            let all = reader.similar(document.id, usize::MAX).unwrap().unwrap();
            let all: Vec<i64> = all.hits.iter().map(|hit| hit.document.id).collect();
            assert_eq!(ids, all[..limit.min(all.len())], "the first of all");
            let same_category = |other: &&Document| {
                other.is_active
                    && other.id != document.id
                    && !document.category.is_empty()
                    && other.category.last() == document.category.last()
            };
            for other in catalog.values().filter(same_category) {
                assert!(all.contains(&other.id), "{document:?} {other:?}");
            }
        }
    }
}

/// Below the same root, or with a word of its name.
fn is_related(document: &Document, other: &Document) -> bool {
    let below = !document.category.is_empty() && other.category.first() == document.category.first();
    let named = words(&document.name).iter().any(|word| {
        let texts = std::iter::once(&other.name).chain(other.category.iter().map(|category| &category.name));
        let stem = crate::text::stem(word);
        texts.flat_map(|text| words(text)).any(|other| crate::text::stem(&other) == stem)
    });
    below || named
}
