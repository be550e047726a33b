//! Whether an index's files are what was written.
//!
//! The files of a commit never change, so whoever writes to one damages the index. Columns are in memory and documents
//! carry checksums of their own; but words are read where they lie, mapped into memory, and a damaged list of
//! documents reads like any other. So, where the system can tell (Linux), each file of a commit is watched, and an answer that
//! was made of words counts only if nobody has written to one until it was there. The kernel tells of a write before it has returned to its author.
//! Elsewhere, and where bytes change without being written, damage is found by those who read all of it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{error::Error, files};

/// What is known of the files of an engine.
pub(crate) struct Health {
    directory: PathBuf,
    watched: Mutex<Watched>,
    /// Words may not be what was written.
    words: AtomicBool,
    /// A file with documents has become shorter: reading behind its end would end the process.
    documents: AtomicBool,
    /// Nobody has compared the files since one was written to.
    is_suspect: AtomicBool,
    /// Some differ from their checksums: this index does not recover.
    is_damaged: AtomicBool,
    /// Writes that were noticed.
    noticed: AtomicU64,
}

struct Watched {
    watch: Option<Watch>,
    /// Files that were written to.
    touched: BTreeSet<PathBuf>,
}

impl Health {
    pub(crate) fn new(directory: &Path) -> Self {
        let watch = Watch::open().inspect_err(
            |error| tracing::warn!(%error, "damage to the index is noticed late: no file can be watched"),
        );
        Self {
            directory: directory.to_owned(),
            watched: Mutex::new(Watched { watch: watch.ok(), touched: BTreeSet::new() }),
            words: AtomicBool::new(false),
            documents: AtomicBool::new(false),
            is_suspect: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
            noticed: AtomicU64::new(0),
        }
    }

    /// Watches a commit's files from now on, and the lists of them; those that are watched already may be among them.
    pub(crate) fn watch(&self, files: impl IntoIterator<Item = PathBuf>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watch) = watched.watch.as_mut() else { return };
        for file in files.into_iter().chain([files::META, files::MANAGED].map(PathBuf::from)) {
            if let Err(error) = watch.add(&self.directory, &file) {
                tracing::debug!(%error, file = %file.display(), "a file of the index cannot be watched");
            }
        }
    }

    /// Takes note of what was written to.
    pub(crate) fn look(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let Watched { watch, touched } = &mut *watched;
        let Some(watch) = watch else { return };
        watch.written(|written| {
            let Some((file, length)) = written else {
                // More than the kernel keeps: it may have been any.
                self.words.store(true, Ordering::Relaxed);
                self.documents.store(true, Ordering::Relaxed);
                return;
            };
            let now = self.directory.join(file).metadata().map_or(0, |metadata| metadata.len());
            if now < *length && holds_documents(file) {
                self.documents.store(true, Ordering::Relaxed);
            }
            if holds_words(file) {
                self.words.store(true, Ordering::Relaxed);
            }
            touched.insert(file.clone());
        });
        let noticed = watch.noticed;
        if self.noticed.swap(noticed, Ordering::Relaxed) != noticed {
            self.is_suspect.store(true, Ordering::Relaxed);
        }
    }

    /// # Errors
    /// [`Error::Suspect`] when words may not be what was written.
    pub(crate) fn trust_words(&self) -> Result<(), Error> {
        self.look();
        if self.words.load(Ordering::Relaxed) { Err(Error::Suspect) } else { Ok(()) }
    }

    /// # Errors
    /// [`Error::Suspect`] when a file with documents has become shorter.
    pub(crate) fn trust_documents(&self) -> Result<(), Error> {
        if self.documents.load(Ordering::Relaxed) { Err(Error::Suspect) } else { Ok(()) }
    }

    /// Whether nobody has ever written to a file.
    pub(crate) fn is_untouched(&self) -> bool {
        self.look();
        self.noticed.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.look();
        self.is_suspect.load(Ordering::Relaxed)
    }

    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Compares all files with their checksums, in so many threads; which of them differ. If none does, what they hold
    /// is believed again.
    pub(crate) fn examine(&self, threads: usize) -> Result<Vec<PathBuf>, Error> {
        self.look();
        let noticed = self.noticed.load(Ordering::Relaxed);
        let mut damaged = files::damaged(&self.directory, threads).inspect_err(|error| {
            let is_gone = matches!(error, Error::Corrupt(_));
            self.is_damaged.fetch_or(is_gone, Ordering::Relaxed);
        })?;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        // What was written to and is gone since has been made part of something else.
        let gone = watched.touched.iter().filter(|file| !self.directory.join(file).exists());
        damaged.extend(gone.cloned());
        damaged.sort_unstable();
        damaged.dedup();
        // What was written to since is not known by this.
        let is_latest = self.noticed.load(Ordering::Relaxed) == noticed;
        let words = damaged.iter().any(|file| holds_words(file));
        if words || is_latest {
            self.words.store(words, Ordering::Relaxed);
        }
        if !damaged.is_empty() {
            self.is_damaged.store(true, Ordering::Relaxed);
        } else if is_latest {
            watched.touched.clear();
            self.documents.store(false, Ordering::Relaxed);
            self.is_damaged.store(false, Ordering::Relaxed);
        }
        self.is_suspect.store(!is_latest, Ordering::Relaxed);
        Ok(damaged)
    }
}

