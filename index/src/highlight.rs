//! Which words of a hit matched: the same forms by which it was found, found again in its texts.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use crate::{
    document::Document,
    hits::Highlights,
    lookup::{Form, cuts},
    text,
};

/// Finds the words of a query in texts.
pub(crate) struct Highlighter<'a> {
    words: HashSet<&'a str>,
    stems: HashSet<String>,
    sizes: HashSet<&'a str>,
    beginnings: Vec<&'a str>,
    /// By first word, the words that must follow.
    phrases: HashMap<&'a str, Vec<&'a [String]>>,
    /// By first part, the parts that may follow, as stems.
    parts: HashMap<&'a str, Vec<String>>,
}

impl<'a> Highlighter<'a> {
    pub(crate) fn new(forms: &'a [Form]) -> Self {
        let mut all = Self {
            words: HashSet::new(),
            stems: HashSet::new(),
            sizes: HashSet::new(),
            beginnings: Vec::new(),
            phrases: HashMap::new(),
            parts: HashMap::new(),
        };
        for form in forms {
            match form {
                Form::Whole(word) => drop(all.words.insert(word)),
                Form::Stem(word) => drop(all.stems.insert(stem(word))),
                Form::Begun(word) => all.beginnings.push(word),
                Form::Size(inches) => drop(all.sizes.insert(inches)),
                Form::Phrase(words) => {
                    if let Some((first, rest)) = words.split_first() {
                        all.phrases.entry(first).or_default().push(rest);
                    }
                }
                Form::Apart(word) => {
                    for (head, tail) in cuts(word) {
                        all.parts.entry(head).or_default().push(stem(tail));
                    }
                }
            }
        }
        all
    }

    /// The parts of a document's texts that matched.
    pub(crate) fn of(&self, document: &Document) -> Highlights {
        Highlights { name: self.ranges(&document.name), description: self.ranges(&document.description) }
    }

    fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        let words = text::read_with_ranges(text);
        let mut marked = vec![false; words.len()];
        for place in 0..words.len() {
            let (word, _) = &words[place];
            let count = self.length(word, &words[place + 1..]);
            marked[place..place + count].fill(true);
            if let Some(before) = self.size_at(text, words[place].1.clone()) {
                marked[place.saturating_sub(before)..=place].fill(true);
            }
        }
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for ((_, range), _) in words.into_iter().zip(marked).filter(|(_, marked)| *marked) {
            match ranges.last_mut().filter(|last| range.start < last.end) {
                // One sign may be two words: `½`.
                Some(last) => last.end = last.end.max(range.end),
                None => ranges.push(range),
            }
        }
        ranges
    }

    /// How many words before one that ends a size belong to it.
    fn size_at(&self, text: &str, word: Range<usize>) -> Option<usize> {
        let size = if self.sizes.is_empty() { None } else { text::size_at(text, word) }?;
        self.sizes.contains(size.inches.as_str()).then_some(size.before)
    }

    /// How many words, from this one on, are a match.
    fn length(&self, word: &str, behind: &[(String, Range<usize>)]) -> usize {
        let follow = |rest: &&&[String]| {
            rest.len() <= behind.len() && rest.iter().zip(behind).all(|(one, (other, _))| one == other)
        };
        let phrase =
            self.phrases.get(word).into_iter().flatten().filter(follow).map(|rest| rest.len() + 1).max();
        let next = behind.first().map(|(next, _)| stem(next));
        let parts = self.parts.get(word).zip(next).is_some_and(|(tails, next)| tails.contains(&next));
        let single = self.words.contains(word)
            || self.beginnings.iter().any(|beginning| word.starts_with(beginning))
            || (!self.stems.is_empty() && self.stems.contains(&stem(word)));
        phrase.unwrap_or(0).max(if parts { 2 } else { usize::from(single) })
    }
}

fn stem(word: &str) -> String {
    text::stem(word).unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(forms: &[Form], text: &str) -> Vec<String> {
        Highlighter::new(forms).ranges(text).into_iter().map(|range| text[range].to_owned()).collect()
    }

    #[test]
    fn every_form_is_found_again() {
        let word = |word: &str| word.to_owned();
        assert_eq!(marked(&[Form::Whole(word("creme"))], "Crème brûlée, CREME."), ["Crème", "CREME"]);
        assert_eq!(marked(&[Form::Stem(word("battery"))], "Batteries & battery"), ["Batteries", "battery"]);
        assert_eq!(marked(&[Form::Begun(word("lap"))], "Laptop, lap, slap"), ["Laptop", "lap"]);
        assert_eq!(marked(&[Form::Apart(word("powerbank"))], "Power banks; power"), ["Power", "banks"]);
        let phrase = Form::Phrase(vec![word("usb"), word("c")]);
        assert_eq!(marked(&[phrase], "USB-C, USB A"), ["USB", "C"]);
        let size = |inches| Form::Size(word(inches));
        assert_eq!(marked(&[size("27")], "27-inch, 27 W, 27\""), ["27", "27"]);
        assert_eq!(marked(&[size("15.6")], "15 and 15.6\""), ["15", "6"]);
        assert!(marked(&[], "anything").is_empty());
        let half = [Form::Whole(word("1")), Form::Whole(word("2"))];
        assert_eq!(marked(&half, "½ 2"), ["½", "2"]);
    }
}
