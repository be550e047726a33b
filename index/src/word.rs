//! A word in all its forms, looked up in a generation and weighed there.
//!
//! Looking a word up takes a hundred searches in dictionaries, and weighing it walks all its postings. People ask for
//! the same words again and again, together with ever other ones and under ever other filters: so what a word comes
//! to stays with its generation ([`words`](crate::words)), and a search adds up columns.
//!
//! Walking one word after the other beats a tree of scorers for a shop's catalog, and gives the set of matches, which
//! every facet needs, for nothing.

use std::{
    collections::BTreeSet,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use tantivy::schema::IndexRecordOption;

use crate::{
    bits::Bits,
    error::Error,
    forms,
    generation::{Generation, Segment},
    lookup::{Form, Source},
    postings, rank,
    schema::TextField,
    settings::Weights,
    sheet::Sheet,
    words::{About, Asked},
};

/// What a form takes: its letters, and its place.
const FORM_BYTES: usize = 256;

/// A word of a search.
pub(crate) struct Word {
    known: Arc<Known>,
    /// What it is worth where it stands in its best form. A word as it is, and the same by its stem, are one.
    pub(crate) worth: f32,
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
    postings: Vec<Vec<Posting>>,
    /// In how many documents it occurs, at most.
    pub(crate) documents: u64,
    /// Mostly part of a maker's name or of a stock keeping unit: given, and so never misspelt.
    pub(crate) is_given: bool,
    /// Mostly a maker's name.
    pub(crate) is_name: bool,
    /// By form; 0 for one that occurs nowhere, negative for a stem that is taken for a name.
    pub(crate) worths: Vec<f32>,
    /// What it is worth in its best form.
    best: f32,
    /// By segment, once somebody has asked: how much documents are about it, and the same if each form were worth 1.
    about: Vec<[OnceLock<Arc<About>>; 2]>,
    /// By segment, once somebody has asked, the documents that have it, where those are many.
    all: Vec<OnceLock<Bits>>,
}

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
        let asked = Asked::new(forms, worths, weights);
        let known = match generation.words.known(&asked) {
            Some(known) => known,
            None => {
                let known = Arc::new(Known::look_up(forms, worths, weights, generation)?);
                generation.words.keep(asked, &known);
                known
            }
        };
        Ok(Self { worth: known.best, is_even: false, known })
    }

    /// Sets what it is worth, whichever its form.
    pub(crate) fn revalue(&mut self, worth: f32) {
        self.worth = worth;
        self.is_even = true;
    }

    /// How much each document of a segment that has it is about it; [`Word::score_of`] says what that is worth.
    pub(crate) fn about(
        &self,
        generation: &Generation,
        ordinal: usize,
        sheet: &mut Sheet,
    ) -> Result<Arc<About>, Error> {
        let kept = &self.known.about[ordinal][usize::from(self.is_even)];
        if let Some(about) = kept.get() {
            return Ok(Arc::clone(about));
        }
        let about = Arc::new(self.known.weigh(generation, ordinal, self.is_even, sheet)?);
        if generation.words.take(about.bytes()) {
            let _ = kept.set(Arc::clone(&about));
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

impl Known {
    /// Looks up forms, each with a factor, best first. `worths` are those of an earlier look-up of the same.
    fn look_up(
        forms: &[(Form, f32)],
        worths: Option<&[f32]>,
        weights: &Weights,
        generation: &Generation,
    ) -> Result<Self, Error> {
        let mut word = Self {
            postings: generation.segments.iter().map(|_| Vec::new()).collect(),
            documents: 0,
            is_given: false,
            is_name: false,
            worths: Vec::with_capacity(forms.len()),
            best: 0.0,
            about: generation.segments.iter().map(|_| Default::default()).collect(),
            all: generation.segments.iter().map(|_| OnceLock::new()).collect(),
        };
        let mut common = 0;
        let mut is_name = false;
        for (place, (form, factor)) in forms.iter().enumerate() {
            let known = worths.and_then(|worths| worths.get(place).copied());
            if known == Some(0.0) {
                word.worths.push(0.0);
                continue;
            }
            // A maker's name is no plural: it counts as it is.
            let as_it_is = known.map_or(is_name && matches!(form, Form::Stem(_)), |worth| worth < 0.0);
            let found = if as_it_is { form.as_it_is().find(generation)? } else { form.find(generation)? };
            let mut by_field = [0; TextField::ALL.len()];
            found.iter().for_each(|found| by_field[found.field as usize] += found.source.documents());
            // One rarity for all fields, that of the field where the word is commonest: a word that happens to be
            // rare in names must not gain by it. And a further form is never rarer than those before it, least of
            // all what is only begun.
            let commonest = by_field.iter().copied().max().unwrap_or(0);
            common = if matches!(form, Form::Begun(_)) { common + commonest } else { common.max(commonest) };
            if matches!(form, Form::Whole(_)) {
                // Mostly a maker's name: "adidas" is no plural.
                let is_mostly = |field: TextField| by_field[field as usize] * 2 >= commonest && commonest > 0;
                is_name = is_mostly(TextField::Brand);
                if place == 0 {
                    (word.is_name, word.is_given) = (is_name, is_name || is_mostly(TextField::Sku));
                }
            }
            let rarity =
                || if found.is_empty() { 0.0 } else { factor * rank::rarity(common, indexed(generation)) };
            let worth = known.map_or_else(rarity, f32::abs);
            word.worths.push(if as_it_is { -worth } else { worth });
            for found in found {
                word.documents += found.source.documents();
                let weight = rank::weight(weights, found.field);
                let is_longer = matches!(form, Form::Begun(_));
                let posting = Posting { field: found.field, is_longer, source: found.source, worth, weight };
                word.postings[found.ordinal].push(posting);
            }
        }
        word.best = forms::most(forms, &word.worths);
        // What stands in one text is weighed together.
        word.postings
            .iter_mut()
            .for_each(|postings| postings.sort_by_key(|posting| (posting.text(), posting.is_longer)));
        Ok(word)
    }

    /// What it takes, but for what is kept in [`Known::about`].
    pub(crate) fn bytes(&self) -> usize {
        let phrases = self.postings.iter().flatten().map(|posting| match &posting.source {
            Source::Term(_) => 0,
            Source::Docs(docs) => size_of_val::<[u32]>(docs),
        });
        let forms = self.worths.len() * FORM_BYTES;
        forms + phrases.map(|bytes| bytes + size_of::<Posting>()).sum::<usize>()
    }

    /// What its commonest form is worth, where all have the same factor; 0 where it does not occur.
    pub(crate) fn least(&self) -> f32 {
        self.worths.iter().copied().filter(|worth| *worth > 0.0).min_by(f32::total_cmp).unwrap_or(0.0)
    }

    /// In how many documents of `within`, which is by segment, it occurs; none if those are more than `most`.
    pub(crate) fn count_few(
        &self,
        generation: &Generation,
        within: &[Bits],
        most: usize,
    ) -> Result<Option<usize>, Error> {
        let mut found = BTreeSet::new();
        for (ordinal, within) in within.iter().enumerate() {
            let index_of = |field: TextField| {
                generation.segments[ordinal].reader.inverted_index(generation.fields.text[field as usize])
            };
            for posting in &self.postings[ordinal] {
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
        if let Some(all) = self.all[ordinal].get() {
            let mut docs = all.clone();
            within.into_iter().for_each(|within| docs.and(within));
            return Ok(docs);
        }
        let bound = generation.segments[ordinal].view.documents();
        let about = self.about[ordinal].iter().find_map(OnceLock::get);
        if let (Some(about), Some(within), false) = (about, within, self.is_common(generation)) {
            let mut docs = Bits::none(bound);
            about.for_each_in(within, |doc, _| docs.insert(doc));
            return Ok(docs);
        }
        let mut docs = self.collect(generation, ordinal)?;
        if self.is_common(generation) && generation.words.take(bound as usize / 8) {
            let _ = self.all[ordinal].set(docs.clone());
        }
        within.into_iter().for_each(|within| docs.and(within));
        Ok(docs)
    }

    /// Whether a set of the documents that have it takes less than a list.
    fn is_common(&self, generation: &Generation) -> bool {
        self.documents > indexed(generation) / 32
    }

    fn collect(&self, generation: &Generation, ordinal: usize) -> Result<Bits, Error> {
        let segment = &generation.segments[ordinal];
        let mut docs = Bits::none(segment.view.documents());
        match self.about[ordinal].iter().find_map(OnceLock::get) {
            Some(about) => about.docs().iter().for_each(|&doc| docs.insert(doc)),
            None => {
                for posting in &self.postings[ordinal] {
                    posting.collect(generation, segment, &mut docs)?;
                }
            }
        }
        Ok(docs)
    }

    /// Visits the documents of a segment that have it.
    pub(crate) fn visit(
        &self,
        generation: &Generation,
        ordinal: usize,
        mut visit: impl FnMut(u32),
    ) -> Result<(), Error> {
        match self.about[ordinal].iter().find_map(OnceLock::get) {
            Some(about) => about.docs().iter().for_each(|&doc| visit(doc)),
            None => self.docs(generation, ordinal, None)?.for_each(visit),
        }
        Ok(())
    }

    /// Of all live documents of a segment.
    fn weigh(
        &self,
        generation: &Generation,
        ordinal: usize,
        is_even: bool,
        sheet: &mut Sheet,
    ) -> Result<About, Error> {
        let segment = &generation.segments[ordinal];
        let mut found = Bits::none(segment.view.documents());
        for postings in self.postings[ordinal].chunk_by(|one, other| one.text() == other.text()) {
            let mut here = Bits::none(segment.view.documents());
            let (itself, longer) = postings.split_at(postings.partition_point(|posting| !posting.is_longer));
            for posting in itself {
                posting.weigh(generation, segment, &segment.live, is_even, &mut here, &mut sheet.here)?;
            }
            if !longer.is_empty() {
                let mut without = segment.live.clone();
                without.and_not(&here);
                for posting in longer {
                    posting.weigh(generation, segment, &without, is_even, &mut here, &mut sheet.here)?;
                }
            }
            here.for_each(|doc| sheet.take_text(doc as usize));
            found.or(&here);
        }
        let mut about = About::default();
        found.for_each(|doc| about.push(doc, sheet.take_word(doc as usize)));
        Ok(about)
    }
}

impl Posting {
    /// Which text of a document it is in: the head of a name is in the name.
    fn text(&self) -> TextField {
        if self.field == TextField::Head { TextField::Name } else { self.field }
    }

    fn collect(&self, generation: &Generation, segment: &Segment, docs: &mut Bits) -> Result<(), Error> {
        match &self.source {
            Source::Term(term) => {
                let index = segment.reader.inverted_index(generation.fields.text[self.field as usize])?;
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
        segment: &Segment,
        within: &Bits,
        is_even: bool,
        found: &mut Bits,
        here: &mut [f32],
    ) -> Result<(), Error> {
        let field = generation.fields.text[self.field as usize];
        let lengths = &segment.view.lengths;
        let left = rank::left(self.field);
        let weight = if is_even { self.weight } else { self.worth * self.weight };
        let mut visit = |doc: u32, freq: f32| {
            if within.contains(doc) {
                found.insert(doc);
                here[doc as usize] +=
                    weight * rank::repeated(freq) * left[usize::from(lengths[doc as usize].of(self.field))];
            }
        };
        match &self.source {
            Source::Term(term) => {
                let index = segment.reader.inverted_index(field)?;
                postings::for_each_block(&index, term, IndexRecordOption::WithFreqs, |docs, freqs| {
                    docs.iter().zip(freqs).for_each(|(&doc, &freq)| visit(doc, freq as f32));
                })
            }
            Source::Docs(docs) => {
                docs.iter().for_each(|&doc| visit(doc, 1.0));
                Ok(())
            }
        }
    }
}

fn indexed(generation: &Generation) -> u64 {
    generation.segments.iter().map(|segment| u64::from(segment.view.documents())).sum()
}
