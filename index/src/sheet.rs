//! Where the scores of a segment's documents are added up, one word after the other.

use std::mem::take;

use crate::{
    bits::Bits,
    error::Error,
    generation::Generation,
    rank::{FURTHER_FIELD, Word},
};

/// The scores of one segment's documents, while they are added up.
pub(crate) struct Sheet {
    pub(crate) scores: Vec<f32>,
    /// How much each is about the word at hand by the text that says it best, and by all of them; zero again after
    /// each word.
    best: Vec<f32>,
    all: Vec<f32>,
    /// The same by the text at hand; zero again after each text.
    pub(crate) here: Vec<f32>,
}

impl Sheet {
    /// All zero.
    pub(crate) fn new(documents: u32) -> Self {
        let zeros = || vec![0.0; documents as usize];
        Self { scores: zeros(), best: zeros(), all: zeros(), here: zeros() }
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
        let found = word.weigh(generation, ordinal, within, self)?;
        found.for_each(|doc| {
            let (best, all) = (take(&mut self.best[doc as usize]), take(&mut self.all[doc as usize]));
            self.scores[doc as usize] += word.score_of(best + FURTHER_FIELD * (all - best), share);
        });
        Ok(found)
    }

    /// Ends a text of a document.
    pub(crate) fn take_text(&mut self, doc: usize) {
        let here = take(&mut self.here[doc]);
        self.best[doc] = self.best[doc].max(here);
        self.all[doc] += here;
    }
}
