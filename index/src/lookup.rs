//! A word, looked up in a generation: every form in which documents may hold it.
//!
//! The forms of one word add up: the word as it is, any word of its stem, its other spellings (parts that are written together or apart), its synonyms, and, if it is only
//! begun, the longer words that it begins. Which of them there are depends on the text alone, so that a later
//! generation can use what they were worth in an earlier one.

// over 400 lines: a form, where it stands in a segment and which of very many longer words count are one look-up

use std::{
    cmp::Reverse,
    collections::HashSet,
    hash::BuildHasher,
    sync::{Arc, LazyLock},
};

use foldhash::fast::RandomState;
use tantivy::{
    DocSet as _, TERMINATED,
    index::InvertedIndexReader,
    postings::TermInfo,
    query::{EnableScoring, PhraseQuery, Query as _},
    schema::Term,
};

use crate::{
    bounded::Bounded,
    error::Error,
    generation::Generation,
    postings,
    schema::TextField,
    segment::SegmentView,
    text::{self, SIZE_MARK, STEM_MARK},
    vocabulary::{Texts, Vocabulary},
    words::Places,
};

/// The longer words that a prefix may stand for, in each field. More than that is not a search yet, and the most
/// frequent ones cover nearly all documents.
const MAX_EXPANSIONS: usize = 1024;

/// Letters that each part of a word has at least where it is taken apart between letters (`wi fi`).
const MIN_PART: usize = 2;

/// Letters of a part beside a single one (`t shirt`, `usb c`).
const MIN_BESIDE_INITIAL: usize = 3;

/// Bytes that the forms that were looked up in a segment may take, and what an entry takes beside what it holds.
const MOST_BYTES: usize = 4 << 20;
const ENTRY_BYTES: usize = 256;

/// Where in a segment a form is.
#[derive(Debug, Default)]
pub(crate) struct Here {
    /// Field by field; where it is begun, word by word in each.
    pub(crate) sources: Vec<(TextField, Source)>,
    /// In how many documents, by field.
    pub(crate) by_field: [u64; TextField::ALL.len()],
    /// Where it is begun, which word it is, for each source.
    words: Vec<u64>,
}

impl Here {
    fn push(&mut self, field: TextField, source: Source) {
        self.by_field[field as usize] += source.documents();
        self.sources.push((field, source));
    }

    /// The words of a field that it begins.
    fn words_of(&self, field: TextField) -> &[u64] {
        let start = self.sources.partition_point(|(other, _)| *other < field);
        let end = self.sources.partition_point(|(other, _)| *other <= field);
        self.words.get(start..end).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> usize {
        let beside = self.sources.iter().map(|(_, source)| source.bytes()).sum::<usize>();
        size_of_val::<[_]>(&self.sources) + size_of_val::<[_]>(&self.words) + beside
    }
}

/// Where in a segment those forms are that were looked up: it never changes, so that this outlasts the generation.
/// Nothing for what begins too many words to choose from them here.
#[derive(Debug)]
pub(crate) struct LookedUp(Bounded<Form, Option<Arc<Here>>>);

impl Default for LookedUp {
    fn default() -> Self {
        Self(Bounded::new(MOST_BYTES))
    }
}

/// Where a form was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) field: TextField,
    /// Which segment.
    pub(crate) ordinal: usize,
    pub(crate) source: Source,
}

/// The documents of a form in one field of one segment.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A term's postings.
    Term(TermInfo),
    /// Where a phrase stands, ascending.
    Docs(Arc<[u32]>),
}

impl Source {
    /// How many, deleted ones included.
    pub(crate) fn documents(&self) -> u64 {
        match self {
            Self::Term(term) => u64::from(term.doc_freq),
            Self::Docs(docs) => docs.len() as u64,
        }
    }

    /// What it takes beside its place.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Term(_) => 0,
            Self::Docs(docs) => size_of_val::<[u32]>(docs),
        }
    }
}

