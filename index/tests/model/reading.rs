//! How the model reads a query's text: as it is typed, and if nothing matches, another way.

use std::collections::{BTreeMap, BTreeSet};

use duka_index::Document;

use crate::{
    shelf::{Form, Rules, Shelf, Word, either},
    text::{self, Asked, Typed},
};

/// What a text matches.
pub(crate) struct Answer {
    /// By id, the score.
    pub(crate) scores: BTreeMap<i64, f32>,
    pub(crate) corrected: Option<String>,
    /// The forms that may be marked.
    pub(crate) forms: Vec<Form>,
}

struct Reading<'a> {
    shelf: &'a Shelf<'a>,
    rules: &'a Rules,
    typed: Typed,
    code: String,
    /// What may match.
    base: Vec<usize>,
    /// By thing asked for: what it is read as, whether it need not occur, whether it was left out.
    read: Vec<Option<String>>,
    optional: Vec<bool>,
    left_out: Vec<bool>,
    words: Vec<Word>,
}

/// Reads a text for somebody who sees some of the documents.
pub(crate) fn answer(
    shelf: &Shelf<'_>,
    rules: &Rules,
    text: &str,
    sees: impl Fn(&Document) -> bool,
) -> Answer {
    let typed = text::typed(text);
    let asked = typed.asked.len();
    let is_stop_word = |asked: &Asked| matches!(asked, Asked::Word(word) if rules.stop_words.contains(word));
    let optional: Vec<bool> = typed.asked.iter().map(|(asked, _)| is_stop_word(asked)).collect();
    let only = !optional.contains(&false);
    let mut reading = Reading {
        shelf,
        rules,
        code: text::code(text),
        base: Vec::new(),
        read: vec![None; asked],
        optional: optional.into_iter().map(|optional| optional && !only).collect(),
        left_out: vec![false; asked],
        words: Vec::new(),
        typed,
    };
    let unwanted: BTreeSet<usize> = reading.unwanted();
    let is_seen = |item: &usize| sees(shelf.items[*item].document) && !unwanted.contains(item);
    reading.base = (0..shelf.items.len()).filter(is_seen).collect();
    reading.words = (0..asked).map(|place| reading.look_up(place)).collect();
    if asked > 0 {
        reading.settle();
    }
    reading.finish()
}

