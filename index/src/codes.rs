//! A text that is a whole stock keeping unit, or the beginning of one.

use std::sync::Arc;

use tantivy::{
    index::InvertedIndexReader,
    schema::{IndexRecordOption, Term},
};

use crate::{bits::Bits, error::Error, postings, reading::TextReader};

/// The largest prior; see [`rank::prior`](crate::rank::prior).
const MAX_PRIOR: f32 = 1.1;

impl TextReader<'_> {
    /// Whether the text is also a stock keeping unit of a segment, or may be the beginning of one.
    pub(crate) fn is_code(&self, ordinal: usize) -> Result<bool, Error> {
        let (field, code) = (self.generation.fields.code, &self.parsed.code);
        if code.is_empty() || self.parsed.code_begun().is_some() {
            return Ok(!code.is_empty());
        }
        let index = self.generation.index(ordinal, field)?;
        Ok(index.get_term_info(&Term::from_field_text(field, code))?.is_some())
    }

    /// Whoever types a whole stock keeping unit wants that product: above anything that words can add up to.
    pub(crate) fn add_codes(&self, ordinal: usize, docs: &mut Bits, scores: &mut [f32]) -> Result<(), Error> {
        let field = self.generation.fields.code;
        if self.parsed.code.is_empty() {
            return Ok(());
        }
        let index = self.generation.index(ordinal, field)?;
        self.add_codes_begun(&index, ordinal, docs, scores)?;
        let Some(term) = index.get_term_info(&Term::from_field_text(field, &self.parsed.code))? else {
            return Ok(());
        };
        let bonus = (2.0 * self.most() * MAX_PRIOR).ceil() + 1.0;
        postings::for_each_block(&index, &term, IndexRecordOption::Basic, |found, _| {
            for &doc in found.iter().filter(|doc| self.base[ordinal].contains(**doc)) {
                if let Some(score) = scores.get_mut(doc as usize) {
                    *score = bonus + if docs.contains(doc) { *score } else { 0.0 };
                }
                docs.insert(doc);
            }
        })
    }

    /// What only begins so is found behind everything that has the words.
    fn add_codes_begun(
        &self,
        index: &Arc<InvertedIndexReader>,
        ordinal: usize,
        docs: &mut Bits,
        scores: &mut [f32],
    ) -> Result<(), Error> {
        let Some(code) = self.parsed.code_begun() else { return Ok(()) };
        let mut begun = Bits::none(docs.bound());
        let mut terms = Vec::new();
        postings::for_each_term(&[(ordinal, Arc::clone(index))], code.as_bytes(), |_, found| {
            terms.extend(found.iter().map(|(_, term)| term.clone()));
        })?;
        for term in terms {
            postings::collect(index, &term, &mut begun)?;
        }
        begun.and(&self.base[ordinal]);
        begun.and_not(docs);
        begun.for_each(|doc| {
            if let Some(score) = scores.get_mut(doc as usize) {
                *score = 0.0;
            }
        });
        docs.or(&begun);
        Ok(())
    }
}