/// A form of a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// The word as it is.
    Whole(String),
    /// All words of its stem, itself included; in fields without stems just itself.
    Stem(String),
    /// The word as two that stand side by side, wherever it can be cut.
    Apart(String),
    /// Words that stand side by side, as they are.
    Phrase(Vec<String>),
    /// So many inches, in fields that are no names of makers or numbers of articles.
    Size(String),
    /// Words that begin so, and are longer. One letter is only looked for in what is short: names, brands, numbers,
    /// categories.
    Begun(String),
}

impl Form {
    /// The same without other words of its stem.
    pub(crate) fn as_it_is(&self) -> Self {
        match self {
            Self::Stem(word) => Self::Whole(word.clone()),
            form => form.clone(),
        }
    }

    /// Looks it up in every field.
    pub(crate) fn find(&self, generation: &Generation) -> Result<Places, Error> {
        let mut found = Vec::with_capacity(generation.segments.len());
        let mut new = Vec::new();
        for ordinal in 0..generation.segments.len() {
            let (here, is_new) = self.look_here(ordinal, generation)?;
            if is_new {
                new.push((ordinal, here.clone()));
            }
            found.push(here);
        }
        let is_whole = new.is_empty() || generation.is_whole();
        if is_whole {
            new.into_iter().for_each(|(ordinal, here)| self.keep_here(here, ordinal, generation));
        }
        let found: Option<Vec<Arc<Here>>> = found.into_iter().collect();
        let Some(found) = found else { return self.choose(generation) };
        let begins_too_many = |field| {
            let words = || found.iter().map(|here: &Arc<Here>| here.words_of(field));
            words().map(<[u64]>::len).sum::<usize>() > MAX_EXPANSIONS
                && words().flatten().collect::<HashSet<_, RandomState>>().len() > MAX_EXPANSIONS
        };
        if TextField::ALL.into_iter().any(begins_too_many) {
            return self.choose(generation);
        }
        Ok(Places::new(found, 0, is_whole))
    }

    /// Where in a segment it is, and whether that was read from its files: then whoever asks may
    /// [keep](Self::keep_here) it. Nothing for what begins too many words to choose from them here.
    pub(crate) fn look_here(
        &self,
        ordinal: usize,
        generation: &Generation,
    ) -> Result<(Option<Arc<Here>>, bool), Error> {
        static NOWHERE: LazyLock<Arc<Here>> = LazyLock::new(Arc::default);
        let view = &generation.segments[ordinal].view;
        if let Some(here) = view.looked_up.0.get(self) {
            return Ok((here, false));
        }
        match view.vocabulary().map_or(Texts::ALL, |vocabulary| self.texts_in(vocabulary)) {
            Texts::NONE => Ok((Some(Arc::clone(&NOWHERE)), false)),
            texts => Ok((self.find_here(texts, ordinal, generation)?.map(Arc::new), true)),
        }
    }

    /// Whether the list of a segment's words says that it is not there; where there is none, nobody knows.
    pub(crate) fn is_unlisted(&self, segment: &SegmentView) -> bool {
        segment.vocabulary().is_some_and(|vocabulary| self.texts_in(vocabulary) == Texts::NONE)
    }

    /// Keeps where in a segment it is, which outlasts the generation: nothing that was read while somebody wrote to the
    /// files, which the caller sees to.
    pub(crate) fn keep_here(&self, here: Option<Arc<Here>>, ordinal: usize, generation: &Generation) {
        let bytes = ENTRY_BYTES + here.as_ref().map_or(0, |here| here.bytes());
        generation.segments[ordinal].view.looked_up.0.keep(self.clone(), here, bytes);
    }

    /// Looks it up in some texts of a segment; nothing for what begins too many words to choose from them here.
    fn find_here(
        &self,
        texts: Texts,
        ordinal: usize,
        generation: &Generation,
    ) -> Result<Option<Here>, Error> {
        let fields: Vec<TextField> = TextField::ALL.into_iter().filter(|field| texts.have(*field)).collect();
        if let Self::Begun(word) = self {
            return begun_here(word, &fields, ordinal, generation);
        }
        let (mut found, mut here) = (Vec::new(), Here::default());
        self.find_where(&fields, generation, |other| other == ordinal, &mut found, &mut 0)?;
        found.into_iter().for_each(|Found { field, source, .. }| here.push(field, source));
        Ok(Some(here))
    }

