//! A mirror that follows the change log: what it holds, and one step of it.

use std::time::{Duration, Instant};

use duka_index::{Document, Engine, Writer};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use super::{
    Applied, IndexingError, Snapshot,
    build::{CHUNK, patiently},
    distance::{Distance, NEAR},
    mirror::Payload,
    projection,
    store::{self, Present},
};
use crate::{database, niceness::run_and_waited};

/// What the writer may hold before it writes a segment: more than any batch of changes needs.
const WRITER_BYTES: usize = 64 << 20;
/// Between two looks whether the server has written its log.
const WRITTEN_SOON: Duration = Duration::from_millis(5);
/// After a commit the disk is waited for at most this often, beside all that goes on. A machine that fails before has
/// files that differ from their checksums, and the index is made anew.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// Between two looks whether another writer has been closed.
const LET_GO_SOON: Duration = Duration::from_millis(100);

/// An index, and how far it is.
pub(super) struct Mirror {
    pub(super) engine: Engine,
    /// `None` after an error, and before the first change.
    writer: Option<Writer>,
    pub(super) applied: Applied,
    /// When the disk was waited for last, and who waits.
    settling: Option<(Instant, JoinHandle<()>)>,
    distance: Distance,
}

/// The database at one snapshot, later than the mirror's.
pub(super) struct Look {
    pub(super) transaction: Transaction<'static, Postgres>,
    pub(super) present: Present,
    snapshot: Snapshot,
}

impl Mirror {
    /// # Errors
    /// When the index does not say what it mirrors.
    pub(super) fn new(engine: Engine) -> Result<Self, IndexingError> {
        let applied = committed(&engine)?;
        Ok(Self { engine, writer: None, applied, settling: None, distance: Distance::default() })
    }

    /// Opens the writer already, which finds out whether the index can be written, and begins with merges that are due.
    pub(super) async fn prepare_to_write(&mut self) -> Result<(), IndexingError> {
        self.writer = Some(self.open_writer(Writer::merge).await?);
        Ok(())
    }

