//! The loop that follows the change log.

use std::{panic::AssertUnwindSafe, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Indexing, IndexingError, Sources,
    follow::{Mirror, committed},
    mirror::{Folder, Lock},
    rebuild::{self, Successor},
    reopen::{Demand, forget_foreign_log, reopen},
    store, tuning,
};
use crate::{database, node};

/// How long a change that nobody announced may wait.
const POLL: Duration = Duration::from_millis(250);
/// Between the beginnings of two turns of which the first has changed something, at least: each is a generation, with
/// which answers that are kept are gone, and words are looked up in what it brings. A change that comes alone is taken at once.
const PACE: Duration = Duration::from_millis(30);
/// The same while more than so many products change a second: a tenth of the generations takes a fraction of the work and
/// lets kept answers live ten times as long. A search that waits for a write waits for half a second at most, of which
/// this has to leave enough for the turn itself.
const BUSY: (f64, Duration) = (200.0, Duration::from_millis(300));
/// Nodes are told of changes at most this often.
const TELL_EVERY: Duration = Duration::from_millis(50);
/// How often this node says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often it looks whether the log can be cut.
const CUT: Duration = Duration::from_secs(3600);
/// After an error the next try waits this long.
pub(super) const AFTER_ERROR: Duration = Duration::from_millis(500);

/// How long a stop waits for the turn that is under way: most take milliseconds.
const LAST_TURN: Duration = Duration::from_secs(2);

/// What the worker is asked to do between two turns.
pub(super) enum Order {
    /// Let an index take over that is nearly up to date.
    TakeOver(Box<Successor>, oneshot::Sender<Result<(), IndexingError>>),
    /// Read these products anew.
    Repair(Vec<i64>, oneshot::Sender<Result<(), IndexingError>>),
}

pub(super) struct Worker {
    pub(super) sources: Sources,
    pub(super) folder: Arc<Folder>,
    _lock: Lock,
    pub(super) stop: CancellationToken,
    pub(super) door: Indexing,
    pub(super) mirror: Mirror,
    pub(super) orders: mpsc::Receiver<Order>,
    /// The version of the search settings that was looked at last, good or not; `None`: look again.
    settings_seen: Option<i64>,
    /// When the last turn began that has changed something, and how long the next one waits from then on.
    changed: Option<(Instant, Duration)>,
    heartbeat_at: Option<Instant>,
    cut_at: Option<Instant>,
    /// Turns that the index failed, one after the other.
    pub(super) failed_turns: u32,
    /// Builds that failed one after the other.
    pub(super) failed_builds: u32,
    node: String,
}

impl Worker {
    pub(super) async fn open(
        sources: Sources,
        data_dir: PathBuf,
        stop: CancellationToken,
        demand: Demand,
    ) -> Result<Self, IndexingError> {
        let (folder, lock) = Folder::take(&data_dir)?;
        let folder = Arc::new(folder);
        forget_foreign_log(&sources.home).await?;
        let opened = reopen(&sources.read, &folder, demand).await?;
        folder.sweep();
        let mirror = match opened {
            Some(mirror) => mirror,
            None => {
                let built = rebuild::prepare(&sources.read, &folder, &stop, &log_progress()).await?;
                // What could not be used before is no way back.
                folder.fall_back(&built.path)?;
                folder.sweep();
                built.mirror
            }
        };
        let (sender, orders) = mpsc::channel(1);
        let door = Indexing::new(&mirror, sources.clone(), Arc::clone(&folder), sender);
        let mut worker = Self {
            sources,
            folder,
            _lock: lock,
            stop,
            door,
            mirror,
            orders,
            settings_seen: None,
            changed: None,
            heartbeat_at: None,
            cut_at: None,
            failed_turns: 0,
            failed_builds: 0,
            node: node::name(&data_dir),
        };
        worker.tune_afresh().await?;
        Ok(worker)
    }

    pub(super) fn door(&self) -> Indexing {
        self.door.clone()
    }

    /// Follows the log until it is told to stop; then ends the turn that it is in, if that is soon, and closes the writer.
    pub(super) async fn run(mut self) {
        let teller = tokio::spawn(tell(self.sources.home.clone(), self.door.clone(), self.stop.clone()));
        tokio::spawn(self.door.clone().measure(self.stop.clone()));
        let mut listener = None;
        while !self.stop.is_cancelled() {
            let Some(turn) = self.turn_unless_stopped().await else { break };
            self.measure();
            match turn {
                Ok(()) => {
                    self.failed_turns = 0;
                    self.wait(&mut listener).await;
                }
                Err(error) => self.recover(error).await,
            }
        }
        if let Err(error) = teller.await {
            tracing::debug!(%error, "the notifier had ended");
        }
        self.mirror.close().await;
    }

