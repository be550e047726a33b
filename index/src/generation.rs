//! One generation of the index: the segments that one commit made visible, with what is deleted in them.
//!
//! A search reads one generation from beginning to end, however many commits happen meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tantivy::{
    DocAddress, Searcher, SegmentReader, TantivyDocument,
    index::{InvertedIndexReader, SegmentId},
    schema::{Field, IndexRecordOption, Term},
};

use crate::{
    bits::Bits, document::Document, error::Error, postings, ranks::Leafed, record, schema::Fields,
    segment::SegmentView, words::Words,
};

/// What a commit made visible.
pub(crate) struct Generation {
    /// Larger than that of any earlier generation of any engine in this process.
    pub(crate) number: u64,
    /// What the commit was given to remember.
    pub(crate) payload: Option<String>,
    pub(crate) fields: Arc<Fields>,
    pub(crate) segments: Vec<Segment>,
    /// Those that were asked for.
    pub(crate) words: Words,
    searcher: Searcher,
}

/// A segment of a generation.
pub(crate) struct Segment {
    id: SegmentId,
    pub(crate) view: Arc<SegmentView>,
    /// Documents that are not deleted.
    pub(crate) live: Bits,
    /// Live documents that shoppers see: where most queries begin.
    pub(crate) offered: Bits,
    /// How many those are.
    pub(crate) offered_count: u64,
    /// Where pages of them begin that lie far down.
    pub(crate) leafed: Leafed,
    pub(crate) reader: SegmentReader,
}

impl Generation {
    /// Takes what the searcher sees. Views of segments that `before` held already are taken over.
    pub(crate) fn new(
        searcher: Searcher,
        payload: Option<String>,
        fields: Arc<Fields>,
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let known = before.map_or(&[][..], |before| &before.segments);
        let segments = searcher
            .segment_readers()
            .iter()
            .map(|reader| Segment::new(reader, known))
            .collect::<Result<_, _>>()?;
        let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Self { number, payload, fields, segments, words: Words::default(), searcher })
    }

    /// How many live documents.
    pub(crate) fn documents(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// The inverted indexes of a field, by the ordinals of those segments that are wanted.
    pub(crate) fn indexes(
        &self,
        field: Field,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Vec<(usize, Arc<InvertedIndexReader>)>, Error> {
        let segments = self.segments.iter().enumerate().filter(|(ordinal, _)| wanted(*ordinal));
        segments.map(|(ordinal, segment)| Ok((ordinal, segment.reader.inverted_index(field)?))).collect()
    }

    /// How many bytes its segments take on disk.
    pub(crate) fn bytes(&self) -> u64 {
        let sizes = self.segments.iter().filter_map(|segment| segment.reader.space_usage().ok());
        sizes.map(|usage| usage.total().get_bytes()).sum()
    }

    /// Where the document of an id is: its segment, and its number there.
    pub(crate) fn find(&self, id: i64) -> Result<Option<(u32, u32)>, Error> {
        let term = Term::from_field_i64(self.fields.id, id);
        for (ordinal, segment) in (0..).zip(&self.segments) {
            let index = segment.reader.inverted_index(self.fields.id)?;
            let Some(term) = index.get_term_info(&term)? else { continue };
            let mut found = None;
            postings::for_each_block(&index, &term, IndexRecordOption::Basic, |docs, _| {
                found = found.or_else(|| docs.iter().copied().find(|&doc| segment.live.contains(doc)));
            })?;
            if let Some(doc) = found {
                return Ok(Some((ordinal, doc)));
            }
        }
        Ok(None)
    }

    /// Reads a document from the store.
    pub(crate) fn document(&self, segment: u32, doc: u32) -> Result<Document, Error> {
        let record: TantivyDocument = self.searcher.doc(DocAddress::new(segment, doc))?;
        record::decode(&record, &self.fields)
    }
}

impl Segment {
    fn new(reader: &SegmentReader, known: &[Self]) -> Result<Self, Error> {
        let id = reader.segment_id();
        let view = match known.iter().find(|segment| segment.id == id) {
            Some(segment) => Arc::clone(&segment.view),
            None => Arc::new(SegmentView::load(reader)?),
        };
        let mut live = Bits::all(reader.max_doc());
        if let Some(alive) = reader.alive_bitset() {
            live = Bits::none(reader.max_doc());
            alive.iter_alive().for_each(|doc| live.insert(doc));
        }
        let mut offered = live.clone();
        offered.and(&view.active);
        let (offered_count, leafed) = (offered.count(), Leafed::default());
        Ok(Self { id, view, live, offered, offered_count, leafed, reader: reader.clone() })
    }
}
