//! Words that stand side by side as they were asked for, and what that adds.

use crate::{error::Error, lookup::Form, reading::TextReader, word::Word};

/// How much more a word of two is worth than they are, where it is far rarer: ten times.
const FAR_RARER: f32 = std::f32::consts::LN_10;

/// Pairs of words beyond these are not looked at.
const MAX_PAIRS: usize = 6;

/// In a text of more words no pair is looked at: the products that have so many words are few, and do not need it to
/// tell them apart; finding a pair takes milliseconds where both words are all over the catalog.
const MAX_WORDS: usize = 12;

impl TextReader<'_> {
    /// Looks up neighbours as phrases; `worths` are those of an earlier look-up, as bits.
    pub(crate) fn pair(&mut self, worths: Option<&[u32]>) -> Result<(), Error> {
        self.pairs.clear();
        if self.words.len() > MAX_WORDS {
            return Ok(());
        }
        for place in 1..self.words.len() {
            let is_out = |place: usize| self.optional[place] || self.word(place).is_none();
            if self.pairs.len() == MAX_PAIRS || is_out(place - 1) || is_out(place) {
                continue;
            }
            let known = worths.and_then(|worths| worths.get(self.pairs.len()).copied().map(f32::from_bits));
            let pair = self.pair_at(place, known)?;
            self.pairs.push(pair);
        }
        Ok(())
    }

    /// The word at a place and the one before it. They are worth what each is alone; but if they are also written as one
    /// word (`PS4`), and that in all its spellings is far rarer than they are, it is what was asked for, and worth that.
    fn pair_at(&self, place: usize, known: Option<f32>) -> Result<Word, Error> {
        let look_up = |forms: &[(Form, f32)]| Word::new(forms, None, &self.lexicon.weights, self.generation);
        let at = |place| self.word(place).unwrap_or_default();
        let (one, other) = (at(place - 1), at(place));
        let phrase = (Form::Phrase(vec![one.to_owned(), other.to_owned()]), 1.0);
        let joined = (Form::Stem(format!("{one}{other}")), 1.0);
        let words = (self.words[place - 1].worth + self.words[place].worth) / 2.0;
        if look_up(std::slice::from_ref(&joined))?.documents > 0 {
            let mut word = look_up(&[phrase.clone(), joined])?;
            let is_far_rarer = word.least() > words + FAR_RARER;
            if known.map_or(is_far_rarer, |known| known > words) {
                word.revalue(known.unwrap_or_else(|| word.least()));
                return Ok(word);
            }
        }
        let mut phrase = look_up(&[phrase])?;
        phrase.revalue(words);
        Ok(phrase)
    }
}