    /// In which texts of a segment that has these words the form may be.
    fn texts_in(&self, vocabulary: &Vocabulary) -> Texts {
        let any = |texts: &mut dyn Iterator<Item = Texts>| texts.fold(Texts::NONE, Texts::or);
        match self {
            Self::Whole(word) => vocabulary.having(word),
            Self::Stem(word) => {
                let stem = text::stem(word);
                let stem = stem.as_deref().unwrap_or(word);
                let marked = format!("{STEM_MARK}{stem}");
                any(&mut [word, stem, &marked].into_iter().map(|term| vocabulary.having(term)))
            }
            Self::Apart(word) => any(&mut cuts(word).map(|(head, _)| vocabulary.having(head))),
            Self::Phrase(words) => {
                words.iter().map(|word| vocabulary.having(word)).fold(Texts::ALL, Texts::and)
            }
            Self::Size(inches) => vocabulary.having(&format!("{SIZE_MARK}{inches}")),
            Self::Begun(word) => {
                let longer = vocabulary.beginning(word).filter(|(term, _)| term.len() > word.len());
                any(&mut longer.map(|(_, texts)| texts))
            }
        }
    }

    /// Looks longer words up in all segments at once: which of them count is decided over all.
    fn choose(&self, generation: &Generation) -> Result<Places, Error> {
        let (mut found, mut chosen) = (Vec::new(), 0);
        self.find_where(&TextField::ALL, generation, |_| true, &mut found, &mut chosen)?;
        let mut by_segment: Vec<Here> = generation.segments.iter().map(|_| Here::default()).collect();
        found
            .into_iter()
            .for_each(|Found { field, ordinal, source }| by_segment[ordinal].push(field, source));
        Ok(Places::new(by_segment.into_iter().map(Arc::new).collect(), chosen, generation.is_whole()))
    }

    /// Looks it up in some fields.
    pub(crate) fn find_in(&self, fields: &[TextField], generation: &Generation) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        self.find_where(fields, generation, |_| true, &mut found, &mut 0)?;
        Ok(found)
    }

    fn find_where(
        &self,
        fields: &[TextField],
        generation: &Generation,
        is_wanted: impl Fn(usize) -> bool + Copy,
        found: &mut Vec<Found>,
        chosen: &mut u64,
    ) -> Result<(), Error> {
        for &field in fields {
            let indexes = generation.indexes(generation.fields.text[field as usize], is_wanted)?;
            let look_up = LookUp { field, indexes: &indexes, generation };
            match self {
                Self::Whole(word) => look_up.term(word, found)?,
                Self::Stem(word) => look_up.stem(word, found)?,
                Self::Apart(word) => look_up.apart(word, found)?,
                Self::Phrase(words) => look_up.phrase(words, found)?,
                Self::Size(inches) => look_up.term(&format!("{SIZE_MARK}{inches}"), found)?,
                Self::Begun(word) if is_noise(word, field) => {}
                Self::Begun(word) => look_up.begun(word, found, chosen)?,
            }
        }
        Ok(())
    }
}

/// Half of all words begin with one of a few letters: in prose that is noise.
fn is_noise(begun: &str, field: TextField) -> bool {
    begun.len() == 1 && field.is_prose()
}

/// The longer words of a segment that a word begins, in some fields; nothing where they are too many in one.
fn begun_here(
    word: &str,
    fields: &[TextField],
    ordinal: usize,
    generation: &Generation,
) -> Result<Option<Here>, Error> {
    let mut here = Here::default();
    for &field in fields.iter().filter(|field| !is_noise(word, **field)) {
        let before = here.sources.len();
        let index = generation.index(ordinal, generation.fields.text[field as usize])?;
        let mut terms = index.terms().range().ge(word).into_stream()?;
        while terms.advance() {
            let Some(rest) = terms.key().strip_prefix(word.as_bytes()) else { break };
            if here.sources.len() - before > MAX_EXPANSIONS {
                return Ok(None);
            }
            if !rest.is_empty() {
                here.words.push(HASHES.hash_one(rest));
                here.push(field, Source::Term(terms.value().clone()));
            }
        }
    }
    Ok(Some(here))
}

