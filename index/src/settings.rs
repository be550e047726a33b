//! How a shop tunes its search: synonyms, stop words, weights.
//!
//! [`Settings`] are plain data, checked and compiled into a [`Lexicon`] once, and given to each search. They act on
//! how a query is read, never on what is indexed: new ones need no rebuild.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::text;

/// How many synonym rules there may be: each query looks each of its words up among them.
pub const MAX_SYNONYMS: usize = 5_000;
/// How many phrases one rule may name.
pub const MAX_PHRASES: usize = 20;
/// How many words a phrase may have.
pub const MAX_PHRASE_WORDS: usize = 5;
/// How many phrases one phrase may find besides itself, by all rules together: each is a search of its own.
const MAX_ALTERNATIVES: usize = 100;
/// How many stop words there may be.
pub const MAX_STOP_WORDS: usize = 1_000;
/// The largest weight.
pub const MAX_WEIGHT: f32 = 100.0;

/// How queries are read and what matches are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What else a word or phrase finds.
    pub synonyms: Vec<Synonym>,
    /// Words that need not occur, unless the query has no others.
    pub stop_words: BTreeSet<String>,
    /// What a match is worth in each kind of text.
    pub weights: Weights,
}

/// Phrases that find each other, or of which one finds the others. A phrase is one word or several; what
/// separates them does not matter (`usb-c`, `USB C`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
pub enum Synonym {
    /// Each finds all the others.
    TwoWay {
        /// Two or more.
        phrases: Vec<String>,
    },
    /// A query for `from` also finds each of `to`, and not the other way round.
    OneWay {
        /// What is typed.
        from: String,
        /// What is found besides.
        to: Vec<String>,
    },
}

/// What a match in each kind of text is worth, relative to the others: 0 to [`MAX_WEIGHT`]. With 0 the words are
/// still found there, but add nothing to the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// The product's name.
    pub name: f32,
    /// The brand.
    pub brand: f32,
    /// Stock keeping units, the variants' included.
    pub sku: f32,
    /// Names of the category and its ancestors.
    pub category: f32,
    /// Attribute values, and names of attributes that are true.
    pub attributes: f32,
    /// Names of variants.
    pub variants: f32,
    /// The description.
    pub description: f32,
}

/// What is wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer} {reason}")]
pub struct SettingsFault {
    /// Where, as a JSON pointer (`/synonyms/3/phrases/0`).
    pub pointer: String,
    /// What, and what to do.
    pub reason: String,
}

/// Settings, checked and ready for use.
#[derive(Clone, Debug)]
pub struct Lexicon {
    /// Which no other one in this process has that was compiled from settings: texts are read alike under equal ones.
    pub(crate) number: u64,
    pub(crate) weights: Weights,
    pub(crate) stop_words: BTreeSet<String>,
    /// By [`text::spelling`] of a phrase, what else it finds, as folded words.
    pub(crate) synonyms: BTreeMap<String, Vec<Vec<String>>>,
    /// Words of phrases that find others: known, whether or not a product has them.
    pub(crate) vocabulary: BTreeSet<String>,
    /// As how many words a phrase may be typed that finds others: one more than as it was written, since a word may
    /// be typed as two.
    pub(crate) longest: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let stop_words = STOP_WORDS.split_whitespace().map(str::to_owned).collect();
        Self { synonyms: Vec::new(), stop_words, weights: Weights::default() }
    }
}

/// English words that only hold a sentence together, none of which names or describes a thing that is sold.
const STOP_WORDS: &str =
    "a an and are as at be by for from in into is it its of on or than that the their this to was were with";

impl Default for Weights {
    fn default() -> Self {
        Self {
            // What the product is called is what it is.
            name: 6.3,
            // Words that name a maker or an article are chosen deliberately, but a name that says so says it
            // better.
            brand: 4.0,
            sku: 4.0,
            // What kind of thing it is, or which properties it has.
            category: 3.8,
            attributes: 3.6,
            variants: 3.6,
            // Prose mentions many things in passing.
            description: 3.4,
        }
    }
}

