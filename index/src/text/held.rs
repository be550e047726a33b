//! A text as a document holds it: read once, for all that is asked of it.
//!
//! How many words a text has is a column, which words they are is an index, and what a thing is called is made of them as
//! well. So a text is read when its document comes in, into one string of words; tantivy is given that string, and
//! a tokenizer that does no more than take it apart. Brands, categories and values of attributes are said again
//! and again, and read once by each thread.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use foldhash::fast::RandomState;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::stream::WordStream;

/// Stands before a word.
const WORD: char = '\n';

/// Stands before what a document holds beside the word before it, at the same place.
const BESIDE: char = '\t';

/// Stands between two texts of a field, so that no phrase reaches from one into the other.
const BETWEEN: char = '\u{b}';

/// A text that has been read.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Its words and what stands beside them, each behind its sign.
    parts: String,
    words: usize,
}

impl Held {
    /// Reads a text, with or without the stems of its words.
    pub(crate) fn read(text: &str, stems: bool) -> Self {
        // A stem beside every other word.
        let mut held = Self { parts: String::with_capacity(text.len() * 3 / 2), words: 0 };
        let mut stream = WordStream::new(text);
        while stream.advance() {
            held.words += 1;
            held.parts.push(WORD);
            held.parts.push_str(stream.word());
            let before = held.parts.len();
            held.parts.push(BESIDE);
            if !stream.push_beside(stems, &mut held.parts) {
                held.parts.truncate(before);
            }
        }
        held
    }

    /// Reads a text, with the stems of its words, that others are likely to say too.
    pub(crate) fn read_again(text: &str) -> Rc<Self> {
        if text.len() > LONGEST_KEPT {
            return Rc::new(Self::read(text, true));
        }
        KEPT.with_borrow_mut(|kept| {
            if let Some(held) = kept.get(text) {
                return Rc::clone(held);
            }
            let held = Rc::new(Self::read(text, true));
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(text.into(), Rc::clone(&held));
            held
        })
    }

    /// How many words it has.
    pub(crate) const fn count(&self) -> usize {
        self.words
    }

    /// Its words, in order.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        parts(&self.parts).filter_map(|(sign, part)| (sign == WORD).then_some(part))
    }

    /// Adds it to the texts of a field, behind those that stand there.
    pub(crate) fn add_to(&self, field: &mut String) {
        if !self.parts.is_empty() {
            if !field.is_empty() {
                field.push(BETWEEN);
            }
            field.push_str(&self.parts);
        }
    }
}

/// Longer texts are not said again.
const LONGEST_KEPT: usize = 64;

/// A catalog has some thousands of them; what is once more than that is forgotten.
const MOST_KEPT: usize = 20_000;

thread_local! {
    /// What this thread has read last.
    static KEPT: RefCell<HashMap<Box<str>, Rc<Held>, RandomState>> = RefCell::default();
}

fn is_sign(byte: u8) -> bool {
    [WORD, BESIDE, BETWEEN].iter().any(|sign| *sign as u32 == u32::from(byte))
}

/// Signs, each with what stands behind it.
fn parts(mut rest: &str) -> impl Iterator<Item = (char, &str)> {
    std::iter::from_fn(move || {
        let sign = rest.chars().next()?;
        let behind = &rest[sign.len_utf8()..];
        let end = behind.bytes().position(is_sign).unwrap_or(behind.len());
        let (part, others) = behind.split_at(end);
        rest = others;
        Some((sign, part))
    })
}

/// The tokenizer of every searched field, which is given what [`Held::add_to`] made.
#[derive(Clone, Debug)]
pub(crate) struct HeldTokenizer;

impl Tokenizer for HeldTokenizer {
    type TokenStream<'a> = HeldStream<'a>;

    fn token_stream<'a>(&'a mut self, field: &'a str) -> HeldStream<'a> {
        HeldStream { rest: field, token: Token::default() }
    }
}

/// The words of a field, and what stands beside them. Where they stood in the text is not known any more.
pub(crate) struct HeldStream<'a> {
    rest: &'a str,
    token: Token,
}

impl TokenStream for HeldStream<'_> {
    fn advance(&mut self) -> bool {
        while let Some((sign, part)) = parts(self.rest).next() {
            self.rest = &self.rest[sign.len_utf8() + part.len()..];
            // The first word stands at 0, and a token that was not filled in yet before that.
            self.token.position = self.token.position.wrapping_add(usize::from(sign != BESIDE));
            if sign != BETWEEN {
                self.token.text.clear();
                self.token.text.push_str(part);
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{stem, whole_code};

    /// Each with its place, as tantivy is told.
    fn told(texts: &[&str], stems: bool) -> Vec<(usize, String)> {
        let mut field = String::new();
        texts.iter().for_each(|text| Held::read(text, stems).add_to(&mut field));
        let mut tokenizer = HeldTokenizer;
        let mut stream = tokenizer.token_stream(&field);
        let mut told = Vec::new();
        while stream.advance() {
            told.push((stream.token().position, stream.token().text.clone()));
        }
        told
    }

    fn word(position: usize, word: &str) -> (usize, String) {
        (position, word.to_owned())
    }

    #[test]
    fn documents_hold_initials_without_the_sign_too() {
        let expected = [word(0, "an"), word(1, "at&t"), word(1, "att"), word(2, "phone")];
        assert_eq!(told(&["an AT&T phone"], false), expected);
        assert_eq!([whole_code("A&B-1"), whole_code("C++")], ["ab1", "c++"]);
    }

    #[test]
    fn stems_and_sizes_stand_beside_words() {
        let text = "Red batteries 1080p 27\" x";
        let expected = [
            word(0, "red"),
            word(1, "batteries"),
            word(1, "\u{1}batteri"),
            word(2, "1080p"),
            word(3, "27"),
            word(3, "\u{2}27"),
            word(4, "x"),
        ];
        assert_eq!(told(&[text], true), expected);
        let plain = ["red", "batteries", "1080p", "27", "x"];
        assert_eq!(
            told(&[text], false),
            (0..).zip(plain).map(|(at, text)| word(at, text)).collect::<Vec<_>>()
        );
        let held = Held::read(text, true);
        assert_eq!((held.count(), held.words().collect::<Vec<_>>()), (5, plain.to_vec()));
        assert_eq!(stem("battery"), Some("batteri".to_owned()));
        assert_eq!([stem("tv"), stem("tvs"), stem("ps4s"), stem("größen")], [None, None, None, None]);
    }

    #[test]
    fn no_phrase_reaches_from_one_text_into_the_other() {
        let expected = [word(0, "dark"), word(1, "blue"), word(3, "cotton"), word(5, "s")];
        assert_eq!(told(&["", "dark blue", "--", "cotton", "S"], true), expected);
        assert!(told(&[], true).is_empty());
    }

    #[test]
    fn what_was_kept_is_what_is_read() {
        let long = "word ".repeat(50);
        for text in ["Dark blue", "AT&T", "", "Dark blue", &long, &long] {
            assert_eq!(Held::read_again(text).parts, Held::read(text, true).parts, "{text}");
        }
        (0..=MOST_KEPT).for_each(|number| drop(Held::read_again(&number.to_string())));
        assert!(KEPT.with_borrow(HashMap::len) <= MOST_KEPT);
    }
}
