//! Answering a query from one generation: the whole story, step by step.

use crate::{
    compile::Matches,
    error::Error,
    facets,
    generation::Generation,
    hits::{Hit, Hits},
    query::Query,
    rank::TextQuery,
    sort,
};

impl Generation {
    /// Answers a query.
    pub(crate) fn search(&self, query: &Query) -> Result<Hits, Error> {
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
            });
        }
        Ok(Hits {
            total: matches.iter().map(|matches| matches.all.count()).sum(),
            hits,
            facets: facets::count(query, self, &matches)?,
            corrected_query: None,
            generation: self.number,
        })
    }
}