fn ends_with(file: &Path, endings: &[&str]) -> bool {
    file.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

/// Terms, and which documents have them where.
fn holds_words(file: &Path) -> bool {
    ends_with(file, &["term", "idx", "pos"])
}

fn holds_documents(file: &Path) -> bool {
    ends_with(file, &["store"])
}

#[cfg(target_os = "linux")]
use linux::Watch;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        collections::{HashMap, HashSet},
        io,
        mem::MaybeUninit,
        os::fd::OwnedFd,
        path::{Path, PathBuf},
    };

    use rustix::{
        fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
        io::Errno,
    };

    use crate::files::{MANAGED, META};

    /// Hears of writes to files.
    pub(super) struct Watch {
        events: OwnedFd,
        /// By the kernel's number, the file and its length.
        files: HashMap<i32, (PathBuf, u64)>,
        names: HashSet<PathBuf>,
        pub(super) noticed: u64,
    }

    impl Watch {
        pub(super) fn open() -> io::Result<Self> {
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            Ok(Self { events, files: HashMap::new(), names: HashSet::new(), noticed: 0 })
        }

        pub(super) fn add(&mut self, directory: &Path, file: &Path) -> io::Result<()> {
            // A list is another file after each commit.
            if self.names.contains(file) && ![META, MANAGED].contains(&file.to_str().unwrap_or_default()) {
                return Ok(());
            }
            let path = directory.join(file);
            let number = inotify::add_watch(&self.events, &path, WatchFlags::MODIFY)?;
            self.files.insert(number, (file.to_owned(), path.metadata()?.len()));
            self.names.insert(file.to_owned());
            Ok(())
        }

        /// Tells which files were written to since the last call; none for those that the kernel did not keep.
        pub(super) fn written(&mut self, mut tell: impl FnMut(Option<&(PathBuf, u64)>)) {
            let mut room = [MaybeUninit::uninit(); 1 << 12];
            let mut events = inotify::Reader::new(&self.events, &mut room);
            loop {
                let (number, what) = match events.next() {
                    Ok(event) => (event.wd(), event.events()),
                    Err(Errno::INTR) => continue,
                    Err(_) => return,
                };
                if what.contains(ReadFlags::IGNORED) {
                    // It was removed, and nobody holds it any more.
                    if let Some((file, _)) = self.files.remove(&number) {
                        self.names.remove(&file);
                    }
                } else if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                    self.noticed += 1;
                    tell(None);
                } else if let Some(file) = self.files.get(&number) {
                    self.noticed += 1;
                    tell(Some(file));
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Watch {
    noticed: u64,
}

/// Nobody tells of writes: all of it is found by reading.
#[cfg(not(target_os = "linux"))]
impl Watch {
    fn open() -> std::io::Result<Self> {
        Ok(Self { noticed: 0 })
    }

    fn add(&mut self, _: &Path, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    fn written(&mut self, _: impl FnMut(Option<&(PathBuf, u64)>)) {}
}
