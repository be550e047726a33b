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
//! Words are looked up and weighed in [`word`](crate::word).

use std::sync::LazyLock;

use crate::{schema::TextField, settings::Weights};

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

/// What a field counts.
pub(crate) fn weight(weights: &Weights, field: TextField) -> f32 {
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

/// What a share of a word is worth in a document that is so much about it, by what it is worth alone: at most that.
pub(crate) fn score(worth: f32, about: f32, share: f32) -> f32 {
    grain(share * worth * about / (about + SATURATION))
}

/// A score, which is never negative, as a multiple of the grain.
#[expect(clippy::cast_sign_loss, reason = "no score is negative")]
fn grain(score: f32) -> f32 {
    // Not `round`, which is a call where the processor may be an old one.
    (score * GRAIN + 0.5) as u32 as f32 / GRAIN
}

/// What saying a word so often is worth, of what saying it once is.
pub(crate) fn repeated(times: f32) -> f32 {
    if times > 1.0 { 1.0 + REPEATED * times.ln() } else { 1.0 }
}

/// By how many words a field has, what that leaves of a word.
pub(crate) fn left(field: TextField) -> &'static [f32] {
    &LEFT[field as usize]
}

static LEFT: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| {
    let of = |field| (0..=u8::MAX).map(|words| 1.0 / (1.0 + f32::from(words) / half_length(field))).collect();
    TextField::ALL.into_iter().map(of).collect()
});

/// Rarities are multiples of this fraction, and at least that: a commit hardly ever changes one, so that what a word
/// comes to in a segment can be kept. Two words that differ by less are equally rare for all that anybody can see.
const RARITY_STEPS: f32 = 32.0;

/// How rare a word of so many documents is: BM25's inverse document frequency, never negative.
pub(crate) fn rarity(documents: u64, indexed: u64) -> f32 {
    let (documents, indexed) = (documents.min(indexed) as f32, indexed as f32);
    let rarity = ((indexed - documents + 0.5) / (documents + 0.5)).ln_1p();
    (rarity * RARITY_STEPS).round().max(1.0) / RARITY_STEPS
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
        let about = |field: TextField, words: usize| weight(&Weights::default(), field) * left(field)[words];
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
