//! Another way to read a text.
//!
//! 1. Words that occur nowhere are read as the nearest words that do ([`typo`](crate::typo)): among the commonest of
//!    those, the one that most documents have together with the other words.
//! 2. Words that hardly any document has, and that are as near to far commoner ones, are read as those *besides*: one
//!    misspelt product must not hide all others. What has the words as they were typed comes first.
//! 3. If nothing matches then, words are left out, what was written without a space as one. Kept are, of all that some
//!    document has together, those that are worth most by their rarity: first the words that were typed as they occur,
//!    then the corrected ones, then those that say little alone (short words; numbers without the brand that was
//!    typed with them). One sign alone is never kept. What is left out still counts for a document that has it. What is
//!    kept is read as if nothing else had been typed: its last word may be the beginning of a longer one.
//!
//! Phrases in quotation marks and what is not wanted are never touched, nor is a text that is a whole stock keeping
//! unit. Which documents there are is decided by what the asker may see, not by filters: ticking a brand must not
//! change what a word means.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    error::Error,
    forms::either,
    reading::TextReader,
    typo::{self, Wanted},
    word::Word,
};

/// A word that more documents have is no slip, or one that the catalog makes as a rule.
const FEW: usize = 5;

/// Letters from which on a word may be a slip though some document has it: most short words are one edit from
/// another one.
const LETTERS: usize = 5;

/// How many documents have the word that a rare one is read as besides, at least: in a small catalog every word is
/// rare, and nearness is chance.
const FAR_COMMONER: usize = 50;

/// And how many times as many: whoever enters products misspells a word in forty, or less, and where it is more, both
/// are words.
const TIMES: usize = 40;

/// Signs up to which a word says little alone.
const SHORT: usize = 2;

/// How much it takes to leave a part of a text out, least first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    /// Says little alone.
    Weak,
    /// Was not typed so.
    Corrected,
    /// Occurs as it was typed.
    Typed,
}

/// What was written without a space: the places of its words.
struct Chunk {
    places: Vec<usize>,
    strength: Strength,
    worth: f32,
    /// Whether all of it is single signs.
    is_sign: bool,
}

