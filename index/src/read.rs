//! A text that was read, with its words as they were looked up: what outlasts every commit that changes none of them.
//!
//! Who asks for it again in the same generation looks nothing up. In a later one, in which the same documents are found by
//! the same words ([`words`](crate::words) sees to that), words are looked up in those segments alone that have come since:
//! most are the same, and those that are new are small.

use std::sync::Arc;

use tantivy::index::SegmentId;

use crate::{cursor::Reading, error::Error, generation::Generation, word::Word};

/// Bytes that the words of one text may take.
const MOST_BYTES: usize = 128 << 10;

/// A text that was read.
pub(crate) struct Read {
    pub(crate) reading: Reading,
    /// None where they are too much to be kept.
    words: Vec<Word>,
    /// Neighbours.
    pairs: Vec<Word>,
    /// Where they were looked up.
    segments: Arc<[SegmentId]>,
}

/// What is known of a text before it is read.
#[derive(Clone, Copy)]
pub(crate) enum Before<'a> {
    Nothing,
    /// How an earlier page read it.
    Paged(&'a Reading),
    /// How somebody else read it, in this generation or in an earlier one with the same words.
    Read(&'a Arc<Read>),
}

impl<'a> Before<'a> {
    pub(crate) fn reading(self) -> Option<&'a Reading> {
        match self {
            Self::Nothing => None,
            Self::Paged(reading) => Some(reading),
            Self::Read(read) => Some(&read.reading),
        }
    }
}

impl Read {
    pub(crate) fn new(reading: Reading, words: Vec<Word>, pairs: Vec<Word>, generation: &Generation) -> Self {
        Self { reading, words, pairs, segments: Arc::clone(&generation.segment_ids) }
    }

    /// Whether its words were looked up in these segments.
    pub(crate) fn is_of(&self, generation: &Generation) -> bool {
        Arc::ptr_eq(&self.segments, &generation.segment_ids)
    }

    /// Whether it is known where its words are in this segment.
    pub(crate) fn has(&self, segment: &SegmentId) -> bool {
        self.has_words() && self.segments.contains(segment)
    }

    fn has_words(&self) -> bool {
        self.words.len() == self.reading.worths.len()
    }

    /// The same for those who ask again: without its words, where they begin so many others that a dozen such texts would
    /// drive out all others, or that it is decided over all segments which of them count.
    pub(crate) fn kept(self: &Arc<Self>) -> Arc<Self> {
        let is_chosen = || self.words.iter().any(|word| word.asked.is_chosen());
        if self.bytes() <= MOST_BYTES && !is_chosen() {
            return Arc::clone(self);
        }
        let (reading, segments) = (self.reading.clone(), Arc::clone(&self.segments));
        Arc::new(Self { reading, words: Vec::new(), pairs: Vec::new(), segments })
    }

    /// What it takes beside what it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.words.iter().chain(&self.pairs).map(|word| word.asked.bytes() + word.bytes()).sum()
    }

    /// The words and the pairs as they are in a generation; nothing where they have to be looked up anew.
    pub(crate) fn words_in(&self, generation: &Generation) -> Result<Option<[Vec<Word>; 2]>, Error> {
        if !self.has_words() {
            return Ok(None);
        }
        if self.is_of(generation) {
            return Ok(Some([self.words.clone(), self.pairs.clone()]));
        }
        let place = |id: &SegmentId| self.segments.iter().position(|before| before == id);
        let before: Vec<Option<usize>> = generation.segment_ids.iter().map(place).collect();
        let look_up = |words: &[Word]| -> Result<Option<Vec<Word>>, Error> {
            words.iter().map(|word| word.carried(&before, generation)).collect()
        };
        let Some(words) = look_up(&self.words)? else { return Ok(None) };
        Ok(look_up(&self.pairs)?.map(|pairs| [words, pairs]))
    }
}