/// A field of all segments.
struct LookUp<'a> {
    field: TextField,
    indexes: &'a [(usize, Arc<InvertedIndexReader>)],
    generation: &'a Generation,
}

impl LookUp<'_> {
    fn push(&self, ordinal: usize, source: Source, found: &mut Vec<Found>) {
        found.push(Found { field: self.field, ordinal, source });
    }

    fn term(&self, word: &str, found: &mut Vec<Found>) -> Result<(), Error> {
        for (ordinal, index) in self.indexes {
            if let Some(term) = index.terms().get(word)? {
                self.push(*ordinal, Source::Term(term), found);
            }
        }
        Ok(())
    }

    fn stem(&self, word: &str, found: &mut Vec<Found>) -> Result<(), Error> {
        if !self.field.has_stems() {
            return self.term(word, found);
        }
        // Words that are their own stem stand without a mark.
        let stem = text::stem(word);
        let stem = stem.as_deref().unwrap_or(word);
        self.term(stem, found)?;
        self.term(&format!("{STEM_MARK}{stem}"), found)
    }

    fn apart(&self, word: &str, found: &mut Vec<Found>) -> Result<(), Error> {
        for (head, tail) in cuts(word) {
            for (ordinal, index) in self.indexes {
                let vocabulary = self.generation.segments[*ordinal].view.vocabulary();
                if vocabulary.is_some_and(|vocabulary| !vocabulary.having(head).have(self.field)) {
                    continue;
                }
                if index.terms().get(head)?.is_none() {
                    continue;
                }
                let mut tails = vec![tail.to_owned()];
                if self.field.has_stems() {
                    let stem = text::stem(tail);
                    let marked = format!("{STEM_MARK}{}", stem.as_deref().unwrap_or(tail));
                    tails.extend(stem.into_iter().chain([marked]));
                }
                for tail in tails {
                    if index.terms().get(&tail)?.is_some() {
                        self.adjacent(*ordinal, &[head, &tail], found)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn phrase<T: AsRef<str>>(&self, words: &[T], found: &mut Vec<Found>) -> Result<(), Error> {
        if let [word] = words {
            return self.term(word.as_ref(), found);
        }
        for (ordinal, _) in self.indexes {
            self.adjacent(*ordinal, words, found)?;
        }
        Ok(())
    }

    fn adjacent<T: AsRef<str>>(
        &self,
        ordinal: usize,
        words: &[T],
        found: &mut Vec<Found>,
    ) -> Result<(), Error> {
        let field = self.generation.fields.text[self.field as usize];
        let terms = words.iter().map(|word| Term::from_field_text(field, word.as_ref())).collect();
        let scoring = EnableScoring::disabled_from_schema(&self.generation.fields.schema);
        let weight = PhraseQuery::new(terms).weight(scoring)?;
        let mut matches = weight.scorer(&self.generation.segments[ordinal].reader, 1.0)?;
        let mut docs = Vec::new();
        while matches.doc() != TERMINATED {
            docs.push(matches.doc());
            matches.advance();
        }
        if !docs.is_empty() {
            self.push(ordinal, Source::Docs(docs.into()), found);
        }
        Ok(())
    }

    /// The longer words that a word begins; only the commonest where there are too many. Which ones must not
    /// depend on how documents happen to lie in segments, so they are counted over all of them.
    fn begun(&self, word: &str, found: &mut Vec<Found>, chosen: &mut u64) -> Result<(), Error> {
        let mut terms: Vec<postings::Found> = Vec::new();
        // By word, in order: in how many documents it occurs, where it begins in `terms`, and which one it is.
        let mut words: Vec<(Reverse<u64>, usize, u64)> = Vec::new();
        postings::for_each_term(self.indexes, word.as_bytes(), |rest, occurring| {
            if !rest.is_empty() {
                let documents = occurring.iter().map(|(_, term)| u64::from(term.doc_freq)).sum();
                words.push((Reverse(documents), terms.len(), HASHES.hash_one(rest)));
                terms.extend_from_slice(occurring);
            }
        })?;
        let ends: Vec<usize> =
            words.iter().skip(1).map(|(_, start, _)| *start).chain([terms.len()]).collect();
        let mut spans: Vec<_> = words.into_iter().zip(ends).collect();
        if spans.len() > MAX_EXPANSIONS {
            spans.select_nth_unstable(MAX_EXPANSIONS);
            spans.truncate(MAX_EXPANSIONS);
            spans.sort_unstable_by_key(|((_, start, _), _)| *start);
            let words: Vec<u64> = spans.iter().map(|((.., word), _)| *word).collect();
            *chosen = HASHES.hash_one((*chosen, self.field as usize, words));
        }
        for ((_, start, _), end) in spans {
            for (ordinal, term) in &terms[start..end] {
                self.push(*ordinal, Source::Term(term.clone()), found);
            }
        }
        Ok(())
    }
}

/// By which words are told apart that were chosen: within this process alone.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Where a word can be two: between letters and digits anywhere; between letters where both parts are long enough, or
/// one is a letter that is no word (`tshirt`, `usbc`, `oreilly`).
pub(crate) fn cuts(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_digit = |c: Option<char>| c.is_some_and(char::is_numeric);
    word.char_indices().skip(1).map(|(at, _)| word.split_at(at)).filter(move |(head, tail)| {
        let (before, behind) = (is_digit(head.chars().next_back()), is_digit(tail.chars().next()));
        let letters = |part: &str| part.chars().count();
        let initial = |part: &str| part.len() == 1 && !matches!(part, "a" | "i");
        let long = letters(head) >= MIN_PART && letters(tail) >= MIN_PART;
        let beside = (initial(head) && letters(tail) >= MIN_BESIDE_INITIAL)
            || (initial(tail) && letters(head) >= MIN_BESIDE_INITIAL);
        before != behind || (!before && (long || beside))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, document::Document};

    #[test]
    fn only_what_is_not_there_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let mut writer = engine.writer(0).unwrap();
        for (id, name) in
            (0..).zip(["Smart watch batteries", "27\" ps 4 t shirt", "Note book, notebooks", "é"])
        {
            writer.upsert(&Document { brand: "Adidas".to_owned(), ..Document::offered(id, name) }).unwrap();
        }
        writer.commit("").unwrap();
        let generation = engine.reader().0;
        let vocabulary = generation.segments[0].view.vocabulary().unwrap();
        let words = "smart smartwatch battery batteries notebook note book 27 ps4 tshirt adidas adida no b pan kettle é";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let (mut passed, mut found_any) = (0, 0);
        for (word, next) in words.iter().zip(words.iter().skip(1)) {
            let side_by_side = vec![word.clone(), next.clone()];
            let forms = [Form::Whole, Form::Stem, Form::Apart, Form::Size, Form::Begun]
                .map(|form| form(word.clone()));
            for form in
                forms.into_iter().chain([Form::Phrase(side_by_side), Form::Phrase(vec![word.clone()])])
            {
                let found = form.find_in(&TextField::ALL, &generation).unwrap();
                let texts = form.texts_in(vocabulary);
                assert!(found.iter().all(|found| texts.have(found.field)), "{form:?}");
                passed += TextField::ALL.into_iter().filter(|field| !texts.have(*field)).count();
                found_any += usize::from(!found.is_empty());
            }
        }
        assert!(passed > 500 && found_any > 20, "{passed} and {found_any}");
    }

    #[test]
    fn words_are_cut_where_parts_may_be_words() {
        let cuts = |word| cuts(word).map(|(head, tail)| format!("{head} {tail}")).collect::<Vec<_>>();
        assert_eq!(cuts("ps4"), ["ps 4"]);
        assert_eq!(cuts("1080p"), ["1080 p"]);
        assert_eq!(
            cuts("notebook"),
            ["n otebook", "no tebook", "not ebook", "note book", "noteb ook", "notebo ok", "noteboo k"]
        );
        assert_eq!(cuts("wifi"), ["w ifi", "wi fi"]);
        assert_eq!(cuts("usbc"), ["u sbc", "us bc", "usb c"]);
        assert!(cuts("1234567").is_empty() && cuts("tv").is_empty());
    }
}
