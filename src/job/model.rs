//! What a job is: its kind, how far it is, how it ended. Nothing here knows the database.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::auth::Author;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Builds the index anew.
    Reindex,
    /// Brings a catalog in.
    Import,
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 2;

    /// The word that the database and paths use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reindex => "reindex",
            Self::Import => "import",
        }
    }

    /// Whether it needs nothing but the database, and so begins again when its process was stopped in the middle.
    pub const fn begins_again(self) -> bool {
        matches!(self, Self::Reindex)
    }

    /// Where a job of this kind is read.
    pub fn path(self, id: i64) -> String {
        format!("/api/admin/{}/{id}/", self.as_str())
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobStatus)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// Waits for its turn.
    Queued,
    /// At work.
    Running,
    /// Did what it was asked to do.
    Succeeded,
    /// Did not; `error` says why.
    Failed,
    /// Was stopped on somebody's request.
    Cancelled,
}

impl Status {
    /// Whether nothing comes after it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A job to be made.
#[derive(Clone, Debug)]
pub struct New {
    /// What it does.
    pub kind: Kind,
    /// Who asked for it.
    pub author: Author,
    /// What it was asked to do, by kind: an object.
    pub parameters: Value,
}

/// A job as it stands.
// Its JSON is what every kind shows; what is skipped is for kinds that show more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// How far it is.
    pub status: Status,
    /// Documents of a reindex, rows of an import.
    pub documents_done: i64,
    /// How many there are; null as long as that is not known.
    pub documents_total: Option<i64>,
    /// Null while it waits for its turn.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// Null until it has ended, however it did.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// Why it failed, and what to do; null unless it did.
    pub error: Option<String>,
    /// What it was asked to do.
    #[serde(skip)]
    pub parameters: Value,
    /// Of an import: products made.
    #[serde(skip)]
    pub rows_created: i64,
    /// Of an import: rows of products that were there.
    #[serde(skip)]
    pub rows_updated: i64,
    /// Of an import: rows refused.
    #[serde(skip)]
    pub rows_refused: i64,
    /// Of an import: the last write that it kept.
    #[serde(skip)]
    pub catalog_version: Option<String>,
    /// Of an import: the first hundred rows that it refused, a list of [`RowError`].
    #[serde(skip)]
    pub row_errors: Value,
}

/// How far a job is, as the one who does it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// See [`Job::documents_done`].
    pub done: u64,
    /// See [`Job::documents_total`].
    pub total: Option<u64>,
    /// See [`Job::rows_created`].
    pub rows_created: u64,
    /// See [`Job::rows_updated`].
    pub rows_updated: u64,
    /// See [`Job::rows_refused`].
    pub rows_refused: u64,
    /// See [`Job::catalog_version`].
    pub catalog_version: Option<String>,
}

/// A row that a job refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RowError {
    /// The line of the file on which the row starts, from 1.
    pub line: i64,
    /// The row's SKU, where it could be read.
    pub sku: Option<String>,
    /// Everything that is wrong with it.
    pub reason: String,
}

/// Which part of a list of rows is wanted: those behind a line, but for the first few.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Rows up to this line are left out.
    pub after_line: i64,
    /// And so many after it.
    pub offset: i64,
    /// At most so many.
    pub limit: i64,
}
