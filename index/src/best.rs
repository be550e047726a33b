//! The best matches of a text that is one word, without looking at the others.
//!
//! Most texts that shoppers type are one word, or the beginning of one, and most of those ask for nothing else: then
//! what a document scores depends on the word and the document alone. So each segment keeps, for the words that were
//! asked of it, the documents that score most (an impact-ordered list cut short: Anh, Moffat, "Pruned query evaluation
//! using pre-computed impacts", 2006), and how many there are. Neither the size of the catalog nor how common a word is
//! makes such a search slower. What is deleted later is passed over; where the list then ends too early, everything is
//! looked at.

use std::{borrow::Cow, cmp::Reverse, sync::Arc};

use tantivy::i64_to_u64;

use crate::{
    bits::Bits,
    bounded::Bounded,
    cursor::{Cursor, Place},
    error::Error,
    found::{Edition, Found, Row},
    generation::Generation,
    hits::Facets,
    parse::parse,
    query::{Query, SortField, SortKey, Visibility},
    read::Before,
    reading::{CALLED_SO, TextReader},
    settings::Lexicon,
    words::Asked,
    writer::LEVELLED,
};

/// Documents of a word that are kept in order.
const KEPT: usize = 128;
/// Of a segment with fewer documents all are: what changes often lies there, and most of them may be deleted before it is
/// merged.
const SMALL: u32 = LEVELLED;
/// Up to where pages are answered from them: what was deleted leaves room.
const DEEPEST: usize = 100;
/// Bytes that all of a segment's words may take here.
const MOST_BYTES: usize = 4 << 20;
/// What an entry takes beside its documents.
const ENTRY_BYTES: usize = 256;

/// What scores most of what has a word in a segment.
#[derive(Debug, PartialEq)]
struct Best {
    /// What is called so, and how the word was valued: the same word may stand in another text.
    kind: String,
    worth: u32,
    /// How many active documents have the word, those deleted since included.
    active: u64,
    /// Active documents and their scores, by score and then by id.
    docs: Vec<(u32, f32)>,
}

/// The best of each word that was asked of a segment and is not missing in its list of words: it never changes, so that
/// this outlasts the generation.
#[derive(Debug)]
pub(crate) struct Bests(Bounded<Arc<Asked>, Arc<Best>>);

impl Default for Bests {
    fn default() -> Self {
        Self(Bounded::new(MOST_BYTES))
    }
}

impl Bests {
    fn keep(&self, asked: &Arc<Asked>, best: &Arc<Best>) {
        let bytes = ENTRY_BYTES + best.kind.len() + size_of_val::<[(u32, f32)]>(&best.docs);
        self.0.keep(Arc::clone(asked), Arc::clone(best), bytes);
    }
}

/// The text of a query that asks for nothing else: for a page near the top of what shoppers see, the best first.
pub(crate) fn alone(query: &Query) -> Option<&str> {
    // Every field is named, so that a new one is not forgotten.
    let Query {
        text,
        categories,
        brands,
        price_min: None,
        price_max: None,
        in_stock: None,
        on_sale: false,
        rating_min: None,
        vendor_id: None,
        attributes,
        visibility: Visibility::Active,
        sort,
        offset,
        after: None,
        limit,
        facets,
        highlight: false,
        places: false,
        at: _,
    } = query
    else {
        return None;
    };
    let is_all = categories.is_empty() && brands.is_empty() && attributes.is_empty() && facets.is_empty();
    let is_best_first = *sort == [SortKey { field: SortField::Relevance, descending: false }];
    let is_near = *limit > 0 && offset.saturating_add(*limit) <= DEEPEST;
    text.as_deref().filter(|_| is_all && is_best_first && is_near)
}

/// How many documents are in segments for which the best of a word are not kept, though it may be there.
pub(crate) fn unkept(generation: &Generation, asked: &Asked) -> usize {
    let views = generation.segments.iter().map(|segment| &segment.view);
    let unkept = views.filter(|view| !view.bests.0.has(asked) && !asked.is_unlisted(view));
    unkept.map(|view| view.documents() as usize).sum()
}

