//! A word in all its forms, looked up in a generation and weighed there.
//!
//! Looking a word up takes a hundred searches in dictionaries, and weighing it walks all its postings. People ask for
//! the same words again and again, together with ever other ones and under ever other filters: so where a form occurs
//! and what a word comes to stay with their segment ([`words`](crate::words)), and a search adds up columns. A commit leaves most segments, and by how rarities are rounded most worths, as they were. Most
//! forms of a word occur nowhere (what it would be if it were written together with its neighbour), and say nothing of
//! it: in whatever company it is asked for, it is the same word.
//!
//! Walking one word after the other beats a tree of scorers for a shop's catalog, and gives the set of matches, which
//! every facet needs, for nothing.

use std::{ops::Deref, sync::Arc};

use crate::{
    about::About,
    bits::Bits,
    error::Error,
    forms,
    generation::Generation,
    known::Known,
    lookup::Form,
    postings::Counted,
    rank,
    schema::TextField,
    settings::Weights,
    words::{Asked, Places},
};

/// A word of a search.
#[derive(Clone)]
pub(crate) struct Word {
    known: Arc<Known>,
    /// By form; 0 for one that occurs nowhere, negative for a stem that is taken for a name.
    pub(crate) worths: Vec<f32>,
    /// What it is worth where it stands in its best form. A word as it is, and the same by its stem, are one.
    pub(crate) worth: f32,
    /// Mostly part of a maker's name or of a stock keeping unit: given, and so never misspelt.
    pub(crate) is_given: bool,
    /// Mostly a maker's name.
    pub(crate) is_name: bool,
    /// Whether it is worth that in each of its forms.
    is_even: bool,
}

impl Deref for Word {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

impl Word {
    /// A word by its forms, each with a factor, best first. `worths` are those of an earlier look-up of the same.
    pub(crate) fn new(
        forms: &[(Form, f32)],
        worths: Option<&[f32]>,
        weights: &Weights,
        generation: &Generation,
    ) -> Result<Self, Error> {
        let mut valued = Valued::default();
        for (place, (form, factor)) in forms.iter().enumerate() {
            let known = worths.and_then(|worths| worths.get(place).copied());
            valued.add(form, *factor, known, generation)?;
        }
        let Valued { worths, occurring, is_given, is_name, .. } = valued;
        let asked = Arc::new(Asked::new(&occurring, weights));
        let known = match generation.words.known(&asked) {
            Some(known) => known,
            None => {
                let is_whole = occurring.iter().all(|form| form.places.is_whole);
                let known = Arc::new(Known::new(&occurring, Arc::clone(&asked), generation, is_whole));
                if is_whole {
                    generation.words.keep(&asked, &known);
                }
                known
            }
        };
        Ok(Self { worth: forms::most(forms, &worths), worths, is_given, is_name, is_even: false, known })
    }

    /// The same in a later generation with the same words, looked up where `before`, by segment, does not say which one of
    /// the earlier generation's it is. Nothing where that is decided over all segments.
    pub(crate) fn carried(
        &self,
        before: &[Option<usize>],
        generation: &Generation,
    ) -> Result<Option<Self>, Error> {
        let asked = &self.known.asked;
        if asked.is_chosen() {
            return Ok(None);
        }
        let known = match generation.words.known(asked) {
            Some(known) => known,
            None => match self.known.carried(before, generation)? {
                Some(known) => known,
                None => return Ok(None),
            },
        };
        Ok(Some(Self { known, worths: self.worths.clone(), ..*self }))
    }

    /// What its commonest form is worth, where all have the same factor; 0 where it does not occur.
    pub(crate) fn least(&self) -> f32 {
        self.worths.iter().copied().filter(|worth| *worth > 0.0).min_by(f32::total_cmp).unwrap_or(0.0)
    }

    /// Sets what it is worth, whichever its form.
    pub(crate) fn revalue(&mut self, worth: f32) {
        self.worth = worth;
        self.is_even = true;
    }

