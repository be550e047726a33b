//! An index's life: opened, written, crashed, reopened; and what a text finds first.
#![allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "a test says what it expects by failing")]

mod few;
mod merges;
mod segments;

use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use duka_index::{
    AttributeValue, Category, CategoryKey, Damage, Document, Engine, Error, Facet, Lexicon, PriceStep, Query,
    SortField, SortKey, Variant, Visibility, fingerprint,
};

/// What a brief query takes.
const BRIEF: Duration = Duration::from_micros(300);

fn document(id: i64, name: &str) -> Document {
    let prices = vec![PriceStep { from: i64::MIN, effective_price: 100, discount: None }];
    Document { id, name: name.to_owned(), prices, is_active: true, in_stock: true, ..Document::default() }
}

fn filled(directory: &Path, documents: &[Document]) -> Engine {
    let engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(0).unwrap();
    documents.iter().for_each(|document| writer.upsert(document).unwrap());
    writer.commit("filled").unwrap();
    engine
}

fn found(engine: &Engine, text: &str) -> Vec<i64> {
    let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
    let query = Query { text: Some(text.to_owned()), sort, limit: 100, ..Query::default() };
    engine.search(&query).unwrap().hits.iter().map(|hit| hit.document.id).collect()
}

#[test]
fn engines_and_writers_go_anywhere() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<Engine>();
    sent::<duka_index::Writer>();
}

#[test]
fn a_new_index_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(&directory.path().join("made/on/the/way")).unwrap();
    assert_eq!((engine.len(), engine.is_empty(), engine.payload()), (0, true, None));
    let facets = vec![Facet::Category, Facet::Brand, Facet::Price, Facet::Attribute("color".to_owned())];
    let hits =
        engine.search(&Query { limit: 10, facets, text: Some("x".to_owned()), ..Query::default() }).unwrap();
    assert_eq!((hits.total, hits.facets.price.unwrap().min), (0, None));
    assert_eq!(engine.examine().unwrap(), Damage::default());
}

#[test]
fn a_commit_and_its_payload_survive_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let first = filled(directory.path(), &[document(1, "one"), document(2, "two")]);
    let again = Engine::open(directory.path()).unwrap();
    assert_eq!((again.len(), again.payload().as_deref()), (2, Some("filled")));
    assert!(again.generation() > first.generation(), "numbers are never shared");
    assert_eq!(again.get(2).unwrap(), Some(document(2, "two")));
    assert_eq!(again.get(3).unwrap(), None);
}

#[test]
fn what_is_brief_is_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "Steel kettle"), document(2, "Steel pan")]);
    let text = |text: &str| Query { text: Some(text.to_owned()), limit: 24, ..Query::default() };
    let (reader, lexicon) = (engine.reader(), Lexicon::standard());
    assert!(reader.is_brief(&Query { limit: 24, ..Query::default() }, lexicon, BRIEF));
    assert!(!reader.is_brief(&text("kettle"), lexicon, BRIEF), "a word that nobody has asked for");
    assert_eq!(reader.find(&text("kettle"), lexicon).unwrap().total, 1);
    assert!(reader.is_brief(&text("kettle"), lexicon, BRIEF));
    assert!(
        reader.is_brief(&Query { in_stock: Some(true), ..text("kettle") }, lexicon, BRIEF),
        "whatever the filter"
    );
    assert!(!reader.is_brief(&text("kettle"), &Lexicon::default(), BRIEF), "it may be read otherwise");
    let hidden = Query { visibility: Visibility::Inactive, ..text("kettle") };
    assert!(!reader.is_brief(&hidden, lexicon, BRIEF), "there it may mean something else");
    let facets = vec![Facet::Attribute("color".to_owned())];
    assert!(
        !reader.is_brief(&Query { facets, ..text("kettle") }, lexicon, BRIEF),
        "dictionaries are on the disk"
    );
    let mut writer = engine.writer(0).unwrap();
    writer.delete(2).unwrap();
    writer.commit("").unwrap();
    assert!(engine.reader().is_brief(&text("kettle"), lexicon, BRIEF), "as it was before the commit");
    assert!(reader.is_brief(&text("kettle"), lexicon, BRIEF));
}

