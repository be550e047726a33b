//! Answering a query from one generation: the whole story, step by step.

use std::sync::Arc;

use crate::{
    bits::Bits,
    compile::{self, Matches},
    error::Error,
    facets,
    found::{Edition, Found, Row},
    generation::Generation,
    order::Candidate,
    query::{Query, SortField},
    reading,
    settings::Lexicon,
    sheet::Lent,
    sort::Page,
};

/// Answers a query.
pub(crate) fn find(generation: &Arc<Generation>, query: &Query, lexicon: &Lexicon) -> Result<Found, Error> {
    let segments = &generation.segments;
    let mut base: Vec<Bits> =
        segments.iter().map(|segment| compile::visible(query.visibility, segment)).collect();
    let mut sheets: Vec<Option<Lent>> = base.iter().map(|_| None).collect();
    let mut text = None;
    if let Some(asked) = &query.text {
        let scored = query.sort.iter().any(|key| key.field == SortField::Relevance);
        let known = query.after.as_ref().and_then(|after| after.reading.as_ref());
        let mut answer = reading::answer(asked, lexicon, generation, &base, known, scored)?;
        (base, sheets) = answer.matches.drain(..).map(|found| (found.docs, found.sheet)).unzip();
        text = Some(answer);
    }
    let mut matches = Vec::with_capacity(base.len());
    for (ordinal, (base, sheet)) in base.into_iter().zip(sheets).enumerate() {
        matches.push(Matches::find(query, base, sheet, generation, ordinal)?);
    }
    let page = Page::of(query, segments, &matches);
    let reading = text.as_ref().map(|text| text.reading.clone());
    let row = |candidate: &Candidate| {
        let (segment, doc) = (candidate.segment, candidate.doc);
        let matches = &matches[segment as usize];
        Row {
            edition: Edition::new(segments[segment as usize].view.number, doc, matches.prices.interval()),
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
