//! Answering a query from one generation: the whole story, step by step.

use std::{borrow::Cow, mem, sync::Arc, time::Duration};

use crate::{
    best,
    bits::Bits,
    compile::{self, Filtered, Matches},
    error::Error,
    facets,
    found::{Edition, Found, Row},
    generation::Generation,
    order::Candidate,
    query::{Facet, Query, SortField, Visibility},
    read::Before,
    reading::{self, Among, Answer},
    settings::Lexicon,
    sort::{DEEP, Page},
};

/// What a step takes, such as looking at a document, in nanoseconds.
const STEP: u128 = 3;
/// How many of them it takes to find out what a document costs, and where it stands among the others of its segment.
const PRICED: usize = 16;

/// And to sort the values of a facet, of which there are up to a hundred, and to write them.
const LISTED: usize = 8_000;

/// How many steps at most a query takes that reads no more than is in memory already; none if it may read more.
fn steps(generation: &Generation, query: &Query, lexicon: &Lexicon, most: usize) -> Option<usize> {
    let is_attribute = |facet: &Facet| matches!(facet, Facet::Attribute(_));
    if !query.attributes.is_empty() || query.facets.iter().any(is_attribute) {
        return None;
    }
    let Some(text) = &query.text else { return Some(browsing(generation, query, usize::MAX, most)) };
    // Who sees other products may have to find out what a text means there.
    if query.visibility != Visibility::Active {
        return None;
    }
    let taken = generation.words.taken(lexicon.number, text)?;
    // A later page is read as the first one was, and its words are looked up.
    let read = query.after.is_none().then(|| generation.words.reading(lexicon.number, text)).flatten();
    if taken.is_alone() && best::alone(query).is_some() {
        return Some(query.limit.saturating_add(taken.again_alone(generation, read.as_deref())?));
    }
    let (steps, left) = taken.again(generation, read.as_deref())?;
    Some(browsing(generation, query, left, most).saturating_add(steps))
}

/// The same but for the text, which leaves at most so many documents. What is not above `most` is not told more exactly.
fn browsing(generation: &Generation, query: &Query, left: usize, most: usize) -> usize {
    let documents = usize::try_from(generation.documents()).unwrap_or(usize::MAX);
    let filters = [!query.categories.is_empty(), !query.brands.is_empty()];
    let filters = filters.into_iter().filter(|is_given| *is_given).count();
    let ranges = [query.price_min.or(query.price_max).is_some(), query.rating_min.is_some()];
    let ranges = ranges.into_iter().filter(|is_given| *is_given).count();
    let vendors = query.vendor_id.is_some() || !matches!(query.visibility, Visibility::Active);
    // Far down, a filter's matches are passed in order; so are those that equal each other in the first of several keys.
    let is_filtered =
        filters + ranges > 0 || query.text.is_some() || query.in_stock.is_some() || query.on_sale;
    let is_passed = query.sort.len() > 1 || (query.offset > DEEP && is_filtered);
    let passes = usize::from(vendors) + usize::from(is_passed);
    // A facet counts those that are fewer, in or out.
    let counted = query.facets.len() * (LISTED + left.min(documents / 2));
    let priced = PRICED * compile::unpriced(generation, query);
    let fixed = counted + priced + documents * passes + query.limit;
    // Sets are passed 64 documents at a time; a filter's is made of at most half of them, or of its list.
    let sets = documents / 32 * (1 + ranges) + documents / 2 * filters;
    if sets + fixed <= most || passes > 0 {
        return sets + fixed;
    }
    let made = match compile::listed(generation, query) {
        Some((shortest, _)) if query.text.is_none() && query.facets.is_empty() => {
            documents / 128 + 4 * shortest
        }
        Some((_, all)) => documents / 32 * (1 + ranges) + all,
        None => sets,
    };
    sets.min(made) + fixed
}

/// See [`Reader::is_brief`](crate::Reader::is_brief).
pub(crate) fn is_brief(generation: &Generation, query: &Query, lexicon: &Lexicon, within: Duration) -> bool {
    let most = usize::try_from(within.as_nanos() / STEP).unwrap_or(usize::MAX);
    steps(generation, query, lexicon, most).is_some_and(|steps| steps <= most)
}

