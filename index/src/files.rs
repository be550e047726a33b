//! What lies in an index's directory: every file with a checksum, and nothing believed that differs from its own.
//!
//! tantivy ends each file of a segment with a checksum, and writes the lists of segments and of files without one:
//! here they get theirs. Files are read for it as files and not through memory, since a mapped file that has become
//! shorter ends the process that reads it.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde::{Deserialize, de::IgnoredAny};
use tantivy::{
    Directory, Index, SegmentMeta, TantivyError,
    directory::{
        DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
        error::{DeleteError, LockError, OpenReadError, OpenWriteError},
    },
    index::SegmentComponent,
};

use crate::error::Error;

/// The list of a commit's segments.
pub(crate) const META: &str = "meta.json";
/// The list of the directory's files.
pub(crate) const MANAGED: &str = ".managed.json";
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

/// tantivy's directory, where lists have checksums as well.
#[derive(Clone, Debug)]
pub(crate) struct Files(MmapDirectory);

impl Files {
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        Ok(Self(MmapDirectory::open(directory).map_err(TantivyError::from)?))
    }
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.0.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.0.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.0.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.0.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let differs = || {
            let error = io::Error::new(io::ErrorKind::InvalidData, "it differs from its checksum");
            OpenReadError::wrap_io_error(error, path.to_path_buf())
        };
        unseal(self.0.atomic_read(path)?).ok_or_else(differs)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.0.atomic_write(path, &seal(data))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.0.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.0.watch(callback)
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
    file.by_ref().take(length).read_to_end(&mut footer)?;
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
