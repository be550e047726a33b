//! What is found in few documents is worth, and counts, what it does among many.

use std::collections::BTreeMap;

use duka_index::{AttributeValue, Document, Engine, Facet, Lexicon, Query, SortField, SortKey, SuggestQuery};

use super::{document, filled, found};

/// Few and far between, at the ends of blocks of postings and within one.
const RARE: [i64; 5] = [0, 127, 128, 1_300, 2_999];

/// A catalog in which one word is in everything, differently often, and another one hardly anywhere.
fn common_and_rare() -> Vec<Document> {
    let texts = (0..3_000).map(|number| {
        let (id, common) = (number as i64, ["commonly", "Common common", "common"][number % 3]);
        let name = if RARE.contains(&id) { format!("{common} rare thing {id}") } else { common.to_owned() };
        let description = "common ".repeat(1 + number % 7);
        let color = AttributeValue::Text(if number % 2 == 0 { "even" } else { "odd" }.to_owned());
        Document {
            description,
            attributes: BTreeMap::from([("color".to_owned(), color)]),
            ..document(id, &name)
        }
    });
    texts.collect()
}

#[test]
fn a_common_word_is_worth_the_same_among_few_as_among_all() {
    let (directory, another) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = filled(directory.path(), &common_and_rare());
    let asked_before = filled(another.path(), &common_and_rare());
    let texts = ["rare common", "rare comm", "rare commonly", "common rare thing", "rare \"common\" common"];
    // A word alone, or as a beginning, is weighed in all that have it, and that is kept.
    ["common", "comm", "commonly", "\"common\" common"]
        .iter()
        .for_each(|text| assert!(!found(&asked_before, text).is_empty()));
    for text in texts {
        let scores = |engine: &Engine| {
            let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
            let query = Query { text: Some(text.to_owned()), sort, limit: 10, ..Query::default() };
            let hits = engine.search(&query).unwrap().hits.into_iter();
            hits.map(|hit| (hit.document.id, hit.score)).collect::<Vec<_>>()
        };
        let few = scores(&engine);
        let mut ids: Vec<i64> = few.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert_eq!(ids, RARE, "{text}");
        assert_eq!(few, scores(&asked_before), "{text}");
    }
}

#[test]
fn few_documents_are_counted_and_completed_as_many_are() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &common_and_rare());
    let facets = vec![Facet::Attribute("color".to_owned())];
    let query = Query { text: Some("rare".to_owned()), facets, ..Query::default() };
    let hits = engine.search(&query).unwrap();
    let counted: Vec<(&str, u64)> =
        hits.facets.attributes["color"].iter().map(|value| (&*value.value, value.count)).collect();
    assert_eq!(counted, [("even", 3), ("odd", 2)]);
    let asked = SuggestQuery { text: "rare comm".to_owned(), limit: 10 };
    let suggestions = engine.reader().suggest(&asked, Lexicon::standard()).unwrap();
    assert_eq!(suggestions.queries, ["rare common"]);
    let mut ids: Vec<i64> = suggestions.products.iter().map(|document| document.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, RARE);
}
