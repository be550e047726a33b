//! What is found depends on the documents alone, however they lie in segments.

use std::path::Path;

use duka_index::{Document, Edition, Engine, Lexicon, PriceStep, Query, SortField, SortKey};

use crate::{document, filled};

/// What several commits make.
fn committed(directory: &Path, commits: &[Vec<Document>]) -> Engine {
    let engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(0).unwrap();
    for documents in commits {
        documents.iter().for_each(|document| writer.upsert(document).unwrap());
        writer.commit("").unwrap();
    }
    engine
}

/// How many there are, and the first ids.
fn by(engine: &Engine, text: &str, field: SortField) -> (u64, Vec<i64>) {
    let sort = vec![SortKey { field, descending: false }];
    let query = Query { text: Some(text.to_owned()), sort, limit: 100, ..Query::default() };
    let hits = engine.search(&query).unwrap();
    (hits.total, hits.hits.into_iter().map(|hit| hit.document.id).collect())
}

#[test]
fn words_that_are_begun_are_chosen_over_all_segments() {
    let name = |id: i64| document(id, &format!("w{id:05} w"));
    let spread: Vec<Vec<Document>> =
        (0..5).map(|part| (part * 600..(part + 1) * 600).map(name).collect()).collect();
    let repeated: Vec<Vec<Document>> = (0..5)
        .map(|part| {
            (0..300).map(|word| document(part * 300 + word, &format!("w{word:05} w{part}x{word}"))).collect()
        })
        .collect();
    // Too many in all but in no segment; and as many words as there may be, though each segment has most of them.
    for (commits, texts) in [(spread, ["w0", "w001", "w"]), (repeated, ["w00", "w0", "w001"])] {
        let (one, several) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, several) = (filled(one.path(), &commits.concat()), committed(several.path(), &commits));
        for text in texts {
            for field in [SortField::Relevance, SortField::Name] {
                // Once more where it is known.
                for _ in 0..2 {
                    assert_eq!(by(&one, text, field), by(&several, text, field), "{text} {field:?}");
                }
            }
        }
    }
}

#[test]
fn an_edition_outlasts_its_segment() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(directory.path()).unwrap();
    let mut writer = engine.writer(0).unwrap();
    let editions = || -> Vec<Edition> {
        let sort = vec![SortKey { field: SortField::Name, descending: false }];
        let query = Query { sort, limit: 24, at: 500, ..Query::default() };
        let found = engine.reader().find(&query, &Lexicon::default()).unwrap();
        found.rows.iter().map(|row| row.edition).collect()
    };
    let mut known = Vec::new();
    for id in 0..20 {
        writer.upsert(&document(id, &format!("{id:02}"))).unwrap();
        writer.commit("").unwrap();
        let now = editions();
        assert_eq!(now[..known.len()], known, "after {id}");
        known = now;
    }
    writer.close().unwrap();
    assert!(engine.status().segments < 20, "they were merged on the way");
    assert_eq!(editions(), known);

    let mut writer = engine.writer(0).unwrap();
    writer.upsert(&document(3, "03")).unwrap();
    writer.commit("").unwrap();
    assert_eq!(editions(), known, "written as it was");
    let mut other = document(3, "03");
    other.description = "Another one".to_owned();
    writer.upsert(&other).unwrap();
    writer.commit("").unwrap();
    let now = editions();
    assert_ne!(now[3], known[3]);
    assert_eq!((&now[..3], &now[4..]), (&known[..3], &known[4..]));
}

#[test]
fn an_edition_ends_with_its_price() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(directory.path()).unwrap();
    let mut writer = engine.writer(0).unwrap();
    // Each in a segment of its own at first: what changes another one's price is none of its business then.
    for id in 0..12 {
        let mut document = document(id, &format!("{id:02}"));
        let step = |from| PriceStep { from, effective_price: from, discount: None };
        document.prices.extend([step(100 + id), step(200 + id)]);
        writer.upsert(&document).unwrap();
        writer.commit("").unwrap();
    }
    let editions = |at| -> Vec<Edition> {
        let sort = vec![SortKey { field: SortField::Name, descending: false }];
        let query = Query { sort, limit: 24, at, ..Query::default() };
        let found = engine.reader().find(&query, &Lexicon::default()).unwrap();
        found.rows.iter().map(|row| row.edition).collect()
    };
    let all = || [99, 100, 105, 111, 112, 199, 200, 206, 211, 300].map(|at| (at, editions(at)));
    let before = all();
    writer.close().unwrap();
    for (at, now) in before.iter().chain(&all()) {
        for (other, then) in &before {
            for (id, (one, another)) in (0..).zip(now.iter().zip(then)) {
                let passed = |at: i64| [100 + id, 200 + id].iter().filter(|from| **from <= at).count();
                assert!(one != another || passed(*at) == passed(*other), "{id} at {at} and {other}");
            }
        }
    }
    assert_eq!(before[0].1, editions(0), "until the first");
}

#[test]
fn a_prefix_of_very_many_words_still_finds() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(
        directory.path(),
        &(0..3_000).map(|id| document(id, &format!("w{id:05} w"))).collect::<Vec<_>>(),
    );
    let sort = vec![SortKey { field: SortField::Name, descending: true }];
    let total = |text: &str| {
        let query = Query { text: Some(text.to_owned()), sort: sort.clone(), ..Query::default() };
        engine.search(&query).unwrap().total
    };
    assert_eq!(total("w000"), 100);
    assert_eq!(total("w0"), 1_024, "the commonest, then the first in order");
    assert_eq!(total("w"), 3_000, "a whole word is no prefix");
}

#[test]
fn which_of_very_many_words_count_depends_on_what_is_indexed_alone() {
    let directory = tempfile::tempdir().unwrap();
    let documents: Vec<Document> = (0..3_000).map(|id| document(id, &format!("w{id:05} w"))).collect();
    let engine = filled(directory.path(), &documents);
    let by = |field| vec![SortKey { field, descending: false }];
    let of = |engine: &Engine, field| {
        let query = Query { text: Some("w0".to_owned()), sort: by(field), limit: 9, ..Query::default() };
        let hits = engine.search(&query).unwrap();
        (hits.total, hits.hits.into_iter().map(|hit| hit.document.id).collect::<Vec<_>>())
    };
    // What the word comes to is kept by the segment, which the next commit leaves.
    for field in [SortField::Relevance, SortField::Name] {
        assert_eq!(of(&engine, field).0, 1_024);
    }
    let mut writer = engine.writer(0).unwrap();
    let priced = Document { stock: 1, ..documents[1_023].clone() };
    for (document, why) in [
        (document(3_000, "w00000a w"), "w01023 is no more among the first"),
        (priced, "nothing is worded anew"),
    ] {
        writer.upsert(&document).unwrap();
        writer.commit("").unwrap();
        let again = Engine::open(directory.path()).unwrap();
        for field in [SortField::Relevance, SortField::Name] {
            assert_eq!(of(&engine, field), of(&again, field), "{field:?}: {why}");
            assert_eq!(of(&again, field).0, 1_024, "{why}");
        }
    }
}
