//! What a word that nobody wrote may have been meant as.
//!
//! One edit from four letters on, two from eight: a letter too many, too few, another one, or two swapped
//! (Damerau-Levenshtein). Words with digits are numbers of something, where one edit makes another thing; they
//! are never corrected, nor into; nor is anything corrected into a stock keeping unit. People get the first letter
//! right, so words that share it are looked at first, which also is a small part of a dictionary.

use std::{cmp::Reverse, collections::HashMap};

use tantivy::{
    query::{DfaWrapper, FuzzyTermQuery},
    schema::Term,
};

use crate::{error::Error, generation::Generation, schema::TextField, text::STEM_MARK};

/// How many readings of one word are considered.
const MAX_CANDIDATES: usize = 8;

/// How many letters a word has at least that may hold one edit, and two.
const LETTERS: [usize; 2] = [4, 8];

/// Behind Latin, Greek and Cyrillic. In syllables and ideographs a slip is not one sign.
const FIRST_OTHER_SCRIPT: char = '\u{530}';

/// Longer ones are no words that anybody has mistyped, and take long to look for.
const MAX_LETTERS: usize = 32;

/// Words that a word may have been meant as: only those of the fewest edits, the commonest first. With `begun`
/// also those that begin like it, if none is like it as a whole.
pub(crate) fn candidates(word: &str, begun: bool, generation: &Generation) -> Result<Vec<String>, Error> {
    let letters = word.chars().count();
    let is_typed_by_letter = |c: char| c < FIRST_OTHER_SCRIPT && !c.is_numeric();
    if letters > MAX_LETTERS || !word.chars().all(is_typed_by_letter) {
        return Ok(Vec::new());
    }
    for whole in [true, false] {
        if !whole && !begun {
            break;
        }
        // Built once for all dictionaries: that takes longer than walking one of them.
        let automata = (1..).zip(LETTERS).filter(|(_, least)| letters >= *least);
        let automata: Vec<_> =
            automata.map(|(edits, _)| automaton(word, edits, whole, generation)).collect::<Result<_, _>>()?;
        for first_letter in [true, false] {
            for automaton in &automata {
                let found = accepted(automaton, word, first_letter, generation)?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
    }
    Ok(Vec::new())
}

/// Accepts what is so many edits from a word, or begins like that.
fn automaton(word: &str, edits: u8, whole: bool, generation: &Generation) -> Result<DfaWrapper, Error> {
    // Any field: only the text counts.
    let term = Term::from_field_text(generation.fields.code, word);
    let query = match whole {
        true => FuzzyTermQuery::new(term, edits, true),
        false => FuzzyTermQuery::new_prefix(term, edits, true),
    };
    Ok(query.automaton()?)
}

fn accepted(
    automaton: &DfaWrapper,
    word: &str,
    first_letter: bool,
    generation: &Generation,
) -> Result<Vec<String>, Error> {
    // By word, in how many documents it occurs, in the field where it is commonest.
    let mut known: HashMap<String, u64> = HashMap::new();
    for field in TextField::ALL.into_iter().filter(|field| *field != TextField::Sku) {
        let field = generation.fields.text[field as usize];
        let mut here: HashMap<String, u64> = HashMap::new();
        for (_, index) in generation.indexes(field, |_| true)? {
            let mut terms = index.terms().search(automaton);
            if first_letter {
                let first = word.chars().next().map(String::from).unwrap_or_default();
                // Every text that begins with the letter lies before the letter and the highest character.
                terms = terms.lt(format!("{first}{}", char::MAX)).ge(first);
            }
            let mut terms = terms.into_stream()?;
            while terms.advance() {
                let Ok(found) = std::str::from_utf8(terms.key()) else { continue };
                let is_word = !found.starts_with(STEM_MARK) && !found.chars().any(char::is_numeric);
                if is_word && found != word {
                    *here.entry(found.to_owned()).or_default() += u64::from(terms.value().doc_freq);
                }
            }
        }
        for (found, documents) in here {
            let known = known.entry(found).or_default();
            *known = documents.max(*known);
        }
    }
    let mut known: Vec<(Reverse<u64>, String)> =
        known.into_iter().map(|(found, documents)| (Reverse(documents), found)).collect();
    known.sort_unstable();
    known.truncate(MAX_CANDIDATES);
    Ok(known.into_iter().map(|(_, found)| found).collect())
}
