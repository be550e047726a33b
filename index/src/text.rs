//! How text is read: which words it holds and when two of them are the same.
//!
//! A word is a run of letters and digits of any script. Case, accents and compatibility forms (`ﬁ`, `Ⅷ`, full
//! width) are folded away; everything else separates words, so `USB-C` reads as `usb` and `c`. Some signs belong to a
//! word, since it would be another one without: those behind a single letter (`C++`, `C#`), and an `&` between initials
//! (`AT&T`, which documents also hold as `att`). Documents and queries are read by the same code, which is what makes
//! them meet.
//!
//! English words also have a stem, by which `battery` and `batteries` meet. It stands beside the word and never
//! in its place, so that what is written the same always counts for more, and names of makers and articles are
//! never taken for a verb. What a word is worth is [`rank`](crate::rank)'s business.

use std::{cell::RefCell, collections::HashMap, ops::Range};

use foldhash::fast::RandomState;

use self::stream::WordStream;
pub(crate) use self::{
    held::{Held, HeldTokenizer},
    size::{is_unit, size_at},
};

mod held;
mod size;
mod stream;

/// Reads all words of a text, in order.
pub(crate) fn read(text: &str) -> Vec<String> {
    let mut stream = WordStream::new(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push(stream.word().to_owned());
    }
    words
}

/// Reads all words of a text, in order, each with its byte range.
pub(crate) fn read_with_ranges(text: &str) -> Vec<(String, Range<usize>)> {
    let mut stream = WordStream::new(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push((stream.word().to_owned(), stream.place()));
    }
    words
}

/// Words behind which a name says what a thing is for, or comes with.
const BEHIND_THE_HEAD: [&str; 5] = ["for", "with", "w", "fits", "compatible"];

/// The part of a name that says what the thing is: `Silicone case` of `Silicone case for iPhone 15`. The whole name
/// where there is no such part.
pub(crate) fn head(name: &str) -> &str {
    let mut words = WordStream::new(name);
    // What a name begins with is not behind anything.
    words.advance();
    while words.advance() {
        if BEHIND_THE_HEAD.contains(&words.word()) {
            return &name[..words.place().start];
        }
    }
    name
}

/// What the head of a name or of a tagline calls the thing: the words at its end, as [`phrase`]s of one to three words.
/// Numbers, units, and qualities of the thing come behind that and are passed over.
pub(crate) fn nouns(head: &str, is_quality: impl Fn(&str) -> bool) -> Vec<String> {
    let named = head.split([',', '(', ';', '|']).next().unwrap_or(head);
    let words = read(named);
    let says_nothing = |word: &String| word.len() <= 2 || word.contains(char::is_numeric) || is_quality(word);
    let end = words.iter().rposition(|word| !says_nothing(word)).map_or(0, |last| last + 1);
    (1..=end.min(3)).map(|count| phrase(&words[end - count..end])).collect()
}

/// Stands before a stem in the index, so that no word is ever taken for one.
pub(crate) const STEM_MARK: char = '\u{1}';

/// Whether signs belong to a word; then it is the beginning of no other one.
pub(crate) fn is_signed(word: &str) -> bool {
    word.contains(['&', '+', '#'])
}

/// Stands before a size in the index, beside the number.
pub(crate) const SIZE_MARK: char = '\u{2}';

/// Shorter words are their own stems: what would be left of them means nothing.
const MIN_STEMMED: usize = 4;

/// The stem of a word, when that differs from it: Snowball's English one (Porter2,
/// <https://snowballstem.org/algorithms/english/stemmer.html>). Only words of plain letters have one: digits make
/// model names.
pub(crate) fn stem(word: &str) -> Option<String> {
    let mut stem = String::new();
    push_stem(word, &mut stem).then_some(stem)
}

/// Adds the stem of a word to a text, if it has one; see [`stem`].
fn push_stem(word: &str, text: &mut String) -> bool {
    if word.len() < MIN_STEMMED || !is_inflected(word) {
        return false;
    }
    STEMS.with_borrow_mut(|stems| {
        if let Some(known) = stems.get(word) {
            text.push_str(known);
            return !known.is_empty();
        }
        let stemmer = frostem::Stemmer::new(frostem::Algorithm::English);
        let stem = stemmer.stem(word);
        let stem = if stem == word { "" } else { &*stem };
        if stems.len() >= MAX_STEMS {
            stems.clear();
        }
        stems.insert(word.into(), stem.into());
        text.push_str(stem);
        !stem.is_empty()
    })
}

/// A catalog says the same few thousand words again and again, and stemming was an eighth of indexing it.
const MAX_STEMS: usize = 10_000;

thread_local! {
    /// The last words that this thread has stemmed, with their stems; empty where they have none.
    static STEMS: RefCell<HashMap<Box<str>, Box<str>, RandomState>> = RefCell::default();
}

/// A stock keeping unit or trade item number as a whole: folded like words are, with what separates them left
/// out, since people copy them in every shape. Empty when there is nothing to it.
pub(crate) fn whole_code(code: &str) -> String {
    let folded = read(code).concat().replace('&', "");
    // EAN-13 writes a UPC-12 with a zero before it, GTIN-14 both.
    if is_trade_item_number(&folded) { folded.trim_start_matches('0').to_owned() } else { folded }
}

