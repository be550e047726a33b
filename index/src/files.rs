//! What lies in an index's directory: every file with a checksum, and nothing believed that differs from its own.
//!
//! tantivy ends each file of a segment with a checksum, and writes the lists of segments and of files without one:
//! here they get theirs. Files are read for it as files and not through memory, since a mapped file that has become
//! shorter ends the process that reads it.
//!
//! A commit writes a dozen files, and tantivy would wait for the disk after each of them and after each list that names
//! it. Here the disk is waited for afterwards, when searches see the commit already ([`Files::settle`]): a process that is
//! killed loses nothing, since the kernel has it all; a machine that fails may leave files of the last moments that
//! differ from their checksums, which is what checksums are for.

// over 400 lines: what is written, when the disk has it and what it is compared with is one directory

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde::{Deserialize, de::IgnoredAny};
use tantivy::{
    Directory, Index, SegmentMeta, TantivyError,
    directory::{
        AntiCallToken, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite, WatchCallback,
        WatchHandle, WritePtr,
        error::{DeleteError, LockError, OpenReadError, OpenWriteError},
    },
    index::SegmentComponent,
};

use crate::{error::Error, stored};

/// The list of a commit's segments.
pub(crate) const META: &str = "meta.json";
/// The list of the directory's files.
pub(crate) const MANAGED: &str = ".managed.json";
/// What a list's name ends with while it is written, beside the one that it replaces.
const NEW: &str = ".new";
/// What stands before a list's checksum, behind the list.
const SEAL: &[u8] = b"\n# crc32 ";
/// The last bytes of a segment's file: the length of what says its checksum, and a number that says that it does.
const ENDING: u64 = 8;
/// That number.
const MAGIC: u32 = 1337;
/// The longest that says a checksum.
const LONGEST_FOOTER: u64 = 50_000;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// How often a list is read again that changed while its files were compared.
const READINGS: u32 = 10;

/// tantivy's directory, where lists have checksums as well, and nothing waits for the disk until it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    directory: MmapDirectory,
    root: PathBuf,
    /// What was written, or replaced, and may not be on the disk yet.
    unsettled: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Held by whoever waits for the disk: another one must not be told before that it has everything.
    settling: Arc<Mutex<()>>,
}

impl Files {
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        let mapped = MmapDirectory::open(directory).map_err(TantivyError::from)?;
        let (unsettled, settling) = (Arc::default(), Arc::default());
        Ok(Self { directory: mapped, root: directory.to_owned(), unsettled, settling })
    }

    /// Waits until everything that was written by now is on the disk, the lists behind what they name. Returns how many
    /// files that were.
    ///
    /// # Errors
    /// [`Error::Directory`] names the file that the disk did not take; it is tried again the next time.
    pub(crate) fn settle(&self) -> Result<usize, Error> {
        let _turn = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::mem::take(&mut *self.unsettled());
        if written.is_empty() {
            return Ok(0);
        }
        let waited = self.wait_for(&written);
        if waited.is_err() {
            self.unsettled().extend(written.iter().cloned());
        }
        waited.map(|()| written.len())
    }

    fn wait_for(&self, written: &BTreeSet<PathBuf>) -> Result<(), Error> {
        let is_list = |path: &Path| [META, MANAGED].iter().any(|list| path.as_os_str() == *list);
        let (lists, files): (Vec<_>, Vec<_>) = written.iter().partition(|path| is_list(path));
        for path in files.into_iter().chain(lists) {
            // Opened to read: nobody is told of a write.
            match File::open(self.root.join(path)).and_then(|file| file.sync_all()) {
                // It has become part of another one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Directory { path: self.root.join(path), source }),
                Ok(()) => {}
            }
        }
        let root = &self.root;
        self.directory.sync_directory().map_err(|source| Error::Directory { path: root.clone(), source })
    }

    /// Whether everything that was written is on the disk.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled().is_empty()
    }

    fn unsettled(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is written, and not waited for.
struct Unsettled {
    file: WritePtr,
    path: PathBuf,
    files: Files,
}

impl Write for Unsettled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl TerminatingWrite for Unsettled {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.file.flush()?;
        // Whoever waited meanwhile has waited for its beginning alone.
        self.files.unsettled().insert(self.path.clone());
        Ok(())
    }
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        stored::open(&self.root, path, self.directory.get_file_handle(path)?)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.directory.delete(path)?;
        self.unsettled().remove(path);
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.directory.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = self.directory.open_write(path)?;
        self.unsettled().insert(path.to_owned());
        let file = Unsettled { file, path: path.to_owned(), files: self.clone() };
        Ok(BufWriter::with_capacity(0, Box::new(file)))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let differs = || {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it differs from its checksum");
            OpenReadError::wrap_io_error(error, path.to_path_buf())
        };
        unseal(self.directory.atomic_read(path)?).ok_or_else(differs)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let whole = self.root.join(path);
        let mut beside = whole.clone().into_os_string();
        beside.push(NEW);
        fs::write(&beside, seal(data)).and_then(|()| fs::rename(&beside, &whole)).inspect_err(|_| {
            // Half a list takes room on a disk that may be full.
            let _ = fs::remove_file(&beside);
        })?;
        self.unsettled().insert(path.to_owned());
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        // With all the rest.
        Ok(())
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.directory.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.directory.watch(callback)
    }
}

