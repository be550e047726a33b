//! Which documents match a text, and how well.
//!
//! Every word of the text must occur somewhere in the document. A word is worth what its best field makes of it
//! (BM25 within the field, times the field's weight); fields do not add up, since a name repeated in the
//! description says nothing new. The words add up, and a gentle prior decides between equals.
//!
//! Matching walks the postings of one word after the other and keeps scores in plain columns: for a shop's
//! catalog that beats a tree of scorers, and gives the set of matches, which every facet needs, for nothing.

use std::cmp::Reverse;

use tantivy::{
    fieldnorm::FieldNormReader,
    postings::TermInfo,
    schema::{IndexRecordOption, Term},
};

use crate::{
    bits::Bits,
    error::Error,
    generation::{Generation, Segment},
    postings::{self, Found},
    schema::TextField,
    text,
};

/// How fast repetitions stop counting: the usual BM25 constant. Catalog texts are short, it hardly matters.
const SATURATION: f32 = 1.2;

/// A word that is only begun may become another one. In a name it stands below the whole word as a category, and
/// above the whole word as a property.
const PREFIX_WEIGHT: f32 = 0.35;

/// The longer words that a prefix may stand for, in each field. More than that is not a search yet, and the most
/// frequent ones cover nearly all documents.
const MAX_EXPANSIONS: usize = 1024;

/// Whoever types a whole stock keeping unit wants that product: above anything that words can add up to
/// (32 words of the best field, each as rare as can be, stay below 6,000).
const CODE_BONUS: f32 = 10_000.0;

/// What out of stock costs: it loses between equals, and nothing more.
const OUT_OF_STOCK: f32 = 0.9;

/// What doubling the popularity gains: 20 doublings, a million sales, weigh less than a better field.
const POPULARITY_DOUBLED: f32 = 0.01;

/// How much of a match is a field's word, and whether a longer text makes its words matter less.
struct Weight {
    boost: f32,
    /// 0: length is irrelevant; 1: twice the length, half the worth.
    by_length: f32,
}

const fn weight(field: TextField) -> Weight {
    match field {
        // What the product is called is what it is. A short name is about little else: "Phone X" before
        // "Leather case for Phone X".
        TextField::Name => Weight { boost: 8.0, by_length: 0.6 },
        // Words that name a maker or an article are chosen deliberately, but a name that says so says it better.
        TextField::Brand => Weight { boost: 5.0, by_length: 0.0 },
        TextField::Sku => Weight { boost: 5.0, by_length: 0.0 },
        // What kind of thing it is, or which properties it has: lists, whose length tells nothing.
        TextField::Category => Weight { boost: 3.0, by_length: 0.0 },
        TextField::Variants => Weight { boost: 2.5, by_length: 0.0 },
        TextField::Attributes => Weight { boost: 2.0, by_length: 0.0 },
        // Prose mentions many things in passing.
        TextField::Description => Weight { boost: 1.0, by_length: 0.75 },
    }
}

/// What a document brings along, whatever the text: a factor around 1.
pub(crate) fn prior(popularity: i64, in_stock: bool) -> f32 {
    let doublings = (popularity.max(0) as f32).ln_1p() * std::f32::consts::LOG2_E;
    (1.0 + POPULARITY_DOUBLED * doublings.min(20.0)) * if in_stock { 1.0 } else { OUT_OF_STOCK }
}

/// A text, looked up in a generation.
pub(crate) struct TextQuery {
    /// The rarest first, so that the later ones only look at what is left.
    words: Vec<Word>,
    /// By segment, where the whole text is a stock keeping unit.
    code: Vec<Option<TermInfo>>,
    /// By field, the denominator of BM25 for each encoded length.
    lengths: Vec<Vec<f32>>,
}

struct Word {
    /// By segment.
    postings: Vec<Vec<Posting>>,
    documents: u64,
}

struct Posting {
    field: TextField,
    term: TermInfo,
    weight: f32,
}

/// What a text matches in one segment.
pub(crate) struct TextMatches {
    pub(crate) docs: Bits,
    /// By document, and meaningless where it does not match; empty when scores were not asked for.
    pub(crate) scores: Vec<f32>,
}

