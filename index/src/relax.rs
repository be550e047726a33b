//! Another way to read a text that finds nothing as it was typed. The first that finds something holds:
//!
//! 1. Words that occur nowhere are read as the nearest words that do ([`typo`](crate::typo)): among the commonest of
//!    those, the one that most documents have together with the other words.
//! 2. One word that hardly any document has, and none together with the others, is read as a near one that is far
//!    commoner and that goes with them. So it is only when there is nothing else to show: a word that occurs is
//!    what was meant, however near it is to a commoner one, and totals count what was asked for.
//! 3. Words are left out, what was written without a space as one. Kept are, of all that some
//!    document has together, those that are worth most by their rarity: first the words that were typed as they occur,
//!    then the corrected ones, then those that say little alone (short words; numbers without the brand that was
//!    typed with them). One sign alone is never kept. What is left out still counts for a document that has it. What is
//!    kept is read as if nothing else had been typed: its last word may be the beginning of a longer one.
//!
//! Phrases in quotation marks and what is not wanted are never touched, nor is a text that is a whole stock keeping
//! unit. Which documents there are is decided by what the asker may see, not by filters: ticking a brand must not
//! change what a word means.

use std::cmp::Ordering;

use crate::{
    bits::Bits,
    error::Error,
    forms::either,
    parse::Asked,
    reading::TextReader,
    settings::Lexicon,
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
    /// Reads a text that finds nothing another way.
    pub(crate) fn relax(&mut self) -> Result<(), Error> {
        if self.correct_unknown()? && (self.finds()? || self.correct_rare()?) {
            return Ok(());
        }
        self.leave_out()
    }

    /// Whether anything matches, as the text is read now.
    pub(crate) fn finds(&self) -> Result<bool, Error> {
        Ok(self.matches(false)?.iter().any(|found| !found.docs.is_empty()))
    }

    /// Reads words that nobody wrote as others. False when there is one that is near to none.
    fn correct_unknown(&mut self) -> Result<bool, Error> {
        let mut unknown = Vec::new();
        for place in 0..self.words.len() {
            if self.having(place, 0)?.is_some() {
                unknown.push(place);
            }
        }
        // Those that are read another way count for those that come later.
        unknown.iter().for_each(|&place| self.optional[place] = true);
        let mut is_resolved = true;
        for &place in &unknown {
            match self.nearest(place, 1)? {
                Some((_, nearest)) => {
                    self.read[place] = Some(nearest);
                    self.look_up_again(place)?;
                    self.optional[place] = false;
                }
                None => is_resolved = false,
            }
        }
        unknown.iter().for_each(|&place| self.optional[place] = false);
        Ok(is_resolved)
    }

    /// Reads one word that hardly anybody wrote as another one with which the text finds something.
    fn correct_rare(&mut self) -> Result<bool, Error> {
        for place in 0..self.words.len() {
            let letters = self.word(place).map_or(0, |word| word.chars().count());
            if letters < LETTERS || self.words[place].is_given || self.read[place].is_some() {
                continue;
            }
            let Some(having) = self.having(place, FEW)? else { continue };
            let nearest = self.nearest(place, FAR_COMMONER.max(TIMES * having))?;
            if let Some((_, nearest)) = nearest.filter(|(together, _)| *together > 0) {
                self.read[place] = Some(nearest);
                self.look_up_again(place)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many documents have a word that must occur, if those are no more than so many; what is deleted or hidden must
    /// not tell.
    fn having(&self, place: usize, most: usize) -> Result<Option<usize>, Error> {
        if self.word(place).is_none() || self.optional[place] {
            return Ok(None);
        }
        self.words[place].count_few(self.generation, &self.base, most)
    }

    /// The word near to that at a place, of those that at least so many documents have, which goes best with those that
    /// must occur, and how many documents have them together.
    fn nearest(&self, place: usize, least: usize) -> Result<Option<(u64, String)>, Error> {
        let Some(word) = self.word(place) else { return Ok(None) };
        let is_common = |candidate: &str| -> Result<bool, Error> {
            let word = self.look_up_as(place, candidate)?;
            Ok(word.count_few(self.generation, &self.base, least - 1)?.is_none())
        };
        let Lexicon { vocabulary, stop_words, .. } = self.lexicon;
        let wanted = Wanted { begun: self.is_begun(place), vocabulary, stop_words, is_common };
        let candidates = typo::candidates(word, &wanted, self.generation)?;
        let others = if candidates.is_empty() { Vec::new() } else { self.having_others(place)? };
        let mut best: Option<(u64, String)> = None;
        for candidate in candidates {
            let together = self.count_among(&others, &self.look_up_as(place, &candidate)?)?;
            if best.as_ref().is_none_or(|(most, _)| together > *most) {
                best = Some((together, candidate));
            }
        }
        Ok(best)
    }

    /// A word in the place of another one: as it is, and if it has synonyms in all its forms.
    fn look_up_as(&self, place: usize, word: &str) -> Result<Word, Error> {
        let forms = if self.lexicon.vocabulary.contains(word) {
            self.forms_as(place, word)
        } else {
            either(word, 1.0)
        };
        Word::new(&forms, None, &self.lexicon.weights, self.generation)
    }

    /// By segment, what has all that must occur but for what stands at a place.
    fn having_others(&self, place: usize) -> Result<Vec<Bits>, Error> {
        let is_other = |other: &usize| *other != place && !self.optional[*other];
        let mut others: Vec<usize> = (0..self.words.len()).filter(is_other).collect();
        others.sort_by_key(|&other| self.words[other].documents);
        let base = self.base.iter().enumerate();
        base.map(|(ordinal, base)| self.having_all(ordinal, &others, Bits::clone(base))).collect()
    }

    /// How many of the documents, which are by segment, have a word.
    fn count_among(&self, documents: &[Bits], word: &Word) -> Result<u64, Error> {
        let mut count = 0;
        for (ordinal, documents) in
            documents.iter().enumerate().filter(|(_, documents)| !documents.is_empty())
        {
            count += word.docs(self.generation, ordinal, Some(documents))?.count();
        }
        Ok(count)
    }

    /// Leaves words out so that something matches; what was written without a space is not taken apart.
    fn leave_out(&mut self) -> Result<(), Error> {
        let chunks = self.chunks();
        if chunks.len() < 2 {
            return self.read_size_as_number();
        }
        let having = self.having_just(&chunks)?;
        let Some(kept) = worthiest(&chunks, &having) else { return Ok(()) };
        for (_, chunk) in chunks.iter().enumerate().filter(|(bit, _)| kept & (1 << bit) == 0) {
            for &place in &chunk.places {
                self.optional[place] = true;
                self.dropped[place] = true;
            }
        }
        self.look_up_all()?;
        if self.finds()? { Ok(()) } else { self.read_size_as_number() }
    }

    /// By set of chunks (a bit each), how many documents have just these.
    fn having_just(&self, chunks: &[Chunk]) -> Result<Vec<(u32, u64)>, Error> {
        let marked: Vec<usize> = (0..self.words.len()).filter(|&place| self.is_marked(place)).collect();
        let mut all = Vec::new();
        for ordinal in 0..self.base.len() {
            let mut sets = vec![0_u32; self.base[ordinal].bound() as usize];
            let base = self.having_all(ordinal, &marked, Bits::clone(&self.base[ordinal]))?;
            for (bit, chunk) in chunks.iter().enumerate() {
                let add = |doc: u32| sets[doc as usize] |= 1 << bit;
                if let [place] = chunk.places[..] {
                    self.words[place].visit(self.generation, ordinal, add)?;
                    continue;
                }
                self.having_all(ordinal, &chunk.places, base.clone())?.for_each(add);
            }
            base.for_each(|doc| all.push(sets[doc as usize]));
        }
        // Of many words nearly every document has other ones: sorting them is faster than a map.
        all.sort_unstable();
        Ok(all.chunk_by(|one, other| one == other).map(|same| (same[0], same.len() as u64)).collect())
    }

    /// Reads a size that nothing else is asked for with, and that nobody wrote as one, as its number.
    fn read_size_as_number(&mut self) -> Result<(), Error> {
        let mut sizes = (0..self.parsed.asked.len()).filter(|place| !self.optional[*place]);
        if let (Some(place), None) = (sizes.next(), sizes.next())
            && let Asked::Size(inches) = &self.parsed.asked[place]
            && !inches.contains('.')
        {
            self.read[place] = Some(inches.clone());
            self.look_up_again(place)?;
        }
        Ok(())
    }

    /// Whether somebody has marked it as what must stand there.
    fn is_marked(&self, place: usize) -> bool {
        matches!(self.parsed.asked[place], Asked::Phrase(_))
    }

    /// The words that may be left out, by what was written without a space: no phrases, which somebody has marked,
    /// and no stop words, which are not asked for anyway.
    fn chunks(&self) -> Vec<Chunk> {
        let mut runs: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        for place in 0..self.words.len() {
            if self.is_marked(place) || self.optional[place] {
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
        let word = |place: usize| match &self.parsed.asked[place] {
            Asked::Size(inches) => inches,
            _ => self.word(place).unwrap_or_default(),
        };
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
fn worthiest(chunks: &[Chunk], having: &[(u32, u64)]) -> Option<u32> {
    let chunks_of = |is: &dyn Fn(&Chunk) -> bool| -> u32 {
        chunks.iter().enumerate().filter(|(_, chunk)| is(chunk)).map(|(bit, _)| 1 << bit).sum()
    };
    let others = chunks_of(&|chunk| !chunk.is_sign);
    let by_strength = [Strength::Typed, Strength::Corrected, Strength::Weak]
        .map(|strength| chunks_of(&|chunk| chunk.strength == strength));
    let worth = |set: u32| {
        by_strength.map(|of| {
            let (mut left, mut worth) = (set & of, 0.0_f32);
            while left != 0 {
                worth += chunks[left.trailing_zeros() as usize].worth;
                left &= left - 1;
            }
            worth
        })
    };
    let count = |set: u32| -> u64 {
        having.iter().filter(|(other, _)| *other & set == set).map(|(_, count)| count).sum()
    };
    let compare = |one: &[f32; 3], other: &[f32; 3]| {
        let compared = one.iter().zip(other).map(|(one, other)| one.total_cmp(other));
        compared.fold(Ordering::Equal, Ordering::then)
    };
    let sets =
        having.iter().map(|(set, _)| *set).filter(|set| *set != 0 && (others == 0 || set & others != 0));
    let sets: Vec<([f32; 3], u32)> = sets.map(|set| (worth(set), set)).collect();
    let most = sets.iter().map(|(worth, _)| *worth).max_by(compare)?;
    let best = sets.iter().filter(|(worth, _)| compare(worth, &most).is_eq());
    best.map(|&(_, set)| set).max_by_key(|&set| (count(set), set.reverse_bits()))
}
