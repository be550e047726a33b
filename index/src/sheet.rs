//! Where the scores of a segment's documents are added up, one word after the other, and where a word is weighed.
//!
//! A sheet has a place for every document, and most searches write on few: so each segment keeps the sheets that it has
//! lent, with all that stands on them, and whoever reads a score has written it. So it does with its scale, which has
//! three, and of which one is enough: most words were weighed before.

use std::{
    mem::take,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{bits::Bits, error::Error, generation::Generation, rank::FURTHER_FIELD, word::Word};

/// Sheets that a segment keeps at most: searches that run at once.
const MOST_KEPT: usize = 4;

/// The scores of one segment's documents, while they are added up.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    /// By document; where nobody has written, those of an earlier search.
    pub(crate) scores: Vec<f32>,
}

impl Sheet {
    /// Writes what a word is worth down for the documents of `within` that have it, which are returned, over whatever
    /// stood there.
    pub(crate) fn put(
        &mut self,
        word: &Word,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
    ) -> Result<Bits, Error> {
        self.visit(word, generation, ordinal, within, |score, about| *score = word.score_of(about, 1.0))
    }

    /// Adds a share of what a word is worth to the documents of `within` that have it, which are returned.
    pub(crate) fn add(
        &mut self,
        word: &Word,
        share: f32,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
    ) -> Result<Bits, Error> {
        self.visit(word, generation, ordinal, within, |score, about| *score += word.score_of(about, share))
    }

    fn visit(
        &mut self,
        word: &Word,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
        score: impl Fn(&mut f32, f32),
    ) -> Result<Bits, Error> {
        let mut found = Bits::none(within.bound());
        if within.is_empty() {
            return Ok(found);
        }
        word.about(generation, ordinal, within)?.for_each_in(within, |doc, about| {
            found.insert(doc);
            score(&mut self.scores[doc as usize], about);
        });
        Ok(found)
    }

    /// Sets the scores of some documents to zero.
    pub(crate) fn clear(&mut self, docs: &Bits) {
        docs.for_each(|doc| self.scores[doc as usize] = 0.0);
    }
}

/// The sheets of a segment that are free.
#[derive(Debug)]
pub(crate) struct Sheets {
    documents: u32,
    free: Mutex<Vec<Sheet>>,
}

impl Sheets {
    /// For so many documents.
    pub(crate) fn new(documents: u32) -> Arc<Self> {
        Arc::new(Self { documents, free: Mutex::default() })
    }

    /// A sheet, which somebody may have written on.
    pub(crate) fn lend(self: &Arc<Self>) -> Lent {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let sheet = free.unwrap_or_else(|| Sheet { scores: vec![0.0; self.documents as usize] });
        Lent { sheet, home: Arc::clone(self) }
    }
}

/// A sheet, which goes back to its segment.
#[derive(Debug)]
pub(crate) struct Lent {
    sheet: Sheet,
    home: Arc<Sheets>,
}

impl Deref for Lent {
    type Target = Sheet;

    fn deref(&self) -> &Sheet {
        &self.sheet
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Sheet {
        &mut self.sheet
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let sheet = take(&mut self.sheet);
        let mut free = self.home.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST_KEPT {
            free.push(sheet);
        }
    }
}

/// How much each of one segment's documents is about the word at hand.
#[derive(Debug)]
pub(crate) struct Scale {
    /// By the text that says it best, and by all of them; zero again after each word.
    best: Vec<f32>,
    all: Vec<f32>,
    /// By the text at hand; zero again after each text.
    pub(crate) here: Vec<f32>,
}

impl Scale {
    fn new(documents: u32) -> Self {
        let zeros = || vec![0.0; documents as usize];
        Self { best: zeros(), all: zeros(), here: zeros() }
    }

    /// Ends a text of a document.
    pub(crate) fn take_text(&mut self, doc: usize) {
        let here = take(&mut self.here[doc]);
        self.best[doc] = self.best[doc].max(here);
        self.all[doc] += here;
    }

    /// Ends a word of a document, and says how much it is about it.
    pub(crate) fn take_word(&mut self, doc: usize) -> f32 {
        let (best, all) = (take(&mut self.best[doc]), take(&mut self.all[doc]));
        best + FURTHER_FIELD * (all - best)
    }
}

/// A segment's scale, while it is free.
#[derive(Debug, Default)]
pub(crate) struct Scales(Mutex<Option<Scale>>);

impl Scales {
    /// The scale of a segment of so many documents, or another one while that is in use.
    pub(crate) fn take(&self, documents: u32) -> Scale {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        free.unwrap_or_else(|| Scale::new(documents))
    }

    /// Takes it back after a whole word. One that stands in the middle of a word must not come back.
    pub(crate) fn put(&self, scale: Scale) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(scale);
    }
}
