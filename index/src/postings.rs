//! Walking terms, and the lists of documents in which they occur.

use std::sync::Arc;

use tantivy::{
    index::InvertedIndexReader,
    postings::{BlockSegmentPostings, TermInfo},
    schema::IndexRecordOption,
};

use crate::{bits::Bits, error::Error};

/// Walks the postings of a term, one slice of documents and one of their term frequencies at a time. The slices
/// are equally long; where frequencies are not recorded they are meaningless.
pub(crate) fn for_each_block(
    index: &InvertedIndexReader,
    term: &TermInfo,
    option: IndexRecordOption,
    mut visit: impl FnMut(&[u32], &[u32]),
) -> Result<(), Error> {
    let mut block: BlockSegmentPostings = index.read_block_postings_from_terminfo(term, option)?;
    while !block.docs().is_empty() {
        visit(block.docs(), block.freqs());
        block.advance();
    }
    Ok(())
}

/// Adds the documents of a term to a set.
pub(crate) fn collect(index: &InvertedIndexReader, term: &TermInfo, into: &mut Bits) -> Result<(), Error> {
    for_each_block(index, term, IndexRecordOption::Basic, |docs, _| {
        docs.iter().for_each(|&doc| into.insert(doc));
    })
}

/// Counts the documents of a term that are in a set.
pub(crate) fn count_in(index: &InvertedIndexReader, term: &TermInfo, set: &Bits) -> Result<u64, Error> {
    let mut count = 0;
    for_each_block(index, term, IndexRecordOption::Basic, |docs, _| {
        count += docs.iter().map(|&doc| u64::from(set.contains(doc))).sum::<u64>();
    })?;
    Ok(count)
}

/// The first documents of a term that are in a set, so many at most.
pub(crate) fn first_in(
    index: &InvertedIndexReader,
    term: &TermInfo,
    set: &Bits,
    most: usize,
) -> Result<Vec<u32>, Error> {
    let mut first = Vec::new();
    let mut block = index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
    while !block.docs().is_empty() && first.len() < most {
        first.extend(block.docs().iter().copied().filter(|doc| set.contains(*doc)).take(most - first.len()));
        block.advance();
    }
    Ok(first)
}

/// A term in each of the segments that have it, by ordinal.
pub(crate) type Found = (usize, TermInfo);

/// Walks the terms of one field that begin with a prefix, in order, over all segments at once: what follows the
/// prefix, and where the term was found.
pub(crate) fn for_each_term(
    indexes: &[(usize, Arc<InvertedIndexReader>)],
    prefix: &[u8],
    mut visit: impl FnMut(&[u8], &[Found]),
) -> Result<(), Error> {
    let mut streams = Vec::with_capacity(indexes.len());
    for (ordinal, index) in indexes {
        let mut stream = index.terms().range().ge(prefix).into_stream()?;
        if stream.advance() && stream.key().starts_with(prefix) {
            streams.push((*ordinal, stream));
        }
    }
    let (mut term, mut found) = (Vec::new(), Vec::new());
    while let Some(least) = streams.iter().map(|(_, stream)| stream.key()).min() {
        term.clear();
        term.extend_from_slice(least);
        found.clear();
        streams.retain_mut(|(ordinal, stream)| {
            if stream.key() != term {
                return true;
            }
            found.push((*ordinal, stream.value().clone()));
            stream.advance() && stream.key().starts_with(prefix)
        });
        visit(&term[prefix.len()..], &found);
    }
    Ok(())
}
