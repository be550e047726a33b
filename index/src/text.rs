//! How text is read: which words it holds and when two of them are the same.
//!
//! A word is a run of letters and digits of any script. Case, accents and compatibility forms (`ﬁ`, `Ⅷ`, full
//! width) are folded away; everything else separates words, so `USB-C` reads as `usb` and `c`. Some signs belong to a
//! word, since it would be another one without: those behind a single letter (`C++`, `C#`), and an `&` between initials
//! (`AT&T`, which documents also hold as `att`). Documents and queries are read by the same code, which is what makes them meet.
//!
//! English words also have a stem, by which `battery` and `batteries` meet. It stands beside the word and never
//! in its place, so that what is written the same always counts for more, and names of makers and articles are
//! never taken for a verb. What a word is worth is [`rank`](crate::rank)'s business.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    ops::Range,
    str::CharIndices,
};

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// A letter has fewer signs: `A+++` is the best there is.
const MAX_SIGNS: usize = 3;

/// Longer words are cut here, in documents and queries alike: what looks like one is a serialised blob.
const MAX_WORD_CHARS: usize = 64;

/// Reads all words of a text, in order.
pub(crate) fn read(text: &str) -> Vec<String> {
    let mut stream = WordStream::new(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push(stream.token.text.clone());
    }
    words
}

/// How many words a text has.
pub(crate) fn count(text: &str) -> usize {
    let mut stream = WordStream::new(text);
    std::iter::from_fn(|| stream.advance().then_some(())).count()
}

/// Reads all words of a text, in order, each with its byte range.
pub(crate) fn read_with_ranges(text: &str) -> Vec<(String, Range<usize>)> {
    let mut stream = WordStream::new(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push((stream.token.text.clone(), stream.token.offset_from..stream.token.offset_to));
    }
    words
}

/// Words behind which a name says what a thing is for, or comes with.
const BEHIND_THE_HEAD: [&str; 5] = ["for", "with", "w", "fits", "compatible"];

/// The part of a name that says what the thing is: `Silicone case` of `Silicone case for iPhone 15`. The whole name
/// where there is no such part.
pub(crate) fn head(name: &str) -> &str {
    let words = read_with_ranges(name);
    let end = words.iter().skip(1).find(|(word, _)| BEHIND_THE_HEAD.contains(&word.as_str()));
    end.map_or(name, |(_, range)| &name[..range.start])
}

/// What a name or a tagline calls the thing: the words at the end of its head, as [`whole_phrase`]s of one to three words.
/// Numbers, units, and `qualities` of the thing come behind that and are passed over.
pub(crate) fn nouns(name: &str, qualities: &BTreeSet<String>) -> Vec<String> {
    let head = head(name);
    let head = head.split([',', '(', ';', '|']).next().unwrap_or(head);
    let mut words = read(head);
    let is_quality =
        |word: &String| word.len() <= 2 || word.contains(char::is_numeric) || qualities.contains(word);
    while words.last().is_some_and(is_quality) {
        words.pop();
    }
    (1..=words.len().min(3)).map(|count| whole_phrase(&words[words.len() - count..].join(" "))).collect()
}

/// Stands before a stem in the index, so that no word is ever taken for one.
pub(crate) const STEM_MARK: char = '\u{1}';

/// Whether signs belong to a word; then it is the beginning of no other one.
pub(crate) fn is_signed(word: &str) -> bool {
    word.contains(['&', '+', '#'])
}

/// Stands before a size in the index, beside the number.
pub(crate) const SIZE_MARK: char = '\u{2}';

/// A size in inches, as it stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// How many, as digits: `27`, `15.6`.
    pub(crate) inches: String,
    /// How many words before the last one of the number belong to it: the `15` of `15.6`.
    pub(crate) before: usize,
    /// Where the unit ends in the text.
    pub(crate) end: usize,
}

/// The signs that mean inches right behind a number, in the shapes that keyboards and editors give them.
const INCH_SIGNS: [&str; 5] = ["\"", "″", "”", "''", "’’"];