/// Whether English has forms of such a word.
pub(crate) fn is_inflected(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// What all spellings of a phrase have in common: its words' stems, with nothing between them, so that `PS-4` is
/// spelt like `ps4` and `laptop cases` like `Laptop case`.
pub(crate) fn spelling<T: AsRef<str>>(words: &[T]) -> String {
    let words = words.iter().map(AsRef::as_ref);
    words.map(|word| stem(word).unwrap_or_else(|| word.to_owned())).collect()
}

/// How many words a phrase has at most to name a kind of thing.
const MAX_PHRASE_WORDS: usize = 4;

/// A phrase as a whole: its words' stems, so that `Gaming mouse pads` is a `gaming mouse pad`. Empty when it is too
/// long to name a kind of thing, and when there is nothing to it.
pub(crate) fn whole_phrase(text: &str) -> String {
    phrase(&read(text))
}

/// The same, of words that have been read.
pub(crate) fn phrase<T: AsRef<str>>(words: &[T]) -> String {
    let mut whole = String::new();
    if words.len() > MAX_PHRASE_WORDS {
        return whole;
    }
    for (place, word) in words.iter().map(AsRef::as_ref).enumerate() {
        if place > 0 {
            whole.push(' ');
        }
        if !push_stem(word, &mut whole) {
            whole.push_str(word);
        }
    }
    whole
}

/// Whether it looks like a GTIN: 8 to 14 digits (GS1 General Specifications, 3.3).
pub(crate) fn is_trade_item_number(text: &str) -> bool {
    (8..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_separates() {
        assert_eq!(read("USB-C cable, 2.5m (new!)"), ["usb", "c", "cable", "2", "5m", "new"]);
        assert_eq!(read("iPhone™ 15"), ["iphone", "15"]);
        assert!(read(" -- !\"§$ ").is_empty());
        assert!(read("").is_empty());
    }

    #[test]
    fn case_and_accents_fold() {
        assert_eq!(read("Crème BRÛLÉE"), read("creme brulee"));
        assert_eq!(
            read("Straße ŁÓDŹ Ærø İstanbul ΣΊΣΥΦΟΣ"),
            ["strasse", "lodz", "aero", "istanbul", "σισυφοσ"]
        );
        assert_eq!(read("e\u{301}te\u{301}"), ["ete"]);
        assert_eq!(read("ｆｕｌｌ ﬁt Ⅷ m²"), ["full", "fit", "viii", "m2"]);
    }

    #[test]
    fn other_scripts_keep_what_carries_the_word() {
        assert_eq!(read("水筒 500ml").len(), 2);
        assert_ne!(read("カ"), read("ガ"));
        assert_eq!(read("हिन्दी").len(), 1);
        assert_ne!(read("का"), read("कि"));
        assert_eq!(read("שָׁלוֹם"), read("שלום"));
    }

    #[test]
    fn ranges_point_into_the_text() {
        let text = "Übergröße, ½ m²";
        let ranges: Vec<_> = read_with_ranges(text).into_iter().map(|(_, range)| &text[range]).collect();
        assert_eq!(ranges, ["Übergröße", "½", "½", "m²"]);
    }

    #[test]
    fn signs_that_make_another_word_belong_to_it() {
        assert_eq!(read("C++ and C# (C), A+++ g+."), ["c++", "and", "c#", "c", "a+++", "g+"]);
        assert_eq!(read("C#5 a+b c++11 S10+ A++++ +c"), ["c", "5", "a", "b", "c", "11", "s10", "a", "c"]);
        assert_eq!(read("AT&T H&M PB&J M&Ms"), ["at&t", "h&m", "pb&j", "m&ms"]);
        assert_eq!(read("Black&Decker AT & T B&amp;W 3&4 a&1"), read("Black Decker AT T B amp W 3 4 a 1"));
        let ranges = |text| read_with_ranges(text).into_iter().map(|(_, range)| range).collect::<Vec<_>>();
        assert_eq!(ranges("C++ AT&T x"), [0..3, 4..8, 9..10]);
    }

    #[test]
    fn a_name_has_a_head() {
        assert_eq!(head("Silicone case for iPhone 15"), "Silicone case ");
        assert_eq!(head("Kettle w/ thermometer"), "Kettle ");
        assert_eq!(head("For Honor"), "For Honor");
        assert_eq!(head("Kettle"), "Kettle");
        assert_eq!(head(""), "");
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(read(&"x".repeat(500))[0].len(), 64);
    }

    #[test]
    fn a_code_is_read_as_a_whole() {
        assert_eq!(whole_code(" Abc-123 "), "abc123");
        assert_eq!(whole_code("ÄB/1"), "ab1");
        assert_eq!(whole_code("0095205603217"), whole_code("95205603217"));
        assert_ne!(whole_code("0012"), whole_code("12"), "too short to be a trade item's");
    }
}
