//! Answering a query from one generation: the whole story, step by step.

use crate::{
    bits::Bits,
    compile::{self, Matches},
    error::Error,
    facets,
    generation::Generation,
    highlight::Highlighter,
    hits::{Hit, Hits},
    query::{Query, SortField},
    reading,
    settings::Lexicon,
    sort::Page,
};

impl Generation {
    /// Answers a query.
    pub(crate) fn search(&self, query: &Query, lexicon: &Lexicon) -> Result<Hits, Error> {
        let mut base: Vec<Bits> =
            self.segments.iter().map(|segment| compile::visible(query.visibility, segment)).collect();
        let mut scores: Vec<Vec<f32>> = vec![Vec::new(); base.len()];
        let mut text = None;
        if let Some(asked) = &query.text {
            let scored = query.sort.iter().any(|key| key.field == SortField::Relevance);
            let known = query.after.as_ref().and_then(|after| after.reading.as_ref());
            let mut answer = reading::answer(asked, lexicon, self, &base, known, scored)?;
            (base, scores) = answer.matches.drain(..).map(|found| (found.docs, found.scores)).unzip();
            text = Some(answer);
        }
        let mut matches = Vec::with_capacity(base.len());
        for (ordinal, (base, scores)) in base.into_iter().zip(scores).enumerate() {
            matches.push(Matches::find(query, base, scores, self, ordinal)?);
        }
        let page = Page::of(query, &self.segments, &matches);
        let forms = text.as_ref().filter(|_| query.highlight).map(|text| text.forms.as_slice());
        let highlighter = query.highlight.then(|| Highlighter::new(forms.unwrap_or_default()));
        let reading = text.as_ref().map(|text| text.reading.clone());
        let mut hits = Vec::with_capacity(page.candidates.len());
        for candidate in &page.candidates {
            let scores = &matches[candidate.segment as usize].scores;
            let document = self.document(candidate.segment, candidate.doc)?;
            hits.push(Hit {
                highlights: highlighter.as_ref().map(|highlighter| highlighter.of(&document)),
                score: scores.get(candidate.doc as usize).copied().unwrap_or(0.0),
                place: query.places.then(|| page.place(candidate, query, reading.clone())),
                document,
            });
        }
        Ok(Hits {
            total: matches.iter().map(|matches| matches.count as u64).sum(),
            hits,
            facets: facets::count(query, self, &matches)?,
            corrected_query: text.and_then(|text| text.corrected),
            next: page.next(query, reading),
            generation: self.number,
        })
    }
}