impl TextQuery {
    /// Looks up the words of a text.
    pub(crate) fn new(text: &str, generation: &Generation) -> Result<Self, Error> {
        let read = text::words(text);
        let mut words = Vec::with_capacity(read.whole.len());
        for word in &read.whole {
            let prefix = read.prefix.as_ref() == Some(word);
            words.push(Word::new(word, prefix, generation)?);
        }
        words.sort_by_key(|word| word.documents);
        let code = Term::from_field_text(generation.fields.code, &text::whole_code(text));
        let find_code = |segment: &Segment| {
            Ok(segment.reader.inverted_index(generation.fields.code)?.get_term_info(&code)?)
        };
        let code = generation.segments.iter().map(find_code).collect::<Result<_, Error>>()?;
        let lengths =
            TextField::ALL.iter().map(|&field| length_norms(field, generation)).collect::<Result<_, _>>()?;
        Ok(Self { words, code, lengths })
    }

    /// What matches in a segment of the generation it was looked up in.
    pub(crate) fn matches(
        &self,
        generation: &Generation,
        ordinal: usize,
        scored: bool,
    ) -> Result<TextMatches, Error> {
        let segment = &generation.segments[ordinal];
        let documents = segment.view.documents();
        let mut scores = vec![0.0; if scored { documents as usize } else { 0 }];
        // A word's best field so far; zero again after each word.
        let mut best = scores.clone();
        let mut docs: Option<Bits> = None;
        for word in &self.words {
            let mut found = Bits::none(documents);
            for posting in &word.postings[ordinal] {
                self.walk(posting, generation, segment, docs.as_ref(), &mut found, &mut best)?;
            }
            if scored {
                found.for_each(|doc| scores[doc as usize] += std::mem::take(&mut best[doc as usize]));
            }
            docs = Some(found);
        }
        let docs = docs.unwrap_or_else(|| Bits::none(documents));
        if scored {
            docs.for_each(|doc| scores[doc as usize] *= segment.view.priors[doc as usize]);
            self.add_code_bonus(generation, ordinal, &mut scores)?;
        }
        Ok(TextMatches { docs, scores })
    }

    fn walk(
        &self,
        posting: &Posting,
        generation: &Generation,
        segment: &Segment,
        within: Option<&Bits>,
        found: &mut Bits,
        best: &mut [f32],
    ) -> Result<(), Error> {
        let field = generation.fields.text[posting.field as usize];
        let index = segment.reader.inverted_index(field)?;
        let eligible = |doc| within.is_none_or(|within| within.contains(doc));
        if best.is_empty() {
            return postings::for_each_block(&index, &posting.term, IndexRecordOption::Basic, |docs, _| {
                docs.iter().filter(|doc| eligible(**doc)).for_each(|&doc| found.insert(doc));
            });
        }
        let norms: FieldNormReader = segment.reader.get_fieldnorms_reader(field)?;
        let lengths = &self.lengths[posting.field as usize];
        postings::for_each_block(&index, &posting.term, IndexRecordOption::WithFreqs, |docs, freqs| {
            for (&doc, &freq) in docs.iter().zip(freqs).filter(|(doc, _)| eligible(**doc)) {
                found.insert(doc);
                let freq = freq as f32;
                let length = lengths[norms.fieldnorm_id(doc) as usize];
                let score = posting.weight * freq / (freq + length);
                let best = &mut best[doc as usize];
                *best = best.max(score);
            }
        })
    }

    fn add_code_bonus(
        &self,
        generation: &Generation,
        ordinal: usize,
        scores: &mut [f32],
    ) -> Result<(), Error> {
        let Some(term) = &self.code[ordinal] else { return Ok(()) };
        let index = generation.segments[ordinal].reader.inverted_index(generation.fields.code)?;
        postings::for_each_block(&index, term, IndexRecordOption::Basic, |docs, _| {
            docs.iter().for_each(|&doc| scores[doc as usize] += CODE_BONUS);
        })
    }
}

impl Word {
    fn new(word: &str, prefix: bool, generation: &Generation) -> Result<Self, Error> {
        let mut postings: Vec<Vec<Posting>> = generation.segments.iter().map(|_| Vec::new()).collect();
        let mut documents = 0;
        let whole = find(|field| whole(word, field, generation))?;
        let begun = if prefix { find(|field| begun(word, field, generation))? } else { Vec::new() };
        // One rarity for all fields, that of the field where the word is commonest: a word that happens to be
        // rare in names must not gain by it. And a longer word is never rarer than the one that begins it.
        let commonest =
            |terms: &[(TextField, Vec<Found>)]| terms.iter().map(|(_, terms)| frequency(terms)).max();
        let mut common = 0;
        for (terms, factor) in [(whole, 1.0), (begun, PREFIX_WEIGHT)] {
            common += commonest(&terms).unwrap_or(0);
            let rarity = factor * rarity(common, indexed(generation));
            for (field, terms) in terms {
                documents += frequency(&terms);
                for (ordinal, term) in terms {
                    postings[ordinal].push(Posting { field, term, weight: rarity * weight(field).boost });
                }
            }
        }
        Ok(Self { postings, documents })
    }
}

