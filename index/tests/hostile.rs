//! Texts that nobody who wants to find something types: never an error, never slow.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "a test says what it expects by failing, and what it measures by printing"
)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use duka_index::{
    AttributeValue, Document, Engine, Facet, Lexicon, PriceStep, Query, SortField, SortKey, SuggestQuery,
};

/// How many signs a text has at most.
const LONGEST: usize = 256;

const SYLLABLES: &[&str] = &[
    "ba", "co", "di", "fu", "ge", "hi", "ka", "lo", "mi", "nu", "pe", "qui", "ra", "so", "ti", "vu", "wex",
    "zan", "ler", "ton", "ing", "er", "able", "est",
];
const COMMON: &[&str] = &[
    "red", "blue", "shoe", "shoes", "charger", "battery", "running", "case", "usb", "c", "4", "keyboard",
    "steel", "kettle", "wireless", "power", "bank", "note", "book", "mouse", "pad", "black", "white",
    "large", "small", "light", "phone", "cable", "adapter", "set", "pro", "mini",
];

/// SplitMix64, cut short.
fn roll(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as usize % bound
}

fn rare(state: &mut u64) -> String {
    (0..3 + roll(state, 2)).map(|_| SYLLABLES[roll(state, SYLLABLES.len())]).collect()
}

fn document(state: &mut u64, id: i64) -> Document {
    let mut words = |count: usize, common: usize| {
        let mut word = || match roll(state, 10) < common {
            true => COMMON[roll(state, COMMON.len())].to_owned(),
            false => rare(state),
        };
        (0..count).map(|_| word()).collect::<Vec<_>>().join(" ")
    };
    let (name, description, brand) = (words(6, 7), words(40, 8), words(1, 3));
    let color = AttributeValue::Text(words(1, 10));
    let prices = vec![PriceStep { from: i64::MIN, effective_price: 100 + id % 977, discount: None }];
    Document {
        id,
        name,
        description,
        brand,
        sku: format!("AB-{id:05}"),
        prices,
        attributes: [("color".to_owned(), color)].into(),
        is_active: true,
        in_stock: id % 3 > 0,
        popularity: id % 101,
        ..Document::default()
    }
}

fn filled(directory: &Path, documents: i64) -> Engine {
    let engine = Engine::open(directory).unwrap();
    let mut writer = engine.writer(100_000_000).unwrap();
    let mut state = 1;
    for id in 0..documents {
        writer.upsert(&document(&mut state, id)).unwrap();
        if id % (documents / 5 + 1) == 0 {
            writer.commit("").unwrap();
        }
    }
    writer.commit("").unwrap();
    writer.close().unwrap();
    engine
}

/// As much of a text, over and over, as fits.
fn full(part: &str) -> String {
    part.chars().cycle().take(LONGEST).collect()
}

/// As many of the texts as fit.
fn fitting(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        // Signs alone.
        "\"",
        "-",
        "--",
        "\"\"",
        "\" \"",
        "- -",
        "-\"",
        "-\"\"",
        "*",
        "?",
        "~",
        "\\",
        "\u{0}",
        "\u{1}",
        "\u{7f}",
        "\u{fffd}",
        "\u{10ffff}",
        "“”",
        "„",
        "«»",
        "«",
        // Only what is not wanted.
        "-red",
        "-\"red shoe\"",
        "-red -blue -shoe -case -the",
        "-zzzz",
        // Only phrases.
        "\"red shoe\"",
        "\"red\" \"blue\" \"shoe\"",
        "\"zzzz yyyy\"",
        // Syntax of other engines.
        "name:(red OR blue)^2 [a TO b] *",
        "title:\"red shoe\"~3 AND NOT blue",
        ".*[a-z]+\\w{2}(?:x|y)*$",
        "(((((((((((((((((((",
        "a{1,100}{1,100}{1,100}",
        "'; drop table product; --",
        "<script>alert(1)</script>",
        "%00%ff",
        "${jndi:ldap://x}",
        "+red +blue -shoe",
        "re?d sh*e",
        "/red.*/",
        "red && blue || shoe",
        // Emoji, right to left, nothing to see.
        "👟 red 👟",
        "👨‍👩‍👧‍👦",
        "🇰🇪",
        "שָׁלוֹם red",
        "\u{202e}eohs der\u{202c}",
        "مرحبا بالعالم",
        "re\u{200b}d",
        "\u{200b}",
        "\u{feff}red",
        "\u{ad}",
        "e\u{301}\u{301}\u{301}",
        "ﷺ",
        "㍿",
        "½ ¼ ⅞",
        "Ⅷ",
        "ǆ",
        "İI ıi",
        "ẞ",
        "水筒",
        "กาแฟ",
        // Numbers.
        "00000000",
        "0000000000000",
        "99999999999999999999",
        "-1",
        "1e309",
        "4 4 4 4",
        "AB-00017",
        "ab00017",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    let mut state = 7;
    for part in [
        "x",
        "xy",
        "a ",
        "é",
        "水",
        "👟",
        "\"",
        "- ",
        "-a ",
        "\"a\" ",
        "\"a ",
        "e\u{301}",
        "\u{301}",
        "\u{200b}",
        "1",
        "1a",
        "red ",
        "-red ",
        "\"red shoe\" ",
        "a-",
        "red-blue-",
        "usb-c/",
        "the ",
        "ﷺ",
        "½",
        "( [ { ",
        "\u{202e}",
    ] {
        texts.push(full(part));
    }
    // Many words: all of them common, none of them, each with a slip, in one run without a space.
    texts.push(fitting(COMMON.iter().map(|word| (*word).to_owned())));
    texts.push(COMMON.join(" "));
    for _ in 0..2 {
        texts.push(fitting((0..32).map(|_| rare(&mut state))));
        texts.push(fitting((0..16).map(|_| rare(&mut state) + "x")));
        texts.push(fitting((0..32).map(|_| format!("{}z", COMMON[roll(&mut state, COMMON.len())]))));
        let slip = |state: &mut u64| {
            let mut word: Vec<char> = rare(state).chars().collect();
            let (one, other) = (roll(state, word.len()), roll(state, word.len()));
            word.swap(one, other);
            word.into_iter().collect::<String>()
        };
        texts.push(fitting((0..32).map(|_| slip(&mut state))));
        texts.push(fitting((0..3).map(|_| slip(&mut state))));
        texts.push(full(&(rare(&mut state) + "-" + &rare(&mut state) + "-")));
        let any = |state: &mut u64| char::from_u32(roll(state, 0x3_0000) as u32).unwrap_or(' ');
        texts.push((0..LONGEST).map(|_| any(&mut state)).collect());
        let ascii = |state: &mut u64| char::from(b' ' + roll(state, 95) as u8);
        texts.push((0..LONGEST).map(|_| ascii(&mut state)).collect());
    }
    texts
}

