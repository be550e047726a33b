//! Any text, asked of catalogs that only grow: how it is read, what it finds, in which order, and what is marked.

use std::{collections::BTreeSet, ops::Range};

use duka_index::{Document, Engine, Hit, Hits, Lexicon, Query, Reader, Visibility};

use crate::{
    Catalog,
    catalog::{self, Dice},
    check_answer, naive,
    reading::{self, Answer},
    shelf::{Form, Rules, Shelf, cuts},
    text::{inches, stem, typed, words_at},
    typing,
};

const SHOPS: u64 = 30;
const QUERIES_A_SHOP: usize = 70;

/// How many of the answers are of a kind.
#[derive(Debug, Default)]
struct Tally {
    corrected: usize,
    instead: usize,
    shorter: usize,
    nothing: usize,
    marked: usize,
}

#[test]
fn every_text_is_read_as_the_model_reads_it() {
    let mut tally = Tally::default();
    for seed in 1..=SHOPS {
        let mut dice = Dice::new(seed * 7_919);
        let size = *dice.pick(&[3, 30, 90, 150, 250, 400, 400]);
        let catalog: Catalog = (0..size).map(|id| (id, catalog::document(&mut dice, id))).collect();
        let directory = tempfile::tempdir().unwrap();
        let engine = filled(directory.path(), &mut dice, &catalog);
        ask(&engine, &mut dice, &catalog, QUERIES_A_SHOP, &format!("shop {seed}"), &mut tally);
    }
    // Or the generator would have ceased to ask what matters.
    let Tally { corrected, instead, shorter, nothing, marked } = tally;
    assert!(
        corrected > 300 && instead > 25 && shorter > 200 && (100..1_500).contains(&nothing) && marked > 400
    );
}

#[test]
fn what_changes_no_word_is_read_and_found_as_before() {
    let (mut corrected, mut found) = (0, 0);
    for seed in 1..=6 {
        let mut dice = Dice::new(seed * 104_729);
        let size = *dice.pick(&[40, 150, 300]);
        let mut catalog: Catalog = (0..size).map(|id| (id, catalog::document(&mut dice, id))).collect();
        let directory = tempfile::tempdir().unwrap();
        let engine = filled(directory.path(), &mut dice, &catalog);
        let lexicon = Lexicon::new(&typing::settings(&mut dice)).unwrap();
        let ask_of = |reader: &Reader, query: &Query| {
            let hits = reader.search(query, &lexicon).unwrap();
            let next = hits.next.map(|next| Query { after: Some(next), offset: 0, ..query.clone() });
            let more = next.map(|next| reader.search(&next, &lexicon).unwrap().hits);
            let found = hits.hits.into_iter().chain(more.into_iter().flatten());
            let found = found.map(|hit| (hit.document.id, hit.score.to_bits(), hit.highlights));
            (hits.corrected_query, hits.total, found.collect::<Vec<_>>(), hits.facets)
        };
        let ask = |query: &Query| ask_of(&engine.reader(), query);
        let queries = (0..120).map(|_| {
            let text = Some(typing::text(&mut dice));
            let query = catalog::query(&mut dice, &catalog, text);
            Query { highlight: true, visibility: Visibility::Active, ..query }
        });
        let asked: Vec<_> = queries.map(|query| (ask(&query), query)).collect();
        let mut writer = engine.writer(0).unwrap();
        for round in 0..24_usize {
            for _ in 0..1 + dice.below(12) {
                let document = catalog.get_mut(&(dice.below(catalog.len()) as i64)).unwrap();
                (document.stock, document.updated_at) = (document.stock + 1, round as i64);
                writer.upsert(document).unwrap();
            }
            let earlier = engine.reader();
            writer.commit("").unwrap();
            for (before, query) in asked.iter().skip(round % 3).step_by(3) {
                assert_eq!(&ask(query), before, "seed {seed}, round {round}: {query:?}");
                if round % 5 == 0 {
                    assert_eq!(&ask_of(&earlier, query), before, "seed {seed}, before {round}: {query:?}");
                }
            }
        }
        writer.close().unwrap();
        for (before, query) in &asked {
            assert_eq!(&ask(query), before, "seed {seed}, merged: {query:?}");
            corrected += usize::from(before.0.is_some());
            found += usize::from(before.1 > 0);
        }
    }
    assert!(corrected > 60 && found > 150, "{corrected} and {found}");
}

/// In several commits.
pub(crate) fn filled(directory: &std::path::Path, dice: &mut Dice, catalog: &Catalog) -> Engine {
    let engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(0).unwrap();
    for document in catalog.values() {
        writer.upsert(document).unwrap();
        if dice.one_in(1 + catalog.len() / 2) {
            writer.commit("").unwrap();
        }
    }
    writer.commit("").unwrap();
    writer.close().unwrap();
    engine
}

