//! What a word that nobody wrote may have been meant as: one that a document has, or that has synonyms.
//!
//! One edit from four letters on, two from eight: a letter too many, too few, another one, or two swapped
//! (Damerau-Levenshtein). Words with digits are numbers of something, where one edit makes another thing; they
//! are never corrected, nor into; nor is anything corrected into a stock keeping unit or a stop word. People get the
//! first letter right, so words that share it are looked at first, which also is a small part of a dictionary.
//!
//! What is begun is read as the beginning of a longer word only from six letters on, where one letter in the midst of
//! it is missing, wrong, or swapped: with a slip at an end, or two, it may begin anything.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tantivy::{
    query::{DfaWrapper, FuzzyTermQuery},
    schema::Term,
};

use crate::{
    bounded::Bounded,
    error::Error,
    generation::Generation,
    schema::TextField,
    text::{SIZE_MARK, STEM_MARK},
    vocabulary::Vocabulary,
};

/// How many readings of one word are considered.
const MAX_CANDIDATES: usize = 8;

/// How many letters a word has at least that may hold one edit, and two.
const LETTERS: [usize; 2] = [4, 8];

/// And how many what is only begun.
const LETTERS_BEGUN: usize = 6;

/// Behind Latin, Greek and Cyrillic. In syllables and ideographs a slip is not one sign.
const FIRST_OTHER_SCRIPT: char = '\u{530}';

/// Longer ones are no words that anybody has mistyped, and take long to look for.
const MAX_LETTERS: usize = 32;

/// Where words are looked for: nobody mistypes a stock keeping unit into a word.
const FIELDS: [TextField; 7] = [
    TextField::Head,
    TextField::Name,
    TextField::Brand,
    TextField::Category,
    TextField::Attributes,
    TextField::Variants,
    TextField::Description,
];

/// Bytes that what is near to words may take for each segment, and what an entry and a word take beside their letters.
const MOST_BYTES: usize = 2 << 20;
const ENTRY_BYTES: usize = 128;
const WORD_BYTES: usize = 32;

/// Which words are wanted.
pub(crate) struct Wanted<'a, F> {
    /// Also those that begin like it, if none is like it as a whole.
    pub(crate) begun: bool,
    /// Words that are known, though no document may have them.
    pub(crate) vocabulary: &'a BTreeSet<String>,
    /// None of these.
    pub(crate) stop_words: &'a BTreeSet<String>,
    /// Whether enough documents have one.
    pub(crate) is_common: F,
}

