//! One generation of the index: the segments that one commit made visible, with what is deleted in them.
//!
//! A search reads one generation from beginning to end, however many commits happen meanwhile.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use tantivy::{
    DocAddress, Searcher, SegmentReader, TantivyDocument,
    index::{InvertedIndexReader, SegmentId},
    schema::Field,
};

use crate::{
    bits::Bits,
    document::Document,
    error::Error,
    health::Health,
    ranks::{Bookmarks, Leafed},
    record,
    schema::Fields,
    segment::SegmentView,
    vocabulary::{self, Vocabulary},
    words::Words,
};

/// What a commit made visible.
pub(crate) struct Generation {
    /// Larger than that of any earlier generation of any engine in this process.
    pub(crate) number: u64,
    /// What the commit was given to remember.
    pub(crate) payload: Option<String>,
    pub(crate) fields: Arc<Fields>,
    pub(crate) segments: Vec<Segment>,
    /// The ids of those, in the same order.
    pub(crate) segment_ids: Arc<[SegmentId]>,
    /// Those that were asked for.
    pub(crate) words: Words,
    /// See [`SegmentView::wording`]: of all live documents.
    wording: u64,
    /// Where pages of everything begin that lie far down.
    pub(crate) bookmarks: Bookmarks,
    /// Of the files that all of this was read from.
    pub(crate) health: Arc<Health>,
    searcher: Searcher,
}

/// A segment of a generation.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) view: Arc<SegmentView>,
    /// Documents that are not deleted.
    pub(crate) live: Bits,
    /// Live documents that shoppers see: where most queries begin.
    pub(crate) offered: Bits,
    /// How many those are.
    pub(crate) offered_count: u64,
    /// By which words live documents are found.
    wording: u64,
    /// How far down in each order they are.
    pub(crate) leafed: Arc<Leafed>,
    /// On disk.
    bytes: u64,
    pub(crate) reader: SegmentReader,
}

impl Generation {
    /// See [`Reader::price_epoch`](crate::Reader::price_epoch).
    pub(crate) fn price_epoch(&self, at: i64) -> i64 {
        let changes = self.segments.iter().filter_map(|segment| segment.view.last_price_change(at));
        changes.max().unwrap_or(i64::MIN)
    }

    /// Takes what the searcher sees. Views of segments that `before` held already are taken over.
    pub(crate) fn new(
        searcher: Searcher,
        payload: Option<String>,
        fields: Arc<Fields>,
        health: &Arc<Health>,
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        static LATEST: AtomicU64 = AtomicU64::new(0);
        let known = before.map_or(&[][..], |before| &before.segments);
        let segments = unpack(searcher.segment_readers(), known)?;
        let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
        let health = Arc::clone(health);
        let wording = segments.iter().fold(0_u64, |sum, segment| sum.wrapping_add(segment.wording));
        let generation = Self {
            number,
            payload,
            fields,
            segment_ids: segments.iter().map(|segment| segment.id).collect(),
            segments,
            words: before.map_or_else(Words::default, |before| before.words.next(before.wording == wording)),
            wording,
            bookmarks: Bookmarks::default(),
            health,
            searcher,
        };
        generation.list_words();
        Ok(generation)
    }

    /// Lists the words of small segments that are new. One whose dictionaries cannot be read has no list.
    fn list_words(&self) {
        // They outlast the generation: nothing that was read while somebody wrote to the files.
        if !self.health.is_untouched() {
            return;
        }
        for (ordinal, Segment { view, .. }) in self.segments.iter().enumerate() {
            if view.documents() > vocabulary::MOST_DOCUMENTS || view.listed.get().is_some() {
                continue;
            }
            let indexes = self.fields.text.iter().map(|field| self.index(ordinal, *field));
            let listed =
                indexes.collect::<Result<Vec<_>, _>>().and_then(|indexes| Vocabulary::read(&indexes));
            let listed = listed.unwrap_or_else(|error| {
                tracing::debug!(%error, "the words of a segment are not listed");
                None
            });
            if self.health.is_untouched() {
                let _ = view.listed.set(listed);
            }
        }
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
        let ordinals = (0..self.segments.len()).filter(|ordinal| wanted(*ordinal));
        ordinals.map(|ordinal| Ok((ordinal, self.index(ordinal, field)?))).collect()
    }

