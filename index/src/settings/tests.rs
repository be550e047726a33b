//! Which settings are refused, where, and what the others become.

use super::*;

fn settings(json: &str) -> Settings {
    serde_json::from_str(json).unwrap()
}

fn lexicon(json: &str) -> Lexicon {
    Lexicon::new(&settings(json)).unwrap()
}

fn two_way(phrases: impl IntoIterator<Item = String>) -> Synonym {
    Synonym::TwoWay { phrases: phrases.into_iter().collect() }
}

#[track_caller]
fn refused(settings: &Settings, pointers: &[&str]) {
    let faults = Lexicon::new(settings).unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), pointers);
    assert!(faults.iter().all(|fault| !fault.reason.is_empty()));
}

/// What a phrase finds besides itself.
fn found(lexicon: &Lexicon, phrase: &str) -> Vec<String> {
    let to =
        lexicon.synonyms.get(&text::spelling(&text::read(phrase))).map(Vec::as_slice).unwrap_or_default();
    to.iter().map(|words| words.join(" ")).collect()
}

#[test]
fn the_defaults_keep_every_rule() {
    let lexicon = Lexicon::new(&Settings::default()).unwrap();
    assert_eq!(lexicon.stop_words, Settings::default().stop_words, "they are words as they are read");
    assert!(lexicon.stop_words.contains("with") && lexicon.synonyms.is_empty() && lexicon.longest == 0);
    assert_eq!(Lexicon::standard().weights, Weights::default());
}

#[test]
fn settings_round_trip_and_what_is_absent_is_the_default() {
    let json = r#"{"synonyms": [{"type": "two_way", "phrases": ["tv", "television"]},
                                {"type": "one_way", "from": "phone", "to": ["smartphone"]}],
                   "stop_words": ["the"], "weights": {"name": 0.1}}"#;
    let read = settings(json);
    assert_eq!(read.weights, Weights { name: 0.1, ..Weights::default() });
    assert_eq!(settings(&serde_json::to_string(&read).unwrap()), read);
    assert_eq!(settings("{}"), Settings::default());
    for unknown in [
        r#"{"stopwords": []}"#,
        r#"{"weights": {"title": 1}}"#,
        r#"{"synonyms": [{"type": "both", "phrases": []}]}"#,
        r#"{"synonyms": [{"type": "two_way", "phrases": [], "from": "a"}]}"#,
    ] {
        assert!(serde_json::from_str::<Settings>(unknown).is_err(), "{unknown}");
    }
}

#[test]
fn phrases_find_each_other_or_one_the_others() {
    let lexicon = lexicon(
        r#"{"synonyms": [{"type": "two_way", "phrases": ["TV", "télévision", "flat screen"]},
                         {"type": "one_way", "from": "Shoes", "to": ["boots", "sneakers"]},
                         {"type": "one_way", "from": "shoes", "to": ["boots", "sandals"]}]}"#,
    );
    assert_eq!(found(&lexicon, "tv"), ["television", "flat screen"]);
    assert_eq!(found(&lexicon, "Flat-Screen"), ["tv", "television"]);
    assert_eq!(found(&lexicon, "shoes"), ["boots", "sneakers", "sandals"]);
    assert!(found(&lexicon, "boots").is_empty());
    assert_eq!(lexicon.longest, 3, "a word of it may be typed as two");
    assert_eq!(found(&lexicon, "shoe"), ["boots", "sneakers", "sandals"]);
}

#[test]
fn what_separates_words_does_not_matter() {
    let lexicon = lexicon(
        r#"{"synonyms": [{"type": "two_way", "phrases": ["usb-c", "USB C", "type c"]}], "stop_words": ["Ünd!"]}"#,
    );
    for typed in ["usb/c", "USBC", "us bc"] {
        assert!(found(&lexicon, typed).contains(&"type c".to_owned()), "{typed}");
    }
    assert_eq!(lexicon.stop_words, BTreeSet::from(["und".to_owned()]));
}

#[test]
fn each_fault_is_named() {
    let json = r#"{"synonyms": [
            {"type": "two_way", "phrases": ["alone"]},
            {"type": "one_way", "from": "!?", "to": []},
            {"type": "two_way", "phrases": ["fine", "one two three four five six", ""]},
            {"type": "one_way", "from": "one two three four five", "to": ["fine", " "]}
        ], "stop_words": ["of the", "", "the"], "weights": {"name": -1, "sku": 100.5}}"#;
    let expected = [
        "/synonyms/0/phrases",
        "/synonyms/1/from",
        "/synonyms/1/to",
        "/synonyms/2/phrases/1",
        "/synonyms/2/phrases/2",
        "/synonyms/3/to/1",
        // In the order of the set.
        "/stop_words/0",
        "/stop_words/1",
        "/weights/name",
        "/weights/sku",
    ];
    refused(&settings(json), &expected);
}

