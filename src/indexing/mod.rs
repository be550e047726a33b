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
//! longer than the log is kept, is rebuilt (`rebuild`) beside the old one. [`verify`] compares every document. Files
//! that are not what was written are noticed when the index is opened, when somebody writes to them, and when a search
//! cannot read them (`damage`); then another index takes over (`mend`).

mod build;
mod damage;
mod distance;
mod follow;
mod lag;
mod mend;
mod mirror;
mod projection;
mod rebuild;
mod reopen;
mod snapshot;
mod store;
mod tuning;
pub mod verify;
mod worker;

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use duka_index::{Document, Engine};
use sqlx::{PgConnection, PgPool};
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub use self::{
    damage::Remedy,
    lag::Lag,
    snapshot::{Snapshot, Version},
    tuning::Tuning,
};
use self::{
    damage::Verdicts, follow::Mirror, mirror::Folder, rebuild::Successor, reopen::Demand, verify::Report,
    worker::Order,
};

/// Why the mirror cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// The database did not answer, or not as expected.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The index could not be read or written.
    #[error(transparent)]
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
    /// An index that is damaged, and another one could not be built in its place.
    #[error("the index is damaged and could not be replaced; it will be tried again: see the log")]
    Damaged,
    /// A new index is not what the database holds: it must not take over.
    #[error("the new index differs from the database: {0}")]
    Unlike(String),
    /// There is no index from before.
    #[error("there is no index from before the current one")]
    NoPrevious,
    /// An index is being built already.
    #[error("another index is being built")]
    Busy,
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

/// Counts the catalog anew for the database's planner. After a large change, and in a restored database, it would
/// otherwise plan the mirror's reading for empty tables, which is a hundred times slower. Where it may not, nothing
/// happens.
pub async fn analyze(pool: &PgPool) {
    if let Err(error) = store::analyze(pool).await {
        tracing::debug!(%error, "the catalog's statistics were not renewed");
    }
}

/// Cuts what no node needs any more from the change log: below the lowest cursor of those that were heard of within
/// a week, and older than that. How many entries.
///
/// # Errors
/// When the database does not answer.
pub async fn cut_log(pool: &PgPool) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        // A piece at a time: whoever writes meanwhile is not held up.
        let cut = store::cut_log(pool).await?;
        if cut == 0 {
            return Ok(all);
        }
        all += cut;
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

/// What cannot be indexed is left out, and `verify` misses it: it must not hold up everybody else's.
fn refuse(error: &duka_index::Error) {
    tracing::error!(%error, "a product cannot be found by searches");
    metrics::counter!("duka_index_refused_documents_total").increment(1);
}

/// The databases that a mirror lives by: mostly the same one twice.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Where the log and the products are read: the shop's database, or a standby of it, which may be behind.
    pub read: PgPool,
    /// The shop's database itself, where a mirror says how far it is, and hears that there is news.
    pub home: PgPool,
}

/// The door: the mirror, and the one who keeps it. Cheap to clone.
#[derive(Clone)]
pub struct Indexing(Arc<Shared>);