impl TextReader<'_> {
    /// Reads words that nobody, or hardly anybody, wrote as others.
    pub(crate) fn correct(&mut self) -> Result<(), Error> {
        let mut doubtful = Vec::new();
        for place in 0..self.words.len() {
            if let Some(having) = self.doubt(place)? {
                doubtful.push((place, having));
            }
        }
        if doubtful.is_empty() {
            return Ok(());
        }
        let is_found = doubtful.iter().all(|(_, having)| *having > 0) && self.count()? > 0;
        // Those that are read another way count for those that come later.
        for &(place, _) in &doubtful {
            self.optional[place] = !is_found;
        }
        for &(place, having) in &doubtful {
            let resolved = self.read_as_another(place, having, is_found)?;
            self.optional[place] = having == 0 && !resolved;
        }
        for &(place, _) in &doubtful {
            self.optional[place] = false;
        }
        Ok(())
    }

    /// How many documents have a word that may be a slip; what is deleted or hidden must not tell.
    fn doubt(&self, place: usize) -> Result<Option<usize>, Error> {
        let Some(word) = self.word(place).filter(|_| !self.optional[place]) else { return Ok(None) };
        let may_be_slip = word.chars().count() >= LETTERS && !self.words[place].is_given;
        let most = if may_be_slip { FEW } else { 0 };
        self.words[place].count_few(self.generation, &self.base, most)
    }

    /// Reads a word that `having` documents have as another one, or also as another one: that which goes best with
    /// those that must occur. False when there is none; where the text finds something already, none that does not
    /// go with the others.
    fn read_as_another(&mut self, place: usize, having: usize, is_found: bool) -> Result<bool, Error> {
        let Some(word) = self.word(place) else { return Ok(false) };
        let least = if having == 0 { 1 } else { FAR_COMMONER.max(TIMES * having) };
        let is_common = |candidate: &str| -> Result<bool, Error> {
            let word = self.look_up_alone(candidate)?;
            Ok(word.count_few(self.generation, &self.base, least - 1)?.is_none())
        };
        let wanted = Wanted { begun: self.is_begun(place), stop_words: &self.lexicon.stop_words, is_common };
        let mut best: Option<(u64, String)> = None;
        for candidate in typo::candidates(word, &wanted, self.generation)? {
            let count = self.count_with(place, &candidate)?;
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, candidate));
            }
        }
        let Some((_, candidate)) = best.filter(|(count, _)| *count > 0 || !is_found) else {
            return Ok(false);
        };
        let reading = if having == 0 { &mut self.read } else { &mut self.also };
        reading[place] = Some(candidate);
        self.look_up_again(place)?;
        Ok(true)
    }

    fn look_up_alone(&self, word: &str) -> Result<Word, Error> {
        Word::new(&either(word, 1.0), None, &self.lexicon.weights, self.generation)
    }

    /// How many match with a word read as another one, and required.
    fn count_with(&self, place: usize, read: &str) -> Result<u64, Error> {
        let word = self.look_up_alone(read)?;
        let mut count = 0;
        for ordinal in 0..self.base.len() {
            let mut docs = word.docs(self.generation, ordinal, Some(&self.base[ordinal]))?;
            for other in (0..self.words.len()).filter(|&other| other != place && !self.optional[other]) {
                if docs.is_empty() {
                    break;
                }
                docs = self.words[other].docs(self.generation, ordinal, Some(&docs))?;
            }
            count += docs.count();
        }
        Ok(count)
    }

    /// Leaves words out so that something matches; what was written without a space is not taken apart.
    pub(crate) fn leave_out(&mut self) -> Result<(), Error> {
        let chunks = self.chunks();
        if chunks.len() < 2 {
            return Ok(());
        }
        // By set of chunks (a bit each), how many documents have just these.
        let mut having: BTreeMap<u32, u64> = BTreeMap::new();
        for ordinal in 0..self.base.len() {
            let mut sets = vec![0_u32; self.base[ordinal].bound() as usize];
            let mut base = self.base[ordinal].clone();
            for place in (0..self.words.len()).filter(|&place| self.word(place).is_none()) {
                base = self.words[place].docs(self.generation, ordinal, Some(&base))?;
            }
            for (bit, chunk) in chunks.iter().enumerate() {
                let mut docs = base.clone();
                for &place in &chunk.places {
                    docs = self.words[place].docs(self.generation, ordinal, Some(&docs))?;
                }
                docs.for_each(|doc| sets[doc as usize] |= 1 << bit);
            }
            base.for_each(|doc| *having.entry(sets[doc as usize]).or_default() += 1);
        }
        let Some(kept) = worthiest(&chunks, &having) else { return Ok(()) };
        for (_, chunk) in chunks.iter().enumerate().filter(|(bit, _)| kept & (1 << bit) == 0) {
            for &place in &chunk.places {
                self.optional[place] = true;
                self.dropped[place] = true;
            }
        }
        self.look_up_all()
    }

    /// The words that may be left out, by what was written without a space: no phrases, which somebody has marked,
    /// and no stop words, which are not asked for anyway.
    fn chunks(&self) -> Vec<Chunk> {
        let mut runs: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        for place in 0..self.words.len() {
            if self.word(place).is_none() || self.optional[place] {
                continue;
            }
            let run = self.parsed.chunks[place];
            match runs.last_mut().filter(|_| last == Some(run)) {
                Some(places) => places.push(place),
                None => runs.push(vec![place]),
            }
            last = Some(run);
        }
        let is_brand = |place: &usize| self.words[*place].is_name && self.read[*place].is_none();
        let has_brand = runs.iter().flatten().any(is_brand);
        runs.into_iter().map(|places| self.chunk(places, has_brand)).collect()
    }

    fn chunk(&self, places: Vec<usize>, has_brand: bool) -> Chunk {
        let word = |place: usize| self.word(place).unwrap_or_default();
        let letters = |place: usize| word(place).chars().count();
        let has_number = places.iter().any(|&place| word(place).contains(char::is_numeric));
        let strength = if places.iter().any(|&place| self.read[place].is_some()) {
            Strength::Corrected
        } else if places.iter().all(|&place| letters(place) <= SHORT) || (has_brand && has_number) {
            Strength::Weak
        } else {
            Strength::Typed
        };
        Chunk {
            strength,
            worth: places.iter().map(|&place| self.words[place].worth).sum(),
            is_sign: places.iter().all(|&place| letters(place) == 1),
            places,
        }
    }
}

/// The set of chunks that is worth most, of those that a document has. Of equal ones that which more have, then that
/// which keeps what comes first. None of single signs, unless nothing else was asked for.
fn worthiest(chunks: &[Chunk], having: &BTreeMap<u32, u64>) -> Option<u32> {
    let kept = |set: u32| {
        chunks.iter().enumerate().filter(move |(bit, _)| set & (1 << bit) != 0).map(|(_, chunk)| chunk)
    };
    let only_signs = |set: u32| kept(set).all(|chunk| chunk.is_sign);
    let may_be_signs = only_signs(u32::MAX);
    let sets = having.keys().copied().filter(|&set| set != 0 && (may_be_signs || !only_signs(set)));
    let worth = |set: u32| {
        [Strength::Typed, Strength::Corrected, Strength::Weak].map(|strength| -> f32 {
            kept(set).filter(|chunk| chunk.strength == strength).map(|chunk| chunk.worth).sum()
        })
    };
    let count = |set: u32| -> u64 {
        having.iter().filter(|(other, _)| *other & set == set).map(|(_, count)| count).sum()
    };
    let compare = |one: &[f32; 3], other: &[f32; 3]| {
        let compared = one.iter().zip(other).map(|(one, other)| one.total_cmp(other));
        compared.fold(Ordering::Equal, Ordering::then)
    };
    let sets: Vec<([f32; 3], u32)> = sets.map(|set| (worth(set), set)).collect();
    let most = sets.iter().map(|(worth, _)| *worth).max_by(compare)?;
    let best = sets.iter().filter(|(worth, _)| compare(worth, &most).is_eq());
    best.map(|&(_, set)| set).max_by_key(|&set| (count(set), set.reverse_bits()))
}
