//! The loop that follows the change log.

use std::{panic::AssertUnwindSafe, path::PathBuf, time::Duration};

use duka_index::{Document, Engine, Writer};
use futures_util::FutureExt;
use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Applied, Indexing, IndexingError, Snapshot,
    mirror::{Folder, Payload},
    projection,
    rebuild::{self, CHUNK, WRITER_BYTES},
    store, tuning,
};
use crate::node;

/// How long a change that nobody announced may wait.
const POLL: Duration = Duration::from_millis(250);
/// Nodes are told of changes at most this often.
const TELL_EVERY: Duration = Duration::from_millis(50);
/// How often this node says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often it looks whether the log can be cut.
const CUT: Duration = Duration::from_secs(3600);
/// The longest pause between two tries to build an index.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After an error the next try waits this long.
const AFTER_ERROR: Duration = Duration::from_millis(500);

pub(super) struct Worker {
    pool: PgPool,
    folder: Folder,
    stop: CancellationToken,
    door: Indexing,
    /// `None` after an error: reopened on the next turn.
    writer: Option<Writer>,
    /// The version of the search settings that was looked at last, good or not; `None`: look again.
    settings_seen: Option<i64>,
    heartbeat_at: Option<Instant>,
    cut_at: Instant,
    /// Builds that failed one after the other.
    failed_builds: u32,
    node: String,
}

impl Worker {
    pub(super) async fn open(
        pool: PgPool,
        data_dir: PathBuf,
        stop: CancellationToken,
    ) -> Result<Self, IndexingError> {
        let folder = Folder::take(&data_dir)?;
        let mut transaction = store::begin(&pool).await?;
        let foreign = store::has_foreign_log(&mut transaction).await?;
        transaction.rollback().await?;
        if foreign {
            tracing::warn!("the change log is another server's, from a dump; it starts anew");
            store::forget_log(&pool).await?;
        }
        let opened = match folder.current() {
            Some(path) => match reopen(&pool, path, folder.left_unclean).await {
                Ok(opened) => Some(opened),
                Err(error @ IndexingError::Database(_)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "the index cannot be used and is built anew");
                    None
                }
            },
            None => None,
        };
        folder.sweep(|path| Some(path) == folder.current().as_deref());
        let (engine, writer) = match opened {
            Some(opened) => opened,
            None => build_beside(&pool, &folder, &stop).await?,
        };
        let door = Indexing::new(engine.clone(), applied(&engine)?);
        let node = node::name(&data_dir);
        let mut worker = Self {
            pool,
            folder,
            stop,
            door,
            writer: Some(writer),
            settings_seen: None,
            heartbeat_at: None,
            cut_at: Instant::now(),
            failed_builds: 0,
            node,
        };
        worker.tune_afresh().await?;
        Ok(worker)
    }

    pub(super) fn door(&self) -> Indexing {
        self.door.clone()
    }

    /// Follows the log until it is told to stop; then commits nothing more, and notes that all is well.
    pub(super) async fn run(mut self) {
        let teller = tokio::spawn(tell(self.pool.clone(), self.door.clone(), self.stop.clone()));
        let mut listener = None;
        while !self.stop.is_cancelled() {
            // A panic is an error like any other: a mirror that nobody keeps would go stale in silence.
            let stop = self.stop.clone();
            let turn = tokio::select! {
                turn = AssertUnwindSafe(self.turn()).catch_unwind() => turn.unwrap_or(Err(IndexingError::Panicked)),
                () = stop.cancelled() => break,
            };
            metrics::gauge!("duka_index_documents").set(self.door.engine().len() as f64);
            match turn {
                Ok(()) => self.wait(&mut listener).await,
                Err(error) => self.recover(error).await,
            }
        }
        if let Err(error) = teller.await {
            tracing::debug!(%error, "the notifier had ended");
        }
        let writer = self.writer.take();
        let closed = tokio::task::spawn_blocking(move || writer.map_or(Ok(()), Writer::close)).await;
        match closed {
            Ok(Ok(())) => self.folder.leave_clean(),
            Ok(Err(error)) => tracing::warn!(%error, "the index writer did not close"),
            Err(error) => tracing::warn!(%error, "the index writer did not close"),
        }
    }

    /// Reads what changed and applies it, all in one snapshot.
    async fn turn(&mut self) -> Result<(), IndexingError> {
        let mut transaction = store::begin(&self.pool).await?;
        let present = store::present(&mut transaction).await?;
        let engine = self.door.engine();
        let payload = Payload::of(&engine).ok_or(IndexingError::Outlived("its commit has no payload"))?;
        if !payload.same_history(&present) {
            return Err(IndexingError::Outlived("it mirrors another history than this database's"));
        }
        let since = self.door.applied().snapshot;
        let now: Snapshot = present.snapshot.parse()?;
        if now.xmin() < since.xmin() {
            // A primary does not go back, unless it was restored from an older copy of itself.
            let restored = IndexingError::Outlived("the database is older than it");
            return Err(if present.is_standby { IndexingError::Lagging } else { restored });
        }
        if since.xmin() < present.floor.parse().unwrap_or(0) {
            return Err(IndexingError::Outlived("the change log has been cut above it"));
        }
        self.tune(&mut transaction, present.settings_version).await?;
        let ids = store::changed_since(&mut transaction, &since).await?;
        if !ids.is_empty() {
            let begun = Instant::now();
            let mut writer = match self.writer.take() {
                Some(writer) => writer,
                None => engine.writer(WRITER_BYTES)?,
            };
            for chunk in ids.chunks(CHUNK) {
                let documents = projection::documents(&mut transaction, chunk).await?;
                let ids = chunk.to_vec();
                writer = tokio::task::spawn_blocking(move || apply(writer, &ids, &documents)).await??;
            }
            let payload = Payload::new(&present).to_text()?;
            let committed = tokio::task::spawn_blocking(move || {
                writer.commit(&payload)?;
                Ok::<_, duka_index::Error>(writer)
            });
            self.writer = Some(committed.await??);
            metrics::histogram!("duka_index_batch_seconds").record(begun.elapsed().as_secs_f64());
            metrics::counter!("duka_index_changes_total").increment(ids.len() as u64);
            tracing::debug!(changes = ids.len(), "applied");
        }
        transaction.rollback().await?;
        self.door.advance(Applied { epoch: present.epoch, snapshot: now });
        self.beat().await
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
        let mut transaction = store::begin(&self.pool).await?;
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
        let committed = applied(&self.door.engine())?;
        self.heartbeat_at = Some(Instant::now());
        if let Err(error) = store::heartbeat(&self.pool, &self.node, &committed.snapshot).await {
            tracing::warn!(%error, "the other nodes do not hear of this one");
        }
        if self.cut_at.elapsed() >= CUT {
            self.cut_at = Instant::now();
            if let Err(error) = store::cut_log(&self.pool).await {
                tracing::warn!(%error, "the change log was not cut");
            }
        }
        Ok(())
    }

    /// Until something changed here, something changed elsewhere, or the poll is due.
    async fn wait(&self, listener: &mut Option<PgListener>) {
        if listener.is_none() {
            *listener = store::listen(&self.pool).await.ok();
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
            heard = heard => if let Err(error) = heard {
                tracing::warn!(%error, "notifications are interrupted; polling goes on");
                *listener = None;
                sleep(AFTER_ERROR).await;
            },
            () = sleep(POLL) => {}
        }
    }

    /// After an error nothing in memory is believed: the writer is dropped, the next turn starts from the
    /// commit on disk.
    async fn recover(&mut self, error: IndexingError) {
        match error {
            IndexingError::Outlived(_) | IndexingError::Index(duka_index::Error::Corrupt(_)) => {
                tracing::warn!(%error, "the index is rebuilt; the old one answers meanwhile");
                match self.rebuild().await {
                    Ok(()) => self.failed_builds = 0,
                    Err(error) => {
                        tracing::error!(%error, "the rebuild failed");
                        self.failed_builds += 1;
                        let pause = AFTER_ERROR * 2_u32.saturating_pow(self.failed_builds.min(10));
                        self.pause(pause.min(LONGEST_PAUSE)).await;
                    }
                }
            }
            IndexingError::Lagging => {
                tracing::warn!("the standby has not replayed as far as the index yet");
                self.pause(AFTER_ERROR).await;
            }
            error => {
                tracing::error!(%error, "indexing failed and will be tried again");
                metrics::counter!("duka_index_errors_total").increment(1);
                self.writer = None;
                if let Ok(committed) = applied(&self.door.engine()) {
                    self.door.advance(committed);
                }
                self.pause(AFTER_ERROR).await;
            }
        }
    }

    async fn rebuild(&mut self) -> Result<(), IndexingError> {
        self.writer = None;
        let (engine, writer) = build_beside(&self.pool, &self.folder, &self.stop).await?;
        let reached = applied(&engine)?;
        // Before the swap: no answer of the new index is tuned by the old history.
        self.tune_afresh().await?;
        self.writer = Some(writer);
        self.door.swap(engine);
        self.door.advance(reached);
        metrics::counter!("duka_index_rebuilds_total").increment(1);
        Ok(())
    }

    async fn pause(&self, length: Duration) {
        let _ = timeout(length, self.stop.cancelled()).await;
    }
}

