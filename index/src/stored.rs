//! The file of a segment's stored documents, read as a file and not through memory.
//!
//! It is two thirds of an index, and answers need small pieces from all over it. Mapped, whatever was read once would
//! count as the process's memory until the system takes it back; and whoever reads behind the end of a mapped file that
//! has become shorter is killed, while here that is an error like others. What a merge copies as a whole still comes from
//! the map: it would not fit elsewhere.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path, sync::Arc};

use tantivy::{
    HasLen,
    directory::{FileHandle, OwnedBytes, error::OpenReadError},
};

/// What such a file's name ends with (tantivy's `SegmentComponent::Store`).
const STORE: &str = "store";
/// The most bytes that are read at once, and not mapped: a block of documents has 16 KiB, before it is packed.
const PIECE: usize = 1 << 20;

/// A file of an index that is mapped already, by its name in the directory: read as a file if documents are stored in it.
pub(crate) fn open(
    root: &Path,
    name: &Path,
    mapped: Arc<dyn FileHandle>,
) -> Result<Arc<dyn FileHandle>, OpenReadError> {
    if name.extension().is_none_or(|extension| extension != STORE) {
        return Ok(mapped);
    }
    let file = File::open(root.join(name));
    let file = file.map_err(|error| OpenReadError::wrap_io_error(error, name.to_path_buf()))?;
    Ok(Arc::new(Stored { file, mapped }))
}

/// The file, open in both ways.
#[derive(Debug)]
struct Stored {
    file: File,
    mapped: Arc<dyn FileHandle>,
}

impl HasLen for Stored {
    fn len(&self) -> usize {
        self.mapped.len()
    }
}

impl FileHandle for Stored {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.len() > PIECE {
            return self.mapped.read_bytes(range);
        }
        let mut bytes = vec![0; range.len()];
        self.file.read_exact_at(&mut bytes, range.start as u64)?;
        Ok(OwnedBytes::new(bytes))
    }
}
