//! What a match is worth.
//!
//! A word is worth what it is rare, times how much a document is about it. In a field, a word counts by the field's
//! weight, and the less the longer the text is. The field that says it best decides, and each further one adds a
//! tenth (a maximum plus a tie breaker, as Lucene's `DisjunctionMaxQuery` combines fields): a catalog repeats itself,
//! and a name, a tagline and an attribute that say the same do not make a product three times as fit. That saturates
//! (BM25: Robertson, Zaragoza, "The probabilistic relevance framework", 2009), slowly. Unlike there, a text is long by
//! what it is, not by what others are: what a document scores depends on itself and on how rare the words are, on
//! nothing else.
//!
//! The words add up; words that stand side by side as they were asked for add a little, and what is *called* so (by
//! its category, or an attribute that says what type it is) gains on what merely mentions it. A gentle prior decides
//! between equals.
//!
//! Matching walks the postings of one word after the other and keeps scores in plain columns: for a shop's
//! catalog that beats a tree of scorers, and gives the set of matches, which every facet needs, for nothing.

use std::{collections::BTreeSet, sync::LazyLock};

use tantivy::schema::IndexRecordOption;

use crate::{
    bits::Bits,
    error::Error,
    generation::{Generation, Segment},
    lookup::{Form, Source},
    postings,
    schema::TextField,
    settings::Weights,
    sheet::Sheet,
};

/// How slowly it stops counting how much a document is about a word: far above what a field can say, so that of two
/// words the one that is said better counts for more, and yet none of them alone beats both.
const SATURATION: f32 = 24.0;

/// What each further field adds, of what it says by itself.
pub(crate) const FURTHER_FIELD: f32 = 0.1;

/// What saying it e times adds, of what saying it once is worth. Texts are counted by length, so that one which only
/// repeats a word does not win by it.
const REPEATED: f32 = 0.9;

/// How much of a name is in its head. What stands behind it counts less than a category does: a case for a phone is
/// no phone.
const HEAD: f32 = 2.0 / 3.0;

/// What out of stock costs: it loses between equals, and nothing more.
const OUT_OF_STOCK: f32 = 0.95;

/// What doubling the popularity gains: 20 doublings, a million sales, weigh less than a better field.
const POPULARITY_DOUBLED: f32 = 0.005;

/// Scores are multiples of this fraction, so that sums are exact in whatever order words are looked at.
const GRAIN: f32 = 2048.0;