/// The size whose number ends with the word at a place of a text. `27"`, `27 inch`, `27-inch`, `27in` and `27 in` are
/// the same; behind an `in` comes no further number, since a thing may be two in one.
pub(crate) fn size_at(text: &str, word: Range<usize>) -> Option<Size> {
    let (before, behind) = (&text[..word.start], &text[word.start..]);
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let end = word.start + digits;
    let end = end + unit(&text[end..], word.end > end)?;
    let number = &behind[..digits];
    let whole = before.strip_suffix(['.', ',']).unwrap_or_default();
    let (others, whole) = whole.split_at(whole.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    let whole = if others.ends_with(char::is_alphanumeric) { "" } else { whole };
    let fraction = number.trim_end_matches('0');
    let inches = match (whole, fraction) {
        ("", _) => number.to_owned(),
        (whole, "") => whole.to_owned(),
        (whole, fraction) => format!("{whole}.{fraction}"),
    };
    Some(Size { inches, before: usize::from(!whole.is_empty()), end })
}

/// How long the unit of inches is that a text begins with; `is_word` where it goes on with letters.
fn unit(text: &str, is_word: bool) -> Option<usize> {
    if let Some(sign) = INCH_SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        return Some(sign.len());
    }
    let is_between = |c: char| !is_word && (c == ' ' || c == '-' || c == '\u{a0}');
    let word = text.trim_start_matches(is_between);
    if !is_word && text.len() == word.len() {
        return None;
    }
    let letters = word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len());
    let (name, behind) = word.split_at(letters);
    let name = name.to_ascii_lowercase();
    let next = behind.trim_start_matches(['.', ' ', '\u{a0}']);
    let is_two_in_one = name == "in" && next.starts_with(|c: char| c.is_numeric() || c == '-');
    (is_unit(&name) && !is_two_in_one).then_some(text.len() - behind.len())
}

/// Whether a word, behind a number, may be its unit.
pub(crate) fn is_unit(word: &str) -> bool {
    matches!(word, "inch" | "inches" | "in")
}

/// Shorter words are their own stems: what would be left of them means nothing.
const MIN_STEMMED: usize = 4;

/// The stem of a word, when that differs from it: Snowball's English one (Porter2,
/// <https://snowballstem.org/algorithms/english/stemmer.html>). Only words of plain letters have one: digits make
/// model names.
pub(crate) fn stem(word: &str) -> Option<String> {
    if word.len() < MIN_STEMMED || !is_inflected(word) {
        return None;
    }
    STEMS.with_borrow_mut(|stems| {
        if let Some(known) = stems.get(word) {
            return known.clone();
        }
        let stemmer = frostem::Stemmer::new(frostem::Algorithm::English);
        let stem = Some(stemmer.stem(word).into_owned()).filter(|stem| stem != word);
        if stems.len() >= MAX_STEMS {
            stems.clear();
        }
        stems.insert(word.to_owned(), stem.clone());
        stem
    })
}

/// A catalog says the same few thousand words again and again, and stemming was an eighth of indexing it.
const MAX_STEMS: usize = 10_000;

thread_local! {
    /// The last words that this thread has stemmed.
    static STEMS: RefCell<HashMap<String, Option<String>>> = RefCell::default();
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
pub(crate) fn whole_phrase(phrase: &str) -> String {
    let words = read(phrase);
    if words.len() > MAX_PHRASE_WORDS {
        return String::new();
    }
    let stems = words.into_iter().map(|word| stem(&word).unwrap_or(word));
    stems.collect::<Vec<_>>().join(" ")
}

/// Whether it looks like a GTIN: 8 to 14 digits (GS1 General Specifications, 3.3).
pub(crate) fn is_trade_item_number(text: &str) -> bool {
    (8..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The tokenizer of every searched field.
#[derive(Clone, Debug)]
pub(crate) struct WordTokenizer {
    /// Whether each inflected word is followed by its stem, marked, at the same position.
    pub(crate) stems: bool,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { is_indexed: true, stems: self.stems, ..WordStream::new(text) }
    }
}

/// The words of a text, one after the other, with their byte ranges in it.
pub(crate) struct WordStream<'a> {
    text: &'a str,
    chars: CharIndices<'a>,
    /// What one character stands for, in reverse.
    parts: Vec<char>,
    /// The byte range of the character that `parts` came from.
    range: (usize, usize),
    token: Token,
    /// Whether it is of a document, which holds some words in several ways.
    is_indexed: bool,
    stems: bool,
    /// What else the word is held as, which comes next.
    stem: Option<String>,
}

impl<'a> WordStream<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            chars: text.char_indices(),
            parts: Vec::new(),
            range: (0, 0),
            token: Token::default(),
            is_indexed: false,
            stems: false,
            stem: None,
        }
    }

    fn next_part(&mut self) -> Option<char> {
        loop {
            if let Some(part) = self.parts.pop() {
                return Some(part);
            }
            let (from, c) = self.chars.next()?;
            self.range = (from, from + c.len_utf8());
            match c {
                c if c.is_ascii() => return Some(c),
                // Signs that would decompose into letters and stick to the word before them.
                '\u{2120}' | '\u{2122}' => return Some(' '),
                c => {
                    decompose_compatible(c, |part| self.parts.push(part));
                    self.parts.reverse();
                }
            }
        }
    }
}