impl Reading<'_> {
    fn unwanted(&self) -> BTreeSet<usize> {
        let mut unwanted = BTreeSet::new();
        for phrase in &self.typed.excluded {
            let mut forms = vec![Form::Phrase(phrase.clone())];
            if let [word] = phrase.as_slice() {
                forms.push(Form::Stem(word.clone()));
            }
            for (_, items) in forms.iter().flat_map(|form| self.shelf.find(form)) {
                unwanted.extend(items.into_keys());
            }
        }
        unwanted
    }

    fn word(&self, place: usize) -> Option<&String> {
        match self.read.get(place)? {
            Some(read) => Some(read),
            None => self.typed.word(place),
        }
    }

    fn is_begun(&self, place: usize) -> bool {
        self.typed.begun && place + 1 == self.typed.asked.len()
    }

    fn look_up(&self, place: usize) -> Word {
        self.shelf.word(&self.forms(place), None, &self.rules.weights)
    }

    fn forms(&self, place: usize) -> Vec<(Form, f32)> {
        let Some(word) = self.word(place) else {
            let Asked::Phrase(words) = &self.typed.asked[place].0 else { unreachable!("it is no word") };
            return vec![(Form::Phrase(words.clone()), 1.0)];
        };
        let mut forms = either(word, 1.0);
        forms.push((Form::Apart(word.clone()), 0.9));
        for last in [place, place + 1].into_iter().filter(|last| *last > 0) {
            if let (Some(head), Some(tail)) = (self.word(last - 1), self.word(last)) {
                let joined = format!("{head}{tail}");
                forms.extend(either(&joined, 0.9));
                if self.is_begun(last) {
                    forms.push((Form::Begun(joined), 0.9 * 0.45));
                }
            }
        }
        for synonym in self.synonyms(place) {
            match synonym.as_slice() {
                [word] => {
                    forms.extend(either(word, 0.85));
                    forms.push((Form::Apart(word.clone()), 0.85 * 0.9));
                }
                [one, other] => {
                    let joined = format!("{one}{other}");
                    forms.push((Form::Phrase(synonym.clone()), 0.85));
                    forms.extend(either(&joined, 0.85 * 0.9));
                }
                _ => forms.push((Form::Phrase(synonym), 0.85)),
            }
        }
        if self.is_begun(place) {
            forms.push((Form::Begun(word.clone()), 0.45));
        }
        forms
    }

    /// What else the phrases find that the word is a part of.
    fn synonyms(&self, place: usize) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for first in 0..=place {
            for last in place..self.words_asked() {
                let words: Option<Vec<String>> =
                    (first..=last).map(|place| self.word(place).cloned()).collect();
                let Some(words) = words else { break };
                let others = self.rules.synonyms.get(&text::spelling(&words)).cloned().unwrap_or_default();
                found.extend(others.into_iter().filter(|other| *other != words));
            }
        }
        found
    }

    fn words_asked(&self) -> usize {
        self.typed.asked.len()
    }

    fn required(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.words_asked()).filter(|place| !self.optional[*place])
    }

    /// Whether what is typed as a whole is a code of the item.
    fn is_code(&self, item: usize) -> bool {
        self.shelf.items[item].codes.contains(&self.code)
    }

    fn matches(&self) -> Vec<usize> {
        if self.typed.asked.is_empty() && self.typed.excluded.is_empty() {
            return Vec::new();
        }
        let has_all = |item: usize| self.required().all(|place| self.words[place].has(item));
        self.base.iter().copied().filter(|item| has_all(*item) || self.is_code(*item)).collect()
    }

    fn settle(&mut self) {
        if self.matches().is_empty() {
            let unknown: Vec<usize> = self
                .required()
                .filter(|place| self.word(*place).is_some())
                .filter(|place| !self.base.iter().any(|item| self.words[*place].has(*item)))
                .collect();
            // Those that are read another way count for those that come later.
            unknown.iter().for_each(|place| self.optional[*place] = true);
            for place in &unknown {
                self.optional[*place] = !self.correct(*place);
            }
            unknown.iter().for_each(|place| self.optional[*place] = false);
            if !unknown.is_empty()
                && unknown.iter().all(|place| self.read[*place].is_some())
                && !self.matches().is_empty()
            {
                return;
            }
            self.leave_out();
        }
    }

    fn together(&self, place: usize, read: &str) -> usize {
        let word = self.shelf.word(&either(read, 1.0), None, &self.rules.weights);
        let others: Vec<usize> = self.required().filter(|other| *other != place).collect();
        let fits = |item: usize| word.has(item) && others.iter().all(|other| self.words[*other].has(item));
        self.base.iter().filter(|item| fits(**item)).count()
    }

    fn correct(&mut self, place: usize) -> bool {
        let word = self.word(place).unwrap().clone();
        let mut best: Option<(usize, String)> = None;
        for meant in self.shelf.meant(&word, self.is_begun(place)) {
            let count = self.together(place, &meant);
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, meant));
            }
        }
        best.map(|(_, meant)| self.replace(place, meant)).is_some()
    }

    fn replace(&mut self, place: usize, meant: String) {
        self.read[place] = Some(meant);
        for near in place.saturating_sub(1)..(place + 2).min(self.words_asked()) {
            self.words[near] = self.look_up(near);
        }
    }

    fn leave_out(&mut self) {
        let mut runs: Vec<(usize, Vec<usize>)> = Vec::new();
        for place in self.required().filter(|place| self.word(*place).is_some()) {
            let run = self.typed.asked[place].1;
            match runs.last_mut().filter(|(last, _)| *last == run) {
                Some((_, places)) => places.push(place),
                None => runs.push((run, vec![place])),
            }
        }
        if runs.len() < 2 {
            return;
        }
        let phrases: Vec<usize> = self.required().filter(|place| self.word(*place).is_none()).collect();
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
        let worth_of = |kept: &Vec<bool>| -> f32 {
            let kept = runs.iter().zip(kept).filter(|(_, kept)| **kept);
            kept.flat_map(|((_, places), _)| places).map(|place| self.words[*place].worth).sum()
        };
        let value = |kept: &Vec<bool>| (worth_of(kept), count_of(kept), kept.clone());
        let distinct: BTreeSet<&Vec<bool>> = sets.iter().filter(|set| set.contains(&true)).collect();
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
    }

    /// Neighbours that must both occur, as phrases.
    fn pairs(&self) -> Vec<Word> {
        let mut pairs = Vec::new();
        for place in 1..self.words_asked() {
            let (Some(one), Some(other)) = (self.word(place - 1), self.word(place)) else { continue };
            if pairs.len() < 6 && !self.optional[place - 1] && !self.optional[place] {
                let phrase = [(Form::Phrase(vec![one.clone(), other.clone()]), 1.0)];
                let worth = (self.words[place - 1].worth + self.words[place].worth) / 2.0;
                pairs.push(self.shelf.word(&phrase, Some(worth), &self.rules.weights));
            }
        }
        pairs
    }

    fn finish(self) -> Answer {
        let matches = self.matches();
        let pairs = self.pairs();
        let all: Vec<&str> =
            (0..self.words_asked()).filter_map(|place| self.word(place)).map(String::as_str).collect();
        let kind = text::kind(&all.join(" "));
        let worth: f32 = self.words.iter().map(|word| word.worth).sum();
        let most = (worth + pairs.iter().map(|pair| pair.worth * 0.7).sum::<f32>()) * 1.28;
        let scored: Vec<usize> =
            (0..self.words_asked()).filter(|place| !self.optional[*place] || self.left_out[*place]).collect();
        let by_words = |item: usize| {
            let mut score: f32 = scored.iter().map(|place| self.words[*place].score(item, 1.0)).sum();
            score += pairs.iter().map(|pair| pair.score(item, 0.7)).sum::<f32>();
            let shelved = &self.shelf.items[item];
            if kind.as_ref().is_some_and(|kind| shelved.kinds.contains(kind)) {
                score *= 1.28;
            }
            if self.left_out.contains(&true) && scored.iter().all(|place| self.words[*place].has(item)) {
                score += most;
            }
            let doublings = (1.0 + shelved.document.popularity.max(0) as f32).log2().min(20.0);
            score * (1.0 + 0.005 * doublings) * if shelved.document.in_stock { 1.0 } else { 0.95 }
        };
        let score = |item: usize| {
            let has_all = self.required().all(|place| self.words[place].has(item));
            let by_words = if has_all { by_words(item) } else { 0.0 };
            by_words + if self.is_code(item) { (2.0 * most * 1.1).ceil() + 1.0 } else { 0.0 }
        };
        let scores = matches.iter().map(|item| (self.shelf.items[*item].document.id, score(*item))).collect();
        let changed = self.read.iter().any(Option::is_some) || self.left_out.contains(&true);
        Answer {
            scores,
            corrected: (changed && !matches.is_empty()).then(|| self.text()),
            forms: scored.iter().flat_map(|place| self.words[*place].forms.clone()).collect(),
        }
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        for place in (0..self.words_asked()).filter(|place| !self.left_out[*place]) {
            match (self.word(place), &self.typed.asked[place].0) {
                (None, Asked::Phrase(words)) => parts.push(format!("\"{}\"", words.join(" "))),
                (word, _) => parts.push(word.unwrap().clone()),
            }
        }
        for words in &self.typed.excluded {
            let words =
                if let [word] = words.as_slice() { word.clone() } else { format!("\"{}\"", words.join(" ")) };
            parts.push(format!("-{words}"));
        }
        parts.join(" ")
    }
}
