//! Keeping the search index equal to the database.
//!
//! Whoever writes the catalog does nothing for the index but call [`Indexing::changed`] after its commit, and
//! even that is only haste: triggers log what changed, and the worker (`worker`) follows the log. Each turn of
//! the loop reads, in one snapshot, which products changed since the snapshot of the index's last commit, and
//! those products' rows; it indexes them and commits with the new snapshot as the commit's payload. What is
//! visible is applied at once; what might still commit will be unseen by the old snapshot and seen by a later
//! one. There is no cursor elsewhere that could be ahead of the index or behind it.
//!
//! An index whose history is not the database's (another epoch, server, timeline or schema), or that slept
//! longer than the log is kept, is rebuilt (`rebuild`) beside the old one. [`verify`] compares every document.

mod mirror;
mod projection;
mod rebuild;
mod snapshot;
mod store;
mod tuning;
pub mod verify;
mod worker;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use duka_index::{Document, Engine};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub use self::{
    snapshot::{Snapshot, Version},
    tuning::Tuning,
};

/// Why the mirror cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// The database did not answer, or not as expected.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The index could not be read or written.
    #[error("the index failed: {0}")]
    Index(#[from] duka_index::Error),
    /// The index's folder could not be read or written.
    #[error("the index folder failed: {0}")]
    Folder(#[from] std::io::Error),
    /// The database is behind the index: a standby that has not caught up.
    #[error("the database has not replayed as far as the index yet")]
    Lagging,
    /// The index cannot be caught up from the log.
    #[error("the index must be rebuilt: {0}")]
    Outlived(&'static str),
    /// A snapshot or payload cannot be read.
    #[error("{0}")]
    Snapshot(#[from] snapshot::SnapshotError),
    /// The search settings are none that this program knows.
    #[error(
        "version {version} of the search settings cannot be read, perhaps a newer duka wrote it: {reason}"
    )]
    Settings {
        /// Which ones.
        version: i64,
        /// What is wrong with them.
        reason: String,
    },
    /// A payload cannot be written.
    #[error("the commit payload failed: {0}")]
    Payload(#[from] serde_json::Error),
    /// A task was ended from outside.
    #[error("an indexing task was ended: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The program is at fault.
    #[error("indexing panicked")]
    Panicked,
    /// Asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Opens a read-only transaction that sees one snapshot from beginning to end.
///
/// # Errors
/// When the database does not answer.
pub async fn begin_snapshot(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    store::begin(pool).await
}

/// Counts the catalog anew for the database's planner. After a large change, and in a restored database, it would
/// otherwise plan the mirror's reading for empty tables, which is a hundred times slower. Where it may not, nothing
/// happens.
pub async fn analyze(pool: &PgPool) {
    if let Err(error) = store::analyze(pool).await {
        tracing::debug!(%error, "the catalog's statistics were not renewed");
    }
}

/// The documents of those of `ids` that are live in the transaction's snapshot, in id order: what the index
/// holds of them, or will.
///
/// # Errors
/// When the database does not answer.
pub async fn documents(db: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<Document>> {
    projection::documents(db, ids).await
}

/// How searches are tuned, as the transaction sees it.
///
/// # Errors
/// When the database does not answer, or holds settings that this program cannot read.
pub async fn tuning(db: &mut PgConnection) -> Result<Tuning, IndexingError> {
    let present = store::present(db).await?;
    tuning::read(db, present.settings_version).await
}

/// How far the mirror is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The history that the snapshot belongs to.
    pub epoch: i64,
    /// What the index equals.
    pub snapshot: Snapshot,
}

impl Applied {
    /// Whether the index holds this write.
    pub fn holds(&self, version: Version) -> bool {
        self.epoch == version.epoch && self.snapshot.sees(version.xid)
    }

    /// The newest version such that the index holds it and all before it.
    pub fn version(&self) -> Version {
        Version { epoch: self.epoch, xid: self.snapshot.xmin().saturating_sub(1) }
    }
}

/// The door: the mirror, and the one who keeps it. Cheap to clone.
#[derive(Clone)]
pub struct Indexing(Arc<Shared>);

struct Shared {
    engine: RwLock<Engine>,
    tuning: RwLock<Arc<Tuning>>,
    applied: watch::Sender<Applied>,
    wake: Notify,
    tell: Notify,
}

impl Indexing {
    /// Opens the mirror in the data directory, building it where there is none that can be caught up, and
    /// starts the worker that keeps it until `stop` is cancelled. `pool` is the worker's own.
    ///
    /// # Errors
    /// When another process keeps this mirror, or it can be neither opened nor built.
    pub async fn start(
        pool: PgPool,
        data_dir: PathBuf,
        stop: CancellationToken,
    ) -> Result<(Self, JoinHandle<()>), IndexingError> {
        let worker = worker::Worker::open(pool, data_dir, stop).await?;
        let door = worker.door();
        Ok((door, tokio::spawn(worker.run())))
    }

    fn new(engine: Engine, applied: Applied) -> Self {
        let (applied, _) = watch::channel(applied);
        let (engine, tuning) = (RwLock::new(engine), RwLock::default());
        Self(Arc::new(Shared { engine, tuning, applied, wake: Notify::new(), tell: Notify::new() }))
    }

    /// The index that is current now. Ask again for each search: a rebuild swaps it.
    pub fn engine(&self) -> Engine {
        self.0.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How searches are tuned now.
    pub fn tuning(&self) -> Arc<Tuning> {
        Arc::clone(&self.0.tuning.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far the mirror is now.
    pub fn applied(&self) -> Applied {
        self.0.applied.borrow().clone()
    }

    /// Says that a write to the catalog has committed: wakes this node's worker, and soon the other nodes'.
    pub fn changed(&self) {
        self.0.wake.notify_one();
        self.0.tell.notify_one();
    }

    /// Waits until the index holds the write; false when it does not within `patience`.
    pub async fn holds(&self, version: Version, patience: Duration) -> bool {
        let mut applied = self.0.applied.subscribe();
        let waited = tokio::time::timeout(patience, applied.wait_for(|applied| applied.holds(version))).await;
        matches!(waited, Ok(Ok(_)))
    }

    fn swap(&self, engine: Engine) {
        *self.0.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    fn tune(&self, tuning: Tuning) {
        *self.0.tuning.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tuning);
    }

    fn advance(&self, applied: Applied) {
        self.0.applied.send_replace(applied);
    }
}
