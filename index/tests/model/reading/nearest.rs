//! Which words the model reads as others, and as which.

use super::Reading;
use crate::shelf::{Word, either};

impl Reading<'_> {
    /// Words that occur nowhere; false when one is near to none.
    pub(super) fn correct(&mut self) -> bool {
        let is_unknown = |place: &usize| self.word(*place).is_some() && self.having(*place) == 0;
        let unknown: Vec<usize> = self.required().filter(is_unknown).collect();
        let mut resolved = 0;
        // Those that are read another way count for those that come later.
        unknown.iter().for_each(|place| self.optional[*place] = true);
        for place in &unknown {
            if let Some((_, meant)) = self.nearest(*place, 1) {
                self.replace(*place, meant);
                self.optional[*place] = false;
                resolved += 1;
            }
        }
        unknown.iter().for_each(|place| self.optional[*place] = false);
        resolved == unknown.len()
    }

    /// The first rare word that, read as a far commoner one, goes with the others.
    pub(super) fn replace_one(&mut self) {
        let places: Vec<usize> = self.required().collect();
        for place in places {
            let Some(word) = self.word(place) else { continue };
            let having = self.having(place);
            let may_be_slip = word.chars().count() >= 5 && !self.words[place].is_given;
            if !may_be_slip || having > 5 || self.read[place].is_some() {
                continue;
            }
            if let Some((1.., meant)) = self.nearest(place, 50.max(40 * having)) {
                self.instead = true;
                return self.replace(place, meant);
            }
        }
    }

    /// Another word in the place of one, with its synonyms if it has any.
    fn word_as(&self, place: usize, word: &str) -> Word {
        if !self.rules.vocabulary.contains(word) {
            return self.shelf.word(&either(word, 1.0), None, &self.rules.weights);
        }
        let mut read = self.read.clone();
        read[place] = Some(word.to_owned());
        let changed = Reading {
            read,
            typed: self.typed.clone(),
            code: String::new(),
            base: Vec::new(),
            optional: self.optional.clone(),
            left_out: self.left_out.clone(),
            words: Vec::new(),
            ..*self
        };
        self.shelf.word(&changed.forms(place), None, &self.rules.weights)
    }

    fn together(&self, place: usize, read: &str) -> usize {
        let word = self.word_as(place, read);
        let others: Vec<usize> = self.required().filter(|other| *other != place).collect();
        let fits = |item: usize| word.has(item) && others.iter().all(|other| self.words[*other].has(item));
        self.base.iter().filter(|item| fits(**item)).count()
    }

    /// Another word for one, that so many have at least; and how many have it with the others.
    fn nearest(&self, place: usize, least: usize) -> Option<(usize, String)> {
        let is_common = |word: &str| {
            let word = self.word_as(place, word);
            self.base.iter().filter(|item| word.has(**item)).count() >= least
        };
        let word = self.word(place).unwrap();
        let mut best: Option<(usize, String)> = None;
        for meant in self.shelf.meant(word, self.is_begun(place), self.rules, is_common) {
            let count = self.together(place, &meant);
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, meant));
            }
        }
        best
    }
}
