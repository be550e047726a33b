//! Walking a whole answer page by page, by cursor: the same as by offset, also while the catalog is written.

use std::collections::{BTreeMap, BTreeSet};

use duka_index::{Document, Engine, Hits, Query, SortField, SortKey};

use crate::{
    Catalog,
    catalog::{self, Dice},
    texts::filled,
    typing,
};

fn shop(dice: &mut Dice, size: i64) -> Catalog {
    (0..size).map(|id| (id, catalog::document(dice, id))).collect()
}

/// Every page but for the documents must say what the first one does.
fn whole(hits: &Hits) -> Hits {
    Hits { hits: Vec::new(), next: None, ..hits.clone() }
}

fn ids(hits: &Hits) -> Vec<i64> {
    hits.hits.iter().map(|hit| hit.document.id).collect()
}

/// A query of any order; nearly always one that finds something.
fn query(dice: &mut Dice, catalog: &Catalog) -> Query {
    let text = dice
        .maybe(2, |dice| if dice.one_in(3) { "kettl shoes -blue".to_owned() } else { typing::text(dice) });
    let mut query = catalog::query(dice, catalog, text);
    if dice.one_in(4) && query.text.is_some() {
        let more = [SortField::Rating, SortField::Price, SortField::Name];
        query.sort.insert(0, SortKey { field: *dice.pick(&more), descending: dice.one_in(2) });
        query.sort.push(SortKey { field: SortField::Relevance, descending: dice.one_in(2) });
    }
    Query { offset: 0, limit: 1 + dice.below(9), ..query }
}

#[test]
fn pages_by_cursor_are_the_pages_by_offset() {
    for seed in 1..=4 {
        let mut dice = Dice::new(seed);
        let catalog = shop(&mut dice, 120);
        let directory = tempfile::tempdir().unwrap();
        let engine = filled(directory.path(), &mut dice, &catalog);
        for number in 0..60 {
            let query = query(&mut dice, &catalog);
            let context = format!("seed {seed}, query {number}: {query:?}");
            let all = engine.search(&Query { limit: usize::MAX, ..query.clone() }).unwrap();
            assert_eq!((all.next.clone(), all.hits.len() as u64), (None, all.total), "{context}");
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let page = engine.search(&Query { after, ..query.clone() }).unwrap();
                assert_eq!(whole(&page), whole(&all), "{context}");
                let offset = engine.search(&Query { offset: walked.len(), ..query.clone() }).unwrap();
                assert_eq!(offset.next, page.next, "{context}");
                assert_eq!(offset.hits, page.hits, "{context}");
                if page.next.is_some() && dice.one_in(4) {
                    // An offset counts from the place.
                    let skipping = Query { after: page.next.clone(), offset: 2, ..query.clone() };
                    let skipped = ids(&engine.search(&skipping).unwrap());
                    let begin = (walked.len() + page.hits.len() + 2).min(all.hits.len());
                    let expected: Vec<i64> = ids(&all).into_iter().skip(begin).take(query.limit).collect();
                    assert_eq!(skipped, expected, "{context}");
                }
                if let Some(hit) = page.hits.first() {
                    // Every hit says where it stands, not only a page's last.
                    let placed = engine.search(&Query { places: true, ..query.clone() }).unwrap();
                    let from = dice.below(placed.hits.len().max(1));
                    let behind = Query { after: placed.hits[from].place.clone(), ..query.clone() };
                    let expected: Vec<i64> = ids(&all).into_iter().skip(from + 1).take(query.limit).collect();
                    assert_eq!(ids(&engine.search(&behind).unwrap()), expected, "{context}");
                    assert_eq!(hit.place, None, "{context}");
                }
                walked.extend(page.hits);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(walked, all.hits, "{context}");
        }
    }
}

/// What stays in the catalog with all that it is sorted and found by comes exactly once, whatever else happens.
#[test]
fn what_stays_is_neither_skipped_nor_repeated() {
    for seed in 1..=6 {
        let mut dice = Dice::new(seed * 31);
        let mut catalog = shop(&mut dice, 150);
        let directory = tempfile::tempdir().unwrap();
        let engine = filled(directory.path(), &mut dice, &catalog);
        for number in 0..5 {
            let query = query(&mut dice, &catalog);
            let context = format!("seed {seed}, query {number}: {query:?}");
            walk_while_written(&engine, &mut dice, &mut catalog, &query, &context);
        }
    }
}

fn walk_while_written(engine: &Engine, dice: &mut Dice, catalog: &mut Catalog, query: &Query, context: &str) {
    let mut writer = engine.writer(0).unwrap();
    let first = engine.search(&Query { limit: usize::MAX, ..query.clone() }).unwrap();
    let mut staying: BTreeSet<i64> = first.hits.iter().map(|hit| hit.document.id).collect();
    let order = ids(&first);
    let mut walked: BTreeMap<i64, Document> = BTreeMap::new();
    let mut came = Vec::new();
    let mut after = None;
    loop {
        let page = engine.search(&Query { after, ..query.clone() }).unwrap();
        for hit in page.hits {
            came.push(hit.document.id);
            let again = walked.insert(hit.document.id, hit.document);
            assert!(again.is_none_or(|document| !staying.contains(&document.id)), "{context}");
        }
        after = page.next;
        if after.is_none() {
            break;
        }
        for _ in 0..dice.below(12) {
            let id = dice.below(220) as i64;
            match (dice.below(3), catalog.get_mut(&id)) {
                (0, _) => {
                    writer.delete(id).unwrap();
                    catalog.remove(&id);
                    staying.remove(&id);
                }
                // What no query looks at.
                (1, Some(document)) => {
                    document.stock += 1;
                    document.slug.push('x');
                    document.review_count += 1;
                    document.updated_at += 1;
                    writer.upsert(document).unwrap();
                }
                (_, _) => {
                    let document = catalog::document(dice, id);
                    writer.upsert(&document).unwrap();
                    catalog.insert(id, document);
                    staying.remove(&id);
                }
            }
        }
        writer.commit("").unwrap();
    }
    writer.close().unwrap();
    let stayed = |ids: Vec<i64>| -> Vec<i64> { ids.into_iter().filter(|id| staying.contains(id)).collect() };
    assert_eq!(stayed(came), stayed(order), "{context}");
}