/// Words that a word may have been meant as: only those of the fewest edits, the commonest first.
pub(crate) fn candidates<F>(
    word: &str,
    wanted: &Wanted<'_, F>,
    generation: &Generation,
) -> Result<Vec<String>, Error>
where
    F: Fn(&str) -> Result<bool, Error>,
{
    let letters = word.chars().count();
    let is_typed_by_letter = |c: char| c < FIRST_OTHER_SCRIPT && !c.is_numeric();
    if letters > MAX_LETTERS || !word.chars().all(is_typed_by_letter) {
        return Ok(Vec::new());
    }
    let edits: Vec<u8> =
        (1..).zip(LETTERS).filter(|(_, least)| letters >= *least).map(|(edits, _)| edits).collect();
    // Made once for all dictionaries, and for what begins with the letter and what does not.
    let mut automata: Vec<Option<DfaWrapper>> = edits.iter().map(|_| None).collect();
    let word_near = |edits, whole, first_letter| Near { word: word.to_owned(), edits, whole, first_letter };
    for first_letter in [true, false] {
        for (edits, automaton) in edits.iter().zip(&mut automata) {
            let near = |found: &str| found != word && !wanted.stop_words.contains(found);
            let mut found = word_near(*edits, true, first_letter).find(automaton, near, generation)?;
            let known =
                wanted.vocabulary.iter().filter(|known| near(known) && !known.contains(char::is_numeric));
            for known in known.filter(|known| !first_letter || known.chars().next() == word.chars().next()) {
                if is_near(word, known, usize::from(*edits)) {
                    found.entry(known.clone()).or_default();
                }
            }
            let found = commonest(found, wanted)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    if !wanted.begun || letters < LETTERS_BEGUN {
        return Ok(Vec::new());
    }
    let begins = |found: &str| is_begun_with_a_slip(word, found) && !wanted.stop_words.contains(found);
    commonest(word_near(1, false, true).find(&mut None, begins, generation)?, wanted)
}

/// Whether a word is at most so many edits from another one, by the rows of their table of distances.
fn is_near(word: &str, other: &str, most: usize) -> bool {
    if word.chars().count().abs_diff(other.chars().count()) > most {
        return false;
    }
    let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    let mut rows = [Vec::new(), (0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=word.len() {
        let [before, last] = &rows;
        let mut row = vec![i];
        for j in 1..=other.len() {
            let changed = last[j - 1] + usize::from(word[i - 1] != other[j - 1]);
            let mut least = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && (word[i - 1], word[i - 2]) == (other[j - 2], other[j - 1]) {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        rows.swap(0, 1);
        rows[1] = row;
    }
    rows[1][other.len()] <= most
}

/// Whether a word begins like what was typed, but for one letter in its midst: missing, another one, or two swapped.
fn is_begun_with_a_slip(typed: &str, found: &str) -> bool {
    let (typed, found): (Vec<char>, Vec<char>) = (typed.chars().collect(), found.chars().collect());
    let same = typed.iter().zip(&found).take_while(|(one, other)| one == other).count();
    match (&typed[same..], &found[same..]) {
        ([], _) | (_, []) => false,
        (left, [_, behind @ ..]) if behind.starts_with(left) => true,
        ([_, left @ ..], [_, behind @ ..]) if !left.is_empty() && behind.starts_with(left) => true,
        ([one, other, left @ ..], [first, second, behind @ ..]) => {
            !left.is_empty() && (one, other) == (second, first) && behind.starts_with(left)
        }
        _ => false,
    }
}

/// The commonest words, those of them that are common enough.
fn commonest<F>(found: HashMap<String, u64>, wanted: &Wanted<'_, F>) -> Result<Vec<String>, Error>
where
    F: Fn(&str) -> Result<bool, Error>,
{
    let mut found: Vec<(Reverse<u64>, String)> =
        found.into_iter().map(|(found, documents)| (Reverse(documents), found)).collect();
    found.sort_unstable();
    found.truncate(MAX_CANDIDATES);
    let mut common = Vec::new();
    for (_, found) in found {
        if (wanted.is_common)(&found)? {
            common.push(found);
        }
    }
    Ok(common)
}

/// What is near to a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Near {
    word: String,
    edits: u8,
    /// Or only begins like it.
    whole: bool,
    /// Among what begins with the same letter.
    first_letter: bool,
}

/// Words of one segment that are near to one: each with its field, and in how many documents it is.
type NearWords = Arc<[(TextField, String, u32)]>;

/// The words of a segment that are near to those that were asked for: it never changes, so that this outlasts the
/// generation.
#[derive(Debug)]
pub(crate) struct Slips(Bounded<Near, NearWords>);

impl Default for Slips {
    fn default() -> Self {
        Self(Bounded::new(MOST_BYTES))
    }
}

impl Near {
    fn automaton(&self, generation: &Generation) -> Result<DfaWrapper, Error> {
        // Any field: only the text counts.
        let term = Term::from_field_text(generation.fields.code, &self.word);
        let query = match self.whole {
            true => FuzzyTermQuery::new(term, self.edits, true),
            false => FuzzyTermQuery::new_prefix(term, self.edits, true),
        };
        Ok(query.automaton()?)
    }

    /// Those of a segment. `automaton` is made when it is needed: that takes longer than walking a dictionary.
    fn in_segment(
        &self,
        automaton: &mut Option<DfaWrapper>,
        ordinal: usize,
        generation: &Generation,
    ) -> Result<NearWords, Error> {
        let segment = &generation.segments[ordinal];
        if let Some(near) = segment.view.slips.0.get(self) {
            return Ok(near);
        }
        let near = match segment.view.vocabulary() {
            Some(vocabulary) if self.first_letter => self.listed(vocabulary, ordinal, generation)?,
            _ => self.walked(automaton, ordinal, generation)?,
        };
        let near: NearWords = near.into();
        if generation.is_whole() {
            let words = near.iter().map(|(_, word, _)| WORD_BYTES + word.len()).sum::<usize>();
            segment.view.slips.0.keep(self.clone(), Arc::clone(&near), ENTRY_BYTES + self.word.len() + words);
        }
        Ok(near)
    }

    /// Those of a segment whose words are listed: looking at some hundreds takes less than making the automaton.
    fn listed(
        &self,
        vocabulary: &Vocabulary,
        ordinal: usize,
        generation: &Generation,
    ) -> Result<Vec<(TextField, String, u32)>, Error> {
        let first = self.word.chars().next().map(String::from).unwrap_or_default();
        let is_like = |found: &&str| match self.whole {
            true => is_near(&self.word, found, usize::from(self.edits)),
            false => is_begun_with_a_slip(&self.word, found),
        };
        let is_word = |found: &&str| !found.chars().any(char::is_numeric);
        let like: Vec<&str> =
            vocabulary.beginning(&first).map(|(term, _)| term).filter(is_word).filter(is_like).collect();
        let mut near = Vec::new();
        for field in FIELDS.into_iter().filter(|_| !like.is_empty()) {
            let index = generation.index(ordinal, generation.fields.text[field as usize])?;
            for found in &like {
                if let Some(term) = index.terms().get(found)? {
                    near.push((field, (*found).to_owned(), term.doc_freq));
                }
            }
        }
        Ok(near)
    }

    /// Those of a segment whose dictionaries are walked.
    fn walked(
        &self,
        automaton: &mut Option<DfaWrapper>,
        ordinal: usize,
        generation: &Generation,
    ) -> Result<Vec<(TextField, String, u32)>, Error> {
        let automaton = match automaton {
            Some(automaton) => automaton,
            None => automaton.insert(self.automaton(generation)?),
        };
        let mut near = Vec::new();
        for field in FIELDS {
            let index = generation.index(ordinal, generation.fields.text[field as usize])?;
            let mut terms = index.terms().search(&*automaton);
            if self.first_letter {
                let first = self.word.chars().next().map(String::from).unwrap_or_default();
                // Every text that begins with the letter lies before the letter and the highest character.
                terms = terms.lt(format!("{first}{}", char::MAX)).ge(first);
            }
            let mut terms = terms.into_stream()?;
            while terms.advance() {
                let Ok(found) = std::str::from_utf8(terms.key()) else { continue };
                if !found.starts_with([STEM_MARK, SIZE_MARK]) && !found.chars().any(char::is_numeric) {
                    near.push((field, found.to_owned(), terms.value().doc_freq));
                }
            }
        }
        Ok(near)
    }

    /// Those that fit: in how many documents each occurs, in the field where it is commonest.
    fn find(
        &self,
        automaton: &mut Option<DfaWrapper>,
        fits: impl Fn(&str) -> bool,
        generation: &Generation,
    ) -> Result<HashMap<String, u64>, Error> {
        let mut known: HashMap<String, [u64; TextField::ALL.len()]> = HashMap::new();
        for ordinal in 0..generation.segments.len() {
            for (field, word, documents) in self.in_segment(automaton, ordinal, generation)?.iter() {
                if let Some(by_field) = known.get_mut(word) {
                    by_field[*field as usize] += u64::from(*documents);
                } else if fits(word) {
                    known.entry(word.clone()).or_default()[*field as usize] = u64::from(*documents);
                }
            }
        }
        let commonest = |by_field: [u64; TextField::ALL.len()]| by_field.into_iter().max().unwrap_or(0);
        Ok(known.into_iter().map(|(word, by_field)| (word, commonest(by_field))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, document::Document};

    #[test]
    fn what_is_near_is_so_however_it_is_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let mut writer = engine.writer(0).unwrap();
        let names = [
            "Sneaker Sneakers",
            "Speaker headphones speaker4 наушники",
            "Sniper snéakers",
            "Headphone stand, sneak",
        ];
        for (id, name) in (0..).zip(names) {
            let (brand, sku) = (name.to_owned(), "SNEAKERZ".to_owned());
            writer.upsert(&Document { brand, sku, ..Document::offered(id, name) }).unwrap();
        }
        writer.commit("").unwrap();
        let generation = engine.reader().0;
        let vocabulary = generation.segments[0].view.vocabulary().unwrap();
        let mut most = 0;
        for word in [
            "sneakers",
            "snaekers",
            "speakerss",
            "haedphones",
            "hedpho",
            "headpone",
            "snakers",
            "наушнки",
            "xylophone",
        ] {
            for (edits, whole) in [(1, true), (2, true), (1, false)] {
                let near = Near { word: word.to_owned(), edits, whole, first_letter: true };
                let mut listed = near.listed(vocabulary, 0, &generation).unwrap();
                let mut walked = near.walked(&mut None, 0, &generation).unwrap();
                walked.retain(|(_, found, _)| whole || is_begun_with_a_slip(word, found));
                let key = |(field, word, _): &(TextField, String, u32)| (*field, word.clone());
                listed.sort_by_key(key);
                walked.sort_by_key(key);
                assert_eq!(listed, walked, "{near:?}");
                most = most.max(listed.len());
            }
        }
        assert!(most >= 4, "{most}");
    }

    #[test]
    fn edits_are_letters_more_less_changed_or_swapped() {
        for (word, other, edits) in [
            ("sneakers", "sneakers", 0),
            ("sneakrs", "sneakers", 1),
            ("snaekers", "sneakers", 1),
            ("sneekers", "sneakers", 1),
            ("sneakerss", "sneakers", 1),
            ("nsaekers", "sneakers", 2),
            ("trainers", "sneakers", 5),
            ("", "ab", 2),
        ] {
            assert!(is_near(word, other, edits), "{word} {other}");
            assert!(edits == 0 || !is_near(word, other, edits - 1), "{word} {other}");
        }
    }

    #[test]
    fn what_is_begun_may_hold_a_slip_in_its_midst() {
        for typed in ["hedpho", "hexdpho", "haedpho"] {
            assert!(is_begun_with_a_slip(typed, "headphones"), "{typed}");
        }
        assert!(!is_begun_with_a_slip("barbie", "babies"), "two edits");
        assert!(!is_begun_with_a_slip("barbie", "barbecue"), "at its end");
        assert!(!is_begun_with_a_slip("headphx", "headphones"), "at its end");
        assert!(!is_begun_with_a_slip("headhp", "headphones"), "at its end");
        assert!(!is_begun_with_a_slip("headph", "headphones"), "none");
        assert!(!is_begun_with_a_slip("headphones", "head"), "shorter");
    }
}
