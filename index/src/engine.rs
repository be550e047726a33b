//! The engine: one index directory, and the generation of it that searches see.

use std::{
    fmt, fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use tantivy::{
    Index, IndexReader, IndexSettings, ReloadPolicy, Searcher, TantivyDocument, directory::MmapDirectory,
};

use crate::{
    bulk::Bulk,
    collation::Collation,
    document::Document,
    error::Error,
    generation::Generation,
    hits::{Hits, Status},
    query::Query,
    reader::Reader,
    record,
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
    pub(crate) index: Index,
    pub(crate) fields: Arc<Fields>,
    pub(crate) collation: Collation,
    reader: IndexReader,
    current: RwLock<Arc<Generation>>,
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
        let index = match find_index(directory)? {
            Some(index) => index,
            None => Index::create(files(directory)?, fields.schema.clone(), IndexSettings::default())?,
        };
        Self::of(directory, index, fields)
    }

    /// Opens the index in a directory that must hold one.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::Corrupt`] when there is none.
    pub fn open_existing(directory: &Path) -> Result<Self, Error> {
        let index = match directory.is_dir() {
            true => find_index(directory)?,
            false => None,
        };
        let missing = || Error::Corrupt(format!("{} holds no index", directory.display()));
        Self::of(directory, index.ok_or_else(missing)?, Fields::new())
    }

    fn of(directory: &Path, index: Index, fields: Fields) -> Result<Self, Error> {
        if index.schema() != fields.schema {
            return Err(Error::Schema {
                found: schema::fingerprint_of(&index.schema()),
                expected: schema::fingerprint().to_owned(),
            });
        }
        schema::register_tokenizers(index.tokenizers());
        let fields = Arc::new(fields);
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (searcher, payload) = last_commit(&index, &reader)?;
        let generation = Generation::new(searcher, payload, Arc::clone(&fields), None)?;
        let shared = Shared {
            directory: directory.to_owned(),
            index,
            fields,
            collation: Collation::new()?,
            reader,
            current: RwLock::new(Arc::new(generation)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Holds the current generation, for several questions that must be answered alike.
    pub fn reader(&self) -> Reader {
        Reader(self.shared.current())
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
        let found = generation.find(id)?;
        found.map(|(segment, doc)| generation.document(segment, doc)).transpose()
    }

    /// Visits every document of the current generation, in no particular order, until `visit` breaks. Later
    /// commits do not show. What is stored is what is visited: should the index hold an id twice, it comes twice.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the first document that cannot be read.
    pub fn for_each(&self, mut visit: impl FnMut(Document) -> ControlFlow<()>) -> Result<(), Error> {
        let generation = self.shared.current();
        for segment in &generation.segments {
            // One block at a time is all that reading in order needs.
            let store = segment.reader.get_store_reader(1)?;
            for stored in store.iter::<TantivyDocument>(segment.reader.alive_bitset()) {
                if visit(record::decode(&stored?, &generation.fields)?).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
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

    /// Reads every file of the last commit and compares it with the checksum it was written with.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the files that differ.
    pub fn validate_checksums(&self) -> Result<(), Error> {
        let damaged = self.shared.index.validate_checksum()?;
        if damaged.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> = damaged.iter().map(|path| path.display().to_string()).collect();
        names.sort_unstable();
        Err(Error::Corrupt(format!("these files differ from their checksums: {}", names.join(", "))))
    }

    /// Opens the writer, of which there is one at a time.
    ///
    /// `heap_bytes` bounds the memory in which documents are gathered before they become a segment; it is
    /// raised to 15 MB, which the indexing thread needs in any case. A commit writes a segment whatever is left.
    ///
    /// # Errors
    /// [`Error::WriterBusy`] while another one is open, here or in another process.
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
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the last commit what searches see, and returns its generation's number. Everything slow happens
    /// before the swap.
    pub(crate) fn publish(&self) -> Result<u64, Error> {
        let (searcher, payload) = last_commit(&self.index, &self.reader)?;
        let before = self.current();
        let generation = Generation::new(searcher, payload, Arc::clone(&self.fields), Some(&before))?;
        let number = generation.number;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(generation);
        Ok(number)
    }
}

/// The segments and the payload of one and the same commit, also while another engine on this directory commits:
/// a payload that is ahead of its segments would claim changes that are not there.
fn last_commit(index: &Index, reader: &IndexReader) -> Result<(Searcher, Option<String>), Error> {
    let mut before = index.load_metas()?;
    loop {
        reader.reload()?;
        let after = index.load_metas()?;
        if after.opstamp == before.opstamp && after.payload == before.payload {
            return Ok((reader.searcher(), after.payload));
        }
        before = after;
    }
}

/// A directory's files; it is made when it is missing.
fn files(directory: &Path) -> Result<MmapDirectory, Error> {
    fs::create_dir_all(directory)
        .map_err(|source| Error::Directory { path: directory.to_owned(), source })?;
    Ok(MmapDirectory::open(directory).map_err(tantivy::TantivyError::from)?)
}

fn find_index(directory: &Path) -> Result<Option<Index>, Error> {
    let files = files(directory)?;
    let exists = Index::exists(&files).map_err(tantivy::TantivyError::from)?;
    Ok(exists.then(|| Index::open(files)).transpose()?)
}
