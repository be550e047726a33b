//! Filling an empty index, from several threads at once.
//!
//! A [`Writer`](crate::Writer) looks each document's id up among those that are there, and merges segments as it
//! goes. An index that is built from nothing needs neither: nothing can be replaced, and segments that are large from
//! the start need not be merged before they are searched.

use std::{fmt, sync::Arc};

use tantivy::{IndexWriter, indexer::IndexWriterOptions, merge_policy::NoMergePolicy};

use crate::{document::Document, engine::Shared, error::Error, record, writer, writer::HEAP_BYTES};

/// Fills an empty index. Cheap to share: any thread may add.
pub struct Bulk {
    shared: Arc<Shared>,
    writer: IndexWriter,
}

impl Bulk {
    pub(crate) fn open(shared: Arc<Shared>, threads: usize, heap_bytes: usize) -> Result<Self, Error> {
        let threads = threads.clamp(1, 8);
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread((heap_bytes / threads).clamp(HEAP_BYTES.0, HEAP_BYTES.1))
            .num_worker_threads(threads)
            .build();
        let writer = writer::open(&shared, options)?;
        writer.set_merge_policy(Box::new(NoMergePolicy));
        Ok(Self { shared, writer })
    }

    /// Puts a document in. Each id must be put in once: a second document of the same id would stand beside the
    /// first.
    ///
    /// # Errors
    /// [`Error::Document`] when the document breaks what [`Document`] demands: nothing is put in then. Otherwise an
    /// indexing thread has failed.
    pub fn add(&self, document: &Document) -> Result<(), Error> {
        let record = record::encode(document, &self.shared.fields, &self.shared.collation)?;
        self.writer.add_document(record)?;
        Ok(())
    }

    /// Makes all of it lasting, together with `payload`, and visible; returns the number of the new generation.
    ///
    /// # Errors
    /// When the commit cannot be written: the index is still empty then.
    pub fn commit(mut self, payload: &str) -> Result<u64, Error> {
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(payload);
        prepared.commit()?;
        self.writer.wait_merging_threads()?;
        self.shared.files.settle()?;
        self.shared.publish()
    }
}

impl fmt::Debug for Bulk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bulk").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}