impl Default for Lexicon {
    fn default() -> Self {
        // The defaults keep every rule; a test says so.
        Self::new(&Settings::default()).unwrap_or_else(|_| Self {
            number: next_number(),
            weights: Weights::default(),
            stop_words: BTreeSet::new(),
            synonyms: BTreeMap::new(),
            vocabulary: BTreeSet::new(),
            longest: 0,
        })
    }
}

impl Lexicon {
    /// The default settings, compiled.
    pub fn standard() -> &'static Self {
        static STANDARD: LazyLock<Lexicon> = LazyLock::new(Lexicon::default);
        &STANDARD
    }

    /// Checks settings and compiles them.
    ///
    /// # Errors
    /// Every fault there is, in the order of the settings.
    pub fn new(settings: &Settings) -> Result<Self, Vec<SettingsFault>> {
        let mut faults = Faults(Vec::new());
        let mut synonyms: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        let mut longest = 0;
        let mut vocabulary = BTreeSet::new();
        faults.check("/synonyms", settings.synonyms.len() <= MAX_SYNONYMS, || {
            format!("may have at most {MAX_SYNONYMS} rules")
        });
        for (place, synonym) in settings.synonyms.iter().take(MAX_SYNONYMS).enumerate() {
            let pointer = format!("/synonyms/{place}");
            for (from, to) in faults.rules(&pointer, synonym) {
                let full = || format!("lets `{}` find more than {MAX_ALTERNATIVES} phrases", from.join(" "));
                let known = synonyms.entry(text::spelling(&from)).or_default();
                let fresh = !known.contains(&to);
                // Once for each rule: what is one too many says enough.
                if fresh && !faults.check(&pointer, known.len() < MAX_ALTERNATIVES, full) {
                    break;
                }
                if fresh {
                    longest = longest.max(from.len() + 1);
                    vocabulary.extend(from.iter().cloned());
                    known.push(to);
                }
            }
        }
        let stop_words = faults.stop_words(&settings.stop_words);
        faults.weights(&settings.weights);
        let Faults(faults) = faults;
        if faults.is_empty() {
            let number = next_number();
            Ok(Self { number, weights: settings.weights, stop_words, synonyms, vocabulary, longest })
        } else {
            Err(faults)
        }
    }
}

impl Settings {
    /// What does no harm and cannot have been meant: synonyms and stop words that are said twice, phrases that are
    /// their own synonyms, and weights that weigh nothing. [`Lexicon::new`] bears it, so that what was kept once can be
    /// read for ever; whoever takes new settings should not.
    pub fn oversights(&self) -> Vec<SettingsFault> {
        let mut faults = Faults(Vec::new());
        let mut rules = BTreeMap::new();
        for (place, synonym) in self.synonyms.iter().enumerate() {
            let pointer = format!("/synonyms/{place}");
            if faults.said_twice(&pointer, synonym) {
                continue;
            }
            let first = *rules.entry(rule(synonym)).or_insert(place);
            faults.check(&pointer, first == place, || {
                format!("says what /synonyms/{first} says; leave it out")
            });
        }
        let mut words = BTreeMap::new();
        for (place, word) in self.stop_words.iter().enumerate() {
            let first = *words.entry(text::read(word).concat()).or_insert(word);
            faults.check(&format!("/stop_words/{place}"), first == word, || {
                format!("is the same word as `{first}`")
            });
        }
        let Weights { name, brand, sku, category, attributes, variants, description } = self.weights;
        let weights = [name, brand, sku, category, attributes, variants, description];
        let weighs = weights.iter().any(|weight| *weight != 0.0);
        faults.check("/weights", weighs, || {
            "are all 0, so that nothing would be in order; raise one".to_owned()
        });
        faults.0
    }
}

/// What a rule says, however it is written: what finds, what is found.
fn rule(synonym: &Synonym) -> (Option<String>, BTreeSet<String>) {
    let same = |phrases: &[String]| phrases.iter().map(|phrase| text::read(phrase).concat()).collect();
    match synonym {
        Synonym::TwoWay { phrases } => (None, same(phrases)),
        Synonym::OneWay { from, to } => (Some(text::read(from).concat()), same(to)),
    }
}

fn next_number() -> u64 {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    LATEST.fetch_add(1, Ordering::Relaxed)
}

