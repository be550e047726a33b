//! What is told of the index, and what can be asked of a comparison.

use time::OffsetDateTime;

use crate::{
    cache::Statistics,
    indexing::{Lag, Version},
    params::{self, Params, QueryForm},
};

/// The index as it is now.
#[derive(Clone, Debug)]
pub struct Status {
    /// Documents that searches can find.
    pub documents: u64,
    /// Segments, each of which every search visits.
    pub segments: u64,
    /// What it takes on disk.
    pub bytes: u64,
    /// Which generation answers; it grows with every commit, and begins anew with the process.
    pub generation: u64,
    /// The newest write of which it holds everything.
    pub version: Version,
    /// How far it is behind; none while the database does not answer.
    pub lag: Option<Lag>,
    /// When the last commit was written.
    pub last_commit_at: Option<OffsetDateTime>,
    /// Whether the index before this one could take over again.
    pub can_go_back: bool,
    /// Kept answers.
    pub cache: Statistics,
}

/// How a comparison is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Whether products that differ are indexed anew.
    pub repair: bool,
}

impl QueryForm for Comparison {
    fn read(params: &mut Params) -> Self {
        Self { repair: params.parsed("repair", params::boolean).unwrap_or(false) }
    }
}
