//! Answering a query from one generation: the whole story, step by step.

use crate::{
    compile::Matches,
    error::Error,
    facets,
    generation::Generation,
    hits::{Hit, Hits, Suggestions},
    query::{Query, SuggestQuery},
    rank::TextQuery,
    settings::Lexicon,
    sort,
};

impl Generation {
    /// Answers a query.
    pub(crate) fn search(&self, query: &Query, _lexicon: &Lexicon) -> Result<Hits, Error> {
        let text = query.text.as_deref().map(|text| TextQuery::new(text, self)).transpose()?;
        let mut matches = Vec::with_capacity(self.segments.len());
        for ordinal in 0..self.segments.len() {
            matches.push(Matches::find(query, text.as_ref(), self, ordinal)?);
        }
        let mut hits = Vec::new();
        for candidate in sort::page(query, &self.segments, &matches) {
            let scores = &matches[candidate.segment as usize].scores;
            hits.push(Hit {
                document: self.document(candidate.segment, candidate.doc)?,
                score: scores.get(candidate.doc as usize).copied().unwrap_or(0.0),
                highlights: None,
            });
        }
        Ok(Hits {
            total: matches.iter().map(|matches| matches.all.count()).sum(),
            hits,
            facets: facets::count(query, self, &matches)?,
            corrected_query: None,
            next: None,
            generation: self.number,
        })
    }

    pub(crate) fn suggest(&self, _query: &SuggestQuery, _lexicon: &Lexicon) -> Result<Suggestions, Error> {
        Ok(Suggestions::default())
    }

    pub(crate) fn similar(&self, _id: i64, _limit: usize) -> Result<Option<Hits>, Error> {
        Ok(None)
    }
}
