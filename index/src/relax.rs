//! Another way to read a text that matches too little.
//!
//! 1. If nothing matches, words that occur nowhere are read as the nearest words that do ([`typo`](crate::typo)):
//!    among the commonest of those, the one that most documents have together with the other words. If all words
//!    do occur, one of them is read so, and whatever that matches is enough.
//! 2. Otherwise, if that is still too little, words are left out, what was written without a space as one. Kept are those,
//!    of all that some document has together, that are worth most by their rarity, and enough documents have. What
//!    is left out still counts for a document that has it; one that has everything comes before all others.
//!
//! Phrases in quotation marks and what is not wanted are never touched. Which documents there are is decided by
//! what the asker may see, not by filters: ticking a brand must not change what a word means.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    bits::Bits,
    error::Error,
    rank::Word,
    reading::{TextReader, either},
    typo,
};

/// How many documents a text must match not to be read another way: one of each two thousand, at least one and at
/// most half a page. In a small shop a single product is all that can be expected.
fn enough(visible: u64) -> u64 {
    (visible / 2_000).clamp(1, 12)
}

/// How many readings of words that do occur are tried.
const MAX_TRIES: usize = 24;

/// How many sets of words are tried that too few documents have. Texts of many common words have more sets than
/// can be looked at; beyond these, the worthiest set loses its cheapest words until enough documents have it.
const MAX_SETS: usize = 200;

