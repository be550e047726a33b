//! How the model reads a query's text: as it is typed, and if nothing matches, another way.

mod nearest;
mod shorter;

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
    /// Whether a word that occurs is read as another one.
    pub(crate) instead: bool,
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
    instead: bool,
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
    let optional = need_not_occur(&typed, rules);
    let mut reading = Reading {
        shelf,
        rules,
        code: code(text, &typed),
        base: Vec::new(),
        read: vec![None; asked],
        optional,
        left_out: vec![false; asked],
        words: Vec::new(),
        instead: false,
        typed,
    };
    let unwanted: BTreeSet<usize> = reading.unwanted();
    let is_seen = |item: &usize| sees(shelf.items[*item].document) && !unwanted.contains(item);
    reading.base = (0..shelf.items.len()).filter(is_seen).collect();
    reading.words = (0..asked).map(|place| reading.look_up(place)).collect();
    let is_found = |reading: &Reading<'_>| !reading.matches().is_empty();
    if asked > 0 && !is_found(&reading) {
        let is_resolved = reading.correct();
        if is_resolved && !is_found(&reading) {
            reading.replace_one();
        }
        if !is_found(&reading) {
            reading.leave_out();
        }
    }
    reading.finish()
}

/// Stop words, as long as something else is asked for.
fn need_not_occur(typed: &Typed, rules: &Rules) -> Vec<bool> {
    let is_stop = |place: usize| typed.word(place).is_some_and(|word| rules.stop_words.contains(word));
    let only_stops = (0..typed.asked.len()).all(is_stop);
    (0..typed.asked.len()).map(|place| !only_stops && is_stop(place)).collect()
}

