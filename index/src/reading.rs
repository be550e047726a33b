//! How a text is read, and which documents match it.
//!
//! Every word must occur, in one of its forms ([`forms`](crate::forms)); stop words need not, unless there are no others. A text that finds something as it was typed is read so; only else words are
//! read as others, or left out ([`relax`](crate::relax)).

mod shown;

use std::{borrow::Cow, mem, sync::Arc};

use tantivy::schema::Term;

use crate::{
    bits::Bits,
    cursor::Reading,
    error::Error,
    generation::Generation,
    lookup::Form,
    parse::{Asked, Parsed, parse},
    postings,
    read::{Before, Read},
    settings::Lexicon,
    sheet::Lent,
    taken::Taken,
    text,
    word::Word,
};

/// What words that stand side by side as asked for add, of what they are worth.
const SIDE_BY_SIDE: f32 = 0.7;

/// What is called as it was asked for, by the end of its name or its type, gains this over what only mentions it:
/// for `mouse` a wireless mouse before a mouse pad.
pub(crate) const CALLED_SO: f32 = 1.28;

/// So many words together hardly any document has: finding those first, and weighing the words in them alone, takes
/// less than weighing the first words in all that have these.
const MANY: usize = 5;

/// What a text matches in one segment.
pub(crate) struct TextMatches {
    pub(crate) docs: Bits,
    /// By document, and meaningless where it does not match; none when they were not asked for.
    pub(crate) sheet: Option<Lent>,
}

/// What a text matches, and how it was read.
pub(crate) struct Answer {
    /// By segment.
    pub(crate) matches: Vec<TextMatches>,
    /// The text as it was read, when that is not as it was written.
    pub(crate) corrected: Option<String>,
    pub(crate) read: Arc<Read>,
    /// Every form of every word that was asked for.
    pub(crate) forms: Vec<Form>,
    /// What that took.
    pub(crate) taken: Taken,
}

/// Among which documents, by segment, a text is looked for.
pub(crate) struct Among<'a> {
    /// What the asker may see: it decides how the text is read.
    pub(crate) visible: &'a [Cow<'a, Bits>],
    /// What other filters leave of that, where there are some.
    pub(crate) within: Option<&'a Vec<&'a Bits>>,
}

/// Reads a text.
pub(crate) fn answer(
    text: &str,
    lexicon: &Lexicon,
    generation: &Generation,
    among: &Among<'_>,
    before: Before<'_>,
    scored: bool,
) -> Result<Answer, Error> {
    let parsed = parse(text);
    let mut reader = TextReader::new(&parsed, lexicon, generation, among.visible, before)?;
    let known = before.reading();
    if known.is_none() && !parsed.asked.is_empty() {
        reader.pair(None)?;
        let matches = reader.matches_within(among.within, scored)?;
        if is_any(&matches) || (among.within.is_some() && reader.finds()?) {
            return Ok(reader.finish(matches, true));
        }
        reader.is_relaxed = true;
        reader.relax()?;
    }
    if !reader.is_paired {
        reader.pair(known.map(|known| known.pairs.as_slice()))?;
    }
    let matches = reader.matches_within(among.within, scored)?;
    // Whether it was found at all, whatever filters leave of that.
    let is_found = is_any(&matches) || (among.within.is_some() && reader.is_changed() && reader.finds()?);
    Ok(reader.finish(matches, is_found))
}

fn is_any(matches: &[TextMatches]) -> bool {
    matches.iter().any(|found| !found.docs.is_empty())
}

/// A text while it is being read.
pub(crate) struct TextReader<'a> {
    pub(crate) parsed: &'a Parsed,
    pub(crate) lexicon: &'a Lexicon,
    pub(crate) generation: &'a Generation,
    /// What may match: visible, and holding nothing that is not wanted.
    pub(crate) base: Vec<Cow<'a, Bits>>,
    /// By thing asked for: what a word is read as that is not what was meant.
    pub(crate) read: Vec<Option<String>>,
    pub(crate) optional: Vec<bool>,
    pub(crate) dropped: Vec<bool>,
    pub(crate) words: Vec<Word>,
    /// Neighbours, for scores alone.
    pub(crate) pairs: Vec<Word>,
    /// Whether they are known already.
    is_paired: bool,
    /// How it was read, and its words looked up, in this very generation.
    read_before: Option<Arc<Read>>,
    /// Whether it was looked for what else it may mean.
    pub(crate) is_relaxed: bool,
}