    /// How much each document of a segment that has it, at least each of `within`, is about it; [`Word::score_of`] says
    /// what that is worth.
    pub(crate) fn about(
        &self,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
    ) -> Result<Arc<About>, Error> {
        let view = &generation.segments[ordinal].view;
        let weighed = &view.weighed;
        if let Some(about) = weighed.get(&self.asked, self.is_even) {
            return Ok(about);
        }
        let few = Counted::from(within);
        if few.is_few(self.known.documents_in(ordinal)) {
            return Ok(Arc::new(self.known.weigh(generation, ordinal, self.is_even, &few)?));
        }
        // Of all documents: which ones are deleted is its generation's business.
        let all = Bits::all(view.documents());
        let about = self.known.weigh(generation, ordinal, self.is_even, &Counted::from(&all))?;
        let about = Arc::new(about);
        // It outlasts the generation: nothing that was read while somebody wrote to the files.
        if generation.is_whole() {
            weighed.keep(&self.asked, self.is_even, &about);
        }
        Ok(about)
    }

    /// What a share of the word is worth in a document that is so much about it: at most that of [`Word::worth`].
    pub(crate) fn score_of(&self, about: f32, share: f32) -> f32 {
        let about = match self.is_even {
            true => about,
            // What is known of it holds what its forms are worth.
            false if self.worth > 0.0 => about / self.worth,
            false => 0.0,
        };
        rank::score(self.worth, about, share)
    }
}

/// A form that occurs.
pub(crate) struct Occurring {
    /// As it was looked up.
    pub(crate) form: Form,
    /// What it is worth.
    pub(crate) worth: f32,
    pub(crate) places: Arc<Places>,
}

/// The forms of a word while they are looked up, one after the other.
#[derive(Default)]
struct Valued {
    worths: Vec<f32>,
    occurring: Vec<Occurring>,
    is_given: bool,
    is_name: bool,
    /// In how many documents the commonest form is, or all that are begun together.
    common: u64,
    /// Whether the last form that was looked up as it is is mostly a maker's name.
    names: bool,
}

impl Valued {
    /// Looks up the next form. `known` is what it was worth when it was looked up before.
    fn add(
        &mut self,
        form: &Form,
        factor: f32,
        known: Option<f32>,
        generation: &Generation,
    ) -> Result<(), Error> {
        let place = self.worths.len();
        if known == Some(0.0) {
            self.worths.push(0.0);
            return Ok(());
        }
        // A maker's name is no plural: it counts as it is.
        let as_it_is = known.map_or(self.names && matches!(form, Form::Stem(_)), |worth| worth < 0.0);
        let form = if as_it_is { form.as_it_is() } else { form.clone() };
        let places = generation.words.places(&form, generation)?;
        // One rarity for all fields, that of the field where the word is commonest: a word that happens to be
        // rare in names must not gain by it. And a further form is never rarer than those before it, least of
        // all what is only begun.
        let commonest = places.by_field.iter().copied().max().unwrap_or(0);
        let is_begun = matches!(form, Form::Begun(_));
        self.common = if is_begun { self.common + commonest } else { self.common.max(commonest) };
        if matches!(form, Form::Whole(_)) && !as_it_is {
            // Mostly a maker's name: "adidas" is no plural.
            let is_mostly =
                |field: TextField| places.by_field[field as usize] * 2 >= commonest && commonest > 0;
            self.names = is_mostly(TextField::Brand);
            if place == 0 {
                (self.is_name, self.is_given) = (self.names, self.names || is_mostly(TextField::Sku));
            }
        }
        let is_found = places.found.iter().any(|here| !here.sources.is_empty());
        let rarity = || if is_found { factor * rank::rarity(self.common, indexed(generation)) } else { 0.0 };
        let worth = known.map_or_else(rarity, f32::abs);
        self.worths.push(if as_it_is { -worth } else { worth });
        if is_found {
            self.occurring.push(Occurring { form, worth, places });
        }
        Ok(())
    }
}

fn indexed(generation: &Generation) -> u64 {
    generation.segments.iter().map(|segment| u64::from(segment.view.documents())).sum()
}
