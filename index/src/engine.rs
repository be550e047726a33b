//! The engine: one index directory, and the generation of it that searches see.

use std::{
    fmt, fs, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::SystemTime,
};

use arc_swap::ArcSwap;
use tantivy::{Index, IndexMeta, IndexReader, IndexSettings, ReloadPolicy, Searcher, index::SegmentId};

use crate::{
    bulk::Bulk,
    collation::Collation,
    damage::{Damage, differ, names},
    document::Document,
    error::Error,
    files::{self, Files},
    generation::{Generation, Segment},
    health::Health,
    hits::{Hits, Status},
    query::Query,
    reader::Reader,
    schema::{self, Fields},
    settings::Lexicon,
    writer::Writer,
};

/// An open index: answers queries from memory-mapped segments, and hands out the writer that changes them.
///
/// Cheap to clone, and every clone is the same engine. Searches run on the caller's thread; they never block
/// each other, nor wait for the writer. A search sees one generation from beginning to end; see
/// [`Engine::generation`].
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What engines and their writer share.
pub(crate) struct Shared {
    pub(crate) directory: PathBuf,
    pub(crate) files: Files,
    pub(crate) index: Index,
    pub(crate) fields: Arc<Fields>,
    pub(crate) collation: Collation,
    health: Arc<Health>,
    reader: IndexReader,
    current: ArcSwap<Generation>,
    /// The one before, for a while: whoever drops a generation last closes its files, and should be no search.
    retired: Mutex<Option<Arc<Generation>>>,
}

