//! What a match is worth.
//!
//! A word is worth what it is rare, times how much a document is about it: its occurrences in every field, each
//! counted by the field's weight and the less the longer the text is, add up and saturate together (BM25F:
//! Robertson, Zaragoza, Taylor, "Simple BM25 extension to multiple weighted fields", 2004). So a name that says it
//! beats a description that does, and both together beat either. Unlike there, a text is long by what it is, not
//! by what others are: what a document scores depends on itself and on how rare the words are, on nothing else.
//!
//! The words add up; words that stand side by side as they were asked for add a little, and what is *called* so (by
//! its category, or an attribute that says what type it is) gains on what merely mentions it. A gentle prior decides
//! between equals.
//!
//! Matching walks the postings of one word after the other and keeps scores in plain columns: for a shop's
//! catalog that beats a tree of scorers, and gives the set of matches, which every facet needs, for nothing.

use std::sync::LazyLock;

use tantivy::{fieldnorm::FieldNormReader, schema::IndexRecordOption};

use crate::{
    bits::Bits,
    error::Error,
    generation::{Generation, Segment},
    lookup::{Form, Source},
    postings,
    schema::TextField,
    settings::Weights,
};

/// How fast further occurrences stop counting: a name of five words is worth half of all that a word can be. Judged
/// queries hardly care.
const SATURATION: f32 = 4.0;

/// What saying it e times adds, of what saying it once is worth: a little, or texts that only repeat it would win.
const REPEATED: f32 = 0.5;

/// How much of a name is in its head. What stands behind it counts less than a category does: a case for a phone is
/// no phone.
const HEAD: f32 = 0.75;

/// What out of stock costs: it loses between equals, and nothing more.
const OUT_OF_STOCK: f32 = 0.95;

/// What doubling the popularity gains: 20 doublings, a million sales, weigh less than a better field.
const POPULARITY_DOUBLED: f32 = 0.005;

/// Scores are multiples of this fraction, so that sums are exact in whatever order words are looked at.
const GRAIN: f32 = 512.0;

/// The number of words at which a text's words count half.
const fn half_length(field: TextField) -> f32 {
    match field {
        // A short name is about little else: "Phone X" before "Leather case for Phone X".
        TextField::Head | TextField::Name => 6.0,
        // One of a hundred attributes says less than one of three.
        TextField::Attributes | TextField::Variants => 6.0,
        TextField::Description => 20.0,
        // A few words, all of them meant.
        TextField::Brand | TextField::Sku | TextField::Category => f32::INFINITY,
    }
}

fn weight(weights: &Weights, field: TextField) -> f32 {
    match field {
        TextField::Head => weights.name * HEAD,
        TextField::Name => weights.name * (1.0 - HEAD),
        TextField::Brand => weights.brand,
        TextField::Sku => weights.sku,
        TextField::Category => weights.category,
        TextField::Attributes => weights.attributes,
        TextField::Variants => weights.variants,
        TextField::Description => weights.description,
    }
}

/// What a document brings along, whatever the text: a factor around 1.
pub(crate) fn prior(popularity: i64, in_stock: bool) -> f32 {
    let doublings = (popularity.max(0) as f32).ln_1p() * std::f32::consts::LOG2_E;
    (1.0 + POPULARITY_DOUBLED * doublings.min(20.0)) * if in_stock { 1.0 } else { OUT_OF_STOCK }
}

/// A word in all its forms, looked up in a generation.
pub(crate) struct Word {
    /// By segment.
    postings: Vec<Vec<Posting>>,
    /// In how many documents it occurs, at most.
    pub(crate) documents: u64,
    /// What it is worth where it stands in its best form. A word as it is, and the same by its stem, are one.
    pub(crate) worth: f32,
    /// By form; 0 for one that occurs nowhere, negative for a stem that is taken for a name.
    pub(crate) worths: Vec<f32>,
}

/// The worth of the best form.
fn most(forms: &[(Form, f32)], worths: &[f32]) -> f32 {
    let mut most = 0.0_f32;
    for (place, worth) in worths.iter().enumerate() {
        let same = match (&forms[place].0, place.checked_sub(1).map(|before| &forms[before].0)) {
            (Form::Stem(word), Some(Form::Whole(whole))) if word == whole => worths[place - 1].abs(),
            _ => 0.0,
        };
        most = most.max(worth.abs() + same);
    }
    most
}

