//! The words of a text, sign by sign: where they begin and end, what is folded away, and what a document holds beside
//! them.

use std::str::CharIndices;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::{SIZE_MARK, STEM_MARK, size_at, stem};

/// Longer words are cut here, in documents and queries alike: what looks like one is a serialised blob.
const MAX_WORD_CHARS: usize = 64;

/// A letter has fewer signs: `A+++` is the best there is.
const MAX_SIGNS: usize = 3;

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
    pub(super) fn new(text: &'a str) -> Self {
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
    use crate::text::whole_code;

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
}
