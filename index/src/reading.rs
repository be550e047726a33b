//! How a text is read, and which documents match it.
//!
//! Every word must occur, in one of its forms ([`lookup`](crate::lookup)); stop words need not, unless there are
//! no others. Only if nothing matches, the text is read another way ([`relax`](crate::relax)).

use tantivy::schema::{IndexRecordOption, Term};

use crate::{
    bits::Bits,
    cursor::Reading,
    error::Error,
    generation::Generation,
    lookup::Form,
    parse::{Asked, Parsed, parse},
    postings,
    rank::{Sheet, Word},
    settings::Lexicon,
    text,
};

/// What a form is worth beside the word itself.
pub(crate) mod factor {
    /// `batteries` for `battery`.
    pub(crate) const STEM: f32 = 0.85;
    /// That it is not only of the stem, but as it was typed.
    pub(crate) const WHOLE: f32 = 1.0 - STEM;
    /// `smart watch` for `smartwatch`, and back.
    pub(crate) const SPELLING: f32 = 0.9;
    /// Set by the shop, which knows; still, whoever types a word prefers it.
    pub(crate) const SYNONYM: f32 = 0.85;
    /// A word that is only begun may become another one. It counts where the word itself does not stand, and stands
    /// in a name below the whole word in any field.
    pub(crate) const BEGUN: f32 = 0.45;
}

/// What words that stand side by side as asked for add, of what they are worth.
const SIDE_BY_SIDE: f32 = 0.7;

/// Pairs of words beyond these are not looked at.
const MAX_PAIRS: usize = 6;

/// What is called as it was asked for, by the end of its name or its type, gains this over what only mentions it:
/// for `mouse` a wireless mouse before a mouse pad.
const CALLED_SO: f32 = 1.28;

/// The largest prior; see [`rank::prior`](crate::rank::prior).
const MAX_PRIOR: f32 = 1.1;

/// What a text matches in one segment.
pub(crate) struct TextMatches {
    pub(crate) docs: Bits,
    /// By document, and meaningless where it does not match; empty when scores were not asked for.
    pub(crate) scores: Vec<f32>,
}

/// What a text matches, and how it was read.
pub(crate) struct Answer {
    /// By segment.
    pub(crate) matches: Vec<TextMatches>,
    /// The text as it was read, when that is not as it was written.
    pub(crate) corrected: Option<String>,
    pub(crate) reading: Reading,
    /// Every form of every word that was asked for.
    pub(crate) forms: Vec<Form>,
}

/// Reads a text. `visible` says by segment what the asker may see; `known` is how an earlier page read it.
pub(crate) fn answer(
    text: &str,
    lexicon: &Lexicon,
    generation: &Generation,
    visible: &[Bits],
    known: Option<&Reading>,
    scored: bool,
) -> Result<Answer, Error> {
    let parsed = parse(text);
    let mut reader = TextReader::new(&parsed, lexicon, generation, visible, known)?;
    let mut matches = reader.matches(scored)?;
    let found = matches.iter().any(|found| !found.docs.is_empty());
    if known.is_none() && !parsed.asked.is_empty() && !found {
        reader.settle()?;
        reader.pair()?;
        matches = reader.matches(scored)?;
    }
    Ok(reader.finish(matches))
}

/// A text while it is being read.
pub(crate) struct TextReader<'a> {
    pub(crate) parsed: &'a Parsed,
    pub(crate) lexicon: &'a Lexicon,
    pub(crate) generation: &'a Generation,
    /// What may match: visible, and holding nothing that is not wanted.
    pub(crate) base: Vec<Bits>,
    /// By thing asked for.
    pub(crate) read: Vec<Option<String>>,
    pub(crate) optional: Vec<bool>,
    pub(crate) dropped: Vec<bool>,
    pub(crate) words: Vec<Word>,
    /// Neighbours, as phrases, for scores alone.
    pub(crate) pairs: Vec<Word>,
}