fn ask(
    engine: &Engine,
    dice: &mut Dice,
    catalog: &Catalog,
    queries: usize,
    context: &str,
    tally: &mut Tally,
) {
    let shelf = Shelf::new(catalog.values());
    let settings = typing::settings(dice);
    let (lexicon, rules) = (Lexicon::new(&settings).unwrap(), Rules::new(&settings));
    for number in 0..queries {
        let text = typing::text(dice);
        let query =
            Query { highlight: catalog.len() < 1_000, ..catalog::query(dice, catalog, Some(text.clone())) };
        let hits = engine.reader().search(&query, &lexicon).unwrap();
        let answer = reading::answer(&shelf, &rules, &text, |document| naive::sees(&query, document));
        let context = format!("{context}, query {number}: {settings:?} {query:?}");
        assert_eq!(hits.corrected_query, answer.corrected, "{context}");
        check_answer(catalog, &query, &hits, Some(&answer), &context);
        if query.highlight {
            check_marks(&hits, &answer, &context);
        }
        let is_marked = |hit: &Hit| hit.highlights.as_ref().is_some_and(|marked| !marked.name.is_empty());
        tally.marked += usize::from(hits.hits.iter().any(is_marked));
        tally.instead += usize::from(answer.instead);
        tally.nothing += usize::from(answer.scores.is_empty());
        if let Some(corrected) = &answer.corrected {
            tally.corrected += 1;
            check_again(engine, &lexicon, &query, corrected, &hits, &context);
            tally.shorter += usize::from(typed(corrected).asked.len() < typed(&text).asked.len());
        }
    }
}

/// The text that is said to have been read is read so again, and finds the same.
fn check_again(
    engine: &Engine,
    lexicon: &Lexicon,
    query: &Query,
    corrected: &str,
    hits: &Hits,
    context: &str,
) {
    let again = Query { text: Some(corrected.to_owned()), ..query.clone() };
    let again = engine.reader().search(&again, lexicon).unwrap();
    assert_eq!((again.corrected_query, again.total), (None, hits.total), "{corrected}; {context}");
}

fn check_marks(hits: &Hits, answer: &Answer, context: &str) {
    for hit in &hits.hits {
        let Document { name, description, .. } = &hit.document;
        let marked = hit.highlights.as_ref().unwrap();
        for (text, ranges) in [(name, &marked.name), (description, &marked.description)] {
            assert_eq!(ranges, &marks(text, &answer.forms), "{text:?}, {:?}; {context}", answer.forms);
            assert!(ranges.iter().all(|range| !range.is_empty() && text.get(range.clone()).is_some()));
            assert!(
                ranges.is_sorted_by(|one, other| one.end <= other.start),
                "{text:?} {ranges:?}; {context}"
            );
        }
    }
}

/// The words of a text that stand there in one of the forms; words of one sign (`½`) as one.
fn marks(text: &str, forms: &[Form]) -> Vec<Range<usize>> {
    let words = words_at(text);
    let mut marked = BTreeSet::new();
    for place in 0..words.len() {
        let word = words[place].0.as_str();
        let next = words.get(place + 1).map(|(next, _)| next.as_str());
        for form in forms {
            let length = match form {
                Form::Whole(other) => usize::from(other == word),
                Form::Stem(other) => usize::from(stem(other) == stem(word)),
                Form::Begun(other) => usize::from(word.starts_with(other.as_str())),
                Form::Apart(other) => {
                    let fits = |(head, tail): &(String, String)| {
                        head == word && next.is_some_and(|next| stem(tail) == stem(next))
                    };
                    if cuts(other).iter().any(fits) { 2 } else { 0 }
                }
                Form::Phrase(others) => {
                    let here = words[place..].iter().map(|(word, _)| word).take(others.len());
                    if here.eq(others) { others.len() } else { 0 }
                }
                Form::Inches(other) => {
                    let size = inches(text, &words[place].1).filter(|(size, _)| size == other);
                    let within =
                        |(_, range): &(String, Range<usize>), size: &Range<usize>| range.start >= size.start;
                    let first = size
                        .map(|(_, size)| (0..=place).find(|place| within(&words[*place], &size)).unwrap());
                    marked.extend(first.unwrap_or(place)..place);
                    usize::from(first.is_some())
                }
            };
            marked.extend(place..place + length);
        }
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for place in marked {
        let range = words[place].1.clone();
        match ranges.last_mut().filter(|last| range.start < last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => ranges.push(range),
        }
    }
    ranges
}