struct Faults(Vec<SettingsFault>);

impl Faults {
    fn check(&mut self, pointer: &str, holds: bool, reason: impl FnOnce() -> String) -> bool {
        if !holds {
            self.0.push(SettingsFault { pointer: pointer.to_owned(), reason: reason() });
        }
        holds
    }

    /// Which phrase finds which.
    fn rules(&mut self, pointer: &str, synonym: &Synonym) -> Vec<(Vec<String>, Vec<String>)> {
        match synonym {
            Synonym::TwoWay { phrases } => {
                let phrases = self.phrases(&format!("{pointer}/phrases"), phrases, 2);
                let pairs = phrases.iter().flat_map(|from| phrases.iter().map(move |to| (from, to)));
                pairs.filter(|(from, to)| from != to).map(|(from, to)| (from.clone(), to.clone())).collect()
            }
            Synonym::OneWay { from, to } => {
                let from = self.phrase(&format!("{pointer}/from"), from);
                let to = self.phrases(&format!("{pointer}/to"), to, 1);
                let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (from.clone(), to.clone())));
                pairs.filter(|(from, to)| from != to).collect()
            }
        }
    }

    fn phrases(&mut self, pointer: &str, phrases: &[String], least: usize) -> Vec<Vec<String>> {
        self.check(pointer, (least..=MAX_PHRASES).contains(&phrases.len()), || {
            format!("must have {least} to {MAX_PHRASES} phrases")
        });
        let phrases = phrases.iter().take(MAX_PHRASES).enumerate();
        phrases.filter_map(|(place, phrase)| self.phrase(&format!("{pointer}/{place}"), phrase)).collect()
    }

    fn phrase(&mut self, pointer: &str, phrase: &str) -> Option<Vec<String>> {
        let words = text::read(phrase);
        let fits = (1..=MAX_PHRASE_WORDS).contains(&words.len());
        self.check(pointer, fits, || format!("must have 1 to {MAX_PHRASE_WORDS} words"));
        fits.then_some(words)
    }

    /// Whether a rule names a phrase twice, which is one that would find itself.
    fn said_twice(&mut self, pointer: &str, synonym: &Synonym) -> bool {
        let (from, name, phrases) = match synonym {
            Synonym::TwoWay { phrases } => (None, "phrases", phrases),
            Synonym::OneWay { from, to } => (Some(from), "to", to),
        };
        let mut known =
            from.map(|from| (text::read(from).concat(), from)).into_iter().collect::<BTreeMap<_, _>>();
        let mut is_twice = false;
        for (place, phrase) in phrases.iter().enumerate() {
            let first = *known.entry(text::read(phrase).concat()).or_insert(phrase);
            let is_first = std::ptr::eq(first, phrase);
            let reason = || format!("reads like `{first}`, and would be a synonym of itself");
            is_twice |= !self.check(&format!("{pointer}/{name}/{place}"), is_first, reason);
        }
        is_twice
    }

    fn stop_words(&mut self, words: &BTreeSet<String>) -> BTreeSet<String> {
        self.check("/stop_words", words.len() <= MAX_STOP_WORDS, || {
            format!("may have at most {MAX_STOP_WORDS} words")
        });
        let mut read = BTreeSet::new();
        for (place, word) in words.iter().enumerate() {
            match <[String; 1]>::try_from(text::read(word)) {
                Ok([word]) => {
                    read.insert(word);
                }
                Err(_) => {
                    self.check(&format!("/stop_words/{place}"), false, || "must be one word".to_owned());
                }
            }
        }
        read
    }

    fn weights(&mut self, weights: &Weights) {
        let Weights { name, brand, sku, category, attributes, variants, description } = *weights;
        for (field, weight) in [
            ("name", name),
            ("brand", brand),
            ("sku", sku),
            ("category", category),
            ("attributes", attributes),
            ("variants", variants),
            ("description", description),
        ] {
            self.check(&format!("/weights/{field}"), (0.0..=MAX_WEIGHT).contains(&weight), || {
                format!("must be from 0 to {MAX_WEIGHT}")
            });
        }
    }
}

#[cfg(test)]
mod tests;
