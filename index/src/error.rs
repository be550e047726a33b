//! What can go wrong, by what the caller does next.

use std::path::PathBuf;

/// Why the index could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory holds an index of another schema or another way to read text: build a new one.
    #[error("the index has schema {found}, this program reads {expected}: build the index anew")]
    Schema {
        /// The fingerprint of what is there.
        found: String,
        /// The fingerprint of what this program reads; see [`fingerprint`](crate::fingerprint).
        expected: String,
    },
    /// Another writer is open on the same directory, in this process or in another one.
    #[error("the index in {} already has a writer: close it before opening another one", .0.display())]
    WriterBusy(PathBuf),
    /// What fills an empty index was to fill another one.
    #[error("the index in {} is not empty: fill a new one, or change this one by its writer", .0.display())]
    NotEmpty(PathBuf),
    /// A document that cannot be indexed; the index is unchanged and the writer usable.
    #[error("document {id} cannot be indexed: {reason}")]
    Document {
        /// Its id.
        id: i64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The index on disk is not what was written: build a new one.
    #[error("the index is damaged: {0}; build the index anew")]
    Corrupt(String),
    /// Somebody has written to the index's files, and they have not been compared with their checksums since: see
    /// [`Engine::examine`](crate::Engine::examine).
    #[error(
        "files of the index were written to from outside, and have to be compared with their checksums first"
    )]
    Suspect,
    /// The directory could not be read or written.
    #[error("the index directory {} cannot be used: {source}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Names cannot be collated: the collation data is missing from this build.
    #[error("names cannot be collated: {0}")]
    Collation(String),
    /// The engine below failed; a writer that reported this is dropped and opened again.
    #[error("the index failed: {0}")]
    Engine(#[from] tantivy::TantivyError),
}

impl From<std::io::Error> for Error {
    /// An error while reading a segment, which a healthy disk never gives.
    fn from(error: std::io::Error) -> Self {
        Self::Engine(tantivy::TantivyError::from(error))
    }
}