    /// A turn; nothing when it was told to stop meanwhile.
    async fn turn_unless_stopped(&mut self) -> Option<Result<(), IndexingError>> {
        let stop = self.stop.clone();
        // A panic is an error like any other: a mirror that nobody keeps would go stale in silence.
        let mut turn = pin!(AssertUnwindSafe(self.turn()).catch_unwind());
        tokio::select! {
            turn = &mut turn => Some(turn.unwrap_or(Err(IndexingError::Panicked))),
            () = stop.cancelled() => {
                // Whoever leaves in the middle of a commit leaves the writer with it, and nobody waits for its merges.
                let _ = timeout(LAST_TURN, turn).await;
                None
            }
        }
    }

    /// Reads what changed and applies it, all in one snapshot.
    async fn turn(&mut self) -> Result<(), IndexingError> {
        self.examine().await?;
        let begun = Instant::now();
        let mut look = self.mirror.look(&self.sources.read).await?;
        self.tune(&mut look.transaction, look.present.settings_version).await?;
        let applied = self.mirror.apply(look).await;
        // After an error too: what was shown is what the last commit holds.
        self.door.advance(self.mirror.applied.clone());
        self.mirror.settle();
        match applied? {
            0 => self.mirror.take_merged().await?,
            changes => {
                let since = self.changed.map(|(before, _)| begun - before);
                self.changed = Some((begun, pace(changes, since)));
            }
        }
        self.beat().await
    }

    fn measure(&self) {
        let status = self.mirror.engine.status();
        metrics::gauge!("duka_index_documents").set(status.documents as f64);
        metrics::gauge!("duka_index_segments").set(status.segments as f64);
        metrics::gauge!("duka_index_bytes").set(status.bytes as f64);
        metrics::gauge!("duka_index_generation").set(self.mirror.engine.generation() as f64);
    }

    /// Takes over the search settings of the snapshot, unless they were looked at before. Those that cannot be read
    /// change nothing: the last good ones stay.
    async fn tune(&mut self, db: &mut PgConnection, version: i64) -> Result<(), IndexingError> {
        if self.settings_seen == Some(version) {
            return Ok(());
        }
        match tuning::read(db, version).await {
            Ok(tuning) => {
                tracing::debug!(version, "the search is tuned");
                self.door.tune(tuning);
            }
            Err(error @ IndexingError::Settings { .. }) => {
                let kept = self.door.tuning().version;
                tracing::error!(%error, kept, "the search stays tuned as it was");
                metrics::counter!("duka_search_settings_refused_total").increment(1);
            }
            Err(error) => return Err(error),
        }
        self.settings_seen = Some(version);
        Ok(())
    }

    /// [`tune`](Self::tune), whatever was looked at before: in another history the same version says something
    /// else.
    async fn tune_afresh(&mut self) -> Result<(), IndexingError> {
        self.settings_seen = None;
        let mut transaction = database::begin_snapshot(&self.sources.read).await?;
        let present = store::present(&mut transaction).await?;
        self.tune(&mut transaction, present.settings_version).await?;
        transaction.rollback().await?;
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), IndexingError> {
        if self.heartbeat_at.is_some_and(|at| at.elapsed() < HEARTBEAT) {
            return Ok(());
        }
        // What the last commit holds, not what is applied in memory: a restart begins there.
        let committed = committed(&self.mirror.engine)?;
        self.heartbeat_at = Some(Instant::now());
        if let Err(error) = store::heartbeat(&self.sources.home, &self.node, &committed.snapshot).await {
            tracing::warn!(%error, "the other nodes do not hear of this one");
        }
        if self.cut_at.is_none_or(|at| at.elapsed() >= CUT) {
            self.cut_at = Some(Instant::now());
            if let Err(error) = super::cut_log(&self.sources.home).await {
                tracing::warn!(%error, "the change log was not cut");
            }
        }
        Ok(())
    }

