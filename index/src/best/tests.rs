//! What is answered from the best alone is what looking at everything answers.

use std::path::Path;

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    document::{AttributeValue, Document, PriceStep},
    engine::Engine,
    hits::Hits,
    writer::Writer,
};

const WORDS: [&str; 14] = [
    "kettle", "kettles", "steel", "steep", "copper", "teapot", "cup", "cups", "saucer", "tray", "mill",
    "milk", "whisk", "bowl",
];

fn name(random: &mut impl Rng) -> String {
    let words = (0..random.random_range(1..6)).map(|_| {
        // The first ones are in most names, the last ones in few.
        let place = random.random_range(0..WORDS.len()).min(random.random_range(0..WORDS.len()));
        WORDS[place]
    });
    words.collect::<Vec<_>>().join(" ")
}

fn document(id: i64, random: &mut impl Rng) -> Document {
    let mut document = Document {
        id,
        name: name(random),
        description: name(random),
        sku: format!("SKU-{id}"),
        is_active: random.random_ratio(9, 10),
        in_stock: random.random_ratio(1, 2),
        popularity: random.random_range(0..3),
        prices: vec![PriceStep { from: i64::MIN, effective_price: 100, discount: None }],
        ..Document::default()
    };
    if random.random_ratio(1, 5) {
        let kind = WORDS[random.random_range(0..WORDS.len())].to_owned();
        document.attributes.insert("type".to_owned(), AttributeValue::Text(kind));
    }
    document
}

fn query(text: &str, offset: usize, limit: usize) -> Query {
    let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
    Query { text: Some(text.to_owned()), sort, offset, limit, ..Query::default() }
}

/// Everything is looked at where hits are to say where they stand.
fn slowly(engine: &Engine, query: &Query) -> Hits {
    engine.search(&Query { places: true, ..query.clone() }).unwrap()
}

fn quickly(engine: &Engine, query: &Query) -> Option<Hits> {
    let found = find(&engine.reader().0, query, Lexicon::standard()).unwrap();
    found.map(|found| found.read().unwrap())
}

/// Whether it was answered from the best.
fn check(engine: &Engine, query: &Query) -> bool {
    let all = slowly(engine, query);
    let told =
        |hits: &Hits| hits.hits.iter().map(|hit| (hit.document.id, hit.score.to_bits())).collect::<Vec<_>>();
    let quick = quickly(engine, query);
    for best in quick.iter().chain([&engine.search(query).unwrap()]) {
        assert_eq!(told(best), told(&all), "{query:?}");
        assert_eq!((best.total, &best.corrected_query), (all.total, &all.corrected_query), "{query:?}");
        assert_eq!(best.next, all.next, "{query:?}");
    }
    quick.is_some()
}

fn commit(writer: &mut Writer) {
    writer.commit("").unwrap();
}

fn filled(directory: &Path, random: &mut impl Rng) -> (Engine, Writer) {
    let engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(15_000_000).unwrap();
    // Of the first one, the best alone are kept.
    for ids in [0..1_600, 1_600..2_000, 2_000..2_120] {
        ids.for_each(|id| writer.upsert(&document(id, random)).unwrap());
        commit(&mut writer);
    }
    (engine, writer)
}

#[test]
fn the_best_are_those_that_looking_at_everything_finds() {
    let random = &mut StdRng::seed_from_u64(7);
    let directory = tempfile::tempdir().unwrap();
    let (engine, mut writer) = filled(directory.path(), random);
    for round in 0..6 {
        let mut quick = 0;
        for text in
            WORDS.into_iter().chain(["ket", "s", "cop", "mil", "Steel ", "copperr", "sauccer", "\"cup\""])
        {
            for (offset, limit) in [(0, 24), (24, 24), (76, 24), (0, 1), (3, 97)] {
                quick += usize::from(check(&engine, &query(text, offset, limit)));
            }
        }
        assert!(quick > 80, "most are answered from the best: {quick} in round {round}");
        for _ in 0..40 {
            let id = random.random_range(0..2_160);
            match random.random_ratio(1, 3) {
                true => writer.delete(id).unwrap(),
                false => writer.upsert(&document(id, random)).unwrap(),
            }
        }
        commit(&mut writer);
    }
}

#[test]
fn what_is_asked_otherwise_is_not_answered_from_the_best() {
    let random = &mut StdRng::seed_from_u64(8);
    let directory = tempfile::tempdir().unwrap();
    let (engine, _writer) = filled(directory.path(), random);
    let plain = query("kettle", 0, 24);
    assert!(check(&engine, &plain));
    for text in ["kettle steel", "kettle -steel", "\"steel kettle\"", "SKU-7", "sku-7 ", "", "!", "xyzzyqqq"]
    {
        assert!(!check(&engine, &query(text, 0, 24)), "{text}");
    }
    let by_price = vec![SortKey { field: SortField::Price, descending: false }];
    let worst = vec![SortKey { field: SortField::Relevance, descending: true }];
    for other in [
        Query { in_stock: Some(true), ..plain.clone() },
        Query { price_max: Some(100), ..plain.clone() },
        Query { visibility: Visibility::All, ..plain.clone() },
        Query { sort: by_price, ..plain.clone() },
        Query { sort: worst, ..plain.clone() },
        Query { limit: 0, ..plain.clone() },
        Query { offset: DEEPEST - 23, ..plain.clone() },
        Query { after: slowly(&engine, &plain).next, ..plain },
    ] {
        assert!(!check(&engine, &other), "{other:?}");
    }
}

#[test]
fn where_too_many_of_the_best_are_gone_everything_is_looked_at() {
    let random = &mut StdRng::seed_from_u64(9);
    let directory = tempfile::tempdir().unwrap();
    let (engine, mut writer) = filled(directory.path(), random);
    let page = query("kettle", 0, 24);
    assert!(check(&engine, &page));
    let mut was_quick = Vec::new();
    for _ in 0..5 {
        let best = engine.search(&query("kettle", 0, 40)).unwrap();
        assert!(best.total > 40);
        best.hits.iter().for_each(|hit| writer.delete(hit.document.id).unwrap());
        commit(&mut writer);
        was_quick.push(check(&engine, &page));
    }
    assert!(was_quick[0] && was_quick.contains(&false), "{was_quick:?}");
}