/// As much as one query can ask.
fn query(text: &str) -> Query {
    Query {
        text: Some(text.to_owned()),
        sort: vec![SortKey { field: SortField::Relevance, descending: false }],
        limit: 24,
        highlight: true,
        places: true,
        facets: vec![
            Facet::Category,
            Facet::Brand,
            Facet::Price,
            Facet::Availability,
            Facet::Rating,
            Facet::Attribute("color".to_owned()),
        ],
        ..Query::default()
    }
}

/// Asks for everything that a text can ask, and says how long the search and the suggestions took.
fn ask(engine: &Engine, text: &str) -> [Duration; 2] {
    let reader = engine.reader();
    let begin = Instant::now();
    let hits = reader.search(&query(text), Lexicon::standard()).unwrap();
    let searched = begin.elapsed();
    assert_eq!(hits.hits.len() as u64, hits.total.min(24), "{text:?}");
    for hit in &hits.hits {
        let marked = hit.highlights.as_ref().unwrap();
        let texts = [(&hit.document.name, &marked.name), (&hit.document.description, &marked.description)];
        for (marked_text, ranges) in texts {
            assert!(ranges.iter().all(|range| marked_text.get(range.clone()).is_some()), "{text:?}");
            assert!(ranges.is_sorted_by(|one, other| one.end <= other.start), "{text:?}");
        }
        assert!(hit.score.is_finite() && hit.score >= 0.0, "{text:?}");
    }
    if let Some(corrected) = hits.corrected_query {
        let again = reader.search(&query(&corrected), Lexicon::standard()).unwrap();
        assert!(again.total > 0, "{text:?} is read as {corrected:?}");
    }
    let begin = Instant::now();
    reader.suggest(&SuggestQuery { text: text.to_owned(), limit: 10 }, Lexicon::standard()).unwrap();
    [searched, begin.elapsed()]
}

#[test]
fn no_text_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), 300);
    for text in texts() {
        ask(&engine, &text);
    }
    // Without any document, too.
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(directory.path()).unwrap();
    for text in texts() {
        ask(&engine, &text);
    }
}

/// Measured with optimisation: `cargo test --release -p duka-index --test hostile -- --ignored --nocapture`.
#[test]
#[ignore = "takes a minute, and its limit means something only on a machine that does nothing else"]
fn no_text_is_slow() {
    let directory = tempfile::tempdir().unwrap();
    let engine = filled(directory.path(), 200_000);
    let mut slowest = Vec::new();
    for text in texts() {
        // First with nothing known of its words, then with all that is kept of them.
        for known in [false, true] {
            let [searched, suggested] = ask(&engine, &text);
            slowest.push((searched, suggested, known, text.clone()));
        }
    }
    slowest.sort();
    for (searched, suggested, known, text) in slowest.iter().rev().take(16) {
        println!("{searched:>10.1?} search, {suggested:>10.1?} suggest, known {known}: {text:?}");
    }
    slowest.retain(|(searched, suggested, ..)| (*searched).max(*suggested) > Duration::from_millis(50));
    assert!(slowest.is_empty(), "{slowest:?}");
}
