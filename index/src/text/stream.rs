//! The words of a text, sign by sign: where they begin and end, what is folded away, and what a document holds beside
//! them.

use std::ops::Range;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::{SIZE_MARK, STEM_MARK, push_stem, size_at};

/// Longer words are cut here, in documents and queries alike: what looks like one is a serialised blob.
const MAX_WORD_CHARS: usize = 64;

/// A letter has fewer signs: `A+++` is the best there is.
const MAX_SIGNS: usize = 3;

/// The words of a text, one after the other, with their byte ranges in it.
pub(super) struct WordStream<'a> {
    text: &'a str,
    /// Up to where it has been read.
    at: usize,
    /// What one character stands for, in reverse.
    parts: Vec<char>,
    /// The byte range of the character that `parts` came from.
    range: Range<usize>,
    word: String,
    /// Where the word stands in the text.
    place: Range<usize>,
}

impl<'a> WordStream<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, parts: Vec::new(), range: 0..0, word: String::new(), place: 0..0 }
    }

    /// The word that was read last.
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    /// Its byte range in the text.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Adds what a document holds beside the word, if it does: initials without their sign, and, with `stems`, the stem of
    /// a word and the size that a number is, marked.
    pub(super) fn push_beside(&self, stems: bool, held: &mut String) -> bool {
        if self.word.contains('&') {
            held.extend(self.word.chars().filter(|c| *c != '&'));
            return true;
        }
        if !stems {
            return false;
        }
        if self.word.starts_with(|c: char| c.is_ascii_digit()) {
            let Some(size) = size_at(self.text, self.place()) else { return false };
            held.push(SIZE_MARK);
            held.push_str(&size.inches);
            return true;
        }
        let before = held.len();
        held.push(STEM_MARK);
        let is_stemmed = push_stem(&self.word, held);
        if !is_stemmed {
            held.truncate(before);
        }
        is_stemmed
    }

    fn behind(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next_part(&mut self) -> Option<char> {
        loop {
            if let Some(part) = self.parts.pop() {
                return Some(part);
            }
            let c = self.behind().chars().next()?;
            self.range = self.at..self.at + c.len_utf8();
            self.at = self.range.end;
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

    /// Takes the plain letters and digits that come next, of a word that has so many characters; returns how many those
    /// were. They are nearly all there is, and need not be looked at one by one.
    fn take_plain(&mut self, chars: usize) -> usize {
        if !self.parts.is_empty() {
            return 0;
        }
        let behind = self.behind();
        let plain = behind.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(behind.len());
        if plain > 0 {
            let from = self.word.len();
            self.word.push_str(&behind[..plain.min(MAX_WORD_CHARS.saturating_sub(chars))]);
            self.word[from..].make_ascii_lowercase();
            if chars == 0 {
                self.place.start = self.at;
            }
            self.at += plain;
            self.place.end = self.at;
        }
        plain
    }

    /// Whether behind an `&` stand one or two letters, and on one side of it a single one.
    fn is_initial_behind(&self, letters_before: usize) -> bool {
        let behind = self.behind();
        let letters = behind.chars().take_while(|c| c.is_alphanumeric()).count();
        let is_letter = |c: char| c.is_ascii_alphabetic();
        (letters == 1 || (letters == 2 && letters_before == 1))
            && behind.starts_with(is_letter)
            && self.word.chars().all(is_letter)
    }

    /// Takes the signs that make another word of a single letter, of which the first has been read.
    fn take_signs(&mut self, letters: usize, sign: char) {
        if letters != 1
            || !matches!(sign, '+' | '#')
            || !self.word.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return;
        }
        let behind = self.behind();
        let more = if sign == '+' { behind.chars().take_while(|c| *c == sign).count() } else { 0 };
        if more >= MAX_SIGNS || behind[more..].starts_with(|c: char| c.is_alphanumeric() || c == sign) {
            return;
        }
        self.word.extend(std::iter::repeat_n(sign, more + 1));
        self.at += more;
        self.place.end = self.range.end + more;
    }

    /// Reads the next word; false when there is none.
    pub(super) fn advance(&mut self) -> bool {
        self.word.clear();
        let mut chars = 0;
        loop {
            chars += self.take_plain(chars);
            let Some(part) = self.next_part() else { return chars > 0 };
            match class(part) {
                Class::Letter => {
                    if chars == 0 {
                        self.place.start = self.range.start;
                    }
                    if chars < MAX_WORD_CHARS {
                        fold(part, &mut self.word);
                    }
                    self.place.end = self.range.end;
                    chars += 1;
                }
                Class::Separator if chars > 0 => {
                    if chars <= 2 && part == '&' && self.is_initial_behind(chars) {
                        self.word.push(part);
                        continue;
                    }
                    self.take_signs(chars, part);
                    return true;
                }
                Class::Separator | Class::Ignored => {}
            }
        }
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