#[test]
fn the_first_search_after_a_price_has_changed_is_not_brief() {
    let directory = tempfile::tempdir().unwrap();
    let step = |from, effective_price| PriceStep { from, effective_price, discount: None };
    let category = vec![Category { id: 1, name: "Kitchen".to_owned(), slug: "kitchen".to_owned() }];
    let kettle =
        Document { prices: vec![step(i64::MIN, 100), step(10, 80)], category, ..document(1, "Steel kettle") };
    // So many that it takes a while.
    let kettles: Vec<Document> = (1..=7_000).map(|id| Document { id, ..kettle.clone() }).collect();
    let engine = filled(directory.path(), &kettles);
    let (reader, lexicon) = (engine.reader(), Lexicon::standard());
    let browse = |at| Query { at, limit: 24, ..Query::default() };
    let cheapest = |at| Query { categories: vec![CategoryKey::Id(1)], price_max: Some(90), ..browse(at) };
    assert!(reader.is_brief(&browse(9), lexicon, BRIEF));
    assert!(!reader.is_brief(&cheapest(9), lexicon, BRIEF), "nobody has asked for a category's prices");
    assert_eq!(reader.find(&cheapest(9), lexicon).unwrap().total, 0);
    assert!(reader.is_brief(&cheapest(9), lexicon, BRIEF));
    assert!(!reader.is_brief(&browse(10), lexicon, BRIEF) && !reader.is_brief(&cheapest(10), lexicon, BRIEF));
    assert_eq!(reader.find(&cheapest(10), lexicon).unwrap().total, 7_000);
    assert!(reader.is_brief(&browse(10), lexicon, BRIEF) && reader.is_brief(&cheapest(10), lexicon, BRIEF));
}

#[test]
fn what_words_come_to_outlasts_commits_and_tells_nobody_of_what_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "Steel kettle"), document(2, "Steel pan")]);
    let before = engine.reader();
    let mut writer = engine.writer(0).unwrap();
    writer.delete(2).unwrap();
    writer.upsert(&document(3, "Steel lid")).unwrap();
    writer.commit("").unwrap();
    // The newer generation asks first, and the older one after it, of the same segment.
    assert_eq!(found(&engine, "steel"), [1, 3]);
    let text = Query { text: Some("steel".to_owned()), limit: 10, ..Query::default() };
    assert_eq!(before.find(&text, Lexicon::standard()).unwrap().total, 2);
    assert_eq!(found(&engine, "steel"), [1, 3]);
}

#[test]
fn the_disk_is_waited_for_behind_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "Steel kettle")]);
    let mut writer = engine.writer(0).unwrap();
    writer.upsert(&document(2, "Steel pan")).unwrap();
    writer.commit("").unwrap();
    assert_eq!(found(&engine, "steel"), [1, 2], "at once");
    assert!(!engine.is_settled());
    assert!(engine.settle().unwrap() > 0);
    assert!(engine.is_settled());
    writer.delete(2).unwrap();
    writer.commit("").unwrap();
    assert!(!engine.is_settled());
    writer.close().unwrap();
    assert!(engine.is_settled());
}

#[test]
fn there_is_one_writer_and_it_loses_only_what_it_did_not_commit() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "one")]);
    let mut writer = engine.writer(0).unwrap();
    assert!(matches!(engine.writer(0), Err(Error::WriterBusy(_))));
    assert!(matches!(Engine::open(directory.path()).unwrap().writer(0), Err(Error::WriterBusy(_))));
    writer.upsert(&document(2, "two")).unwrap();
    writer.delete(1).unwrap();
    drop(writer);
    let mut writer = engine.writer(0).unwrap();
    writer.commit("again").unwrap();
    assert_eq!((engine.len(), engine.get(1).unwrap()), (1, Some(document(1, "one"))));
}