impl<'a> TextReader<'a> {
    fn new(
        parsed: &'a Parsed,
        lexicon: &'a Lexicon,
        generation: &'a Generation,
        visible: &[Bits],
        known: Option<&Reading>,
    ) -> Result<Self, Error> {
        let asked = parsed.asked.len();
        let known = known.filter(|known| known.fits(asked));
        let mut reader = Self {
            parsed,
            lexicon,
            generation,
            base: visible.to_vec(),
            read: known.map_or_else(|| vec![None; asked], |known| known.read.clone()),
            optional: known.map_or_else(|| stop_words(parsed, lexicon), |known| known.optional.clone()),
            dropped: known.map_or_else(|| vec![false; asked], |known| known.dropped.clone()),
            words: Vec::with_capacity(asked),
            pairs: Vec::new(),
        };
        for place in 0..asked {
            let worths: Option<Vec<f32>> =
                known.map(|known| known.worths[place].iter().copied().map(f32::from_bits).collect());
            let word = reader.look_up(place, worths.as_deref())?;
            reader.words.push(word);
        }
        reader.exclude()?;
        reader.pair()?;
        Ok(reader)
    }

    /// Looks up neighbours as phrases.
    fn pair(&mut self) -> Result<(), Error> {
        self.pairs.clear();
        for place in 1..self.words.len() {
            let (Some(one), Some(other)) = (self.word(place - 1), self.word(place)) else { continue };
            if self.pairs.len() == MAX_PAIRS || self.optional[place - 1] || self.optional[place] {
                continue;
            }
            let phrase = [(Form::Phrase(vec![one.to_owned(), other.to_owned()]), 1.0)];
            let worth = (self.words[place - 1].worth + self.words[place].worth) / 2.0;
            let pair = Word::new(&phrase, Some(&[worth]), &self.lexicon.weights, self.generation)?;
            self.pairs.push(pair);
        }
        Ok(())
    }

    pub(crate) fn look_up(&self, place: usize, worths: Option<&[f32]>) -> Result<Word, Error> {
        Word::new(&self.forms(place), worths, &self.lexicon.weights, self.generation)
    }

    pub(crate) fn word(&self, place: usize) -> Option<&str> {
        match (&self.read.get(place)?, self.parsed.asked.get(place)?) {
            (Some(read), _) => Some(read),
            (None, Asked::Word(word)) => Some(word),
            (None, Asked::Phrase(_)) => None,
        }
    }

    pub(crate) fn is_begun(&self, place: usize) -> bool {
        self.parsed.begun && place + 1 == self.parsed.asked.len()
    }

    /// In which forms the word at a place may occur, best first, each with its factor.
    fn forms(&self, place: usize) -> Vec<(Form, f32)> {
        if let (Asked::Phrase(words), None) = (&self.parsed.asked[place], &self.read[place]) {
            return vec![(Form::Phrase(words.clone()), 1.0)];
        }
        let word = self.word(place).unwrap_or_default().to_owned();
        let mut forms = either(&word, 1.0);
        forms.push((Form::Apart(word.clone()), factor::SPELLING));
        for (first, last) in [(place.wrapping_sub(1), place), (place, place + 1)] {
            if let (Some(head), Some(tail)) = (self.word(first), self.word(last)) {
                let joined = format!("{head}{tail}");
                forms.extend(either(&joined, factor::SPELLING));
                if self.is_begun(last) {
                    forms.push((Form::Begun(joined), factor::SPELLING * factor::BEGUN));
                }
            }
        }
        for synonym in self.synonyms(place) {
            match synonym.as_slice() {
                [word] => {
                    forms.extend(either(word, factor::SYNONYM));
                    forms.push((Form::Apart(word.clone()), factor::SYNONYM * factor::SPELLING));
                }
                [head, tail] => {
                    forms.push((Form::Phrase(synonym.clone()), factor::SYNONYM));
                    forms.extend(either(&format!("{head}{tail}"), factor::SYNONYM * factor::SPELLING));
                }
                _ => forms.push((Form::Phrase(synonym.clone()), factor::SYNONYM)),
            }
        }
        if self.is_begun(place) {
            forms.push((Form::Begun(word), factor::BEGUN));
        }
        forms
    }

    /// What else the phrases find of which the word at a place is a part.
    fn synonyms(&self, place: usize) -> Vec<&Vec<String>> {
        let mut found = Vec::new();
        let longest = self.lexicon.longest;
        for first in (place + 1).saturating_sub(longest)..=place {
            for last in place..first.saturating_add(longest) {
                let phrase: Option<Vec<String>> =
                    (first..=last).map(|place| self.word(place).map(str::to_owned)).collect();
                let Some(phrase) = phrase else { break };
                let others = self.lexicon.synonyms.get(&text::spelling(&phrase)).into_iter().flatten();
                // Of several spellings, that which was typed.
                found.extend(others.filter(|other| **other != phrase));
            }
        }
        found
    }