    /// Until something changed here, something changed elsewhere, somebody wants something, or the poll is due.
    async fn wait(&mut self, listener: &mut Option<PgListener>) {
        if listener.is_none() {
            *listener = store::listen(&self.sources.home).await.ok();
        }
        let heard = async {
            match listener {
                Some(listener) => listener.recv().await.map(drop),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.door.0.wake.notified() => {}
            Some(order) = self.orders.recv() => self.obey(order).await,
            heard = heard => if let Err(error) = heard {
                tracing::warn!(%error, "notifications are interrupted; polling goes on");
                *listener = None;
                sleep(AFTER_ERROR).await;
            },
            () = sleep(POLL) => {}
        }
        let early = self.changed.and_then(|(at, pace)| pace.checked_sub(at.elapsed()));
        if let Some(early) = early.filter(|_| !self.stop.is_cancelled()) {
            sleep(early).await;
        }
    }

    pub(super) async fn obey(&mut self, order: Order) {
        let (done, asker) = match order {
            Order::TakeOver(successor, asker) => (self.take_over(*successor).await, asker),
            Order::Repair(ids, asker) => (self.repair(&ids).await, asker),
        };
        if let Err(Err(error)) = asker.send(done) {
            tracing::error!(%error, "what was asked of the indexer failed, and nobody waits for it any more");
        }
    }

    /// Brings an index fully up to date and lets it answer from now on.
    pub(super) async fn take_over(&mut self, successor: Successor) -> Result<(), IndexingError> {
        let Successor { mut mirror, path } = successor;
        let taken_over = async {
            let mut look = mirror.look(&self.sources.read).await?;
            // Before the swap: no answer of the new index is tuned by an older history.
            self.settings_seen = None;
            self.tune(&mut look.transaction, look.present.settings_version).await?;
            mirror.apply(look).await?;
            match self.mirror.engine.is_damaged() {
                // Nobody is to go back to it.
                true => {
                    self.folder.fall_back(&path)?;
                    self.folder.sweep();
                }
                false => self.folder.promote(&path)?,
            }
            Ok(())
        };
        if let Err(error) = taken_over.await {
            if self.folder.previous().as_deref() != Some(&path) {
                self.folder.remove(&path);
            }
            return Err(error);
        }
        self.door.swap(mirror.engine.clone());
        self.door.advance(mirror.applied.clone());
        let mut before = std::mem::replace(&mut self.mirror, mirror);
        // Its merges are of no use any more, but its folder must not change under who goes back to it.
        if !before.engine.is_damaged() {
            before.close().await;
        }
        metrics::counter!("duka_index_rebuilds_total").increment(1);
        Ok(())
    }

    async fn repair(&mut self, ids: &[i64]) -> Result<(), IndexingError> {
        let look = self.mirror.look(&self.sources.read).await?;
        let repaired = self.mirror.repair(look, ids).await;
        self.door.advance(self.mirror.applied.clone());
        metrics::counter!("duka_index_repaired_total").increment(ids.len() as u64);
        repaired
    }
}

/// How long the next turn waits after one that has applied so many changes, so long after the one before it.
fn pace(changes: usize, since: Option<Duration>) -> Duration {
    // Of a hundred a second, more than six come within one turn now and then.
    let since = since.unwrap_or_default().max(2 * PACE);
    let (busy, slower) = BUSY;
    if changes as f64 > busy * since.as_secs_f64() { slower } else { PACE }
}

/// Says in the log how far a build is that nobody watches.
pub(super) fn log_progress() -> impl Fn(u64, u64) + Send + Sync {
    const EVERY: u64 = 50_000;
    let told = std::sync::atomic::AtomicU64::new(0);
    move |done, total| {
        let step = done / EVERY;
        if told.fetch_max(step, std::sync::atomic::Ordering::Relaxed) < step {
            tracing::info!(done, total, "building the index");
        }
    }
}

/// Tells the other nodes of this node's writes, many writes at once.
async fn tell(pool: PgPool, door: Indexing, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = door.0.tell.notified() => {}
        }
        if let Err(error) = store::notify(&pool).await {
            tracing::debug!(%error, "the other nodes will find the change by polling");
        }
        sleep(TELL_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_changes_a_second_wait_for_each_other() {
        let millis = Duration::from_millis;
        let (_, slower) = BUSY;
        assert_eq!(pace(1, None), PACE, "one that comes alone");
        assert_eq!(pace(1, Some(millis(1))), PACE);
        assert_eq!(pace(3, Some(millis(30))), PACE, "a hundred a second");
        assert_eq!(pace(12, Some(millis(30))), PACE, "and a crowd of them");
        assert_eq!(pace(15, Some(millis(30))), slower, "five hundred a second");
        assert_eq!(pace(50, Some(millis(100))), slower, "and they stay so");
        assert_eq!(pace(10, Some(millis(100))), PACE, "until there are fewer");
        assert_eq!(pace(50, Some(Duration::from_secs(60))), PACE, "that had a minute to come");
    }
}
