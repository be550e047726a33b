//! The engine against a model: the same catalog in a plain map, every query answered by looking at every
//! document. Random catalogs, changes, reopenings and queries from fixed seeds; ids in order, totals, each facet,
//! how the text was read, what it is worth and which words are marked must agree.
//!
//! How rare a word is, and so how a text is read and scored, is counted with what is deleted but not yet merged
//! away. So catalogs that change are asked for literal texts, and any text is asked of catalogs that only grow.
#![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "a test says what it expects by failing")]

mod catalog;
mod naive;
mod reading;
mod shelf;
mod suggest;
mod text;
mod texts;
mod typing;
mod walks;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use catalog::Dice;
use duka_index::{Document, Engine, Facets, Hits, PriceFacet, Query, Settings, SortField, Writer};
use reading::Answer;
use shelf::{Rules, Shelf};

type Catalog = BTreeMap<i64, Document>;

const ROUNDS: usize = 24;
const QUERIES_A_ROUND: usize = 45;

#[test]
fn every_answer_is_the_models() {
    for seed in 1..=3 {
        let directory = tempfile::tempdir().unwrap();
        live_through(seed, directory.path());
    }
}

fn live_through(seed: u64, directory: &Path) {
    let mut dice = Dice::new(seed);
    let mut catalog = Catalog::new();
    let mut engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(0).unwrap();
    for round in 0..ROUNDS {
        let context = format!("seed {seed}, round {round}");
        change(&mut dice, &mut catalog, &mut writer);
        let generation = writer.commit(&context).unwrap();
        assert_eq!((engine.generation(), engine.payload()), (generation, Some(context.clone())));
        if dice.one_in(4) {
            // Uncommitted changes are lost, by rolling back or by dropping the writer.
            change(&mut dice, &mut catalog.clone(), &mut writer);
            if dice.one_in(2) {
                writer.rollback().unwrap();
            } else {
                drop(writer);
                engine = Engine::open(directory).unwrap();
                assert_eq!(engine.payload(), Some(context.clone()));
                writer = engine.writer(0).unwrap();
            }
        }
        check_content(&engine, &catalog, &context);
        let (shelf, rules) = (Shelf::new(catalog.values()), Rules::new(&Settings::default()));
        for number in 0..QUERIES_A_ROUND {
            let text = dice.maybe(3, typing::literal_text);
            let mut query = catalog::query(&mut dice, &catalog, text.clone());
            let answer = text.map(|text| {
                query.sort.retain(|key| key.field != SortField::Relevance);
                reading::answer(&shelf, &rules, &text, |document| naive::sees(&query, document))
            });
            let hits = engine.search(&query).unwrap();
            let context = format!("{context}, query {number}: {query:?}");
            assert_eq!(hits.corrected_query, None, "{context}");
            check_answer(&catalog, &query, &hits, answer.as_ref(), &context);
        }
    }
    writer.close().unwrap();
    check_content(&engine, &catalog, "after merges");
    engine.validate_checksums().unwrap();
}

fn change(dice: &mut Dice, catalog: &mut Catalog, writer: &mut Writer) {
    for _ in 0..dice.below(30) {
        let id = dice.id();
        if dice.one_in(4) {
            writer.delete(id).unwrap();
            catalog.remove(&id);
        } else {
            let document = catalog::document(dice, id);
            writer.upsert(&document).unwrap();
            catalog.insert(id, document);
        }
    }
}

fn check_content(engine: &Engine, catalog: &Catalog, context: &str) {
    let mut stored = Catalog::new();
    let keep = |document: Document| {
        assert_eq!(stored.insert(document.id, document), None, "{context}: twice");
        ControlFlow::Continue(())
    };
    engine.for_each(keep).unwrap();
    assert_eq!(&stored, catalog, "{context}");
    assert_eq!(engine.len(), catalog.len() as u64, "{context}");
    for id in [-1, 1, 7, 100] {
        assert_eq!(engine.get(id).unwrap().as_ref(), catalog.get(&id), "{context}: document {id}");
    }
}