struct Posting {
    field: TextField,
    source: Source,
    weight: f32,
}

impl Word {
    /// Looks up forms, each with a factor, best first. `worths` are those of an earlier look-up of the same.
    pub(crate) fn new(
        forms: &[(Form, f32)],
        worths: Option<&[f32]>,
        weights: &Weights,
        generation: &Generation,
    ) -> Result<Self, Error> {
        let mut word = Self {
            postings: generation.segments.iter().map(|_| Vec::new()).collect(),
            documents: 0,
            worth: 0.0,
            worths: Vec::with_capacity(forms.len()),
        };
        let mut common = 0;
        let mut is_name = false;
        for (place, (form, factor)) in forms.iter().enumerate() {
            let known = worths.and_then(|worths| worths.get(place).copied());
            if known == Some(0.0) {
                word.worths.push(0.0);
                continue;
            }
            // A maker's name is no plural: it counts as it is.
            let as_it_is = known.map_or(is_name && matches!(form, Form::Stem(_)), |worth| worth < 0.0);
            let found = if as_it_is { form.as_it_is().find(generation)? } else { form.find(generation)? };
            let mut by_field = [0; TextField::ALL.len()];
            found.iter().for_each(|found| by_field[found.field as usize] += found.source.documents());
            // One rarity for all fields, that of the field where the word is commonest: a word that happens to be
            // rare in names must not gain by it. And a further form is never rarer than those before it, least of
            // all what is only begun.
            let commonest = by_field.iter().copied().max().unwrap_or(0);
            common = if matches!(form, Form::Begun(_)) { common + commonest } else { common.max(commonest) };
            if matches!(form, Form::Whole(_)) {
                // Mostly a maker's name: "adidas" is no plural.
                is_name = by_field[TextField::Brand as usize] * 2 >= commonest && commonest > 0;
            }
            let rarity = || if found.is_empty() { 0.0 } else { factor * rarity(common, indexed(generation)) };
            let worth = known.map_or_else(rarity, f32::abs);
            word.worths.push(if as_it_is { -worth } else { worth });
            for found in found {
                word.documents += found.source.documents();
                let weight = worth * weight(weights, found.field);
                let posting = Posting { field: found.field, source: found.source, weight };
                word.postings[found.ordinal].push(posting);
            }
        }
        word.worth = most(forms, &word.worths);
        Ok(word)
    }

    /// The documents of a segment that have it; those in `within`, if given.
    pub(crate) fn docs(
        &self,
        generation: &Generation,
        ordinal: usize,
        within: Option<&Bits>,
    ) -> Result<Bits, Error> {
        let segment = &generation.segments[ordinal];
        let mut docs = Bits::none(segment.view.documents());
        for posting in &self.postings[ordinal] {
            posting.collect(generation, segment, &mut docs)?;
        }
        if let Some(within) = within {
            docs.and(within);
        }
        Ok(docs)
    }

    /// Adds to `about`, which is 0 everywhere, how much each document of `within` is about the word, and returns
    /// those that have it; [`Word::score_of`] says what that is worth.
    fn weigh(
        &self,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
        about: &mut [f32],
    ) -> Result<Bits, Error> {
        let segment = &generation.segments[ordinal];
        let mut found = Bits::none(segment.view.documents());
        for posting in &self.postings[ordinal] {
            posting.weigh(generation, segment, within, &mut found, about)?;
        }
        Ok(found)
    }

    /// What a share of the word is worth in a document that is so much about it: at most that of [`Word::worth`].
    fn score_of(&self, about: f32, share: f32) -> f32 {
        // The weights of postings hold what their form is worth.
        let about = if self.worth > 0.0 { about / self.worth } else { 0.0 };
        grain(share * self.worth * about / (about + SATURATION))
    }
}

impl Posting {
    fn collect(&self, generation: &Generation, segment: &Segment, docs: &mut Bits) -> Result<(), Error> {
        match &self.source {
            Source::Term(term) => {
                let index = segment.reader.inverted_index(generation.fields.text[self.field as usize])?;
                postings::collect(&index, term, docs)
            }
            Source::Docs(found) => {
                found.iter().for_each(|&doc| docs.insert(doc));
                Ok(())
            }
        }
    }