/// Reads a query's text, as it was read before where that is known.
fn read(
    generation: &Generation,
    query: &Query,
    asked: &str,
    lexicon: &Lexicon,
    among: &Among<'_>,
) -> Result<Answer, Error> {
    let scored = query.sort.iter().any(|key| key.field == SortField::Relevance);
    let paged = query.after.as_ref().and_then(|after| after.reading.as_ref());
    // Who sees other products may read it otherwise.
    let is_shopper = paged.is_none() && query.visibility == Visibility::Active;
    let kept = is_shopper.then(|| generation.words.reading(lexicon.number, asked)).flatten();
    let before = match (paged, &kept) {
        (Some(paged), _) => Before::Paged(paged),
        (None, Some(kept)) => Before::Read(kept),
        (None, None) => Before::Nothing,
    };
    let answer = reading::answer(asked, lexicon, generation, among, before, scored)?;
    if is_shopper {
        let asked = (lexicon.number, asked);
        generation.words.keep_reading(asked, &answer.read, answer.taken.clone(), generation);
    }
    Ok(answer)
}

/// Answers a query.
pub(crate) fn find(generation: &Arc<Generation>, query: &Query, lexicon: &Lexicon) -> Result<Found, Error> {
    if let Some(found) = best::find(generation, query, lexicon)? {
        return Ok(found);
    }
    let segments = &generation.segments;
    let visible: Vec<Cow<'_, Bits>> =
        segments.iter().map(|segment| compile::visible(query.visibility, segment)).collect();
    let filtered = visible
        .iter()
        .enumerate()
        .map(|(ordinal, visible)| Filtered::new(query, Cow::Borrowed(visible.as_ref()), generation, ordinal));
    let filtered: Vec<Filtered<'_>> = filtered.collect::<Result<_, _>>()?;
    let mut text = None;
    if let Some(asked) = &query.text {
        let within: Vec<&Bits> = filtered.iter().map(|filtered| filtered.base.set()).collect();
        let is_narrowed = filtered.iter().any(|filtered| filtered.is_narrowed);
        let among = Among { visible: &visible, within: is_narrowed.then_some(&within) };
        text = Some(read(generation, query, asked, lexicon, &among)?);
    }
    let found = text.as_mut().map(|answer| mem::take(&mut answer.matches)).unwrap_or_default();
    let mut found = found.into_iter();
    let mut matches: Vec<Matches<'_>> = Vec::with_capacity(segments.len());
    for (filtered, segment) in filtered.into_iter().zip(segments) {
        matches.push(filtered.matching(query, found.next(), segment));
    }
    let page = Page::of(query, generation, &matches);
    let reading = text.as_ref().map(|text| text.read.reading.clone());
    let row = |candidate: &Candidate| {
        let (segment, doc) = (candidate.segment, candidate.doc);
        let matches = &matches[segment as usize];
        Row {
            edition: Edition::new(&segments[segment as usize].view, doc, query.at),
            segment,
            doc,
            score: matches.scores().get(doc as usize).copied().unwrap_or(0.0),
            place: query.places.then(|| page.place(candidate, query, reading.clone())),
        }
    };
    let (forms, corrected_query) = text.map(|text| (text.forms, text.corrected)).unwrap_or_default();
    Ok(Found {
        total: matches.iter().map(|matches| matches.count as u64).sum(),
        rows: page.candidates.iter().map(row).collect(),
        facets: facets::count(query, generation, &matches)?,
        corrected_query,
        next: page.next(query, reading),
        forms: query.highlight.then_some(forms),
        generation: Arc::clone(generation),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        Engine,
        document::{AttributeValue, Category, Document, Variant},
        query::SortKey,
        vocabulary::MOST_DOCUMENTS,
    };

    fn add(engine: &Engine, ids: std::ops::Range<i64>) {
        let mut writer = engine.writer(0).unwrap();
        ids.for_each(|id| writer.upsert(&Document::offered(id, "Steel kettle")).unwrap());
        writer.commit("").unwrap();
    }

    #[test]
    fn a_text_takes_what_it_took_and_what_has_come_since() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let lexicon = Lexicon::standard();
        let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
        let alone = Query { text: Some("kettle".to_owned()), sort, limit: 24, ..Query::default() };
        let sold = Query { in_stock: Some(true), ..alone.clone() };
        let taken = |query: &Query| steps(&engine.reader().0, query, lexicon, usize::MAX);
        add(&engine, 0..5);
        assert_eq!([taken(&alone), taken(&sold)], [None, None], "nobody has asked");
        let ask = |query: &Query| engine.reader().find(query, lexicon).unwrap();
        ask(&alone);
        let asked = taken(&alone).unwrap();
        let before = taken(&sold).unwrap();
        assert!(asked == 24 && before > asked, "{asked} and {before}");
        add(&engine, 5..8);
        // The word is looked up in two segments, and looked for in three documents more.
        assert_eq!(taken(&sold), Some(before + 2 * 300 + 3));
        // And for its best in all that had it, in two forms and two fields, if it is weighed otherwise now.
        assert_eq!(taken(&alone), Some(24 + 2 * 300 + 3 + 5 * 4));
        ask(&sold);
        assert!(taken(&alone) > Some(24), "nobody has asked for the best alone");
        add(&engine, 7..9);
        ask(&alone);
        assert_eq!(taken(&alone), Some(24), "whoever asked before");
        let slip = Query { text: Some("ketle".to_owned()), ..alone.clone() };
        assert_eq!(ask(&slip).total, 9);
        assert!(taken(&slip).is_some());
        add(&engine, 9..10);
        assert_eq!(taken(&slip), None, "what a slip may mean has to be found out again");
    }

    #[test]
    fn segments_without_a_word_take_nothing_of_whoever_asks_again() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let lexicon = Lexicon::standard();
        let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
        let query = Query { text: Some("bamboo".to_owned()), sort, limit: 24, ..Query::default() };
        let ask = || engine.reader().find(&query, lexicon).unwrap().total;
        let taken = || steps(&engine.reader().0, &query, lexicon, usize::MAX);
        add(&engine, 0..i64::from(MOST_DOCUMENTS) + 9);
        let mut writer = engine.writer(0).unwrap();
        writer.upsert(&Document::offered(9_000, "Bamboo tray")).unwrap();
        writer.commit("").unwrap();
        drop(writer);
        add(&engine, 9_001..9_004);
        let view = |ordinal: usize| Arc::clone(&engine.reader().0.segments[ordinal].view);
        assert_eq!((0..3).filter(|&ordinal| view(ordinal).vocabulary().is_some()).count(), 2);
        assert_eq!((ask(), taken()), (1, Some(24)));
        add(&engine, 9_004..9_006);
        assert!(taken() < Some(MOST_DOCUMENTS as usize), "it is looked up anew, and nothing is looked at");
        assert_eq!((ask(), taken()), (1, Some(24)));
    }

    #[test]
    fn how_a_text_is_read_outlasts_what_changes_no_word() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let lexicon = Lexicon::standard();
        let slip = Query { text: Some("ketle".to_owned()), limit: 24, ..Query::default() };
        let is_read = || engine.reader().0.words.reading(lexicon.number, "ketle").is_some();
        let offered = || Document::offered(3, "Steel kettle");
        let named = |name: &str| Document { name: name.to_owned(), ..offered() };
        let text = || "x".to_owned();
        let category = Category { id: 1, name: text(), slug: text() };
        let variant = Variant { name: text(), ..Variant::default() };
        let attributes = BTreeMap::from([(text(), AttributeValue::Text("y".to_owned()))]);
        let hidden = Document { is_active: false, ..offered() };
        let changes = [
            (Document { stock: 7, in_stock: false, ..offered() }, true),
            (Document { popularity: 9, rating: Some(4.5), review_count: 2, ..offered() }, true),
            (Document { vendor_id: Some(5), date_added: 1, ..offered() }, true),
            (named("Steel ketle"), false),
            (named("Steel kettle"), false),
            (Document { brand: text(), ..offered() }, false),
            (Document { sku: text(), ..offered() }, false),
            (Document { description: text(), ..offered() }, false),
            (Document { category: vec![category], ..offered() }, false),
            (Document { variants: vec![variant], ..offered() }, false),
            (Document { attributes, ..offered() }, false),
            (hidden.clone(), false),
            (Document { stock: 3, ..hidden.clone() }, true),
            (Document { name: "Steel ketle".to_owned(), ..hidden }, false),
            (named("Steel ketle"), false),
        ];
        add(&engine, 0..9);
        let mut writer = engine.writer(0).unwrap();
        for (document, is_kept) in changes {
            engine.reader().find(&slip, lexicon).unwrap();
            assert!(is_read());
            writer.upsert(&document).unwrap();
            writer.commit("").unwrap();
            assert_eq!(is_read(), is_kept, "{document:?}");
            let found = engine.reader().find(&slip, lexicon).unwrap();
            let is_typed = document.is_active && document.name.contains("ketle");
            assert_eq!(
                found.total,
                if is_typed { 1 } else { 8 + u64::from(document.is_active) },
                "{document:?}"
            );
        }
        for delete in [8, 3] {
            writer.delete(delete).unwrap();
            writer.commit("").unwrap();
            assert!(!is_read(), "{delete} is gone");
            engine.reader().find(&slip, lexicon).unwrap();
        }
        writer.upsert(&Document { stock: 1, ..Document::offered(2, "Steel kettle") }).unwrap();
        writer.commit("").unwrap();
        assert!(steps(&engine.reader().0, &slip, lexicon, usize::MAX).is_some(), "only looked up anew");
        engine.reader().find(&slip, lexicon).unwrap();
        writer.close().unwrap();
        assert!(is_read(), "the same documents in other segments");
        add(&engine, 20..21);
        assert!(steps(&engine.reader().0, &slip, lexicon, usize::MAX).is_none(), "looked for anew");
    }
}