#[test]
fn what_cannot_have_been_meant_is_borne_and_named() {
    let json = r#"{"synonyms": [
            {"type": "two_way", "phrases": ["usb-c", "type c", "USB C"]},
            {"type": "one_way", "from": "Phone", "to": ["smartphone", "phone"]},
            {"type": "one_way", "from": "phone", "to": ["smartphone", "mobile", "Smart-phone"]},
            {"type": "two_way", "phrases": ["tv", "television"]},
            {"type": "two_way", "phrases": ["Television", "TV"]},
            {"type": "one_way", "from": "tv", "to": ["television"]},
            {"type": "one_way", "from": "television", "to": ["tv"]},
            {"type": "two_way", "phrases": ["laptop", "laptops"]}
        ], "stop_words": ["The", "of", "the"],
        "weights": {"name": 0, "brand": 0, "sku": 0, "category": 0, "attributes": 0, "variants": 0, "description": 0}}"#;
    let faults = settings(json).oversights();
    let pointers = [
        "/synonyms/0/phrases/2",
        "/synonyms/1/to/1",
        "/synonyms/2/to/2",
        "/synonyms/4",
        // In the order of the set.
        "/stop_words/2",
        "/weights",
    ];
    assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), pointers);
    assert!(faults[3].reason.contains("/synonyms/3"), "{}", faults[3]);
    assert!(Lexicon::new(&settings(json)).is_ok(), "who has kept them can still search");
    let one = Weights { name: 0.0, description: 0.1, ..Weights::default() };
    assert_eq!(Settings { weights: one, ..Settings::default() }.oversights(), []);
}

#[test]
fn every_list_has_an_end() {
    let numbered = |count: usize| (0..count).map(|number| format!("w{number}"));
    let rules = |count| {
        let rule = |number| two_way([format!("a{number}"), format!("b{number}")]);
        Settings { synonyms: (0..count).map(rule).collect(), ..Settings::default() }
    };
    assert!(Lexicon::new(&rules(MAX_SYNONYMS)).is_ok());
    refused(&rules(MAX_SYNONYMS + 1), &["/synonyms"]);

    let phrases = |count| Settings { synonyms: vec![two_way(numbered(count))], ..Settings::default() };
    assert!(Lexicon::new(&phrases(MAX_PHRASES)).is_ok());
    refused(&phrases(MAX_PHRASES + 1), &["/synonyms/0/phrases"]);

    let words = |count| Settings { stop_words: numbered(count).collect(), ..Settings::default() };
    assert!(Lexicon::new(&words(MAX_STOP_WORDS)).is_ok());
    refused(&words(MAX_STOP_WORDS + 1), &["/stop_words"]);
}

#[test]
fn a_phrase_finds_only_so_many_others() {
    let rule = |number| Synonym::OneWay {
        from: "thing".to_owned(),
        to: (0..MAX_PHRASES).map(|to| format!("w{number}x{to}")).collect(),
    };
    let full = MAX_ALTERNATIVES / MAX_PHRASES;
    let mut settings = Settings { synonyms: (0..full).map(rule).collect(), ..Settings::default() };
    // What is known already is no more.
    settings.synonyms.push(rule(0));
    assert_eq!(found(&Lexicon::new(&settings).unwrap(), "thing").len(), MAX_ALTERNATIVES);
    settings.synonyms.push(rule(full));
    refused(&settings, &[&format!("/synonyms/{}", full + 1)]);
}

#[test]
fn weights_are_numbers_within_their_range() {
    for good in [0.0, 0.001, MAX_WEIGHT] {
        let weights = Weights { description: good, ..Weights::default() };
        assert!(Lexicon::new(&Settings { weights, ..Settings::default() }).is_ok(), "{good}");
    }
    for bad in [-0.1, MAX_WEIGHT + 0.1, f32::NAN, f32::INFINITY] {
        let weights = Weights {
            name: bad,
            brand: bad,
            sku: bad,
            category: bad,
            attributes: bad,
            variants: bad,
            description: bad,
        };
        let fields = ["name", "brand", "sku", "category", "attributes", "variants", "description"];
        let pointers = fields.map(|field| format!("/weights/{field}"));
        refused(
            &Settings { weights, ..Settings::default() },
            &pointers.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}