#[test]
fn a_search_sees_one_generation_while_others_come() {
    let directory = tempfile::tempdir().unwrap();
    let documents = |stock| (1..=20).map(move |id| Document { stock, ..document(id, "same") });
    let engine = filled(directory.path(), &documents(0).collect::<Vec<_>>());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let hits = engine.search(&Query { limit: 100, ..Query::default() }).unwrap();
                let stock = hits.hits[0].document.stock;
                assert_eq!(hits.hits.len(), 20);
                assert!(hits.hits.iter().all(|hit| hit.document.stock == stock) && stock >= last);
                last = stock;
            }
        });
        let mut writer = engine.writer(0).unwrap();
        for stock in 1..20 {
            documents(stock).for_each(|document| writer.upsert(&document).unwrap());
            let generation = writer.commit("").unwrap();
            let hits = engine.search(&Query { limit: 1, ..Query::default() }).unwrap();
            assert_eq!((hits.hits[0].document.stock, hits.generation), (stock, generation));
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn small_commits_do_not_pile_up() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &(1..=400).map(|id| document(id, "one")).collect::<Vec<_>>());
    let mut writer = engine.writer(0).unwrap();
    for id in 1..=60 {
        writer.upsert(&document(id, "changed")).unwrap();
        writer.commit("").unwrap();
    }
    assert!(engine.status().segments <= 8, "{:?}", engine.status());
    writer.close().unwrap();
    let status = engine.status();
    assert!(status.segments <= 6 && status.documents == 400 && status.bytes > 1_000, "{status:?}");
}

#[test]
fn an_index_of_another_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path(), &[document(1, "one")]));
    let meta = directory.path().join("meta.json");
    // Without its checksum, which it would differ from.
    let sealed = fs::read_to_string(&meta).unwrap();
    let other = sealed.split("\n# crc32 ").next().unwrap().replace("name_key", "name_kez");
    fs::write(&meta, other).unwrap();
    let refused = Engine::open(directory.path()).unwrap_err();
    assert!(
        matches!(&refused, Error::Schema { found, expected } if expected == fingerprint() && found != expected),
        "{refused}"
    );
}

#[test]
fn unfit_documents_are_refused_and_the_writer_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "one")]);
    let step = |from| PriceStep { from, effective_price: 1, discount: None };
    let mut writer = engine.writer(0).unwrap();
    for unfit in [
        Document { prices: vec![], ..document(1, "x") },
        Document { prices: vec![step(0)], ..document(1, "x") },
        Document { prices: vec![step(i64::MIN), step(5), step(5)], ..document(1, "x") },
        Document { rating: Some(f64::NAN), ..document(1, "x") },
    ] {
        assert!(matches!(writer.upsert(&unfit), Err(Error::Document { id: 1, .. })));
    }
    writer.commit("").unwrap();
    assert_eq!(engine.get(1).unwrap(), Some(document(1, "one")));
}

#[test]
fn enormous_texts_are_kept_whole() {
    let directory = tempfile::tempdir().unwrap();
    let long = "Größe ".repeat(30_000);
    let attributes = BTreeMap::from([("story".to_owned(), AttributeValue::Text(long.clone()))]);
    let (brand, sku, description) = (long.clone(), long.clone(), long.clone());
    let enormous = Document { attributes, brand, sku, description, ..document(1, &long) };
    let engine = filled(directory.path(), &[enormous.clone(), document(2, "two")]);
    assert_eq!(engine.get(1).unwrap(), Some(enormous));
    assert_eq!(found(&engine, "groß"), [1]);
}

#[test]
fn visiting_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), &[document(1, "one"), document(2, "two"), document(3, "three")]);
    let mut visited = 0;
    let visit = |_| {
        visited += 1;
        if visited == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    engine.reader().for_each(visit).unwrap();
    assert_eq!(visited, 2);
}

#[test]
fn the_best_field_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let text = || "kettle".to_owned();
    let category = vec![duka_index::Category { id: 1, name: text(), slug: text() }];
    let engine = filled(
        directory.path(),
        &[
            Document {
                description: "a large box, in which a kettle and a kettle fit".to_owned(),
                ..document(1, "box")
            },
            Document { category, ..document(2, "box") },
            Document { brand: text(), ..document(3, "box") },
            document(4, "steel kettle"),
            document(5, "kettle"),
            document(6, "kettles"),
            Document { in_stock: false, ..document(7, "kettle") },
            Document { popularity: 100, ..document(8, "kettle") },
        ],
    );
    assert_eq!(found(&engine, "kettle"), [8, 5, 7, 4, 6, 3, 2, 1]);
    assert_eq!(found(&engine, "kettle box").len(), 3, "all words must occur");
    assert_eq!(found(&engine, "kettle steel"), [4]);
}

