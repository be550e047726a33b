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
    engine.examine().unwrap().into_error().unwrap();
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
    engine.reader().for_each(keep).unwrap();
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
    let (highest, lowest_unit) = (max.abs().max(min.abs()), 100);
    let unit = if highest == 0 || highest >= lowest_unit { lowest_unit } else { 10 };
    let even = even_bounds(min, max, unit);
    let inside =
        |bounds: &[i64]| prices.iter().filter(|price| (bounds[0]..bounds[1]).contains(price)).count();
    let fullest = even.windows(2).map(inside).max().unwrap();
    let steps = if fullest * 2 > prices.len() { step_bounds(prices, unit) } else { Vec::new() };
    let bounds = if steps.is_empty() { even } else { steps };
    let expected: Vec<(i64, i64, u64)> = bounds
        .windows(2)
        .map(|bounds| (bounds[0], bounds[1], inside(bounds) as u64))
        .filter(|(.., count)| *count > 0)
        .collect();
    let found: Vec<(i64, i64, u64)> =
        facet.buckets.iter().map(|bucket| (bucket.from, bucket.to, bucket.count)).collect();
    assert_eq!(found, expected, "{prices:?}; {context}");
    assert!(facet.buckets.len() <= 10, "{context}");
    assert!(facet.buckets.is_sorted_by(|one, other| one.to <= other.from), "{context}");
    assert_eq!(
        facet.buckets.iter().map(|bucket| bucket.count).sum::<u64>(),
        prices.len() as u64,
        "{context}"
    );
}

/// Of the narrowest width, of 1, 2 or 5 times a power of ten, of which ten hold everything; two digits, where one does.
fn even_bounds(min: i64, max: i64, unit: i64) -> Vec<i64> {
    let powers: Vec<i64> = (1..12).map(|power| 10_i64.pow(power)).filter(|power| *power >= unit).collect();
    let holds = |width: &i64, buckets: i64| max.div_euclid(*width) - min.div_euclid(*width) < buckets;
    let width = if holds(&unit, 1) {
        let highest = max.abs().max(min.abs());
        powers.iter().copied().filter(|power| *power == unit || power * 10 <= highest).max().unwrap()
    } else {
        let mut round = powers.iter().flat_map(|power| [1, 2, 5].map(|digit| digit * power));
        round.find(|width| holds(width, 10)).unwrap()
    };
    let first = min.div_euclid(width) * width;
    (0..=10).map(|place| first + place * width).collect()
}

/// Where the prices are: between neighbouring odd eighteenths, and once above them, the roundest number.
fn step_bounds(prices: &[i64], unit: i64) -> Vec<i64> {
    let mut sorted = prices.to_vec();
    sorted.sort_unstable();
    // Nine leading bits.
    let about = |price: i64| {
        let cut = (64 - price.leading_zeros()).saturating_sub(9);
        price >> cut << cut
    };
    let part = |part: usize| about(sorted[(part * sorted.len()).div_ceil(18).max(1) - 1]);
    let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
    let mut gaps: Vec<(i64, i64)> = (0..8).map(|place| (part(2 * place + 1), part(2 * place + 3))).collect();
    gaps.push((part(17), max.min(10 * part(17).max(unit))));
    let round = |above: i64, upto: i64| {
        let steps = (0..15).flat_map(|power| [1, 2, 5].map(|digit| digit * unit * 10_i64.pow(power)));
        steps
            .filter(|step| *step <= 5 * upto.max(unit))
            .map(|step| upto / step * step)
            .rfind(|last| *last > above)
    };
    let inner: Vec<i64> = gaps.into_iter().filter_map(|(above, upto)| round(above, upto)).collect();
    let (Some(first), Some(last)) = (inner.first(), inner.last()) else { return Vec::new() };
    let lowest = round((2 * min - first).max(-1), min).unwrap_or(min / unit * unit);
    let highest = round(max, (2 * max - last).max(max + max / 10)).unwrap_or((max / unit + 1) * unit);
    [vec![lowest], inner, vec![highest]].concat()
}