fn check_answer(catalog: &Catalog, query: &Query, hits: &Hits, answer: Option<&Answer>, context: &str) {
    let matches = naive::matches(catalog, query, answer, None);
    assert_eq!(hits.total, matches.len() as u64, "total; {context}");
    for hit in &hits.hits {
        assert_eq!(Some(&hit.document), catalog.get(&hit.document.id), "{context}");
    }
    let by_score = |answer: &&Answer| {
        !answer.scores.is_empty() && query.sort.iter().any(|key| key.field == SortField::Relevance)
    };
    if let Some(answer) = answer.filter(by_score) {
        check_by_score(query, hits, &matches, answer, context);
    } else {
        let found: Vec<i64> = hits.hits.iter().map(|hit| hit.document.id).collect();
        assert_eq!(found, naive::page(matches, query), "page; {context}");
    }
    check_facets(catalog, query, &hits.facets, answer, context);
}

/// The scores are the model's but for rounding, the order is that of the scores, and nothing better is left out.
fn check_by_score(query: &Query, hits: &Hits, matches: &[&Document], answer: &Answer, context: &str) {
    assert_eq!(query.sort.len(), 1, "the generator sorts by relevance alone; {context}");
    let best_first = !query.sort[0].descending;
    let score_of = |id: i64| answer.scores[&id];
    let about = |score: f32| score * 1e-3 + 0.02;
    for hit in &hits.hits {
        let score = score_of(hit.document.id);
        assert!((hit.score - score).abs() <= about(score), "{score}; {hit:?}; {context}");
    }
    for pair in hits.hits.windows(2) {
        let (first, second) = (&pair[0], &pair[1]);
        let apart = if best_first { first.score > second.score } else { first.score < second.score };
        let tied = first.score.to_bits() == second.score.to_bits() && first.document.id < second.document.id;
        assert!(apart || tied, "order by score; {context}");
    }
    let length = matches.len().saturating_sub(query.offset).min(query.limit);
    assert_eq!(hits.hits.len(), length, "{context}");
    let mut scores: Vec<f32> = matches.iter().map(|document| score_of(document.id)).collect();
    scores.sort_by(|one, other| if best_first { other.total_cmp(one) } else { one.total_cmp(other) });
    for (hit, score) in hits.hits.iter().zip(scores.iter().skip(query.offset)) {
        assert!((hit.score - score).abs() <= about(*score), "page; {context}");
    }
}

fn check_facets(catalog: &Catalog, query: &Query, facets: &Facets, answer: Option<&Answer>, context: &str) {
    let mut facets = facets.clone();
    let prices = facets.price.take();
    let expected = naive::facets(catalog, query, answer);
    assert_eq!(facets, expected, "facets; {context}");
    if let Some(prices) = prices {
        check_prices(&prices, &naive::prices(catalog, query, answer), context);
    }
}

fn check_prices(facet: &PriceFacet, prices: &[i64], context: &str) {
    assert_eq!(
        (facet.min, facet.max),
        (prices.iter().min().copied(), prices.iter().max().copied()),
        "{context}"
    );
    let (Some(min), Some(max)) = (facet.min, facet.max) else {
        return assert!(facet.buckets.is_empty(), "{context}");
    };
    let width = facet.buckets[0].to - facet.buckets[0].from;
    let powers: Vec<i64> = (1..12).map(|power| 10_i64.pow(power)).collect();
    let highest = max.abs().max(min.abs());
    let whole = |width: &i64| *width >= if highest == 0 || highest >= 100 { 100 } else { 10 };
    let holds = |width: &i64, buckets: i64| max.div_euclid(*width) - min.div_euclid(*width) < buckets;
    let narrow = *powers.iter().find(|power| whole(power)).unwrap();
    let expected = if holds(&narrow, 1) {
        // One bucket, whose bounds have two digits at most.
        powers.iter().copied().filter(|power| *power == narrow || power * 10 <= highest).max()
    } else {
        let round = powers.iter().flat_map(|power| [1, 2, 5].map(|digit| digit * power));
        round.filter(whole).find(|width| holds(width, 10))
    };
    assert_eq!(Some(width), expected, "{context}");
    for bucket in &facet.buckets {
        assert_eq!((bucket.to - bucket.from, bucket.from.rem_euclid(width)), (width, 0), "{context}");
        let inside = prices.iter().filter(|price| (bucket.from..bucket.to).contains(price)).count() as u64;
        assert!(inside > 0 && bucket.count == inside, "{bucket:?}; {context}");
    }
    assert!(facet.buckets.is_sorted_by(|one, other| one.to <= other.from), "{context}");
    assert_eq!(
        facet.buckets.iter().map(|bucket| bucket.count).sum::<u64>(),
        prices.len() as u64,
        "{context}"
    );
}