/// A name, a tagline and an attribute that say the same are not three times as fit; a tagline calls a thing by its
/// kind as a name does; and a longer word counts only where the word itself does not stand.
#[test]
fn words_side_by_side_count_in_texts_of_up_to_twelve_words() {
    let words: Vec<String> = (0..13).map(|number| format!("word{}", char::from(b'a' + number))).collect();
    let directory = tempfile::tempdir().unwrap();
    let backwards: Vec<&str> = words.iter().map(String::as_str).rev().collect();
    let described = |id, text: String| Document { description: text, ..document(id, "thing") };
    let engine =
        filled(directory.path(), &[described(1, backwards.join(" ")), described(2, words.join(" "))]);
    assert_eq!(found(&engine, &words[..12].join(" ")), [2, 1]);
    assert_eq!(found(&engine, &words.join(" ")), [1, 2], "equal");
}

#[test]
fn saying_it_again_is_worth_little() {
    let directory = tempfile::tempdir().unwrap();
    let model = |text: &str| BTreeMap::from([("model".to_owned(), AttributeValue::Text(text.to_owned()))]);
    let tagline = |text: &str| text.to_owned();
    let engine = filled(
        directory.path(),
        &[
            Document { description: tagline("A steel lantern"), ..document(1, "Aster R200") },
            Document { description: tagline("Made for a lantern of steel"), ..document(2, "Aster R300") },
            Document { attributes: model("lantern oil"), ..document(3, "Can of lantern oil, in steel") },
            document(4, "Steel lantern"),
            document(5, "Lantern lanterns"),
            document(6, "Lantern oil"),
        ],
    );
    assert_eq!(found(&engine, "steel lantern"), [4, 1, 3, 2]);
    let both = found(&engine, "lantern oil");
    assert_eq!(both, [6, 3], "the name that is about nothing else, though the other says it twice");
    let place = |id| found(&engine, "lantern").iter().position(|found| *found == id);
    assert!(place(4) < place(1) && place(1) < place(2));
}

#[test]
fn a_whole_sku_comes_before_everything() {
    let directory = tempfile::tempdir().unwrap();
    let variant = Variant { sku: "abc-123".to_owned(), ..Variant::default() };
    let engine = filled(
        directory.path(),
        &[
            document(1, "abc 123 abc 123"),
            Document { sku: "ABC-123-X".to_owned(), ..document(2, "abc") },
            Document { variants: vec![variant], ..document(3, "plain") },
        ],
    );
    assert_eq!(found(&engine, "Abc-123"), [3, 1, 2]);
}

#[test]
fn the_hundred_most_frequent_values_are_exact() {
    let directory = tempfile::tempdir().unwrap();
    // Value n is on every document that n divides, and hidden on some: the postings promise more than matches.
    let with_divisors = |id: i64| {
        let divisors = (1..=300).filter(|n| id % n == 0).map(|n| format!("{n:03}")).collect();
        let attributes = BTreeMap::from([("n".to_owned(), AttributeValue::List(divisors))]);
        Document { attributes, is_active: id % 4 != 0, ..document(id, "n") }
    };
    let engine = filled(directory.path(), &(1..=900).map(with_divisors).collect::<Vec<_>>());
    let facets = vec![Facet::Attribute("n".to_owned())];
    let hits = engine.search(&Query { facets, ..Query::default() }).unwrap();
    let mut expected: Vec<(u64, String)> = (1..=300_u64)
        .map(|n| ((1..=900).filter(|id| id % n == 0 && id % 4 != 0).count() as u64, format!("{n:03}")))
        .filter(|(count, _)| *count > 0)
        .collect();
    expected.sort_by(|one, other| (other.0, &one.1).cmp(&(one.0, &other.1)));
    expected.truncate(100);
    let counted: Vec<(u64, String)> =
        hits.facets.attributes["n"].iter().map(|value| (value.count, value.value.clone())).collect();
    assert_eq!(counted, expected);
}
