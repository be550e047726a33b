//! Walking terms, and the lists of documents in which they occur.

use std::{ops::Deref, sync::Arc};

use tantivy::{
    index::InvertedIndexReader,
    postings::{BlockSegmentPostings, TermInfo},
    schema::IndexRecordOption,
};

use crate::{bits::Bits, error::Error};

/// Documents in a block of postings, which are unpacked together (tantivy's `COMPRESSION_BLOCK_SIZE`).
const BLOCK: u64 = 128;

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

/// Visits the documents of a term that are in a set, in order, with their term frequencies. Of a set that has fewer
/// documents than the term has blocks, only the blocks that may hold them are unpacked. Where frequencies are not
/// asked for they are meaningless.
pub(crate) fn for_each_in(
    index: &InvertedIndexReader,
    term: &TermInfo,
    option: IndexRecordOption,
    set: &Counted<'_>,
    mut visit: impl FnMut(u32, u32),
) -> Result<(), Error> {
    if !set.is_few(u64::from(term.doc_freq)) {
        return for_each_block(index, term, option, |docs, freqs| {
            for (at, &doc) in docs.iter().enumerate().filter(|(_, doc)| set.contains(**doc)) {
                visit(doc, freqs.get(at).copied().unwrap_or(1));
            }
        });
    }
    let mut block = index.read_block_postings_from_terminfo(term, option)?;
    set.for_each(|doc| {
        let at = block.seek(doc);
        if block.doc(at) == doc {
            visit(doc, block.freq(at));
        }
    });
    Ok(())
}

/// Counts the documents of a term that are in a set.
pub(crate) fn count_in(
    index: &InvertedIndexReader,
    term: &TermInfo,
    set: &Counted<'_>,
) -> Result<u64, Error> {
    let mut count = 0;
    for_each_in(index, term, IndexRecordOption::Basic, set, |_, _| count += 1)?;
    Ok(count)
}

/// A set of documents, and how many those are, counted once.
pub(crate) struct Counted<'a> {
    set: &'a Bits,
    count: u64,
}

impl<'a> From<&'a Bits> for Counted<'a> {
    fn from(set: &'a Bits) -> Self {
        Self { set, count: set.count() }
    }
}

impl Deref for Counted<'_> {
    type Target = Bits;

    fn deref(&self) -> &Bits {
        self.set
    }
}

impl Counted<'_> {
    /// Whether it has fewer documents than so many postings have blocks, so that passing them by pays.
    pub(crate) fn is_few(&self, postings: u64) -> bool {
        self.count.saturating_mul(BLOCK) < postings
    }
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