    /// Opens the writer and does something with it, off the runtime.
    async fn open_writer(
        &self,
        first: fn(&mut Writer) -> Result<(), duka_index::Error>,
    ) -> Result<Writer, IndexingError> {
        let mut patience = 50;
        loop {
            let engine = self.engine.clone();
            // Its threads merge for seconds, and for as long as they live they stand where this one does.
            let open = move || {
                let mut writer = engine.writer(WRITER_BYTES)?;
                first(&mut writer).map(|()| writer)
            };
            let opening = patiently(NEAR, move || Ok(open()))?;
            match opening.await.map_err(|_| IndexingError::Panicked)?? {
                // One that was told to stop in the middle of a commit lets go when that is done.
                Err(duka_index::Error::WriterBusy(_)) if patience > 0 => {
                    patience -= 1;
                    sleep(LET_GO_SOON).await;
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Opens a snapshot of the database, and makes sure that the log leads there from the mirror.
    pub(super) async fn look(&self, pool: &PgPool) -> Result<Look, IndexingError> {
        let (transaction, present) = begin_lasting(pool).await?;
        let payload =
            Payload::of(&self.engine).ok_or(IndexingError::Outlived("its commit has no payload"))?;
        if !payload.same_history(&present) {
            return Err(IndexingError::Outlived("it mirrors another history than this database's"));
        }
        let (since, snapshot): (_, Snapshot) = (&self.applied.snapshot, present.snapshot.parse()?);
        if !snapshot.reaches(since) {
            // A primary does not go back, unless it was restored from an older copy of itself.
            let restored = IndexingError::Outlived("the database is older than it");
            return Err(if present.is_standby { IndexingError::Lagging } else { restored });
        }
        if since.xmin() < present.floor.parse().unwrap_or(0) {
            return Err(IndexingError::Outlived("the change log has been cut above it"));
        }
        Ok(Look { transaction, present, snapshot })
    }

    /// Applies what changed up to the snapshot, commits with it, and says how many products that were. After an error
    /// the mirror is where its last commit was.
    pub(super) async fn apply(&mut self, look: Look) -> Result<usize, IndexingError> {
        let applied = self.try_apply(look).await;
        if applied.is_err() {
            // Nothing in memory is believed.
            self.writer = None;
            if let Ok(committed) = committed(&self.engine) {
                self.applied = committed;
            }
        }
        applied
    }

    async fn try_apply(&mut self, mut look: Look) -> Result<usize, IndexingError> {
        let ids = store::changed_since(&mut look.transaction, &self.applied.snapshot).await?;
        if !ids.is_empty() {
            let payload = Payload::new(&look.present).to_text()?;
            self.write(&mut look.transaction, &ids, payload).await?;
        }
        look.transaction.rollback().await?;
        self.applied = Applied { epoch: look.present.epoch, snapshot: look.snapshot };
        Ok(ids.len())
    }

    /// Has somebody wait until the disk has what was committed.
    pub(super) fn settle(&mut self) {
        let is_early =
            |(at, task): &(Instant, JoinHandle<()>)| at.elapsed() < SETTLE_EVERY || !task.is_finished();
        if self.engine.is_settled() || self.settling.as_ref().is_some_and(is_early) {
            return;
        }
        let engine = self.engine.clone();
        let settled = spawn_blocking(move || {
            if let Err(error) = engine.settle() {
                tracing::warn!(%error, "the disk does not take the index; it is tried again");
            }
        });
        self.settling = Some((Instant::now(), settled));
    }

    /// Shows what merges have come to while nothing changed.
    pub(super) async fn take_merged(&mut self) -> Result<(), IndexingError> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        let taken = self.aside(move || {
            writer.take_merged()?;
            Ok(writer)
        });
        self.writer = Some(taken.await?);
        Ok(())
    }

    /// Looks and applies.
    pub(super) async fn follow(&mut self, pool: &PgPool) -> Result<usize, IndexingError> {
        let look = self.look(pool).await?;
        self.apply(look).await
    }

    /// Reads products anew although the log does not name them.
    pub(super) async fn repair(&mut self, mut look: Look, ids: &[i64]) -> Result<(), IndexingError> {
        let mut all = store::changed_since(&mut look.transaction, &self.applied.snapshot).await?;
        all.extend_from_slice(ids);
        all.sort_unstable();
        all.dedup();
        let payload = Payload::new(&look.present).to_text()?;
        self.write(&mut look.transaction, &all, payload).await?;
        look.transaction.rollback().await?;
        self.applied = Applied { epoch: look.present.epoch, snapshot: look.snapshot };
        Ok(())
    }

    async fn write(
        &mut self,
        db: &mut PgConnection,
        ids: &[i64],
        payload: String,
    ) -> Result<(), IndexingError> {
        let begun = Instant::now();
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            // After an error, where another merge of everything may be what the disk has no room for.
            None => self.open_writer(|_| Ok(())).await?,
        };
        for chunk in ids.chunks(CHUNK) {
            let documents = projection::documents(db, chunk).await?;
            let ids = chunk.to_vec();
            writer = self.aside(move || put(writer, &ids, &documents)).await?;
        }
        let committing = Instant::now();
        let committed = self.aside(move || {
            writer.commit(&payload)?;
            Ok(writer)
        });
        self.writer = Some(committed.await?);
        metrics::histogram!("duka_index_commit_seconds").record(committing.elapsed().as_secs_f64());
        metrics::histogram!("duka_index_batch_seconds").record(begun.elapsed().as_secs_f64());
        metrics::histogram!("duka_index_batch_changes").record(ids.len() as f64);
        metrics::counter!("duka_index_changes_total").increment(ids.len() as u64);
        tracing::debug!(changes = ids.len(), "applied");
        Ok(())
    }

    /// Does something with the writer where it, and the threads that it starts for it, stand back.
    async fn aside(
        &mut self,
        work: impl FnOnce() -> Result<Writer, duka_index::Error> + Send + 'static,
    ) -> Result<Writer, IndexingError> {
        let doing = patiently(self.distance.steps(), move || {
            let done = work();
            // The thread's whole life: it does nothing else.
            Ok((done, run_and_waited()))
        })?;
        let (done, spent) = doing.await.map_err(|_| IndexingError::Panicked)??;
        if let Some((ran, waited)) = spent {
            self.distance.learn(ran, waited);
        }
        Ok(done?)
    }

    /// Closes the writer.
    pub(super) async fn close(&mut self) {
        let writer = self.writer.take();
        let closed = spawn_blocking(move || writer.map_or(Ok(()), Writer::close)).await;
        if let Err(error) = closed.map_err(IndexingError::Task).and_then(|closed| Ok(closed?)) {
            tracing::warn!(%error, "the index writer did not close");
        }
    }
}

/// Opens a snapshot that sees only what outlasts a crash of the server. What was rolled back, or committed without
/// waiting for the disk, can be seen before it is written; a server that is killed forgets it, and gives the numbers
/// of those transactions out again. A mirror that had taken note of them would take the new ones for old.
pub(super) async fn begin_lasting(
    pool: &PgPool,
) -> Result<(Transaction<'static, Postgres>, Present), IndexingError> {
    let mut transaction = database::begin_snapshot(pool).await?;
    let mut present = store::present(&mut transaction).await?;
    if present.is_standby {
        // First what has ended, then what is seen: what ends in between is read, and read again the next time.
        transaction.rollback().await?;
        let snapshot = store::ended_on_standby(pool).await?;
        transaction = database::begin_snapshot(pool).await?;
        present = Present { snapshot, ..store::present(&mut transaction).await? };
    }
    if let Some(place) = &present.unwritten {
        // Whoever commits writes it. Where nobody does, it may take long, so this does.
        sleep(WRITTEN_SOON).await;
        if !store::is_written(&mut transaction, place).await? {
            store::write_log(pool).await?;
        }
        // Unless commits do not wait for the disk: then the server's own writer does it, a few times a second.
        while !store::is_written(&mut transaction, place).await? {
            sleep(WRITTEN_SOON).await;
        }
    }
    Ok((transaction, present))
}

/// How far the index's last commit is: where a restart begins.
pub(super) fn committed(engine: &Engine) -> Result<Applied, IndexingError> {
    let payload = Payload::of(engine).ok_or(IndexingError::Outlived("its commit has no payload"))?;
    Ok(Applied { epoch: payload.epoch, snapshot: payload.snapshot.parse()? })
}

fn put(mut writer: Writer, ids: &[i64], documents: &[Document]) -> Result<Writer, duka_index::Error> {
    for document in documents {
        match writer.upsert(document) {
            Err(error @ duka_index::Error::Document { id, .. }) => {
                super::refuse(&error);
                writer.delete(id)?;
            }
            done => done?,
        }
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
