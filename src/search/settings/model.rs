//! What settings are, and how they are written.

use std::{collections::BTreeSet, iter};

use duka_index::{Lexicon, MAX_SYNONYMS, Settings, SettingsFault, Synonym, Weights};
use serde_json::Value;
use time::OffsetDateTime;

use crate::body::{Fields, Form, Refusal, line};

/// Whether an index must be built anew before settings hold: they act on how a query is read, never on what is
/// indexed.
pub const REBUILD_NEEDED: bool = false;
/// Characters of a phrase; its words are the engine's to count.
const PHRASE_LENGTH: usize = 200;
/// Stands where what was sent cannot be read: right in itself, so that nobody blames it again.
const STAND_IN: &str = "x";

/// The settings that hold.
#[derive(Clone, Debug)]
pub struct Current {
    /// 0: nobody has set any.
    pub version: i64,
    /// What they are.
    pub settings: Settings,
    /// When they were set; `None` for version 0.
    pub updated_at: Option<OffsetDateTime>,
}

impl Current {
    /// A strong entity tag, quotes included.
    pub fn etag(&self) -> String {
        etag(self.version, self.updated_at)
    }
}

/// The tag of a version. The instant tells apart what a restored database calls by the same number.
pub fn etag(version: i64, updated_at: Option<OffsetDateTime>) -> String {
    let at = updated_at.map_or(0, |at| at.unix_timestamp_nanos() / 1_000);
    format!("\"{version}-{at:x}\"")
}

/// The whole settings: nothing is left to defaults.
impl Form for Settings {
    /// Five thousand synonyms of a hundred bytes.
    const MOST_BYTES: usize = 512 * 1024;

    fn read(fields: &mut Fields) -> Self {
        let rules = fields.required_forms::<Rule>("synonyms", MAX_SYNONYMS);
        let words = texts(fields, "stop_words", 0);
        let settings = Self {
            synonyms: rules.into_iter().map(|Rule(synonym)| synonym).collect(),
            stop_words: words.iter().cloned().collect(),
            weights: fields.required_form("weights"),
        };
        let faults = Lexicon::new(&settings).err().unwrap_or_default();
        name(fields, faults, "length", &settings, &words);
        // What stands in for something else is no oversight.
        if fields.is_sound() {
            repeated(fields, &words);
            name(fields, settings.oversights(), "repeated", &settings, &words);
        }
        settings
    }
}

/// Names what the engine finds fault with.
fn name(
    fields: &mut Fields,
    faults: Vec<SettingsFault>,
    code: &'static str,
    settings: &Settings,
    sent: &[String],
) {
    for fault in faults {
        let pointer = as_sent(&fault.pointer, &settings.stop_words, sent);
        let code = if pointer.starts_with("/weights") { "range" } else { code };
        fields.fault_at(&pointer.split('/').skip(1).collect::<Vec<_>>(), code, fault.reason);
    }
}

/// Names stop words that are written twice: the engine keeps a set of them.
fn repeated(fields: &mut Fields, words: &[String]) {
    for (place, word) in words.iter().enumerate().filter(|(place, word)| words[..*place].contains(word)) {
        let detail = format!("says `{word}` once more; leave it out");
        fields.fault_at(&["stop_words", &place.to_string()], "repeated", detail);
    }
}

/// The engine keeps stop words as a set, and counts in its order; a client counts in its own.
fn as_sent(pointer: &str, kept: &BTreeSet<String>, sent: &[String]) -> String {
    let place = pointer.strip_prefix("/stop_words/").and_then(|place| place.parse().ok());
    let word = place.and_then(|place: usize| kept.iter().nth(place));
    let place = word.and_then(|word| sent.iter().position(|sent| sent == word));
    place.map_or_else(|| pointer.to_owned(), |place| format!("/stop_words/{place}"))
}

impl Form for Weights {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.required("name", number),
            brand: fields.required("brand", number),
            sku: fields.required("sku", number),
            category: fields.required("category", number),
            attributes: fields.required("attributes", number),
            variants: fields.required("variants", number),
            description: fields.required("description", number),
        }
    }
}

/// One entry of `synonyms`.
struct Rule(Synonym);

#[derive(Default)]
enum Kind {
    TwoWay,
    OneWay,
    #[default]
    Unknown,
}

impl Form for Rule {
    fn read(fields: &mut Fields) -> Self {
        Self(match fields.required("type", kind) {
            Kind::TwoWay => Synonym::TwoWay { phrases: texts(fields, "phrases", 2) },
            Kind::OneWay => {
                let from = fields.required("from", phrase);
                let from = if from.is_empty() { STAND_IN.to_owned() } else { from };
                Synonym::OneWay { from, to: texts(fields, "to", 1) }
            }
            Kind::Unknown => {
                // Which of these belong there cannot be said.
                for name in ["phrases", "from", "to"] {
                    fields.take(name);
                }
                Synonym::TwoWay { phrases: vec![STAND_IN.to_owned(); 2] }
            }
        })
    }
}

fn kind(value: Value) -> Result<Kind, Refusal> {
    match value.as_str() {
        Some("two_way") => Ok(Kind::TwoWay),
        Some("one_way") => Ok(Kind::OneWay),
        _ => Err(("type", "must be two_way or one_way".to_owned())),
    }
}

fn phrase(value: Value) -> Result<String, Refusal> {
    line(1..=PHRASE_LENGTH)(value)
}

fn number(value: Value) -> Result<f32, Refusal> {
    value.as_f64().map(|number| number as f32).ok_or_else(|| ("type", "must be a number".to_owned()))
}