/// Looks a word up in every field.
fn find(
    look_up: impl Fn(TextField) -> Result<Vec<Found>, Error>,
) -> Result<Vec<(TextField, Vec<Found>)>, Error> {
    TextField::ALL.iter().map(|&field| Ok((field, look_up(field)?))).collect()
}

fn frequency(terms: &[Found]) -> u64 {
    terms.iter().map(|(_, term)| u64::from(term.doc_freq)).sum()
}

/// The word itself in a field.
fn whole(word: &str, field: TextField, generation: &Generation) -> Result<Vec<Found>, Error> {
    let indexes = generation.indexes(generation.fields.text[field as usize], |_| true)?;
    let mut found = Vec::new();
    for (ordinal, index) in &indexes {
        found.extend(index.terms().get(word)?.map(|term| (*ordinal, term)));
    }
    Ok(found)
}

/// The longer words that a word begins, in a field; only the commonest where there are too many. Which ones must
/// not depend on how documents happen to lie in segments, so they are counted over all of them.
fn begun(word: &str, field: TextField, generation: &Generation) -> Result<Vec<Found>, Error> {
    let indexes = generation.indexes(generation.fields.text[field as usize], |_| true)?;
    let mut found: Vec<Found> = Vec::new();
    // By word, in order: in how many documents it occurs, and where it begins in `found`.
    let mut words: Vec<(Reverse<u64>, usize)> = Vec::new();
    postings::for_each_term(&indexes, word.as_bytes(), |rest, terms| {
        if !rest.is_empty() {
            words.push((Reverse(frequency(terms)), found.len()));
            found.extend_from_slice(terms);
        }
    })?;
    if words.len() <= MAX_EXPANSIONS {
        return Ok(found);
    }
    let ends: Vec<usize> = words.iter().skip(1).map(|(_, start)| *start).chain([found.len()]).collect();
    let mut spans: Vec<_> = words.into_iter().zip(ends).collect();
    spans.select_nth_unstable(MAX_EXPANSIONS);
    spans.truncate(MAX_EXPANSIONS);
    Ok(spans.into_iter().flat_map(|((_, start), end)| found[start..end].to_vec()).collect())
}

fn indexed(generation: &Generation) -> u64 {
    generation.segments.iter().map(|segment| u64::from(segment.view.documents())).sum()
}

/// BM25's inverse document frequency: never negative.
fn rarity(documents: u64, indexed: u64) -> f32 {
    let (documents, indexed) = (documents.min(indexed) as f32, indexed as f32);
    ((indexed - documents + 0.5) / (documents + 0.5)).ln_1p()
}

fn length_norms(field: TextField, generation: &Generation) -> Result<Vec<f32>, Error> {
    let mut words = 0;
    for segment in &generation.segments {
        words += segment.reader.inverted_index(generation.fields.text[field as usize])?.total_num_tokens();
    }
    let average = (words as f32 / indexed(generation).max(1) as f32).max(1.0);
    let Weight { by_length, .. } = weight(field);
    let norm = |id| {
        let length = FieldNormReader::id_to_fieldnorm(id) as f32;
        SATURATION * (1.0 - by_length + by_length * length / average)
    };
    Ok((0..=u8::MAX).map(norm).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rarity_is_positive_and_falls() {
        assert!(rarity(1, 1000) > rarity(10, 1000));
        assert!(rarity(1000, 1000) > 0.0);
        assert!(rarity(0, 0) >= 0.0);
    }

    #[test]
    fn priors_are_gentle() {
        assert!(prior(1_000_000_000, true) <= 1.21 && prior(-5, true) >= 1.0);
        assert!(prior(100, true) > prior(10, true));
        assert!(prior(0, false) < prior(0, true));
    }

    #[test]
    fn nothing_outweighs_a_code() {
        let best =
            32.0 * weight(TextField::Name).boost * rarity(1, u64::from(u32::MAX)) * prior(i64::MAX, true);
        assert!(best < CODE_BONUS, "{best}");
    }
}