fn seal(list: &[u8]) -> Vec<u8> {
    [list, SEAL, format!("{:08x}\n", crc32fast::hash(list)).as_bytes()].concat()
}

/// The list, unless it differs from its checksum. One without is of a time when there was none, if it is whole.
fn unseal(mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let Some(end) = sealed.windows(SEAL.len()).rposition(|bytes| bytes == SEAL) else {
        return serde_json::from_slice::<IgnoredAny>(&sealed).is_ok().then_some(sealed);
    };
    (sealed[end..] == seal(&sealed[..end])[end..]).then(|| {
        sealed.truncate(end);
        sealed
    })
}

/// The files of the last commit in a directory that are missing, or differ from their checksums, in order. All are
/// read, in so many threads. Somebody else may be writing there.
///
/// # Errors
/// [`Error::Corrupt`] when the directory holds no index at all.
pub(crate) fn damaged(directory: &Path, threads: usize) -> Result<Vec<PathBuf>, Error> {
    let mut before: Vec<PathBuf> = Vec::new();
    for _ in 0..READINGS {
        let listed = match listed(directory)? {
            Ok(listed) => listed,
            Err(list) => return Ok(vec![list]),
        };
        // What is gone because a newer commit does without it is not damaged: the newest list decides.
        if before.iter().any(|path| listed.contains(path)) {
            before.retain(|path| listed.contains(path));
            return Ok(before);
        }
        before = differing(directory, listed, threads)?;
        if before.is_empty() {
            break;
        }
    }
    Ok(before)
}

/// What the last commit consists of; else the list that is damaged.
pub(crate) fn listed(directory: &Path) -> Result<Result<HashSet<PathBuf>, PathBuf>, Error> {
    let files = Files::open(directory)?;
    for list in [META, MANAGED].map(PathBuf::from) {
        match files.atomic_read(&list) {
            Ok(_) => {}
            Err(OpenReadError::FileDoesNotExist(_)) if list.as_os_str() == META => {
                return Err(Error::Corrupt(format!("{} holds no index", directory.display())));
            }
            // Without it nothing is missed but what could be deleted.
            Err(OpenReadError::FileDoesNotExist(_)) => {}
            Err(_) => return Ok(Err(list)),
        }
    }
    let metas = Index::open(files).and_then(|index| index.load_metas());
    Ok(metas.map(|metas| metas.segments.iter().flat_map(files_of).collect()).map_err(|_| META.into()))
}

/// A segment's files, relative to the directory.
pub(crate) fn files_of(segment: &SegmentMeta) -> Vec<PathBuf> {
    let mut components = vec![
        SegmentComponent::Store,
        SegmentComponent::Postings,
        SegmentComponent::Positions,
        SegmentComponent::Terms,
        SegmentComponent::FastFields,
        SegmentComponent::FieldNorms,
    ];
    components.extend(segment.has_deletes().then_some(SegmentComponent::Delete));
    components.into_iter().map(|component| segment.relative_path(component)).collect()
}