    /// Takes out of the base what holds something that is not wanted.
    fn exclude(&mut self) -> Result<(), Error> {
        for phrase in &self.parsed.excluded {
            let mut forms = vec![Form::Phrase(phrase.clone())];
            if let [word] = phrase.as_slice() {
                forms.push(Form::Stem(word.clone()));
            }
            let forms: Vec<(Form, f32)> = forms.into_iter().map(|form| (form, 1.0)).collect();
            let unwanted = Word::new(&forms, None, &self.lexicon.weights, self.generation)?;
            for (ordinal, base) in self.base.iter_mut().enumerate() {
                base.and_not(&unwanted.docs(self.generation, ordinal, None)?);
            }
        }
        Ok(())
    }

    /// Which documents match, as the text is read now.
    pub(crate) fn matches(&self, scored: bool) -> Result<Vec<TextMatches>, Error> {
        let mut places: Vec<usize> = (0..self.words.len()).collect();
        // The rarest first, so that the later ones only look at what is left; those that need not occur last.
        places.sort_by_key(|&place| (self.optional[place], self.words[place].documents));
        (0..self.base.len()).map(|ordinal| self.matches_in(ordinal, &places, scored)).collect()
    }

    fn matches_in(&self, ordinal: usize, places: &[usize], scored: bool) -> Result<TextMatches, Error> {
        if self.parsed.is_empty() {
            return Ok(TextMatches { docs: Bits::none(self.base[ordinal].bound()), scores: Vec::new() });
        }
        let mut docs = self.base[ordinal].clone();
        if !scored {
            for &place in places.iter().filter(|&&place| !self.optional[place]) {
                docs = self.words[place].docs(self.generation, ordinal, Some(&docs))?;
            }
            self.add_codes(ordinal, &mut docs, &mut [])?;
            return Ok(TextMatches { docs, scores: Vec::new() });
        }
        let mut sheet = Sheet::new(docs.bound());
        // Those that have everything, where something was left out.
        let mut complete = self.dropped.contains(&true).then(|| docs.clone());
        for &place in places.iter().filter(|&&place| !self.optional[place] || self.dropped[place]) {
            let found = sheet.add(&self.words[place], 1.0, self.generation, ordinal, &docs)?;
            if let Some(complete) = &mut complete {
                complete.and(&found);
            }
            if !self.optional[place] {
                docs = found;
            }
        }
        for pair in &self.pairs {
            sheet.add(pair, SIDE_BY_SIDE, self.generation, ordinal, &docs)?;
        }
        let mut scores = sheet.scores;
        self.prefer_called(ordinal, &docs, &mut scores)?;
        if let Some(complete) = complete {
            let most = self.most();
            complete.for_each(|doc| scores[doc as usize] += most);
        }
        let priors = &self.generation.segments[ordinal].view.priors;
        docs.for_each(|doc| scores[doc as usize] *= priors[doc as usize]);
        self.add_codes(ordinal, &mut docs, &mut scores)?;
        Ok(TextMatches { docs, scores })
    }

    /// More than all words together can be worth.
    fn most(&self) -> f32 {
        let words = self.words.iter().map(|word| word.worth).sum::<f32>();
        let pairs = self.pairs.iter().map(|pair| pair.worth * SIDE_BY_SIDE).sum::<f32>();
        (words + pairs) * CALLED_SO
    }

    fn prefer_called(&self, ordinal: usize, docs: &Bits, scores: &mut [f32]) -> Result<(), Error> {
        let field = self.generation.fields.kind;
        let words: Vec<&str> = (0..self.words.len()).filter_map(|place| self.word(place)).collect();
        let kind = text::whole_phrase(&words.join(" "));
        let index = self.generation.segments[ordinal].reader.inverted_index(field)?;
        let Some(term) = index.get_term_info(&Term::from_field_text(field, &kind))? else { return Ok(()) };
        postings::for_each_block(&index, &term, IndexRecordOption::Basic, |found, _| {
            found
                .iter()
                .filter(|doc| docs.contains(**doc))
                .for_each(|&doc| scores[doc as usize] *= CALLED_SO);
        })
    }