/// Opens an index that was built before, if it can be caught up.
async fn reopen(pool: &PgPool, path: PathBuf, check: bool) -> Result<(Engine, Writer), IndexingError> {
    let opened = tokio::task::spawn_blocking(move || {
        let engine = Engine::open(&path)?;
        if check {
            engine.validate_checksums()?;
        }
        let writer = engine.writer(WRITER_BYTES)?;
        Ok::<_, duka_index::Error>((engine, writer))
    });
    let (engine, writer) = opened.await??;
    let mut transaction = store::begin(pool).await?;
    let present = store::present(&mut transaction).await?;
    let known = Payload::of(&engine).is_some_and(|payload| payload.same_history(&present));
    known.then_some((engine, writer)).ok_or(IndexingError::Outlived("it mirrors another history"))
}

async fn build_beside(
    pool: &PgPool,
    folder: &Folder,
    stop: &CancellationToken,
) -> Result<(Engine, Writer), IndexingError> {
    let path = folder.fresh()?;
    let built = match rebuild::build(pool, &path, stop).await {
        Ok(built) => built,
        Err(error) => {
            // What is half built would only fill the disk.
            folder.sweep(|other| other != path);
            return Err(error);
        }
    };
    folder.promote(&path)?;
    Ok(built)
}

fn apply(mut writer: Writer, ids: &[i64], documents: &[Document]) -> Result<Writer, duka_index::Error> {
    for document in documents {
        rebuild::upsert(&mut writer, document)?;
    }
    // Both are in id order; what has no document is not live any more.
    let mut live = documents.iter().map(|document| document.id).peekable();
    for id in ids {
        if live.next_if_eq(id).is_none() {
            writer.delete(*id)?;
        }
    }
    Ok(writer)
}

fn applied(engine: &Engine) -> Result<Applied, IndexingError> {
    let payload = Payload::of(engine).ok_or(IndexingError::Outlived("its commit has no payload"))?;
    Ok(Applied { epoch: payload.epoch, snapshot: payload.snapshot.parse()? })
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