fn differing(directory: &Path, files: HashSet<PathBuf>, threads: usize) -> Result<Vec<PathBuf>, Error> {
    let mut files: Vec<(u64, PathBuf)> = files
        .into_iter()
        .map(|path| (directory.join(&path).metadata().map_or(0, |metadata| metadata.len()), path))
        .collect();
    // The largest first, so that nobody is left alone with it at the end.
    files.sort_unstable_by(|one, other| other.cmp(one));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Ok(Vec::new())));
    let work = || {
        while let Some((_, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let read = is_whole(&directory.join(path));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match (read, found.as_mut()) {
                (Ok(true), _) | (_, Err(_)) => {}
                (Ok(false), Ok(found)) => found.push(path.clone()),
                (Err(error), Ok(found)) if is_damage(&error) => found.push(path.clone()),
                (Err(source), Ok(_)) => *found = Err(Error::Directory { path: directory.join(path), source }),
            }
        }
    };
    thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    found.sort_unstable();
    Ok(found)
}

/// Whether it is the file's fault that it cannot be read, and not that of a process that has too many open.
fn is_damage(error: &io::Error) -> bool {
    const IO: i32 = 5;
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
        || error.raw_os_error() == Some(IO)
}

/// What the end of a segment's file says of what stands before it, and of who wrote it: the one thing that no checksum
/// tells, and that nothing depends on but whether the file is opened.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    #[serde(rename = "version")]
    _version: Version,
    crc: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    #[serde(rename = "major")]
    _major: u32,
    #[serde(rename = "minor")]
    _minor: u32,
    #[serde(rename = "patch")]
    _patch: u32,
    #[serde(rename = "index_format_version")]
    _format: u32,
}

fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(ending) = file.metadata()?.len().checked_sub(ENDING) else { return Ok(false) };
    file.seek(SeekFrom::Start(ending))?;
    let mut number = [0; 4];
    file.read_exact(&mut number)?;
    let length = u64::from(u32::from_le_bytes(number));
    file.read_exact(&mut number)?;
    let Some(end) = ending.checked_sub(length) else { return Ok(false) };
    if u32::from_le_bytes(number) != MAGIC || length > LONGEST_FOOTER {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(end))?;
    let mut footer = Vec::new();
    Read::by_ref(&mut file).take(length).read_to_end(&mut footer)?;
    let Ok(footer) = serde_json::from_slice::<Footer>(&footer) else { return Ok(false) };
    file.seek(SeekFrom::Start(0))?;
    Ok(checksum(file.take(end))? == (end, footer.crc))
}

/// The length and the checksum of all that is to be read.
fn checksum(mut from: impl Read) -> io::Result<(u64, u32)> {
    let (mut hasher, mut piece, mut length) = (crc32fast::Hasher::new(), vec![0; PIECE], 0);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok((length, hasher.finalize())),
            read => {
                length += read as u64;
                hasher.update(&piece[..read]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn what_was_written_is_waited_for_once_and_until_the_disk_has_it() {
        let root = tempfile::tempdir().unwrap();
        let files = Files::open(root.path()).unwrap();
        assert!(files.is_settled());
        for name in ["one", "other", "merged away"] {
            let mut file = files.open_write(Path::new(name)).unwrap();
            file.write_all(b"what ").unwrap();
            if name == "one" {
                files.settle().unwrap();
            }
            file.write_all(b"stands there").unwrap();
            file.terminate().unwrap();
            assert!(!files.is_settled(), "its end is not waited for yet");
            assert_eq!(fs::read(root.path().join(name)).unwrap(), b"what stands there");
        }
        files.atomic_write(Path::new(META), b"{}").unwrap();
        files.delete(Path::new("merged away")).unwrap();
        fs::remove_file(root.path().join("other")).unwrap();
        std::os::unix::fs::symlink("other", root.path().join("other")).unwrap();
        let error = files.settle().unwrap_err().to_string();
        assert!(error.contains("other"), "{error}");
        assert!(!files.is_settled());
        fs::remove_file(root.path().join("other")).unwrap();
        assert_eq!(files.clone().settle().unwrap(), 3, "what is gone is not missed");
        assert!(files.is_settled());
        assert_eq!(files.settle().unwrap(), 0);
    }

    #[test]
    fn a_list_is_read_as_it_was_written_or_not_at_all() {
        let list = b"{\"segments\": []}".to_vec();
        let sealed = seal(&list);
        assert_eq!(unseal(sealed.clone()), Some(list.clone()));
        assert_eq!(unseal(list.clone()), Some(list.clone()), "from before there were checksums");
        for (place, bit) in (0..sealed.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1 << bit;
            // What does not look like a checksum any more is not JSON either.
            let read =
                unseal(damaged).filter(|list| serde_json::from_slice::<serde_json::Value>(list).is_ok());
            assert_eq!(read, None, "bit {bit} of byte {place}");
        }
    }
}