    fn weigh(
        &self,
        generation: &Generation,
        segment: &Segment,
        within: &Bits,
        found: &mut Bits,
        about: &mut [f32],
    ) -> Result<(), Error> {
        let field = generation.fields.text[self.field as usize];
        let norms: FieldNormReader = segment.reader.get_fieldnorms_reader(field)?;
        let lengths = &LENGTHS[self.field as usize];
        let mut visit = |doc: u32, freq: f32| {
            if within.contains(doc) {
                found.insert(doc);
                let repeated = 1.0 + REPEATED * freq.ln();
                about[doc as usize] += self.weight * repeated * lengths[norms.fieldnorm_id(doc) as usize];
            }
        };
        match &self.source {
            Source::Term(term) => {
                let index = segment.reader.inverted_index(field)?;
                postings::for_each_block(&index, term, IndexRecordOption::WithFreqs, |docs, freqs| {
                    docs.iter().zip(freqs).for_each(|(&doc, &freq)| visit(doc, freq as f32));
                })
            }
            Source::Docs(docs) => {
                docs.iter().for_each(|&doc| visit(doc, 1.0));
                Ok(())
            }
        }
    }
}

/// The scores of one segment's documents, while they are added up.
pub(crate) struct Sheet {
    pub(crate) scores: Vec<f32>,
    /// How much each is about the word at hand; zero again after each word.
    about: Vec<f32>,
}

impl Sheet {
    /// All zero.
    pub(crate) fn new(documents: u32) -> Self {
        Self { scores: vec![0.0; documents as usize], about: vec![0.0; documents as usize] }
    }

    /// Adds a share of what a word is worth to the documents of `within` that have it, which are returned.
    pub(crate) fn add(
        &mut self,
        word: &Word,
        share: f32,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
    ) -> Result<Bits, Error> {
        let found = word.weigh(generation, ordinal, within, &mut self.about)?;
        found.for_each(|doc| {
            let about = std::mem::take(&mut self.about[doc as usize]);
            self.scores[doc as usize] += word.score_of(about, share);
        });
        Ok(found)
    }
}

/// A score as a multiple of the grain.
fn grain(score: f32) -> f32 {
    (score * GRAIN).round() / GRAIN
}

/// By field, what each encoded length leaves of a word.
static LENGTHS: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| {
    let of = |field| {
        let left = |id| 1.0 / (1.0 + FieldNormReader::id_to_fieldnorm(id) as f32 / half_length(field));
        (0..=u8::MAX).map(left).collect()
    };
    TextField::ALL.into_iter().map(of).collect()
});

fn indexed(generation: &Generation) -> u64 {
    generation.segments.iter().map(|segment| u64::from(segment.view.documents())).sum()
}

/// BM25's inverse document frequency: never negative.
fn rarity(documents: u64, indexed: u64) -> f32 {
    let (documents, indexed) = (documents.min(indexed) as f32, indexed as f32);
    ((indexed - documents + 0.5) / (documents + 0.5)).ln_1p()
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
    fn where_a_word_stands_decides_first() {
        // Seven words, of which it is one; of a description, sixty.
        let about = |field: TextField, words: usize| {
            let length = FieldNormReader::fieldnorm_to_id(words as u32);
            weight(&Weights::default(), field) * LENGTHS[field as usize][length as usize]
        };
        let name_of = |words| about(TextField::Head, words) + about(TextField::Name, words);
        let name = name_of(7);
        let (brand, category) = (about(TextField::Brand, 2), about(TextField::Category, 5));
        assert!(name_of(5) > brand && brand > category);
        assert!(about(TextField::Name, 3) < category, "what it is for");
        assert!(name > category && category > about(TextField::Attributes, 1));
        assert!(about(TextField::Attributes, 3) > about(TextField::Description, 60));
        assert!(name > about(TextField::Description, 1));
    }

    #[test]
    fn priors_are_gentle() {
        assert!(prior(1_000_000_000, true) <= 1.11 && prior(-5, true) >= 1.0);
        assert!(prior(100, true) > prior(10, true));
        assert!(prior(0, false) < prior(0, true));
    }
}
