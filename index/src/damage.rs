//! What is said of files that differ from their checksums. How they are found stands in [`health`](crate::health) and
//! [`files`](crate::files).

use std::path::{Path, PathBuf};

use crate::{engine::threads, error::Error, files};

/// What was found to differ from its checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// The files, in order; empty when all is as it was written.
    pub files: Vec<String>,
    /// The ids of the documents in segments with such files, in order.
    pub documents: Vec<i64>,
}

impl Damage {
    /// As an error, if there is any.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the files.
    pub fn into_error(self) -> Result<(), Error> {
        if self.files.is_empty() { Ok(()) } else { Err(differ(&self.files)) }
    }
}

/// The files of the last commit in a directory that are missing, or differ from their checksums, in order. Whoever
/// writes there meanwhile does not mind.
///
/// # Errors
/// [`Error::Corrupt`] when it holds no index; [`Error::Directory`] when it cannot be read.
pub fn damaged_files(directory: &Path) -> Result<Vec<String>, Error> {
    Ok(names(&files::damaged(directory, threads())?))
}

pub(crate) fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.display().to_string()).collect()
}

pub(crate) fn differ(files: &[String]) -> Error {
    Error::Corrupt(format!("these files differ from their checksums: {}", files.join(", ")))
}