impl Engine {
    /// Opens the index in a directory, or creates an empty one there (and the directory, when it is missing).
    ///
    /// # Errors
    /// [`Error::Schema`] when the index was made by a program with another [`fingerprint`](crate::fingerprint),
    /// [`Error::Directory`] when the directory cannot be used, [`Error::Corrupt`] or [`Error::Engine`] when what
    /// is in it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let fields = Fields::new();
        let files = open_files(directory)?;
        let index = match find_index(&files)? {
            Some(index) => index,
            None => Index::create(files.clone(), fields.schema.clone(), IndexSettings::default())?,
        };
        Self::of(directory, files, index, fields, Health::new(directory))
    }

    /// Opens the index in a directory that must hold one.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::Corrupt`] when there is none.
    pub fn open_existing(directory: &Path) -> Result<Self, Error> {
        Self::existing(directory, Health::new(directory))
    }

    fn existing(directory: &Path, health: Health) -> Result<Self, Error> {
        let missing = || Error::Corrupt(format!("{} holds no index", directory.display()));
        if !directory.is_dir() {
            return Err(missing());
        }
        let files = open_files(directory)?;
        let index = find_index(&files)?.ok_or_else(missing)?;
        Self::of(directory, files, index, Fields::new(), health)
    }

    /// As [`open_existing`](Self::open_existing), once each of its files was compared with its checksum: what has
    /// passed is watched from then on (see [`is_suspect`](Self::is_suspect)).
    ///
    /// # Errors
    /// As [`open_existing`](Self::open_existing); [`Error::Corrupt`] names the files that differ.
    pub fn open_checked(directory: &Path) -> Result<Self, Error> {
        let health = Health::new(directory);
        if directory.is_dir() {
            // First, so that nothing is written unseen after it was compared.
            if let Ok(listed) = files::listed(directory)? {
                health.watch(listed);
            }
            let damaged = health.examine(threads())?;
            if !damaged.is_empty() {
                return Err(differ(&names(&damaged)));
            }
        }
        Self::existing(directory, health)
    }

    fn of(
        directory: &Path,
        files: Files,
        index: Index,
        fields: Fields,
        health: Health,
    ) -> Result<Self, Error> {
        if index.schema() != fields.schema {
            return Err(Error::Schema {
                found: schema::fingerprint_of(&index.schema()),
                expected: schema::fingerprint().to_owned(),
            });
        }
        schema::register_tokenizers(index.tokenizers());
        let fields = Arc::new(fields);
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (searcher, meta) = last_commit(&index, &reader)?;
        let health = Arc::new(health);
        health.watch(meta.segments.iter().flat_map(files::files_of));
        let generation = Generation::new(searcher, meta.payload, Arc::clone(&fields), &health, None)?;
        let shared = Shared {
            directory: directory.to_owned(),
            files,
            index,
            fields,
            collation: Collation::new()?,
            health,
            reader,
            current: ArcSwap::from_pointee(generation),
            retired: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether the two are one: clones of what was opened once.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Holds the current generation, for several questions that must be answered alike.
    pub fn reader(&self) -> Reader {
        Reader(self.shared.current())
    }

    /// The [generation](Reader::generation) and the [price epoch](Reader::price_epoch) of a reader that were to be had now,
    /// without one: nothing is counted up and down that other threads count too.
    pub fn generation_and_price_epoch(&self, at: i64) -> (u64, i64) {
        let current = self.shared.current.load();
        (current.number, current.price_epoch(at))
    }

    /// Answers a query from the current generation, with the default [`Settings`](crate::Settings).
    ///
    /// # Errors
    /// Only when the index below cannot be read: no query is wrong in itself.
    pub fn search(&self, query: &Query) -> Result<Hits, Error> {
        self.reader().search(query, Lexicon::standard())
    }

    /// The number of the generation that searches see now. Every commit makes a larger one, and no two
    /// generations in this process share a number, not even those of different engines: an answer that is kept
    /// by its number is never taken for another one's.
    pub fn generation(&self) -> u64 {
        self.shared.current().number
    }

    /// What the visible commit was given to remember; `None` before the first one.
    pub fn payload(&self) -> Option<String> {
        self.shared.current().payload.clone()
    }

    /// How many documents searches see.
    pub fn len(&self) -> u64 {
        self.shared.current().documents()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The document of an id, active or not.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn get(&self, id: i64) -> Result<Option<Document>, Error> {
        let generation = self.shared.current();
        let found = generation.find(id);
        found.map(|(segment, doc)| generation.document(segment, doc)).transpose()
    }

    /// When the last commit was written, as its file says.
    pub fn last_commit_at(&self) -> Option<SystemTime> {
        let meta = fs::metadata(self.shared.directory.join("meta.json"));
        meta.and_then(|meta| meta.modified()).ok()
    }

    /// What the current generation holds.
    pub fn status(&self) -> Status {
        let generation = self.shared.current();
        Status {
            documents: generation.documents(),
            segments: generation.segments.len() as u64,
            bytes: generation.bytes(),
        }
    }

    /// Whether somebody has written to the files of a commit since they were compared with their checksums. Until
    /// [`examine`](Self::examine) has done so, words are not searched for, and answers that were being made of them do not
    /// count ([`Error::Suspect`]). Known on Linux; elsewhere never.
    pub fn is_suspect(&self) -> bool {
        self.shared.health.is_suspect()
    }

    /// Whether files were found that differ from their checksums. It does not recover: open another index. Until then it
    /// answers what it can answer rightly: everything that columns in memory answer, with documents that agree
    /// with checksums of their own.
    pub fn is_damaged(&self) -> bool {
        self.shared.health.is_damaged()
    }

    /// Reads every file of the last commit and compares it with the checksum it was written with.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn examine(&self) -> Result<Damage, Error> {
        let files = self.shared.health.examine(1)?;
        Ok(self.damage(&files))
    }

    fn damage(&self, files: &[PathBuf]) -> Damage {
        let generation = self.shared.current();
        let is_of = |file: &PathBuf, segment: &Segment| {
            file.to_string_lossy().starts_with(&segment.reader.segment_id().uuid_string())
        };
        // A list that is damaged, or a segment that has become part of another: then it may be any document.
        let all = files.iter().any(|file| !generation.segments.iter().any(|segment| is_of(file, segment)));
        let is_damaged = |segment: &&Segment| all || files.iter().any(|file| is_of(file, segment));
        let damaged = generation.segments.iter().filter(is_damaged);
        let mut documents = Vec::new();
        for segment in damaged {
            segment.live.for_each(|doc| documents.push(segment.view.ids[doc as usize]));
        }
        documents.sort_unstable();
        Damage { files: names(files), documents }
    }

    /// Waits until the disk has everything that was committed by now; returns how many files it had to take. What is
    /// committed survives this process in any case, and the machine from here on: after a failure in between files
    /// may differ from their checksums, which [`open_checked`](Self::open_checked) finds.
    ///
    /// # Errors
    /// [`Error::Directory`] when the disk does not take it; what was committed stays visible.
    pub fn settle(&self) -> Result<usize, Error> {
        self.shared.retire(None);
        self.shared.files.settle()
    }

    /// Whether the disk has everything that was committed, and nothing is held that is no longer seen.
    pub fn is_settled(&self) -> bool {
        let retired = self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.is_none() && self.shared.files.is_settled()
    }

    /// Opens the writer, of which there is one at a time.
    ///
    /// `heap_bytes` bounds the memory in which documents are gathered before they become a segment; it is
    /// raised to 15 MB, which the indexing thread needs in any case. A commit writes a segment whatever is left. What
    /// [`bulk`](Self::bulk) leaves are more segments than searches should have to visit: see [`Writer::merge`].
    ///
    /// # Errors
    /// [`Error::WriterBusy`] while another one is open, here or in another process. When the list of segments cannot be
    /// read.
    pub fn writer(&self, heap_bytes: usize) -> Result<Writer, Error> {
        Writer::open(Arc::clone(&self.shared), heap_bytes)
    }

    /// Opens the writer that fills an empty index, in so many threads (at most 8), which share `heap_bytes`: what they
    /// gather becomes a segment when their part of it is full.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when there is something in it, [`Error::WriterBusy`] while a writer is open.
    pub fn bulk(&self, threads: usize, heap_bytes: usize) -> Result<Bulk, Error> {
        if !self.is_empty() {
            return Err(Error::NotEmpty(self.shared.directory.clone()));
        }
        Bulk::open(Arc::clone(&self.shared), threads, heap_bytes)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("directory", &self.shared.directory)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Whether searches see these segments and no others.
    pub(crate) fn shows(&self, segments: &[SegmentId]) -> bool {
        let current = self.current();
        let is_shown = |id: &SegmentId| current.segments.iter().any(|shown| shown.reader.segment_id() == *id);
        segments.len() == current.segments.len() && segments.iter().all(is_shown)
    }

    /// Makes the last commit what searches see, and returns its generation's number. Everything slow happens
    /// before the swap.
    pub(crate) fn publish(&self) -> Result<u64, Error> {
        let (searcher, meta) = last_commit(&self.index, &self.reader)?;
        self.health.watch(meta.segments.iter().flat_map(files::files_of));
        let before = self.current();
        let fields = Arc::clone(&self.fields);
        let generation = Generation::new(searcher, meta.payload, fields, &self.health, Some(&before))?;
        let number = generation.number;
        self.current.store(Arc::new(generation));
        self.retire(Some(before));
        Ok(number)
    }

    /// Keeps a generation that is no longer current, and drops the one that was kept.
    pub(crate) fn retire(&self, generation: Option<Arc<Generation>>) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *retired, generation);
        drop(retired);
        drop(before);
    }
}

/// The segments and the payload of one and the same commit, also while another engine on this directory commits:
/// a payload that is ahead of its segments would claim changes that are not there.
fn last_commit(index: &Index, reader: &IndexReader) -> Result<(Searcher, IndexMeta), Error> {
    let mut before = index.load_metas()?;
    loop {
        reader.reload()?;
        let after = index.load_metas()?;
        if after.opstamp == before.opstamp && after.payload == before.payload {
            return Ok((reader.searcher(), after));
        }
        before = after;
    }
}

/// A directory's files; it is made when it is missing.
fn open_files(directory: &Path) -> Result<Files, Error> {
    fs::create_dir_all(directory)
        .map_err(|source| Error::Directory { path: directory.to_owned(), source })?;
    Files::open(directory)
}

fn find_index(files: &Files) -> Result<Option<Index>, Error> {
    let exists = Index::exists(files).map_err(tantivy::TantivyError::from)?;
    Ok(exists.then(|| Index::open(files.clone())).transpose()?)
}

/// As many threads as there are cores: nothing else goes on before an index is open.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