impl TextReader<'_> {
    /// Looks for a reading that matches enough, of a text that matches so many; false when it stays as it was.
    pub(crate) fn settle(&mut self, count: u64) -> Result<bool, Error> {
        let enough = enough(self.base.iter().map(Bits::count).sum());
        // Whoever names a number or an article means it.
        if count >= enough || (count > 0 && self.names_a_number()) {
            return Ok(false);
        }
        let mut unknown = Vec::new();
        for place in 0..self.words.len() {
            if self.is_unknown(place)? {
                unknown.push(place);
            }
        }
        if count == 0 {
            for &place in &unknown {
                self.optional[place] = true;
            }
            for &place in &unknown {
                self.optional[place] = !self.correct(place)?;
            }
            for &place in &unknown {
                self.optional[place] = false;
            }
            let corrected = |&place: &usize| self.read[place].is_some();
            if unknown.iter().all(corrected) {
                let count = if unknown.is_empty() { 0 } else { self.count()? };
                if count >= enough || (count == 0 && self.correct_one()?) {
                    return Ok(true);
                }
            }
        }
        self.leave_out(enough)?;
        Ok(true)
    }

    fn names_a_number(&self) -> bool {
        (0..self.words.len())
            .any(|place| self.word(place).is_some_and(|word| word.contains(char::is_numeric)))
    }

    /// Whether no document that may match has the word; what is deleted or hidden must not tell.
    fn is_unknown(&self, place: usize) -> Result<bool, Error> {
        if self.optional[place] || self.word(place).is_none() {
            return Ok(false);
        }
        for (ordinal, base) in self.base.iter().enumerate() {
            if !self.words[place].docs(self.generation, ordinal, Some(base))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a word as another one, the one that goes best with those that must occur; false when there is none.
    fn correct(&mut self, place: usize) -> Result<bool, Error> {
        let Some(word) = self.word(place) else { return Ok(false) };
        let candidates = typo::candidates(word, self.is_begun(place), self.generation)?;
        let mut best: Option<(u64, String)> = None;
        for candidate in candidates {
            let count = self.count_with(place, &candidate)?;
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, candidate));
            }
        }
        let Some((_, candidate)) = best else { return Ok(false) };
        self.replace(place, candidate)?;
        Ok(true)
    }

    fn replace(&mut self, place: usize, read: String) -> Result<(), Error> {
        self.read[place] = Some(read);
        // Neighbours are written together with it.
        for place in place.saturating_sub(1)..(place + 2).min(self.words.len()) {
            self.words[place] = self.look_up(place, None)?;
        }
        Ok(())
    }

    /// How many match with a word read as another one, and required.
    fn count_with(&self, place: usize, read: &str) -> Result<u64, Error> {
        let word = Word::new(&either(read, 1.0), None, &self.lexicon.weights, self.generation)?;
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

    /// Reads one of the words that do occur as another one, so that something matches; false when none helps.
    fn correct_one(&mut self) -> Result<bool, Error> {
        let mut best: Option<(u64, usize, String)> = None;
        let mut tries = 0;
        for place in (0..self.words.len()).filter(|&place| !self.optional[place]) {
            let Some(word) = self.word(place) else { continue };
            if self.read[place].is_some() {
                continue;
            }
            for candidate in typo::candidates(word, false, self.generation)? {
                tries += 1;
                let count = self.count_with(place, &candidate)?;
                if count > best.as_ref().map_or(0, |(most, ..)| *most) {
                    best = Some((count, place, candidate));
                }
            }
            if tries >= MAX_TRIES {
                break;
            }
        }
        let Some((_, place, candidate)) = best else { return Ok(false) };
        self.replace(place, candidate)?;
        Ok(true)
    }

    /// Leaves words out until enough matches, or what was written without a space is all that is left.
    fn leave_out(&mut self, enough: u64) -> Result<(), Error> {
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
            for (bit, places) in chunks.iter().enumerate() {
                let mut docs = base.clone();
                for &place in places {
                    docs = self.words[place].docs(self.generation, ordinal, Some(&docs))?;
                }
                docs.for_each(|doc| sets[doc as usize] |= 1 << bit);
            }
            base.for_each(|doc| *having.entry(sets[doc as usize]).or_default() += 1);
        }
        let Some(kept) = self.worthiest(&chunks, &having, enough) else { return Ok(()) };
        for (bit, places) in chunks.iter().enumerate().filter(|(bit, _)| kept & (1 << bit) == 0) {
            debug_assert!(bit < 32);
            for &place in places {
                self.optional[place] = true;
                self.dropped[place] = true;
            }
        }
        Ok(())
    }

    /// The words that may be left out, by what was written without a space: no phrases, which somebody has marked,
    /// and no stop words, which are not asked for anyway.
    fn chunks(&self) -> Vec<Vec<usize>> {
        let mut chunks: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        for place in 0..self.words.len() {
            if self.word(place).is_none() || self.optional[place] {
                continue;
            }
            let chunk = self.parsed.chunks[place];
            match chunks.last_mut().filter(|_| last == Some(chunk)) {
                Some(places) => places.push(place),
                None => chunks.push(vec![place]),
            }
            last = Some(chunk);
        }
        chunks
    }

    /// The set of chunks that is worth most among those that enough documents have; without any such, the set
    /// that is worth most at all. Of equal ones that which more have, then that which keeps what comes first.
    fn worthiest(&self, chunks: &[Vec<usize>], having: &BTreeMap<u32, u64>, enough: u64) -> Option<u32> {
        let worths: Vec<f32> =
            chunks.iter().map(|places| places.iter().map(|&place| self.words[place].worth).sum()).collect();
        let worth = |set: u32| -> f32 {
            let kept = worths.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0);
            kept.map(|(_, worth)| worth).sum()
        };
        let having: Vec<(u32, u64)> = having.iter().map(|(&set, &count)| (set, count)).collect();
        let count = |set: u32| -> u64 {
            having.iter().map(|&(other, count)| if other & set == set { count } else { 0 }).sum()
        };
        let mut sets: Vec<(f32, u32)> =
            having.iter().filter(|(set, _)| *set != 0).map(|&(set, _)| (worth(set), set)).collect();
        sets.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let mut best: Option<(bool, f32, u64, u32)> = None;
        for (tries, (worth, set)) in sets.into_iter().enumerate() {
            let Some(known) = best else {
                let count = count(set);
                best = Some((count >= enough, worth, count, set.reverse_bits()));
                continue;
            };
            if known.0 && worth < known.1 {
                break;
            }
            if tries >= MAX_SETS && !known.0 {
                return Some(shortened(known.3.reverse_bits(), &worths, |set| count(set) >= enough));
            }
            let count = count(set);
            let found = (count >= enough, worth, count, set.reverse_bits());
            if found.partial_cmp(&known).is_some_and(Ordering::is_gt) {
                best = Some(found);
            }
        }
        best.map(|(.., set)| set.reverse_bits())
    }
}

/// A set without its cheapest chunks, down to what enough documents have.
fn shortened(mut set: u32, worths: &[f32], is_enough: impl Fn(u32) -> bool) -> u32 {
    while set.count_ones() > 1 && !is_enough(set) {
        let kept = worths.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0);
        let cheapest = kept.min_by(|one, other| one.1.total_cmp(other.1).then(other.0.cmp(&one.0)));
        set &= cheapest.map_or(0, |(bit, _)| !(1 << bit));
    }
    set
}
