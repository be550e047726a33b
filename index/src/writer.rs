//! The writer: gathers changes and commits them, all or none.

use std::{fmt, sync::Arc};

use tantivy::{
    IndexWriter, TantivyError, Term,
    directory::error::LockError,
    index::SegmentMeta,
    indexer::IndexWriterOptions,
    merge_policy::{LogMergePolicy, MergeCandidate, MergePolicy},
};

use crate::{document::Document, engine::Shared, error::Error, record};

/// The least and the most that tantivy takes for its indexing thread.
pub(crate) const HEAP_BYTES: (usize, usize) = (15_000_000, 4_000_000_000);

/// Changes an index. There is one at a time; drop it to let another one be opened.
///
/// Changes gather until [`Writer::commit`] makes them visible together; a writer that is dropped
/// loses what it has not committed, and nothing else; what it has left of files the next one removes as it is opened.
/// After any error other than [`Error::Document`], drop the writer and open another one: it continues from the last
/// commit.
pub struct Writer {
    shared: Arc<Shared>,
    writer: IndexWriter,
}

impl Writer {
    pub(crate) fn open(shared: Arc<Shared>, heap_bytes: usize) -> Result<Self, Error> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(heap_bytes.clamp(HEAP_BYTES.0, HEAP_BYTES.1))
            // More threads would make more segments of each commit, and small commits slower.
            .num_worker_threads(1)
            // A second one, so that small merges need not wait for a large one.
            .num_merge_threads(2)
            .build();
        let writer = open(&shared, options)?;
        // What a commit or a merge that failed has left takes the room that the next one needs.
        if let Err(error) = writer.garbage_collect_files().wait() {
            tracing::debug!(%error, "what a writer has left is still there");
        }
        writer.set_merge_policy(Box::<Levels>::default());
        Ok(Self { shared, writer })
    }

    /// Starts the merges that are due, which else wait for the next commit: a build leaves a segment for each hundred
    /// thousand documents. They go on by themselves; one that fails leaves what is there, and commits try it again.
    ///
    /// # Errors
    /// When the list of segments cannot be read.
    pub fn merge(&mut self) -> Result<(), Error> {
        let segments = self.shared.index.searchable_segment_metas()?;
        for MergeCandidate(segments) in Levels::default().compute_merge_candidates(&segments) {
            drop(self.writer.merge(&segments));
        }
        Ok(())
    }

    /// Puts a document in, in place of any with the same id.
    ///
    /// # Errors
    /// [`Error::Document`] when the document breaks what [`Document`] demands (no price steps, steps out of
    /// order, a rating that is no number): nothing is changed then. Otherwise the indexing thread has failed.
    pub fn upsert(&mut self, document: &Document) -> Result<(), Error> {
        let record = record::encode(document, &self.shared.fields, &self.shared.collation)?;
        self.delete(document.id)?;
        self.writer.add_document(record)?;
        Ok(())
    }

    /// Takes the document of an id out, if there is one.
    ///
    /// # Errors
    /// None at present; kept for engines whose deletions can fail.
    pub fn delete(&mut self, id: i64) -> Result<(), Error> {
        self.writer.delete_term(Term::from_field_i64(self.shared.fields.id, id));
        Ok(())
    }

    /// Writes all changes since the last commit, together with `payload`, and makes them visible to searches before
    /// it returns the number of the new generation. They outlast this process; [`Engine::settle`](crate::Engine::settle)
    /// waits for the disk. Merges that have finished in the background show from here on, too; see also
    /// [`take_merged`](Self::take_merged).
    ///
    /// # Errors
    /// When the commit cannot be written (disk full, for one): searches keep seeing the last one, which is also
    /// what the next writer continues from.
    pub fn commit(&mut self, payload: &str) -> Result<u64, Error> {
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(payload);
        let opstamp = prepared.commit()?;
        let generation = self.shared.publish()?;
        tracing::debug!(opstamp, generation, "index committed");
        Ok(generation)
    }

    /// Makes visible what merges have come to since the last commit, where some have finished; returns the number of the
    /// new generation then. Changes that are not committed stay so.
    ///
    /// # Errors
    /// When it cannot be read: searches keep seeing the last commit as it was.
    pub fn take_merged(&mut self) -> Result<Option<u64>, Error> {
        let segments = self.shared.index.searchable_segment_ids()?;
        if self.shared.shows(&segments) { Ok(None) } else { self.shared.publish().map(Some) }
    }

    /// Forgets all changes since the last commit.
    ///
    /// # Errors
    /// When the indexing thread cannot be started again.
    pub fn rollback(&mut self) -> Result<(), Error> {
        self.writer.rollback()?;
        // Starting again resets the policy.
        self.writer.set_merge_policy(Box::<Levels>::default());
        Ok(())
    }

    /// Waits for the merges that run in the background, makes their outcome visible, waits for the disk and closes the
    /// writer. Changes that were not committed are lost.
    ///
    /// # Errors
    /// When a merge failed: the last commit is still what searches see. When the disk does not take it.
    pub fn close(self) -> Result<(), Error> {
        self.writer.wait_merging_threads()?;
        self.shared.publish()?;
        self.shared.retire(None);
        self.shared.files.settle()?;
        Ok(())
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}

/// The one writer below.
pub(crate) fn open(shared: &Shared, options: IndexWriterOptions) -> Result<IndexWriter, Error> {
    shared.index.writer_with_options(options).map_err(|error| match error {
        TantivyError::LockFailure(LockError::LockBusy, _) => Error::WriterBusy(shared.directory.clone()),
        error => Error::Engine(error),
    })
}

/// Few segments, since every query visits each: a level is merged as soon as it holds four, and levels grow
/// eightfold, so that a document is rewritten a handful of times on its way up. What has fewer than a thousand documents
/// is no level: it costs little to visit, and little to merge as long as it is merged with its like alone, which happens
/// once there are eight, whatever is deleted in them. Else products that change again and again would have thousands of
/// others merged at each commit.
#[derive(Debug)]
struct Levels(LogMergePolicy);

/// Documents that a segment of a level has at least.
pub(crate) const LEVELLED: u32 = 1_000;
/// How many of those below are merged.
const SMALL: usize = 8;

impl Default for Levels {
    fn default() -> Self {
        let mut policy = LogMergePolicy::default();
        policy.set_min_num_segments(4);
        policy.set_min_layer_size(LEVELLED);
        policy.set_level_log_size(3.0);
        // A third of a segment deleted is a third of every scan wasted.
        policy.set_del_docs_ratio_before_merge(0.3);
        Self(policy)
    }
}

impl MergePolicy for Levels {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let (levelled, small): (Vec<SegmentMeta>, Vec<SegmentMeta>) =
            segments.iter().cloned().partition(|segment| segment.max_doc() >= LEVELLED);
        let mut candidates = self.0.compute_merge_candidates(&levelled);
        if small.len() >= SMALL {
            candidates.push(MergeCandidate(small.iter().map(SegmentMeta::id).collect()));
        }
        candidates
    }
}
