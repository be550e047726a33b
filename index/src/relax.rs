//! Another way to read a text that matches nothing.
//!
//! 1. Words that occur nowhere are read as the nearest words that do ([`typo`](crate::typo)): among the commonest of
//!    those, the one that most documents have together with the other words. A word that occurs is never read as
//!    another.
//! 2. If that is not enough, words are left out, what was written without a space as one. Kept are those, of all
//!    that some document has together, that are worth most by their rarity. What is left out still counts for a
//!    document that has it.
//!
//! Phrases in quotation marks and what is not wanted are never touched. Which documents there are is decided by
//! what the asker may see, not by filters: ticking a brand must not change what a word means.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    rank::Word,
    reading::{TextReader, either},
    typo,
};

impl TextReader<'_> {
    /// Looks for a reading that matches something, of a text that does not.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        let mut unknown = Vec::new();
        for place in 0..self.words.len() {
            if self.is_unknown(place)? {
                unknown.push(place);
            }
        }
        // Those that are read another way count for those that come later.
        for &place in &unknown {
            self.optional[place] = true;
        }
        for &place in &unknown {
            self.optional[place] = !self.correct(place)?;
        }
        for &place in &unknown {
            self.optional[place] = false;
        }
        let corrected = !unknown.is_empty() && unknown.iter().all(|&place| self.read[place].is_some());
        if corrected && self.count()? > 0 { Ok(()) } else { self.leave_out() }
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

    /// Leaves words out so that something matches; what was written without a space is not taken apart.
    fn leave_out(&mut self) -> Result<(), Error> {
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
        let Some(kept) = self.worthiest(&chunks, &having) else { return Ok(()) };
        for (_, places) in chunks.iter().enumerate().filter(|(bit, _)| kept & (1 << bit) == 0) {
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

    /// The set of chunks that is worth most, of those that a document has. Of equal ones that which more have, then
    /// that which keeps what comes first.
    fn worthiest(&self, chunks: &[Vec<usize>], having: &BTreeMap<u32, u64>) -> Option<u32> {
        let worths: Vec<f32> =
            chunks.iter().map(|places| places.iter().map(|&place| self.words[place].worth).sum()).collect();
        let worth = |set: u32| -> f32 {
            let kept = worths.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0);
            kept.map(|(_, worth)| worth).sum()
        };
        let sets: Vec<(f32, u32)> =
            having.keys().filter(|set| **set != 0).map(|&set| (worth(set), set)).collect();
        let most = sets.iter().map(|(worth, _)| *worth).max_by(f32::total_cmp)?;
        let count = |set: u32| -> u64 {
            having.iter().filter(|(other, _)| *other & set == set).map(|(_, count)| count).sum()
        };
        let best = sets.iter().filter(|(worth, _)| worth.total_cmp(&most).is_eq());
        best.map(|&(_, set)| set).max_by_key(|&set| (count(set), set.reverse_bits()))
    }
}