impl<'a> TextReader<'a> {
    pub(crate) fn new(
        parsed: &'a Parsed,
        lexicon: &'a Lexicon,
        generation: &'a Generation,
        visible: &'a [Cow<'_, Bits>],
        before: Before<'_>,
    ) -> Result<Self, Error> {
        let asked = parsed.asked.len();
        let known = before.reading().filter(|known| known.fits(asked));
        let mut reader = Self {
            parsed,
            lexicon,
            generation,
            base: visible.iter().map(|visible| Cow::Borrowed(visible.as_ref())).collect(),
            read: known.map_or_else(|| vec![None; asked], |known| known.read.clone()),
            optional: known.map_or_else(|| stop_words(parsed, lexicon), |known| known.optional.clone()),
            dropped: known.map_or_else(|| vec![false; asked], |known| known.dropped.clone()),
            words: Vec::with_capacity(asked),
            pairs: Vec::new(),
            is_paired: false,
            read_before: None,
            is_relaxed: false,
        };
        if let Before::Read(read) = before
            && known.is_some()
            && let Some([words, pairs]) = read.words_in(generation)?
        {
            (reader.words, reader.pairs, reader.is_paired) = (words, pairs, true);
            reader.read_before = read.is_of(generation).then(|| Arc::clone(read));
            reader.exclude()?;
            return Ok(reader);
        }
        for place in 0..asked {
            let worths: Option<Vec<f32>> =
                known.map(|known| known.worths[place].iter().copied().map(f32::from_bits).collect());
            let word = reader.look_up(place, worths.as_deref())?;
            reader.words.push(word);
        }
        reader.exclude()?;
        Ok(reader)
    }

    /// A word in all its forms.
    fn look_up(&self, place: usize, worths: Option<&[f32]>) -> Result<Word, Error> {
        Word::new(&self.forms(place), worths, &self.lexicon.weights, self.generation)
    }

    /// After it, or a neighbour that it may be written together with, was read as another word.
    pub(crate) fn look_up_again(&mut self, place: usize) -> Result<(), Error> {
        for place in place.saturating_sub(1)..(place + 2).min(self.words.len()) {
            self.words[place] = self.look_up(place, None)?;
        }
        Ok(())
    }

    /// After words were left out: another one may be the last now.
    pub(crate) fn look_up_all(&mut self) -> Result<(), Error> {
        for place in 0..self.words.len() {
            self.words[place] = self.look_up(place, None)?;
        }
        Ok(())
    }

    pub(crate) fn word(&self, place: usize) -> Option<&str> {
        match (&self.read.get(place)?, self.parsed.asked.get(place)?) {
            (Some(read), _) => Some(read),
            (None, Asked::Word(word)) => Some(word),
            (None, Asked::Phrase(_) | Asked::Size(_)) => None,
        }
    }

    /// Whether anything is asked for beside what stands at a place.
    pub(crate) fn says_more(&self, place: usize) -> bool {
        let says = |other: usize| {
            other != place && !self.dropped[other] && !is_stop_word(&self.parsed.asked[other], self.lexicon)
        };
        (0..self.parsed.asked.len()).any(says)
    }

    pub(crate) fn is_size(&self, place: usize) -> bool {
        matches!(self.parsed.asked.get(place), Some(Asked::Size(_)))
    }

    /// Whether a word may be the beginning of a longer one: the last one may. Where what stood behind it is left out,
    /// it is the last one, as it is in the text that is said to have been read.
    pub(crate) fn is_begun(&self, place: usize) -> bool {
        let is_behind = |other: &usize| !self.dropped[*other];
        if (place + 1..self.dropped.len()).any(|other| is_behind(&other)) || !is_behind(&place) {
            return false;
        }
        let is_end_dropped = self.parsed.repeated.is_some_and(|repeated| self.dropped[repeated]);
        match self.word(place) {
            Some(word) if place + 1 < self.dropped.len() || self.is_size(place) || is_end_dropped => {
                self.parsed.may_be_begun(place, word)
            }
            _ => self.parsed.begun,
        }
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
                base.to_mut().and_not(&unwanted.docs(self.generation, ordinal, None)?);
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

    /// The same of what other filters leave.
    fn matches_within(
        &mut self,
        within: Option<&'a Vec<&'a Bits>>,
        scored: bool,
    ) -> Result<Vec<TextMatches>, Error> {
        let Some(within) = within else { return self.matches(scored) };
        let narrow = |(base, within): (&Cow<'_, Bits>, &&'a Bits)| {
            if self.parsed.excluded.is_empty() {
                return Cow::Borrowed(*within);
            }
            let mut narrowed = Bits::clone(within);
            narrowed.and(base);
            Cow::Owned(narrowed)
        };
        let narrowed = self.base.iter().zip(within).map(narrow).collect();
        let base = mem::replace(&mut self.base, narrowed);
        let matches = self.matches(scored);
        self.base = base;
        matches
    }

    fn matches_in(&self, ordinal: usize, places: &[usize], scored: bool) -> Result<TextMatches, Error> {
        if self.parsed.is_empty() {
            return Ok(TextMatches { docs: Bits::none(self.base[ordinal].bound()), sheet: None });
        }
        let needed = || places.iter().filter(|&&place| !self.optional[place]);
        let is_nowhere = needed().any(|&place| self.words[place].documents_in(ordinal) == 0);
        if is_nowhere && !self.is_code(ordinal)? {
            // All segments are ordered by the same keys.
            let sheet = scored.then(|| self.generation.segments[ordinal].view.sheets.lend());
            return Ok(TextMatches { docs: Bits::none(self.base[ordinal].bound()), sheet });
        }
        let mut docs = Bits::clone(&self.base[ordinal]);
        needed().for_each(|&place| self.words[place].narrow(self.generation, ordinal, &mut docs));
        if !scored {
            docs = self.having_all(ordinal, needed(), docs)?;
            self.add_codes(ordinal, &mut docs, &mut [])?;
            return Ok(TextMatches { docs, sheet: None });
        }
        if needed().count() >= MANY {
            docs = self.having_all(ordinal, needed(), docs)?;
        }
        let mut sheet = self.generation.segments[ordinal].view.sheets.lend();
        // Those that have everything, where something was left out.
        let mut complete = self.dropped.contains(&true).then(|| docs.clone());
        let mut is_first = true;
        if needed().next().is_none() {
            sheet.clear(&docs);
            is_first = false;
        }
        for &place in places.iter().filter(|&&place| !self.optional[place] || self.dropped[place]) {
            let word = &self.words[place];
            let found = match is_first {
                true => sheet.put(word, self.generation, ordinal, &docs)?,
                false => sheet.add(word, 1.0, self.generation, ordinal, &docs)?,
            };
            is_first = false;
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
        self.prefer_called(ordinal, &docs, &mut sheet.scores)?;
        if let Some(complete) = complete {
            let most = self.most();
            complete.for_each(|doc| sheet.scores[doc as usize] += most);
        }
        let priors = &self.generation.segments[ordinal].view.priors;
        docs.for_each(|doc| sheet.scores[doc as usize] *= priors[doc as usize]);
        self.add_codes(ordinal, &mut docs, &mut sheet.scores)?;
        Ok(TextMatches { docs, sheet: Some(sheet) })
    }

    /// Those of some documents that have every word of some places.
    pub(crate) fn having_all<'p>(
        &self,
        ordinal: usize,
        places: impl IntoIterator<Item = &'p usize>,
        mut docs: Bits,
    ) -> Result<Bits, Error> {
        for &place in places {
            if docs.is_empty() {
                break;
            }
            docs = self.words[place].docs(self.generation, ordinal, Some(&docs))?;
        }
        Ok(docs)
    }

    /// More than all words together can be worth.
    pub(crate) fn most(&self) -> f32 {
        let words = self.words.iter().map(|word| word.worth).sum::<f32>();
        let pairs = self.pairs.iter().map(|pair| pair.worth * SIDE_BY_SIDE).sum::<f32>();
        (words + pairs) * CALLED_SO
    }

    /// What a thing would be called that is what was asked for.
    pub(crate) fn kind(&self) -> String {
        let words: Vec<&str> = (0..self.words.len()).filter_map(|place| self.word(place)).collect();
        text::whole_phrase(&words.join(" "))
    }

    /// What is called so.
    pub(crate) fn called(&self, ordinal: usize, kind: &str) -> Result<Bits, Error> {
        let field = self.generation.fields.kind;
        let index = self.generation.index(ordinal, field)?;
        let mut called = Bits::none(self.base[ordinal].bound());
        if let Some(term) = index.get_term_info(&Term::from_field_text(field, kind))? {
            postings::collect(&index, &term, &mut called)?;
        }
        Ok(called)
    }

    fn prefer_called(&self, ordinal: usize, docs: &Bits, scores: &mut [f32]) -> Result<(), Error> {
        if docs.is_empty() {
            return Ok(());
        }
        let mut called = self.called(ordinal, &self.kind())?;
        called.and(docs);
        called.for_each(|doc| scores[doc as usize] *= CALLED_SO);
        Ok(())
    }

    /// Whether it is read as something else than what was written.
    pub(crate) fn is_changed(&self) -> bool {
        self.read.iter().any(Option::is_some) || self.dropped.contains(&true)
    }
}

/// The words that need not occur: stop words, unless there are no others.
fn stop_words(parsed: &Parsed, lexicon: &Lexicon) -> Vec<bool> {
    let are: Vec<bool> = parsed.asked.iter().map(|asked| is_stop_word(asked, lexicon)).collect();
    if are.contains(&false) { are } else { vec![false; are.len()] }
}

fn is_stop_word(asked: &Asked, lexicon: &Lexicon) -> bool {
    matches!(asked, Asked::Word(word) if lexicon.stop_words.contains(word))
}

impl Reading {
    /// Whether it can be of a text that asks for so many things.
    fn fits(&self, asked: usize) -> bool {
        let Self { read, optional, dropped, worths, .. } = self;
        [read.len(), optional.len(), dropped.len(), worths.len()] == [asked; 4]
    }
}