/// What is typed as a code, which no number of inches is.
fn code(text: &str, typed: &Typed) -> String {
    let code = text::code(text);
    let is_size = typed.asked.iter().any(|(asked, _)| matches!(asked, Asked::Inches(_)));
    if is_size && code.bytes().all(|byte| byte.is_ascii_digit()) { String::new() } else { code }
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
        let kept: Vec<usize> = (0..self.words_asked()).filter(|place| !self.left_out[*place]).collect();
        let is_end_left_out = self.typed.again.is_some_and(|place| self.left_out[place]);
        let is_last = place + 1 == self.words_asked() && self.typed.word(place).is_some() && !is_end_left_out;
        if kept.last() != Some(&place) || is_last {
            return kept.last() == Some(&place) && self.typed.begun;
        }
        // Something was left out behind it: it is read as if nothing had stood there.
        let Some(word) = self.word(place) else { return self.typed.begun };
        let run = self.typed.asked[place].1;
        let is_tail = place > 0 && self.typed.asked[place - 1].1 == run;
        let is_short = word.chars().count() < 3 && !text::is_numeric(word);
        (self.typed.begun || self.typed.excluded.is_empty())
            && !(is_tail && is_short)
            && !text::is_signed(word)
    }

    fn look_up(&self, place: usize) -> Word {
        self.shelf.word(&self.forms(place), None, &self.rules.weights)
    }

    fn forms(&self, place: usize) -> Vec<(Form, f32)> {
        self.forms_of(place).into_iter().fold(Vec::new(), |mut once: Vec<(Form, f32)>, one| {
            once.extend((!once.iter().any(|(known, _)| *known == one.0)).then_some(one));
            once
        })
    }

    fn forms_of(&self, place: usize) -> Vec<(Form, f32)> {
        let Some(word) = self.word(place) else {
            return match &self.typed.asked[place].0 {
                Asked::Phrase(words) => vec![(Form::Phrase(words.clone()), 1.0)],
                Asked::Inches(inches) => self.inches(place, inches),
                Asked::Word(_) => unreachable!("it is a word"),
            };
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

    /// A size, or its number where something else is asked for.
    fn inches(&self, at: usize, inches: &str) -> Vec<(Form, f32)> {
        let is_stop =
            |place: usize| self.typed.word(place).is_some_and(|word| self.rules.stop_words.contains(word));
        let says = |place: usize| place != at && !self.left_out[place] && !is_stop(place);
        let number = Form::Phrase(inches.split('.').map(str::to_owned).collect());
        let is_number = (0..self.words_asked()).any(says);
        let size = (Form::Inches(inches.to_owned()), 1.0);
        if is_number { vec![size, (number, 0.5)] } else { vec![size] }
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

    /// Whether what is typed, in one piece with signs in it, begins a code of the item.
    fn begins_code(&self, item: usize) -> bool {
        let asked = &self.typed.asked;
        let is_piece = asked.len() > 1 && asked.iter().all(|(_, run)| *run == asked[0].1);
        let is_words = (0..asked.len()).all(|place| self.typed.word(place).is_some());
        is_piece
            && is_words
            && self.typed.excluded.is_empty()
            && self.code.len() >= 4
            && self.shelf.items[item].codes.iter().any(|code| code.starts_with(&self.code))
    }

    fn matches(&self) -> Vec<usize> {
        if self.typed.asked.is_empty() && self.typed.excluded.is_empty() {
            return Vec::new();
        }
        let has_all = |item: usize| self.required().all(|place| self.words[place].has(item));
        self.base
            .iter()
            .copied()
            .filter(|item| has_all(*item) || self.is_code(*item) || self.begins_code(*item))
            .collect()
    }

    fn having(&self, place: usize) -> usize {
        self.base.iter().filter(|item| self.words[place].has(**item)).count()
    }

    fn replace(&mut self, place: usize, meant: String) {
        self.read[place] = Some(meant);
        for near in place.saturating_sub(1)..(place + 2).min(self.words_asked()) {
            self.words[near] = self.look_up(near);
        }
    }

    /// Neighbours that must both occur, side by side or as one word.
    fn pairs(&self) -> Vec<Word> {
        let mut pairs = Vec::new();
        for place in 1..self.words_asked() {
            let Some((one, other)) = self.word(place - 1).zip(self.word(place)) else { continue };
            if self.words_asked() <= 12
                && pairs.len() < 6
                && !self.optional[place - 1]
                && !self.optional[place]
            {
                let apart = vec![(Form::Phrase(vec![one.clone(), other.clone()]), 1.0)];
                let joined = vec![(Form::Stem(format!("{one}{other}")), 1.0)];
                let all = [apart.clone(), joined.clone()].concat();
                let words = (self.words[place - 1].worth + self.words[place].worth) / 2.0;
                let own = self.shelf.rarity_of_commonest(&all);
                let is_word = joined.iter().any(|(form, _)| !self.shelf.find(form).is_empty());
                let (forms, worth) =
                    if is_word && own > words + 10_f32.ln() { (all, own) } else { (apart, words) };
                pairs.push(self.shelf.word(&forms, Some(worth), &self.rules.weights));
            }
        }
        pairs
    }

    fn finish(self) -> Answer {
        let matches = self.matches();
        let pairs = self.pairs();
        let typed: Vec<String> =
            (0..self.words_asked()).filter_map(|place| self.word(place).cloned()).collect();
        let called = text::kind(&typed.join(" "));
        let is_called = |kinds_of: &[String]| called.iter().any(|kind| kinds_of.contains(kind));
        let is_loose = self.left_out.contains(&true);
        let worth: f32 = self.words.iter().map(|word| word.worth).sum();
        let most = (worth + pairs.iter().map(|pair| pair.worth * 0.7).sum::<f32>()) * 1.28;
        let scored: Vec<usize> =
            (0..self.words_asked()).filter(|place| !self.optional[*place] || self.left_out[*place]).collect();
        let by_words = |item: usize| {
            let mut score: f32 = scored.iter().map(|place| self.words[*place].score(item, 1.0)).sum();
            score += pairs.iter().map(|pair| pair.score(item, 0.7)).sum::<f32>();
            let shelved = &self.shelf.items[item];
            if is_called(&shelved.kinds) {
                score *= 1.28;
            }
            if is_loose && scored.iter().all(|place| self.words[*place].has(item)) {
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
            instead: self.instead,
            corrected: (changed && !matches.is_empty()).then(|| self.text()),
            forms: scored.iter().flat_map(|place| self.words[*place].forms.clone()).collect(),
        }
    }

    fn text(&self) -> String {
        let mut runs: Vec<(usize, String)> = Vec::new();
        for place in (0..self.words_asked()).filter(|place| !self.left_out[*place]) {
            let (asked, run) = &self.typed.asked[place];
            let shown = match (self.word(place), asked) {
                (None, Asked::Phrase(words)) => format!("\"{}\"", words.join(" ")),
                (None, Asked::Inches(inches)) => format!("{inches}\""),
                (word, _) => word.unwrap().clone(),
            };
            if let Some((_, text)) = runs.last_mut()
                && text.ends_with(|sign: char| sign.is_ascii_digit())
                && ["in", "inch", "inches"].contains(&shown.as_str())
            {
                text.push(',');
            }
            match runs.last_mut().filter(|(last, _)| last == run) {
                Some((_, text)) => text.push_str(&format!("-{shown}")),
                None => runs.push((*run, shown)),
            }
        }
        let mut asked: Vec<String> = runs.into_iter().map(|(_, text)| text).collect();
        if let Some(place) = self.typed.again
            && self.typed.excluded.is_empty()
            && !self.left_out[place]
        {
            asked.extend(self.word(place).cloned());
        }
        let excluded = self.typed.excluded.iter().map(|words| {
            if let [word] = words.as_slice() {
                format!("-{word}")
            } else {
                format!("-\"{}\"", words.join(" "))
            }
        });
        let excluded: Vec<String> = excluded.collect();
        let parts = if self.typed.begun { [excluded, asked] } else { [asked, excluded] };
        parts.concat().join(" ")
    }
}
