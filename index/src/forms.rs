//! In which forms a word of a text may occur: itself, its other spellings, its synonyms, what it begins.

use crate::{
    lookup::Form,
    parse::Asked,
    reading::TextReader,
    text::{self, is_inflected},
};

/// What a form is worth beside the word itself.
mod factor {
    /// `batteries` for `battery`.
    pub(super) const STEM: f32 = 0.85;
    /// That it is not only of the stem, but as it was typed.
    pub(super) const WHOLE: f32 = 1.0 - STEM;
    /// `smart watch` for `smartwatch`, and back.
    pub(super) const SPELLING: f32 = 0.9;
    /// Set by the shop, which knows; still, whoever types a word prefers it.
    pub(super) const SYNONYM: f32 = 0.85;
    /// `27` for `27"`: most numbers are none of inches.
    pub(super) const NUMBER: f32 = 0.5;
    /// A word that is only begun may become another one. It counts where the word itself does not stand, and stands
    /// in a name below the whole word in any field.
    pub(super) const BEGUN: f32 = 0.45;
}

/// Which word stands at a place.
type View<'v> = dyn Fn(usize) -> Option<&'v str> + 'v;

impl TextReader<'_> {
    /// In which forms the word at a place may occur, best first, each with its factor.
    pub(crate) fn forms(&self, place: usize) -> Vec<(Form, f32)> {
        match (&self.parsed.asked[place], &self.read[place]) {
            (Asked::Phrase(words), None) => vec![(Form::Phrase(words.clone()), 1.0)],
            (Asked::Size(inches), None) => self.sizes(place, inches),
            _ => self.spellings(place, &|place| self.word(place)),
        }
    }

    /// The same, if another word stood at the place.
    pub(crate) fn forms_as(&self, place: usize, word: &str) -> Vec<(Form, f32)> {
        self.spellings(place, &|other| if other == place { Some(word) } else { self.word(other) })
    }

    /// A size; and the number without its unit, as long as something else says what is wanted.
    fn sizes(&self, place: usize, inches: &str) -> Vec<(Form, f32)> {
        let mut forms = vec![(Form::Size(inches.to_owned()), 1.0)];
        if self.says_more(place) {
            forms.push((Form::Phrase(inches.split('.').map(str::to_owned).collect()), factor::NUMBER));
        }
        forms
    }

    fn spellings<'v>(&self, place: usize, view: &View<'v>) -> Vec<(Form, f32)> {
        let word = view(place).unwrap_or_default().to_owned();
        let mut forms = either(&word, 1.0);
        forms.push((Form::Apart(word.clone()), factor::SPELLING));
        for (first, last) in [(place.wrapping_sub(1), place), (place, place + 1)] {
            if let (Some(head), Some(tail)) = (view(first), view(last)) {
                let joined = format!("{head}{tail}");
                forms.extend(either(&joined, factor::SPELLING));
                if self.is_begun(last) {
                    forms.push((Form::Begun(joined), factor::SPELLING * factor::BEGUN));
                }
            }
        }
        for synonym in self.synonyms(place, view) {
            match synonym.as_slice() {
                [word] => {
                    forms.extend(either(word, factor::SYNONYM));
                    forms.push((Form::Apart(word.clone()), factor::SYNONYM * factor::SPELLING));
                }
                [head, tail] => {
                    forms.push((Form::Phrase(synonym.clone()), factor::SYNONYM));
                    forms.extend(either(&format!("{head}{tail}"), factor::SYNONYM * factor::SPELLING));
                }
                _ => forms.push((Form::Phrase(synonym.clone()), factor::SYNONYM)),
            }
        }
        if self.is_begun(place) {
            forms.push((Form::Begun(word), factor::BEGUN));
        }
        let mut once: Vec<(Form, f32)> = Vec::with_capacity(forms.len());
        for (form, factor) in forms {
            if !once.iter().any(|(known, _)| *known == form) {
                once.push((form, factor));
            }
        }
        once
    }

    /// What else the phrases find of which the word at a place is a part.
    fn synonyms<'v>(&self, place: usize, view: &View<'v>) -> Vec<&Vec<String>> {
        let mut found = Vec::new();
        let longest = self.lexicon.longest;
        for first in (place + 1).saturating_sub(longest)..=place {
            for last in place..first.saturating_add(longest) {
                let phrase: Option<Vec<String>> =
                    (first..=last).map(|place| view(place).map(str::to_owned)).collect();
                let Some(phrase) = phrase else { break };
                let others = self.lexicon.synonyms.get(&text::spelling(&phrase)).into_iter().flatten();
                // Of several spellings, that which was typed.
                found.extend(others.filter(|other| **other != phrase));
            }
        }
        found
    }
}

/// A word as it is and by its stem, which together make the factor; numbers and words of other scripts have none.
pub(crate) fn either(word: &str, factor: f32) -> Vec<(Form, f32)> {
    if !is_inflected(word) {
        return vec![(Form::Whole(word.to_owned()), factor)];
    }
    let (whole, stem) = (factor * factor::WHOLE, factor * factor::STEM);
    vec![(Form::Whole(word.to_owned()), whole), (Form::Stem(word.to_owned()), stem)]
}