/// A list of texts that must be there. Each that cannot be read is named and stands in for itself; a list that
/// cannot be read is as long as the engine wants it at `least`.
fn texts(fields: &mut Fields, name: &str, least: usize) -> Vec<String> {
    let stand_ins = || iter::repeat_n(STAND_IN.to_owned(), least).collect();
    let items = match fields.take(name) {
        Some(Value::Array(items)) => items,
        Some(_) => {
            fields.fault(name, "type", "must be a list of texts");
            return stand_ins();
        }
        None => {
            fields.fault(name, "required", "is required");
            return stand_ins();
        }
    };
    let read = items.into_iter().enumerate().map(|(place, item)| {
        phrase(item).unwrap_or_else(|(code, detail)| {
            fields.fault_at(&[name, &place.to_string()], code, detail);
            STAND_IN.to_owned()
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::body;

    fn read(body: Value) -> crate::error::Result<Settings> {
        body::read(body, "USD".parse().unwrap())
    }

    #[track_caller]
    fn refused(body: Value, pointers: &[&str]) {
        let error = read(body).unwrap_err().to_string();
        let named = error.lines().skip(1).filter_map(|line| Some(line.trim().split_once(": ")?.0));
        assert_eq!(named.collect::<Vec<_>>(), pointers, "{error}");
    }

    fn weights() -> Value {
        serde_json::to_value(Weights::default()).unwrap()
    }

    #[test]
    fn what_is_written_is_what_the_engine_reads() {
        let settings = Settings {
            synonyms: vec![
                Synonym::TwoWay { phrases: vec!["tv".into(), "television".into()] },
                Synonym::OneWay { from: "phone".into(), to: vec!["smartphone".into()] },
            ],
            weights: Weights { name: 0.1, ..Weights::default() },
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(read(serde_json::from_str(&text).unwrap()).unwrap(), settings);
    }

    #[test]
    fn the_whole_is_required() {
        refused(json!({}), &["/synonyms", "/stop_words", "/weights"]);
        refused(
            json!({"synonyms": [], "stop_words": [], "weights": {"name": 1, "title": 1}}),
            &[
                "/weights/brand",
                "/weights/sku",
                "/weights/category",
                "/weights/attributes",
                "/weights/variants",
                "/weights/description",
                "/weights/title",
            ],
        );
        refused(
            json!({"synonyms": null, "stop_words": null, "weights": null, "version": 3}),
            &["/synonyms", "/stop_words", "/weights", "/version"],
        );
    }

    #[test]
    fn each_fault_is_named_once_and_where_it_was_sent() {
        let synonyms = json!([
            "tv",
            {"type": "both", "phrases": 1},
            {"type": "two_way", "phrases": "tv"},
            {"type": "two_way", "phrases": ["tv", 7, "", "a b c d e f"], "from": "x"},
            {"type": "one_way", "from": ["a"], "to": []},
            {"type": "one_way", "from": "\u{202e}a", "phrases": ["a", "b"]},
            {"type": "two_way", "phrases": ["fine", "alone", "!!"]},
            {"phrases": ["a", "b"]},
            {"type": "two_way", "phrases": ["one"]},
        ]);
        let mut weights = weights();
        weights["name"] = json!("8");
        weights["sku"] = json!(1e300);
        weights["brand"] = json!(-0.5);
        refused(
            json!({"synonyms": synonyms, "stop_words": ["zu zweit", "the", "of the", null], "weights": weights}),
            &[
                "/synonyms/0",
                "/synonyms/1/type",
                "/synonyms/2/phrases",
                "/synonyms/3/phrases/1",
                "/synonyms/3/phrases/2",
                "/synonyms/3/from",
                "/synonyms/4/from",
                "/synonyms/5/from",
                "/synonyms/5/to",
                "/synonyms/5/phrases",
                "/synonyms/7/type",
                "/stop_words/3",
                "/weights/name",
                // What the engine finds comes last; of words in the order of its set.
                "/synonyms/3/phrases/3",
                "/synonyms/4/to",
                "/synonyms/6/phrases/2",
                "/synonyms/8/phrases",
                "/stop_words/2",
                "/stop_words/0",
                "/weights/brand",
                "/weights/sku",
            ],
        );
    }

    #[test]
    fn what_is_said_twice_or_weighs_nothing_is_refused_where_it_was_sent() {
        let nothing: Value =
            weights().as_object().unwrap().keys().map(|name| (name.clone(), json!(0))).collect();
        let synonyms = json!([
            {"type": "two_way", "phrases": ["tv", "television", "TV"]},
            {"type": "one_way", "from": "phone", "to": ["Phone"]},
            {"type": "two_way", "phrases": ["sofa", "couch"]},
            {"type": "two_way", "phrases": ["couch", "sofa"]},
        ]);
        let words = json!(["the", "of", "The", "of"]);
        refused(
            json!({"synonyms": synonyms, "stop_words": words, "weights": nothing}),
            &[
                "/stop_words/3",
                "/synonyms/0/phrases/2",
                "/synonyms/1/to/0",
                "/synonyms/3",
                // Of the words in the order of the engine's set.
                "/stop_words/0",
                "/weights",
            ],
        );
    }

    #[test]
    fn a_tag_names_a_version_and_its_instant() {
        assert_eq!(etag(0, None), "\"0-0\"");
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(255);
        assert_eq!(etag(3, Some(at)), "\"3-ff\"");
    }
}
