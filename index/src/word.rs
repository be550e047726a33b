//! A word in all its forms, looked up in a generation and weighed there.
//!
//! Looking a word up takes a hundred searches in dictionaries, and weighing it walks all its postings. People ask for
//! the same words again and again, together with ever other ones and under ever other filters: so where a form occurs
//! stays with its generation, and what a word comes to with its segment ([`words`](crate::words)), and a search adds up
//! columns. A commit leaves most segments, and by how rarities are rounded most worths, as they were. Most
//! forms of a word occur nowhere (what it would be if it were written together with its neighbour), and say nothing of
//! it: in whatever company it is asked for, it is the same word.
//!
//! Walking one word after the other beats a tree of scorers for a shop's catalog, and gives the set of matches, which
//! every facet needs, for nothing.

// over 400 lines: how a word is looked up, what is kept of it and how it is weighed are one walk over the same postings

use std::{
    borrow::Cow,
    collections::BTreeSet,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use tantivy::schema::IndexRecordOption;

use crate::{
    about::About,
    bits::Bits,
    bounded::Bounded,
    error::Error,
    forms,
    generation::Generation,
    lookup::{Form, Here, Source},
    postings::{self, Counted},
    rank,
    schema::TextField,
    settings::Weights,
    words::{Asked, Places},
};

/// Bytes that what is held of words in one segment may take: so many, and more by document.
const MOST_HELD: (usize, usize) = (1 << 20, 16);

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

/// What is known of a word.
pub(crate) struct Known {
    /// By segment.
    postings: Vec<Arc<Postings>>,
    /// In how many documents it occurs, at most.
    pub(crate) documents: u64,
    pub(crate) asked: Arc<Asked>,
    /// By segment, once somebody has asked, how many documents that are offered have it.
    offered: Vec<OnceLock<u64>>,
}

/// Those of a word in a segment, by the text that they are in.
#[derive(Debug, Default)]
struct Postings {
    all: Vec<Posting>,
    /// In how many documents, at most.
    documents: u64,
}

/// Where in a segment those words are that were looked up: it never changes, so that this outlasts the generation.
#[derive(Debug)]
pub(crate) struct Held(Bounded<Arc<Asked>, Arc<Postings>>);

impl Held {
    /// For a segment of so many documents.
    pub(crate) fn new(documents: u32) -> Self {
        let (least, by_document) = MOST_HELD;
        Self(Bounded::new(least + by_document * documents as usize))
    }

    /// Whether it is known where a word is.
    pub(crate) fn has(&self, asked: &Asked) -> bool {
        self.0.has(asked)
    }
}

#[derive(Debug)]
struct Posting {
    field: TextField,
    /// Of a longer word, which counts only where the word itself does not stand.
    is_longer: bool,
    source: Source,
    /// What its form is worth.
    worth: f32,
    /// What its field counts.
    weight: f32,
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

impl Known {
    /// A word by those of its forms that occur.
    fn new(occurring: &[Occurring], asked: Arc<Asked>, generation: &Generation, is_whole: bool) -> Self {
        let held = generation.segments.iter().enumerate().map(|(ordinal, segment)| {
            let held = &segment.view.held.0;
            held.get(&asked).unwrap_or_else(|| {
                let here = occurring.iter().map(|form| &*form.places.found[ordinal]);
                let postings = Arc::new(Postings::new(&asked, here));
                if is_whole {
                    held.keep(Arc::clone(&asked), Arc::clone(&postings), asked.bytes() + postings.bytes());
                }
                postings
            })
        });
        let postings = held.collect();
        Self::of(asked, postings)
    }

    fn of(asked: Arc<Asked>, postings: Vec<Arc<Postings>>) -> Self {
        Self {
            documents: postings.iter().map(|postings| postings.documents).sum(),
            offered: postings.iter().map(|_| OnceLock::new()).collect(),
            postings,
            asked,
        }
    }

    /// See [`Word::carried`].
    fn carried(&self, before: &[Option<usize>], generation: &Generation) -> Result<Option<Arc<Self>>, Error> {
        let mut postings = Vec::with_capacity(before.len());
        let mut new = Vec::new();
        for (ordinal, before) in before.iter().enumerate() {
            if let Some(before) = before {
                postings.push(Arc::clone(&self.postings[*before]));
                continue;
            }
            let held = generation.segments[ordinal].view.held.0.get(&self.asked);
            let here = match held {
                Some(held) => held,
                None => match Postings::find(&self.asked, ordinal, generation)? {
                    Some(found) => found,
                    None => return Ok(None),
                },
            };
            new.push(ordinal);
            postings.push(here);
        }
        let known = Arc::new(Self::of(Arc::clone(&self.asked), postings));
        if generation.is_whole() {
            for ordinal in new {
                let (asked, postings) = (Arc::clone(&self.asked), Arc::clone(&known.postings[ordinal]));
                let bytes = asked.bytes() + postings.bytes();
                generation.segments[ordinal].view.held.0.keep(asked, postings, bytes);
            }
            generation.words.keep(&self.asked, &known);
        }
        Ok(Some(known))
    }

    /// What it takes, but for what is its forms'.
    pub(crate) fn bytes(&self) -> usize {
        self.postings.iter().map(|postings| postings.bytes()).sum()
    }

    /// In how many documents of `within`, which is by segment, it occurs; none if those are more than `most`.
    pub(crate) fn count_few(
        &self,
        generation: &Generation,
        within: &[Cow<'_, Bits>],
        most: usize,
    ) -> Result<Option<usize>, Error> {
        let mut found = BTreeSet::new();
        for (ordinal, within) in within.iter().enumerate() {
            let index_of =
                |field: TextField| generation.index(ordinal, generation.fields.text[field as usize]);
            for posting in &self.postings[ordinal].all {
                let mut docs = Vec::new();
                match &posting.source {
                    Source::Term(term) => {
                        let index = index_of(posting.field)?;
                        docs = postings::first_in(&index, term, within, most + 1)?;
                    }
                    Source::Docs(all) => {
                        docs.extend(all.iter().copied().filter(|doc| within.contains(*doc)).take(most + 1));
                    }
                }
                found.extend(docs.into_iter().map(|doc| (ordinal, doc)));
                if found.len() > most {
                    return Ok(None);
                }
            }
        }
        Ok(Some(found.len()))
    }

    /// The documents of a segment that have it; those in `within`, if given.
    pub(crate) fn docs(
        &self,
        generation: &Generation,
        ordinal: usize,
        within: Option<&Bits>,
    ) -> Result<Bits, Error> {
        let view = &generation.segments[ordinal].view;
        if let Some(all) = view.sets.get(&self.asked) {
            let mut docs = Bits::clone(&all);
            within.into_iter().for_each(|within| docs.and(within));
            return Ok(docs);
        }
        let is_common = self.is_common(generation, ordinal);
        let about = self.weighed(generation, ordinal);
        if let (Some(about), Some(within), false) = (about, within, is_common) {
            let mut docs = Bits::none(view.documents());
            about.for_each_in(within, |doc, _| docs.insert(doc));
            return Ok(docs);
        }
        let mut docs = self.collect(generation, ordinal)?;
        // It outlasts the generation: nothing that was read while somebody wrote to the files.
        if is_common && generation.is_whole() {
            view.sets.keep(&self.asked, &Arc::new(docs.clone()));
        }
        within.into_iter().for_each(|within| docs.and(within));
        Ok(docs)
    }

    /// How many documents of a segment that are offered have it.
    pub(crate) fn count_offered(&self, generation: &Generation, ordinal: usize) -> Result<u64, Error> {
        if let Some(count) = self.offered[ordinal].get() {
            return Ok(*count);
        }
        let offered = &generation.segments[ordinal].offered;
        let count = self.docs(generation, ordinal, Some(offered))?.count();
        // One that was counted while somebody wrote to the files is not kept.
        if generation.is_whole() {
            let _ = self.offered[ordinal].set(count);
        }
        Ok(count)
    }

    /// Takes out of a set what does not have it, if that is known.
    pub(crate) fn narrow(&self, generation: &Generation, ordinal: usize, docs: &mut Bits) {
        if let Some(all) = generation.segments[ordinal].view.sets.get(&self.asked) {
            docs.and(&all);
        }
    }

    /// In how many documents of a segment it occurs, at most.
    fn documents_in(&self, ordinal: usize) -> u64 {
        self.postings[ordinal].documents
    }

    /// Whether a set of the documents of a segment that have it takes less than a list.
    fn is_common(&self, generation: &Generation, ordinal: usize) -> bool {
        self.documents_in(ordinal) > u64::from(generation.segments[ordinal].view.documents() / 32)
    }

    fn collect(&self, generation: &Generation, ordinal: usize) -> Result<Bits, Error> {
        let segment = &generation.segments[ordinal];
        let mut docs = Bits::none(segment.view.documents());
        match self.weighed(generation, ordinal) {
            Some(about) => about.for_each(|doc, _| docs.insert(doc)),
            None => {
                for posting in &self.postings[ordinal].all {
                    posting.collect(generation, ordinal, &mut docs)?;
                }
            }
        }
        Ok(docs)
    }

    /// Visits the documents of a segment that have it, deleted ones too.
    pub(crate) fn visit(
        &self,
        generation: &Generation,
        ordinal: usize,
        mut visit: impl FnMut(u32),
    ) -> Result<(), Error> {
        match self.weighed(generation, ordinal) {
            Some(about) => about.for_each(|doc, _| visit(doc)),
            None => self.docs(generation, ordinal, None)?.for_each(visit),
        }
        Ok(())
    }

    /// What it comes to in a segment, valued either way, if that is known.
    fn weighed(&self, generation: &Generation, ordinal: usize) -> Option<Arc<About>> {
        let weighed = &generation.segments[ordinal].view.weighed;
        weighed.get(&self.asked, false).or_else(|| weighed.get(&self.asked, true))
    }

    /// How much those of some documents of a segment that have it are about it.
    fn weigh(
        &self,
        generation: &Generation,
        ordinal: usize,
        is_even: bool,
        within: &Counted<'_>,
    ) -> Result<About, Error> {
        let segment = &generation.segments[ordinal];
        let mut found = Bits::none(segment.view.documents());
        let mut scale = segment.view.scales.take(segment.view.documents());
        for postings in self.postings[ordinal].all.chunk_by(|one, other| one.text() == other.text()) {
            let mut here = Bits::none(segment.view.documents());
            let (itself, longer) = postings.split_at(postings.partition_point(|posting| !posting.is_longer));
            for posting in itself {
                posting.weigh(generation, ordinal, within, is_even, &mut here, &mut scale.here)?;
            }
            if !longer.is_empty() {
                let mut without = Bits::clone(within);
                without.and_not(&here);
                let without = Counted::from(&without);
                for posting in longer {
                    posting.weigh(generation, ordinal, &without, is_even, &mut here, &mut scale.here)?;
                }
            }
            here.for_each(|doc| scale.take_text(doc as usize));
            found.or(&here);
        }
        let about = About::new(&found, |doc| scale.take_word(doc as usize));
        segment.view.scales.put(scale);
        Ok(about)
    }
}

impl Postings {
    /// Those of the forms of a word in a segment, by where each of them is there.
    fn new<'a>(asked: &Asked, here: impl Iterator<Item = &'a Here>) -> Self {
        let mut postings = Self::default();
        for ((form, worth, _), here) in asked.forms.iter().zip(here) {
            let (is_longer, worth) = (matches!(form, Form::Begun(_)), f32::from_bits(*worth));
            for (field, source) in &here.sources {
                postings.documents += source.documents();
                let (source, weight) = (source.clone(), f32::from_bits(asked.weights[*field as usize]));
                postings.all.push(Posting { field: *field, is_longer, source, worth, weight });
            }
        }
        // What stands in one text is weighed together.
        postings.all.sort_by_key(|posting| (posting.text(), posting.is_longer));
        postings
    }

    /// Looks the forms of a word up in a segment; nothing where one begins too many words there.
    fn find(asked: &Asked, ordinal: usize, generation: &Generation) -> Result<Option<Arc<Self>>, Error> {
        let mut found = Vec::with_capacity(asked.forms.len());
        for (form, ..) in &asked.forms {
            let here = match form.known_here(ordinal, generation) {
                Some(here) => here,
                None => form.find_here(ordinal, generation)?.map(Arc::new),
            };
            let Some(here) = here else { return Ok(None) };
            found.push(here);
        }
        Ok(Some(Arc::new(Self::new(asked, found.iter().map(|here| &**here)))))
    }

    fn bytes(&self) -> usize {
        size_of_val::<[_]>(&self.all) + self.all.iter().map(|posting| posting.source.bytes()).sum::<usize>()
    }
}

impl Posting {
    /// Which text of a document it is in: the head of a name is in the name.
    fn text(&self) -> TextField {
        if self.field == TextField::Head { TextField::Name } else { self.field }
    }

    fn collect(&self, generation: &Generation, ordinal: usize, docs: &mut Bits) -> Result<(), Error> {
        match &self.source {
            Source::Term(term) => {
                let index = generation.index(ordinal, generation.fields.text[self.field as usize])?;
                postings::collect(&index, term, docs)
            }
            Source::Docs(found) => {
                found.iter().for_each(|&doc| docs.insert(doc));
                Ok(())
            }
        }
    }

    fn weigh(
        &self,
        generation: &Generation,
        ordinal: usize,
        within: &Counted<'_>,
        is_even: bool,
        found: &mut Bits,
        here: &mut [f32],
    ) -> Result<(), Error> {
        let field = generation.fields.text[self.field as usize];
        let lengths = &generation.segments[ordinal].view.lengths;
        let left = rank::left(self.field);
        let weight = if is_even { self.weight } else { self.worth * self.weight };
        let mut visit = |doc: u32, freq: f32| {
            found.insert(doc);
            here[doc as usize] +=
                weight * rank::repeated(freq) * left[usize::from(lengths[doc as usize].of(self.field))];
        };
        match &self.source {
            Source::Term(term) => {
                let index = generation.index(ordinal, field)?;
                postings::for_each_in(&index, term, IndexRecordOption::WithFreqs, within, |doc, freq| {
                    visit(doc, freq as f32);
                })
            }
            Source::Docs(docs) => {
                docs.iter().filter(|doc| within.contains(**doc)).for_each(|&doc| visit(doc, 1.0));
                Ok(())
            }
        }
    }
}

fn indexed(generation: &Generation) -> u64 {
    generation.segments.iter().map(|segment| u64::from(segment.view.documents())).sum()
}