struct Shared {
    engine: ArcSwap<Engine>,
    tuning: ArcSwap<Tuning>,
    applied: watch::Sender<Applied>,
    wake: Notify,
    tell: Notify,
    sources: Sources,
    folder: Arc<Folder>,
    orders: mpsc::Sender<Order>,
    /// Held by who prepares an index to take over.
    building: Mutex<()>,
    /// Held by who compares everything.
    comparing: Mutex<()>,
    verdicts: Verdicts,
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
        let sources = Sources { read: pool.clone(), home: pool };
        let worker = worker::Worker::open(sources, data_dir, stop, Demand::Level).await?;
        Ok(Self::work(worker))
    }

    /// As [`start`](Self::start), but for those who answer searches meanwhile, and may read a standby: an index that
    /// cannot be caught up, since the database was restored, another took over from it or the log was cut, answers until
    /// the worker has built another one.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn resume(
        sources: Sources,
        data_dir: PathBuf,
        stop: CancellationToken,
    ) -> Result<(Self, JoinHandle<()>), IndexingError> {
        let worker = worker::Worker::open(sources, data_dir, stop, Demand::Something).await?;
        Ok(Self::work(worker))
    }

    fn work(worker: worker::Worker) -> (Self, JoinHandle<()>) {
        let door = worker.door();
        (door, tokio::spawn(worker.run()))
    }

    fn new(mirror: &Mirror, sources: Sources, folder: Arc<Folder>, orders: mpsc::Sender<Order>) -> Self {
        let (applied, _) = watch::channel(mirror.applied.clone());
        Self(Arc::new(Shared {
            engine: ArcSwap::from_pointee(mirror.engine.clone()),
            tuning: ArcSwap::default(),
            applied,
            wake: Notify::new(),
            tell: Notify::new(),
            sources,
            folder,
            orders,
            building: Mutex::new(()),
            comparing: Mutex::new(()),
            verdicts: Verdicts::default(),
        }))
    }

    /// The index that is current now. Ask again for each search: a rebuild swaps it.
    pub fn engine(&self) -> Engine {
        Engine::clone(&self.0.engine.load())
    }

    /// How searches are tuned now.
    pub fn tuning(&self) -> Arc<Tuning> {
        self.0.tuning.load_full()
    }

    /// Looks at the [`engine`](Self::engine) and its [`tuning`](Self::tuning) without holding either: what thousands do
    /// a second, on every processor, costs most where all of them count the same number up and down.
    pub fn peek<T>(&self, look: impl FnOnce(&Engine, &Tuning) -> T) -> T {
        look(&self.0.engine.load(), &self.0.tuning.load())
    }

    /// How far the mirror is now.
    pub fn applied(&self) -> Applied {
        self.0.applied.borrow().clone()
    }

    /// The newest version such that the mirror holds it and all before it.
    pub fn version(&self) -> Version {
        self.0.applied.borrow().version()
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

    /// Builds the index anew from one snapshot of the database, beside the one that answers and is kept up to date
    /// meanwhile; brings it up to date, checks it, and lets it take over. `progress` hears how many documents are
    /// indexed, of how many.
    ///
    /// # Errors
    /// When it was stopped, or failed: then everything is as it was. [`IndexingError::Busy`] when an index is being
    /// built already.
    pub async fn rebuild(
        &self,
        stop: &CancellationToken,
        progress: impl Fn(u64, u64) + Send + Sync,
    ) -> Result<(), IndexingError> {
        let _building = self.0.building.try_lock().map_err(|_| IndexingError::Busy)?;
        let prepared = rebuild::prepare(&self.0.sources.read, &self.0.folder, stop, &progress).await?;
        self.order(|asker| Order::TakeOver(Box::new(prepared), asker)).await
    }

    /// Whether there is an index from before the current one.
    pub fn can_go_back(&self) -> bool {
        self.0.folder.previous().is_some()
    }

    /// Lets the index that answered before the current one take over again, once it is up to date and checked.
    ///
    /// # Errors
    /// [`IndexingError::NoPrevious`] when there is none, [`IndexingError::Outlived`] when it cannot be brought up to
    /// date, [`IndexingError::Busy`] when an index is being built.
    pub async fn go_back(&self, stop: &CancellationToken) -> Result<(), IndexingError> {
        let _building = self.0.building.try_lock().map_err(|_| IndexingError::Busy)?;
        let path = self.0.folder.previous().ok_or(IndexingError::NoPrevious)?;
        let mirror = rebuild::reopen(&self.0.sources.read, &path, stop).await?;
        self.order(|asker| Order::TakeOver(Box::new(Successor { mirror, path }), asker)).await
    }

    /// Compares every file with its checksum, and every document with the database; with `repair`, products that differ
    /// are indexed anew, an index with damaged files is replaced, and the report says what was found before. A damaged
    /// one is replaced without, too, but nobody waits for that. One comparison at a time, the others wait for their turn:
    /// each holds a connection that the mirror lives by.
    ///
    /// # Errors
    /// When either cannot be read.
    pub async fn verify(&self, repair: bool) -> Result<Report, IndexingError> {
        let turn = self.0.comparing.lock().await;
        let engine = self.engine();
        let report = verify::verify(&self.0.sources.read, engine.clone(), |_, _| {}).await?;
        drop(turn);
        metrics::counter!("duka_index_differences_total").increment(report.differences());
        if !report.damaged_files.is_empty() {
            self.0.wake.notify_one();
            if repair {
                self.replaced(&engine).await?;
            }
        } else if repair && !report.differing.is_empty() {
            let ids = report.differing.clone();
            self.order(|asker| Order::Repair(ids, asker)).await?;
        }
        Ok(report)
    }

    async fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<(), IndexingError>>) -> Order,
    ) -> Result<(), IndexingError> {
        let (asker, answer) = oneshot::channel();
        // Both fail only when the worker has ended.
        self.0.orders.send(order(asker)).await.map_err(|_| IndexingError::Cancelled)?;
        answer.await.map_err(|_| IndexingError::Cancelled)?
    }

    fn swap(&self, engine: Engine) {
        self.0.engine.store(Arc::new(engine));
        self.0.verdicts.tell();
    }

    fn tune(&self, tuning: Tuning) {
        self.0.tuning.store(Arc::new(tuning));
    }

    fn advance(&self, applied: Applied) {
        self.0.applied.send_replace(applied);
    }
}
