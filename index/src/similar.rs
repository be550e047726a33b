//! Products like another one: of its kind, and called alike.
//!
//! Each word of the name counts as much as it is rare, where another name (or category) has it; the share of the
//! category chain that two products have in common counts like half of a perfect name. A product is alike when it
//! shares a category, be it the widest, or a third of what the name is worth; that both are black is not enough.

use std::cmp::Reverse;

use crate::{
    error::Error,
    forms::either,
    generation::Generation,
    hits::{Hit, Hits},
    settings::{Lexicon, Weights},
    sheet::Lent,
    text,
    word::Word,
};

/// How many words of the name are looked at: the rarest say what it is.
const MAX_WORDS: usize = 12;

/// A category in common, against a name that is the same.
const CATEGORY_SHARE: f32 = 0.5;

/// How much of the name's worth makes two products alike by name alone.
const ALIKE: f32 = 1.0 / 3.0;

/// Only what a product is called and what kind of thing it is makes it like another.
const WEIGHTS: Weights = Weights {
    name: 8.0,
    brand: 0.0,
    sku: 0.0,
    category: 3.0,
    attributes: 0.0,
    variants: 0.0,
    description: 0.0,
};

impl Generation {
    /// See [`Reader::similar`](crate::Reader::similar).
    pub(crate) fn similar(&self, id: i64, limit: usize) -> Result<Option<Hits>, Error> {
        let Some((segment, doc)) = self.find(id) else { return Ok(None) };
        if !self.segments[segment as usize].offered.contains(doc) {
            return Ok(None);
        }
        let document = self.document(segment, doc)?;
        let chain: Vec<i64> = document.category.iter().map(|category| category.id).collect();
        let scores = self.name_scores(&document.name)?;
        let own = scores[segment as usize].scores[doc as usize];
        let mut alike: Vec<(u32, u32, f32)> = Vec::new();
        for ((ordinal, view), sheet) in (0..).zip(&self.segments).zip(&scores) {
            let shares = view.view.categories.shares(&chain);
            view.offered.for_each(|other| {
                let share = shares[view.view.categories.by_chain.ords[other as usize] as usize];
                let score = sheet.scores[other as usize];
                let is_itself = (ordinal, other) == (segment, doc);
                if !is_itself && (share > 0.0 || (own > 0.0 && score >= own * ALIKE)) {
                    let total = score + share * own.max(1.0) * CATEGORY_SHARE;
                    alike.push((ordinal, other, total * view.view.priors[other as usize]));
                }
            });
        }
        let key = |&(segment, doc, score): &(u32, u32, f32)| {
            (Reverse(score.to_bits()), self.segments[segment as usize].view.ids[doc as usize])
        };
        if limit < alike.len() {
            alike.select_nth_unstable_by_key(limit, key);
            alike.truncate(limit);
        }
        alike.sort_unstable_by_key(key);
        let hits = alike.into_iter().map(|(segment, doc, score)| {
            Ok(Hit { document: self.document(segment, doc)?, score, highlights: None, place: None })
        });
        let hits = hits.collect::<Result<Vec<Hit>, Error>>()?;
        Ok(Some(Hits { total: hits.len() as u64, hits, generation: self.number, ..Hits::default() }))
    }

    /// By segment and document, how much of a name others have.
    fn name_scores(&self, name: &str) -> Result<Vec<Lent>, Error> {
        let mut texts = text::read(name);
        texts.sort_unstable();
        texts.dedup();
        texts.retain(|word| !Lexicon::standard().stop_words.contains(word));
        let mut words = Vec::with_capacity(texts.len());
        for text in texts {
            words.push(Word::new(&either(&text, 1.0), None, &WEIGHTS, self)?);
        }
        words.sort_by_key(|word| word.documents);
        words.truncate(MAX_WORDS);
        let mut all = Vec::with_capacity(self.segments.len());
        for (ordinal, segment) in self.segments.iter().enumerate() {
            let mut sheet = segment.view.sheets.lend();
            sheet.clear(&segment.offered);
            for word in &words {
                sheet.add(word, 1.0, self, ordinal, &segment.offered)?;
            }
            all.push(sheet);
        }
        Ok(all)
    }
}