    /// The inverted index of a field of a segment.
    pub(crate) fn index(&self, ordinal: usize, field: Field) -> Result<Arc<InvertedIndexReader>, Error> {
        let Segment { view, reader, .. } = &self.segments[ordinal];
        if let Some(index) = view.indexes.get(field) {
            return Ok(index);
        }
        let index = reader.inverted_index(field)?;
        // It outlasts the generation, and the reader may have opened it earlier: nothing that was read before or after
        // somebody wrote to the files.
        if self.health.is_untouched() {
            view.indexes.keep(field, &index);
        }
        Ok(index)
    }

    /// Whether what was just read of words may be kept: nobody has written to their files.
    pub(crate) fn is_whole(&self) -> bool {
        self.health.trust_words().is_ok()
    }

    /// How many bytes its segments take on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Where the document of an id is: its segment, and its number there.
    pub(crate) fn find(&self, id: i64) -> Option<(u32, u32)> {
        (0..).zip(&self.segments).find_map(|(ordinal, segment)| {
            let SegmentView { ids, by_id, .. } = segment.view.as_ref();
            let first = by_id.partition_point(|&doc| ids[doc as usize] < id);
            let mut same = by_id[first..].iter().take_while(|&&doc| ids[doc as usize] == id);
            Some((ordinal, *same.find(|&&doc| segment.live.contains(doc))?))
        })
    }

    /// Reads a document from the store.
    pub(crate) fn document(&self, segment: u32, doc: u32) -> Result<Document, Error> {
        self.health.trust_documents()?;
        let record: TantivyDocument = self.searcher.doc(DocAddress::new(segment, doc))?;
        let document = record::decode(&record, &self.fields)?;
        let expected = self.segments[segment as usize].view.ids[doc as usize];
        if document.id == expected {
            return Ok(document);
        }
        Err(Error::Corrupt(format!("document {} is stored in place of {expected}", document.id)))
    }
}

/// Takes the segments, several at once where several are new.
fn unpack(readers: &[SegmentReader], known: &[Segment]) -> Result<Vec<Segment>, Error> {
    let is_new = |reader: &&SegmentReader| known.iter().all(|segment| segment.id != reader.segment_id());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(readers.iter().filter(is_new).count()).max(1);
    let next = AtomicUsize::new(0);
    let take = || {
        let taken = std::iter::from_fn(|| {
            let ordinal = next.fetch_add(1, Ordering::Relaxed);
            readers.get(ordinal).map(|reader| Ok((ordinal, Segment::new(reader, known)?)))
        });
        taken.collect::<Result<Vec<_>, Error>>()
    };
    let taken = thread::scope(|scope| {
        // Where the system gives no thread for it, this one takes all.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok()).collect();
        let here = take();
        let others =
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(here).chain(others).collect::<Result<Vec<_>, Error>>()
    })?;
    let mut segments: Vec<(usize, Segment)> = taken.into_iter().flatten().collect();
    segments.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    Ok(segments.into_iter().map(|(_, segment)| segment).collect())
}

impl Segment {
    fn new(reader: &SegmentReader, known: &[Self]) -> Result<Self, Error> {
        let id = reader.segment_id();
        let known = known.iter().find(|segment| segment.id == id);
        // What is deleted stays so.
        if let Some(same) = known.filter(|known| known.reader.num_docs() == reader.num_docs()) {
            return Ok(Self { reader: reader.clone(), ..same.clone() });
        }
        let (view, bytes) = match known {
            Some(segment) => (Arc::clone(&segment.view), segment.bytes),
            None => (Arc::new(SegmentView::load(reader)?), reader.space_usage()?.total().get_bytes()),
        };
        let mut live = Bits::all(reader.max_doc());
        if let Some(alive) = reader.alive_bitset() {
            live = Bits::none(reader.max_doc());
            alive.iter_alive().for_each(|doc| live.insert(doc));
        }
        let mut offered = live.clone();
        offered.and(&view.active);
        let (offered_count, leafed) = (offered.count(), Arc::default());
        let wording = match known {
            Some(before) => {
                let mut gone = before.live.clone();
                gone.and_not(&live);
                before.wording.wrapping_sub(view.wording(&gone))
            }
            None => view.wording(&live),
        };
        Ok(Self { id, view, live, offered, offered_count, wording, leafed, bytes, reader: reader.clone() })
    }
}