/// The number of words at which a text's words count half.
const fn half_length(field: TextField) -> f32 {
    match field {
        // A short name is about little else: "Phone X" before "Leather case for Phone X".
        TextField::Head => 5.0,
        TextField::Name => 6.0,
        // One of a hundred attributes says less than one of three.
        TextField::Attributes | TextField::Variants => 12.0,
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
    /// Mostly part of a maker's name or of a stock keeping unit: given, and so never misspelt.
    pub(crate) is_given: bool,
    /// Mostly a maker's name.
    pub(crate) is_name: bool,
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
    /// Of a longer word, which counts only where the word itself does not stand.
    is_longer: bool,
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
            is_given: false,
            is_name: false,
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
                let is_mostly = |field: TextField| by_field[field as usize] * 2 >= commonest && commonest > 0;
                is_name = is_mostly(TextField::Brand);
                if place == 0 {
                    (word.is_name, word.is_given) = (is_name, is_name || is_mostly(TextField::Sku));
                }
            }
            let rarity = || if found.is_empty() { 0.0 } else { factor * rarity(common, indexed(generation)) };
            let worth = known.map_or_else(rarity, f32::abs);
            word.worths.push(if as_it_is { -worth } else { worth });
            for found in found {
                word.documents += found.source.documents();
                let weight = worth * weight(weights, found.field);
                let is_longer = matches!(form, Form::Begun(_));
                let posting = Posting { field: found.field, is_longer, source: found.source, weight };
                word.postings[found.ordinal].push(posting);
            }
        }
        word.worth = most(forms, &word.worths);
        // What stands in one text is weighed together.
        word.postings
            .iter_mut()
            .for_each(|postings| postings.sort_by_key(|posting| (posting.text(), posting.is_longer)));
        Ok(word)
    }

    /// What its commonest form is worth, where all have the same factor; 0 where it does not occur.
    pub(crate) fn least(&self) -> f32 {
        self.worths.iter().copied().filter(|worth| *worth > 0.0).min_by(f32::total_cmp).unwrap_or(0.0)
    }

    /// Sets what it is worth, whichever its form.
    pub(crate) fn revalue(&mut self, worth: f32, weights: &Weights) {
        self.worth = worth;
        for posting in self.postings.iter_mut().flatten() {
            posting.weight = worth * weight(weights, posting.field);
        }
    }

    /// In how many documents of `within`, which is by segment, it occurs; none if those are more than `most`.
    pub(crate) fn count_few(
        &self,
        generation: &Generation,
        within: &[Bits],
        most: usize,
    ) -> Result<Option<usize>, Error> {
        let mut found = BTreeSet::new();
        for (ordinal, within) in within.iter().enumerate() {
            let index_of = |field: TextField| {
                generation.segments[ordinal].reader.inverted_index(generation.fields.text[field as usize])
            };
            for posting in &self.postings[ordinal] {
                let mut docs = Vec::new();
                match &posting.source {
                    Source::Term(term) => {
                        let index = index_of(posting.field)?;
                        docs = postings::first_in(&index, term, within, most + 1)?;
                    }
                    Source::Docs(all) => {
                        docs.extend(all.iter().copied().filter(|doc| within.contains(*doc)).take(most + 1));
                    }
                }
                found.extend(docs.into_iter().map(|doc| (ordinal, doc)));
                if found.len() > most {
                    return Ok(None);
                }
            }
        }
        Ok(Some(found.len()))
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

    /// Writes into `sheet.about`, which is 0 everywhere, how much each document of `within` is about the word, and
    /// returns those that have it; [`Word::score_of`] says what that is worth.
    pub(crate) fn weigh(
        &self,
        generation: &Generation,
        ordinal: usize,
        within: &Bits,
        sheet: &mut Sheet,
    ) -> Result<Bits, Error> {
        let segment = &generation.segments[ordinal];
        let mut found = Bits::none(segment.view.documents());
        for postings in self.postings[ordinal].chunk_by(|one, other| one.text() == other.text()) {
            let mut here = Bits::none(segment.view.documents());
            let (itself, longer) = postings.split_at(postings.partition_point(|posting| !posting.is_longer));
            for posting in itself {
                posting.weigh(generation, segment, within, &mut here, &mut sheet.here)?;
            }
            if !longer.is_empty() {
                let mut without = within.clone();
                without.and_not(&here);
                for posting in longer {
                    posting.weigh(generation, segment, &without, &mut here, &mut sheet.here)?;
                }
            }
            here.for_each(|doc| sheet.take_text(doc as usize));
            found.or(&here);
        }
        Ok(found)
    }

    /// What a share of the word is worth in a document that is so much about it: at most that of [`Word::worth`].
    pub(crate) fn score_of(&self, about: f32, share: f32) -> f32 {
        // The weights of postings hold what their form is worth.
        let about = if self.worth > 0.0 { about / self.worth } else { 0.0 };
        grain(share * self.worth * about / (about + SATURATION))
    }
}

impl Posting {
    /// Which text of a document it is in: the head of a name is in the name.
    fn text(&self) -> TextField {
        if self.field == TextField::Head { TextField::Name } else { self.field }
    }

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
        here: &mut [f32],
    ) -> Result<(), Error> {
        let field = generation.fields.text[self.field as usize];
        let lengths = &segment.view.lengths;
        let left = &LEFT[self.field as usize];
        let mut visit = |doc: u32, freq: f32| {
            if within.contains(doc) {
                found.insert(doc);
                let repeated = 1.0 + REPEATED * freq.ln();
                here[doc as usize] +=
                    self.weight * repeated * left[usize::from(lengths[doc as usize].of(self.field))];
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

/// A score as a multiple of the grain.
fn grain(score: f32) -> f32 {
    (score * GRAIN).round() / GRAIN
}

/// By field, what each length leaves of a word.
static LEFT: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| {
    let of = |field| (0..=u8::MAX).map(|words| 1.0 / (1.0 + f32::from(words) / half_length(field))).collect();
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
        let about =
            |field: TextField, words: usize| weight(&Weights::default(), field) * LEFT[field as usize][words];
        let name_of = |words| about(TextField::Head, words) + about(TextField::Name, words);
        let (brand, category) = (about(TextField::Brand, 2), about(TextField::Category, 5));
        assert!(name_of(3) > brand && brand > category, "a short name is about nothing else");
        assert!(about(TextField::Name, 3) < category, "what it is for");
        assert!(category > about(TextField::Attributes, 1));
        assert!(name_of(5) > about(TextField::Attributes, 2), "among the first words of many");
        assert!(name_of(5) > about(TextField::Description, 3), "a tagline");
        assert!(name_of(12) > about(TextField::Description, 60), "prose");
        assert!(about(TextField::Attributes, 3) > about(TextField::Description, 10));
    }

    #[test]
    fn priors_are_gentle() {
        assert!(prior(1_000_000_000, true) <= 1.11 && prior(-5, true) >= 1.0);
        assert!(prior(100, true) > prior(10, true));
        assert!(prior(0, false) < prior(0, true));
    }
}
