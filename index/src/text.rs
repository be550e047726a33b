//! How text is read: which words it holds and when two of them are the same.
//!
//! A word is a run of letters and digits of any script. Case, accents and compatibility forms (`ﬁ`, `Ⅷ`, full
//! width) are folded away; everything else separates words, so `USB-C` reads as `usb` and `c`. Documents and
//! queries are read by the same code, which is what makes them meet. What a word is worth is
//! [`rank`](crate::rank)'s business; synonyms and stems would join here.

use std::str::CharIndices;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Words of a query beyond these are ignored: a shopper never types more, and each costs a look-up in every
/// field of every segment.
pub(crate) const MAX_WORDS: usize = 32;

/// Longer words are cut here, in documents and queries alike: what looks like one is a serialised blob.
const MAX_WORD_CHARS: usize = 64;

/// The words of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// In order, without repetitions; never more than [`MAX_WORDS`].
    pub(crate) whole: Vec<String>,
    /// The last word of the text, which may be the beginning of a longer one; it is among the whole ones too.
    /// None when words were cut off behind it.
    pub(crate) prefix: Option<String>,
}

/// Reads all words of a text, in order.
pub(crate) fn read(text: &str) -> Vec<String> {
    let mut stream = WordStream::new(text);
    let mut words = Vec::new();
    while stream.advance() {
        words.push(stream.token.text.clone());
    }
    words
}

/// Reads the words of a query.
pub(crate) fn words(text: &str) -> Words {
    let mut stream = WordStream::new(text);
    let mut whole = Vec::new();
    let mut prefix = None;
    while stream.advance() {
        if whole.len() == MAX_WORDS {
            return Words { whole, prefix: None };
        }
        let word = &stream.token.text;
        if !whole.contains(word) {
            whole.push(word.clone());
        }
        prefix = Some(word.clone());
    }
    Words { whole, prefix }
}

/// A stock keeping unit as a whole: folded like words are, with what separates words kept.
pub(crate) fn whole_code(code: &str) -> String {
    let mut folded = String::with_capacity(code.len());
    for c in code.trim().chars() {
        decompose_compatible(c, |part| match class(part) {
            Class::Letter => fold(part, &mut folded),
            Class::Separator => folded.push(part),
            Class::Ignored => {}
        });
    }
    folded
}

/// The tokenizer of every searched field.
#[derive(Clone, Debug)]
pub(crate) struct WordTokenizer;

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream::new(text)
    }
}

/// The words of a text, one after the other, with their byte ranges in it.
pub(crate) struct WordStream<'a> {
    chars: CharIndices<'a>,
    /// What one character stands for, in reverse.
    parts: Vec<char>,
    /// The byte range of the character that `parts` came from.
    range: (usize, usize),
    token: Token,
}

impl<'a> WordStream<'a> {
    fn new(text: &'a str) -> Self {
        Self { chars: text.char_indices(), parts: Vec::new(), range: (0, 0), token: Token::default() }
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

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
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
                Class::Separator if chars > 0 => return true,
                Class::Separator | Class::Ignored => {}
            }
        }
        chars > 0
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
    fn a_query_is_capped_and_its_last_word_is_a_prefix() {
        assert_eq!(
            words("red red Shoe"),
            Words { whole: vec!["red".into(), "shoe".into()], prefix: Some("shoe".into()) }
        );
        let long = (0..40).map(|i| format!("w{i} ")).collect::<String>();
        assert_eq!(words(&long).whole.len(), MAX_WORDS);
        assert_eq!(words(&long).prefix, None);
        assert_eq!(words("!?"), Words { whole: vec![], prefix: None });
        assert_eq!(words(&"x".repeat(500)).whole[0].len(), MAX_WORD_CHARS);
    }

    #[test]
    fn a_code_is_read_as_a_whole() {
        assert_eq!(whole_code(" Abc-123 "), "abc-123");
        assert_eq!(whole_code("ÄB/1"), "ab/1");
    }
}
