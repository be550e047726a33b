//! Which words the model leaves out of a text that matches nothing.

use std::collections::BTreeSet;

use super::Reading;
use crate::text::{self, Asked};

impl Reading<'_> {
    pub(super) fn leave_out(&mut self) {
        let mut runs: Vec<(usize, Vec<usize>)> = Vec::new();
        for place in self.required().filter(|place| !self.is_phrase(*place)) {
            let run = self.typed.asked[place].1;
            match runs.last_mut().filter(|(last, _)| *last == run) {
                Some((_, places)) => places.push(place),
                None => runs.push((run, vec![place])),
            }
        }
        if runs.len() < 2 {
            return self.read_size_as_number();
        }
        let phrases: Vec<usize> = self.required().filter(|place| self.is_phrase(*place)).collect();
        let has = |item: usize, places: &[usize]| places.iter().all(|place| self.words[*place].has(item));
        let sets: Vec<Vec<bool>> = self
            .base
            .iter()
            .filter(|item| has(**item, &phrases))
            .map(|item| runs.iter().map(|(_, places)| has(*item, places)).collect())
            .collect();
        let count_of = |kept: &Vec<bool>| {
            sets.iter().filter(|set| set.iter().zip(kept).all(|(has, kept)| *has || !*kept)).count()
        };
        let ranks: Vec<usize> = runs.iter().map(|(_, places)| self.rank(places)).collect();
        let worth_of = |kept: &Vec<bool>, rank: usize| -> f32 {
            let kept = (0..runs.len()).filter(|run| kept[*run] && ranks[*run] == rank);
            kept.map(|run| runs[run].1.iter().map(|place| self.words[*place].worth).sum::<f32>()).sum()
        };
        let value = |kept: &Vec<bool>| {
            ((worth_of(kept, 0), worth_of(kept, 1), worth_of(kept, 2)), count_of(kept), kept.clone())
        };
        let is_sign = |run: usize| runs[run].1.iter().all(|place| self.length(*place) == 1);
        let says_something = |kept: &Vec<bool>| (0..runs.len()).any(|run| kept[run] && !is_sign(run));
        let only_signs = (0..runs.len()).all(is_sign);
        let distinct: BTreeSet<&Vec<bool>> =
            sets.iter().filter(|set| set.contains(&true) && (only_signs || says_something(set))).collect();
        let best = distinct.into_iter().map(value).max_by(|one, other| one.partial_cmp(other).unwrap());
        let Some((.., kept)) = best else { return };
        let left_out: Vec<usize> = runs
            .iter()
            .zip(kept)
            .filter(|(_, kept)| !kept)
            .flat_map(|((_, places), _)| places.clone())
            .collect();
        for place in left_out {
            self.optional[place] = true;
            self.left_out[place] = true;
        }
        self.words = (0..self.words.len()).map(|place| self.look_up(place)).collect();
        if self.matches().is_empty() {
            self.read_size_as_number();
        }
    }

    /// A number of inches that nobody wrote so, and that nothing else is asked for with, is a number.
    fn read_size_as_number(&mut self) {
        let required: Vec<usize> = self.required().collect();
        let [place] = required[..] else { return };
        if let Asked::Inches(inches) = &self.typed.asked[place].0
            && inches.bytes().all(|byte| byte.is_ascii_digit())
        {
            let number = inches.clone();
            self.replace(place, number);
        }
    }

    fn is_phrase(&self, place: usize) -> bool {
        matches!(self.typed.asked[place].0, Asked::Phrase(_))
    }

    /// A word, or the number of inches.
    fn said(&self, place: usize) -> &str {
        match &self.typed.asked[place].0 {
            Asked::Inches(inches) => inches,
            _ => self.word(place).map_or("", String::as_str),
        }
    }

    fn length(&self, place: usize) -> usize {
        self.said(place).chars().count()
    }

    /// Which run is rather kept: 0 what occurs as it was typed, 1 what is corrected, 2 what says little alone.
    fn rank(&self, places: &[usize]) -> usize {
        let is_typed_brand = |place: usize| {
            let typed = self.word(place).is_some() && self.read[place].is_none();
            typed && self.words[place].is_brand
        };
        let brand = self.required().any(is_typed_brand);
        let numeric = places.iter().any(|place| text::is_numeric(self.said(*place)));
        if places.iter().any(|place| self.read[*place].is_some()) {
            1
        } else if places.iter().all(|place| self.length(*place) < 3) || (numeric && brand) {
            2
        } else {
            0
        }
    }
}