impl WordStream<'_> {
    /// Whether behind an `&` stand one or two letters, and on one side of it a single one.
    fn is_initial_behind(&self, letters_before: usize) -> bool {
        let behind = self.chars.as_str();
        let letters = behind.chars().take_while(|c| c.is_alphanumeric()).count();
        let is_letter = |c: char| c.is_ascii_alphabetic();
        (letters == 1 || (letters == 2 && letters_before == 1))
            && behind.starts_with(is_letter)
            && self.token.text.chars().all(is_letter)
    }

    /// Takes the signs that make another word of a single letter, of which the first has been read.
    fn take_signs(&mut self, letters: usize, sign: char) {
        if letters != 1
            || !matches!(sign, '+' | '#')
            || !self.token.text.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return;
        }
        let behind = self.chars.as_str();
        let more = if sign == '+' { behind.chars().take_while(|c| *c == sign).count() } else { 0 };
        if more >= MAX_SIGNS || behind[more..].starts_with(|c: char| c.is_alphanumeric() || c == sign) {
            return;
        }
        self.token.text.extend(std::iter::repeat_n(sign, more + 1));
        self.token.offset_to = self.range.1 + more;
        self.chars.by_ref().take(more).for_each(drop);
    }

    fn next_word(&mut self) -> bool {
        self.token.text.clear();
        self.token.position = self.token.position.wrapping_add(1);
        let mut chars = 0;
        while let Some(part) = self.next_part() {
            match class(part) {
                Class::Letter => {
                    if chars == 0 {
                        self.token.offset_from = self.range.0;
                    }
                    if chars < MAX_WORD_CHARS {
                        fold(part, &mut self.token.text);
                    }
                    self.token.offset_to = self.range.1;
                    chars += 1;
                }
                Class::Separator if chars > 0 => {
                    if chars <= 2 && part == '&' && self.is_initial_behind(chars) {
                        self.token.text.push(part);
                        continue;
                    }
                    self.take_signs(chars, part);
                    return true;
                }
                Class::Separator | Class::Ignored => {}
            }
        }
        chars > 0
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        if let Some(stem) = self.stem.take() {
            self.token.text = stem;
            return true;
        }
        let found = self.next_word();
        if found && self.is_indexed && self.token.text.contains('&') {
            self.stem = Some(self.token.text.replace('&', ""));
        } else if found && self.stems {
            self.stem = if self.token.text.starts_with(|c: char| c.is_ascii_digit()) {
                let size = size_at(self.text, self.token.offset_from..self.token.offset_to);
                size.map(|size| format!("{SIZE_MARK}{}", size.inches))
            } else {
                stem(&self.token.text).map(|stem| format!("{STEM_MARK}{stem}"))
            };
        }
        found
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

enum Class {
    Letter,
    Separator,
    Ignored,
}

fn class(c: char) -> Class {
    match c {
        c if c.is_ascii() => {
            if c.is_ascii_alphanumeric() {
                Class::Letter
            } else {
                Class::Separator
            }
        }
        // Accents of Latin, Greek and Cyrillic; Hebrew and Arabic vowel signs and stretching: people leave them
        // out. Marks of other scripts carry the word (Devanagari's vowels, Japanese voicing) and stay.
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' => Class::Ignored,
        '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}' => {
            Class::Ignored
        }
        '\u{64b}'..='\u{65f}' | '\u{640}' | '\u{670}' => Class::Ignored,
        // Invisible hints about where a line may break.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => Class::Ignored,
        c if c.is_alphanumeric() || is_combining_mark(c) => Class::Letter,
        _ => Class::Separator,
    }
}

/// Lower case, and plain letters for those whose stroke or ligature no decomposition takes off.
fn fold(c: char, word: &mut String) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for c in c.to_lowercase() {
        match c {
            'ß' => word.push_str("ss"),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'þ' => word.push_str("th"),
            'ø' => word.push('o'),
            'đ' | 'ð' => word.push('d'),
            'ł' => word.push('l'),
            'ħ' => word.push('h'),
            'ı' => word.push('i'),
            'ς' => word.push('σ'),
            // The dot that lowering a Turkish capital leaves behind.
            '\u{307}' => {}
            c => word.push(c),
        }
    }
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
        let mut stream = WordStream::new(text);
        let mut ranges = Vec::new();
        while stream.advance() {
            ranges.push(&text[stream.token.offset_from..stream.token.offset_to]);
        }
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
    fn sizes_are_the_same_however_they_are_written() {
        let sizes = |text: &str| -> Vec<String> {
            let words = read_with_ranges(text).into_iter();
            words.filter_map(|(_, range)| size_at(text, range)).map(|size| size.inches).collect()
        };
        for text in [
            "27\"",
            "27″ x",
            "27” x",
            "27''",
            "27 inch",
            "27-inch",
            "27 Inches",
            "27in",
            "27inch",
            "27 in",
            "27-in. x",
        ] {
            assert_eq!(sizes(text), ["27"], "{text}");
        }
        for text in ["15.6\"", "15,6 inch", "15.60-inch", "15.6in"] {
            assert_eq!(sizes(text), ["15.6"], "{text}");
        }
        assert_eq!(sizes("27.0\" v1.5\" 3.15.6\""), ["27", "5", "15.6"]);
        for text in [
            "27",
            "2 in 1",
            "2-in-1",
            "27 \"x\"",
            "27 inchworms",
            "27 ink",
            "inch 27",
            "½\"",
            "x27\"",
            "27 cm",
        ] {
            assert!(sizes(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_name_has_a_head() {
        assert_eq!(head("Silicone case for iPhone 15"), "Silicone case ");
        assert_eq!(head("Kettle w/ thermometer"), "Kettle ");
        assert_eq!(head("For Honor"), "For Honor");
        assert_eq!(head(""), "");
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(read(&"x".repeat(500))[0].len(), MAX_WORD_CHARS);
    }

    #[test]
    fn documents_hold_initials_without_the_sign_too() {
        let mut stream = WordTokenizer { stems: false };
        let mut stream = stream.token_stream("an AT&T phone");
        let mut words = Vec::new();
        while stream.advance() {
            words.push((stream.token.position, stream.token.text.clone()));
        }
        let word = |position, word: &str| (position, word.to_owned());
        assert_eq!(words, [word(0, "an"), word(1, "at&t"), word(1, "att"), word(2, "phone")]);
        assert_eq!([whole_code("A&B-1"), whole_code("C++")], ["ab1", "c++"]);
    }

    #[test]
    fn stems_stand_beside_inflected_words() {
        let mut stream = WordStream { stems: true, ..WordStream::new("Red batteries 1080p") };
        let mut words = Vec::new();
        while stream.advance() {
            words.push((stream.token.position, stream.token.text.clone()));
        }
        let word = |position, word: &str| (position, word.to_owned());
        assert_eq!(words, [word(0, "red"), word(1, "batteries"), word(1, "\u{1}batteri"), word(2, "1080p")]);
        assert_eq!(stem("battery"), Some("batteri".to_owned()));
        assert_eq!([stem("tv"), stem("tvs"), stem("ps4s"), stem("größen")], [None, None, None, None]);
    }

    #[test]
    fn a_code_is_read_as_a_whole() {
        assert_eq!(whole_code(" Abc-123 "), "abc123");
        assert_eq!(whole_code("ÄB/1"), "ab1");
        assert_eq!(whole_code("0095205603217"), whole_code("95205603217"));
        assert_ne!(whole_code("0012"), whole_code("12"), "too short to be a trade item's");
    }
}