    /// Whoever types a whole stock keeping unit wants that product: above anything that words can add up to.
    fn add_codes(&self, ordinal: usize, docs: &mut Bits, scores: &mut [f32]) -> Result<(), Error> {
        let field = self.generation.fields.code;
        if self.parsed.code.is_empty() {
            return Ok(());
        }
        let index = self.generation.segments[ordinal].reader.inverted_index(field)?;
        let Some(term) = index.get_term_info(&Term::from_field_text(field, &self.parsed.code))? else {
            return Ok(());
        };
        let bonus = (2.0 * self.most() * MAX_PRIOR).ceil() + 1.0;
        postings::for_each_block(&index, &term, IndexRecordOption::Basic, |found, _| {
            for &doc in found.iter().filter(|doc| self.base[ordinal].contains(**doc)) {
                if let Some(score) = scores.get_mut(doc as usize) {
                    *score = bonus + if docs.contains(doc) { *score } else { 0.0 };
                }
                docs.insert(doc);
            }
        })
    }

    pub(crate) fn count(&self) -> Result<u64, Error> {
        Ok(self.matches(false)?.iter().map(|found| found.docs.count()).sum())
    }

    fn finish(self, matches: Vec<TextMatches>) -> Answer {
        let bits = |worths: &Vec<f32>| worths.iter().map(|worth| worth.to_bits()).collect();
        let changed = self.read.iter().any(Option::is_some) || self.dropped.contains(&true);
        let found = matches.iter().any(|found| !found.docs.is_empty());
        let is_meant = |place: &usize| !self.optional[*place] || self.dropped[*place];
        let forms = (0..self.words.len()).filter(is_meant).flat_map(|place| {
            let worths = self.words[place].worths.clone();
            self.forms(place).into_iter().zip(worths).filter(|(_, worth)| *worth != 0.0)
        });
        Answer {
            corrected: (changed && found).then(|| self.text()),
            forms: forms.map(|((form, _), worth)| if worth < 0.0 { form.as_it_is() } else { form }).collect(),
            reading: Reading {
                worths: self.words.iter().map(|word| bits(&word.worths)).collect(),
                read: self.read,
                optional: self.optional,
                dropped: self.dropped,
            },
            matches,
        }
    }

    /// The text as it was read.
    fn text(&self) -> String {
        let asked = (0..self.words.len()).filter(|&place| !self.dropped[place]);
        let asked = asked.map(|place| match (&self.parsed.asked[place], self.word(place)) {
            (Asked::Phrase(words), None) => format!("\"{}\"", words.join(" ")),
            (_, word) => word.unwrap_or_default().to_owned(),
        });
        let excluded = self.parsed.excluded.iter().map(|words| match words.as_slice() {
            [word] => format!("-{word}"),
            words => format!("-\"{}\"", words.join(" ")),
        });
        asked.chain(excluded).collect::<Vec<_>>().join(" ")
    }
}

/// A word as it is and by its stem, which together make the factor; numbers and words of other scripts have none.
pub(crate) fn either(word: &str, factor: f32) -> Vec<(Form, f32)> {
    if !text::is_inflected(word) {
        return vec![(Form::Whole(word.to_owned()), factor)];
    }
    let (whole, stem) = (factor * factor::WHOLE, factor * factor::STEM);
    vec![(Form::Whole(word.to_owned()), whole), (Form::Stem(word.to_owned()), stem)]
}

/// The words that need not occur: stop words, unless there are no others.
fn stop_words(parsed: &Parsed, lexicon: &Lexicon) -> Vec<bool> {
    let is_stop_word =
        |asked: &Asked| matches!(asked, Asked::Word(word) if lexicon.stop_words.contains(word));
    if parsed.asked.iter().all(is_stop_word) {
        return vec![false; parsed.asked.len()];
    }
    parsed.asked.iter().map(is_stop_word).collect()
}

impl Reading {
    /// Whether it can be of a text that asks for so many things.
    fn fits(&self, asked: usize) -> bool {
        [self.read.len(), self.optional.len(), self.dropped.len(), self.worths.len()] == [asked; 4]
    }
}
