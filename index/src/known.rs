//! What is known of a word in a generation: where it stands, and how much the documents are about it.
//!
//! It is made of pieces that stay with their segments, and is carried into the next generation with those that stay.

// over 400 lines: where a word stands, how that is carried on and what it comes to are one look-up

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Arc, LazyLock, OnceLock},
};

use tantivy::schema::IndexRecordOption;

use crate::{
    about::About,
    bits::Bits,
    bounded::Bounded,
    error::Error,
    generation::{Generation, Segment},
    lookup::{Form, Here, Source},
    postings::{self, Counted},
    rank,
    schema::TextField,
    word::Occurring,
    words::Asked,
};

/// Bytes that what is held of words in one segment may take: so many, and more by document.
const MOST_HELD: (usize, usize) = (1 << 20, 16);

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

    fn keep(&self, asked: &Arc<Asked>, postings: &Arc<Postings>) {
        self.0.keep(Arc::clone(asked), Arc::clone(postings), asked.bytes() + postings.bytes());
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

impl Known {
    /// A word by those of its forms that occur.
    pub(crate) fn new(
        occurring: &[Occurring],
        asked: Arc<Asked>,
        generation: &Generation,
        is_whole: bool,
    ) -> Self {
        let held = generation.segments.iter().enumerate().map(|(ordinal, segment)| {
            let held = &segment.view.held;
            held.0.get(&asked).unwrap_or_else(|| {
                let here = occurring.iter().map(|form| &*form.places.found[ordinal]);
                let postings = Arc::new(Postings::new(&asked, here));
                if is_whole {
                    held.keep(&asked, &postings);
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

    /// See [`Word::carried`](crate::word::Word::carried).
    pub(crate) fn carried(
        &self,
        before: &[Option<usize>],
        generation: &Generation,
    ) -> Result<Option<Arc<Self>>, Error> {
        let mut postings = Vec::with_capacity(before.len());
        let (mut new, mut is_any_read) = (Vec::new(), false);
        for (ordinal, before) in before.iter().enumerate() {
            if let Some(before) = before {
                postings.push(Arc::clone(&self.postings[*before]));
                continue;
            }
            let view = &generation.segments[ordinal].view;
            if let Some(held) = view.held.0.get(&self.asked) {
                postings.push(held);
                continue;
            }
            let Some((found, is_read)) = Postings::find(&self.asked, ordinal, generation)? else {
                return Ok(None);
            };
            // Where words are listed, that it is not there is found again as soon as it is kept.
            if view.vocabulary().is_none() || !found.all.is_empty() {
                new.push(ordinal);
            }
            is_any_read |= is_read;
            postings.push(found);
        }
        let known = Arc::new(Self::of(Arc::clone(&self.asked), postings));
        // What was known before was kept by those who had read it.
        if !is_any_read || generation.is_whole() {
            for ordinal in new {
                generation.segments[ordinal].view.held.keep(&self.asked, &known.postings[ordinal]);
            }
            generation.words.keep(&self.asked, &known);
        }
        Ok(Some(known))
    }

    /// What it takes, but for what is its forms'.
    pub(crate) fn bytes(&self) -> usize {
        let beside = size_of::<(Arc<Postings>, Postings, OnceLock<u64>)>();
        self.postings.iter().map(|postings| beside + postings.bytes()).sum()
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
        let Segment { view, offered, .. } = &generation.segments[ordinal];
        let count = match view.sets.get(&self.asked) {
            Some(all) => all.count_and(offered),
            None => self.docs(generation, ordinal, Some(offered))?.count(),
        };
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
    pub(crate) fn documents_in(&self, ordinal: usize) -> u64 {
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
    pub(crate) fn weigh(
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

    /// Looks the forms of a word up in a segment, and says whether its files were read; nothing where one begins too many
    /// words there.
    fn find(
        asked: &Asked,
        ordinal: usize,
        generation: &Generation,
    ) -> Result<Option<(Arc<Self>, bool)>, Error> {
        static NOWHERE: LazyLock<Arc<Postings>> = LazyLock::new(Arc::default);
        let mut found = Vec::with_capacity(asked.forms.len());
        let mut new = Vec::new();
        for (form, ..) in &asked.forms {
            let (here, is_new) = form.look_here(ordinal, generation)?;
            let Some(here) = here else { return Ok(None) };
            if is_new {
                new.push((form, Arc::clone(&here)));
            }
            found.push(here);
        }
        let is_read = !new.is_empty();
        if is_read && generation.is_whole() {
            new.into_iter().for_each(|(form, here)| form.keep_here(Some(here), ordinal, generation));
        }
        if found.iter().all(|here| here.sources.is_empty()) {
            return Ok(Some((Arc::clone(&NOWHERE), is_read)));
        }
        Ok(Some((Arc::new(Self::new(asked, found.iter().map(|here| &**here))), is_read)))
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