/// Answers a query whose text is one word and all that it asks for; nothing where it is another one, where the word has
/// to be read as another one first, or where too much of what was kept is gone.
pub(crate) fn find(
    generation: &Arc<Generation>,
    query: &Query,
    lexicon: &Lexicon,
) -> Result<Option<Found>, Error> {
    let Some(text) = alone(query) else { return Ok(None) };
    let parsed = parse(text);
    if parsed.asked.len() != 1 || !parsed.excluded.is_empty() {
        return Ok(None);
    }
    let kept = generation.words.reading(lexicon.number, text);
    let visible: Vec<_> = generation.segments.iter().map(|segment| Cow::Borrowed(&segment.offered)).collect();
    let before = kept.as_ref().map_or(Before::Nothing, Before::Read);
    let reader = TextReader::new(&parsed, lexicon, generation, &visible, before)?;
    if !reader.is_one_word()? {
        return Ok(None);
    }
    let end = query.offset + query.limit;
    let (mut best, mut total) = (Vec::new(), 0);
    for ordinal in 0..generation.segments.len() {
        let Some(count) = reader.best_of(ordinal, end, &mut best)? else { return Ok(None) };
        total += count;
    }
    if total == 0 {
        return Ok(None);
    }
    best.sort_unstable_by_key(|found: &Scored| (Reverse(found.score.to_bits()), found.id));
    let answer = reader.finish(Vec::new(), true);
    let asked = (lexicon.number, text);
    generation.words.keep_reading(asked, &answer.read, answer.taken.alone(), generation);
    let page = best.get(query.offset..end.min(best.len())).unwrap_or_default();
    let last = page.last().filter(|_| total > end as u64);
    let next = last.map(|last| Cursor {
        keys: vec![Place::Number(u64::from(!last.score.to_bits()))],
        id: last.id,
        reading: Some(answer.read.reading.clone()),
    });
    let row = |found: &Scored| {
        let view = &generation.segments[found.segment as usize].view;
        let edition = Edition::new(view, found.doc, query.at);
        Row { edition, segment: found.segment, doc: found.doc, score: found.score, place: None }
    };
    Ok(Some(Found {
        total,
        rows: page.iter().map(row).collect(),
        facets: Facets::default(),
        corrected_query: answer.corrected,
        next,
        forms: None,
        generation: Arc::clone(generation),
    }))
}

/// A match, and what it scores.
#[derive(Clone, Copy, Debug)]
struct Scored {
    segment: u32,
    doc: u32,
    id: i64,
    score: f32,
}

impl TextReader<'_> {
    /// Whether it is one word, which is wanted, and no stock keeping unit as well.
    fn is_one_word(&self) -> Result<bool, Error> {
        let is_word = self.words.len() == 1 && self.word(0).is_some();
        if !is_word || self.optional[0] || self.dropped[0] || self.words[0].worth <= 0.0 {
            return Ok(false);
        }
        for ordinal in 0..self.base.len() {
            if self.is_code(ordinal)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds the first `end` documents of a segment that are still there, best first, and says how many there are in
    /// all; nothing if that cannot be told from what is kept.
    fn best_of(&self, ordinal: usize, end: usize, found: &mut Vec<Scored>) -> Result<Option<u64>, Error> {
        let segment = &self.generation.segments[ordinal];
        // Others keep that there are none, by which it is told what the next search takes.
        if segment.view.vocabulary().is_some() && self.words[0].documents_in(ordinal) == 0 {
            return Ok(Some(0));
        }
        let best = self.kept_best(ordinal)?;
        let there = best.docs.iter().filter(|(doc, _)| segment.offered.contains(*doc)).take(end);
        let before = found.len();
        found.extend(there.map(|&(doc, score)| Scored {
            segment: u32::try_from(ordinal).unwrap_or(u32::MAX),
            doc,
            id: segment.view.ids[doc as usize],
            score,
        }));
        if found.len() - before < end && best.docs.len() < usize::try_from(best.active).unwrap_or(usize::MAX)
        {
            return Ok(None);
        }
        if segment.reader.num_deleted_docs() == 0 {
            return Ok(Some(best.active));
        }
        self.words[0].count_offered(self.generation, ordinal).map(Some)
    }

    fn kept_best(&self, ordinal: usize) -> Result<Arc<Best>, Error> {
        let (word, kind) = (&self.words[0], self.kind());
        let bests = &self.generation.segments[ordinal].view.bests;
        let same = |best: &Arc<Best>| best.kind == kind && best.worth == word.worth.to_bits();
        if let Some(best) = bests.0.get(&word.asked).filter(same) {
            return Ok(best);
        }
        let best = Arc::new(self.find_best(ordinal, kind)?);
        if self.generation.is_whole() {
            bests.keep(&word.asked, &best);
        }
        Ok(best)
    }

    /// Looks at all that have the word.
    fn find_best(&self, ordinal: usize, kind: String) -> Result<Best, Error> {
        let view = &self.generation.segments[ordinal].view;
        let word = &self.words[0];
        let called: Bits = self.called(ordinal, &kind)?;
        let about = word.about(self.generation, ordinal, &view.active)?;
        let mut docs = Vec::new();
        about.for_each_in(&view.active, |doc, about| {
            let mut score = word.score_of(about, 1.0);
            if called.contains(doc) {
                score *= CALLED_SO;
            }
            score *= view.priors[doc as usize];
            docs.push((Reverse(score.to_bits()), i64_to_u64(view.ids[doc as usize]), doc));
        });
        let active = docs.len() as u64;
        if docs.len() > KEPT && view.documents() >= SMALL {
            docs.select_nth_unstable(KEPT);
            docs.truncate(KEPT);
        }
        docs.sort_unstable();
        let docs = docs.into_iter().map(|(Reverse(score), _, doc)| (doc, f32::from_bits(score))).collect();
        Ok(Best { kind, worth: word.worth.to_bits(), active, docs })
    }
}

#[cfg(test)]
mod tests;
