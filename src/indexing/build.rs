//! Building an index from one snapshot of the database, with all hands.
//!
//! One transaction holds the snapshot and deals out ids; several others import it, read their share of the products
//! and index it. All of them see the same rows, so the index equals the database at that one snapshot, whoever read
//! what.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::Instant,
};

use duka_index::{Bulk, Document, Engine};
use futures_util::future::try_join_all;
use sqlx::{PgConnection, PgPool};
use tokio::{
    sync::{Mutex, mpsc},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;

use super::{IndexingError, mirror::Payload, projection, store};

/// Products that are read and indexed at a time: enough to make a round trip cheap, few enough to hold.
pub(super) const CHUNK: usize = 1_000;
/// What gathers in memory before it becomes segments, all threads together.
const HEAP_BYTES: usize = 256 << 20;
/// Hands at most: beyond that they wait for the database.
const MAX_HANDS: usize = 4;

/// How far a build is: documents indexed, and products in all.
pub(super) type Progress<'a> = dyn Fn(u64, u64) + Send + Sync + 'a;

/// Builds an index of every live product in `folder`, which must be empty, until `stop` is cancelled.
pub(super) async fn build(
    pool: &PgPool,
    folder: &Path,
    stop: &CancellationToken,
    progress: &Progress<'_>,
) -> Result<Engine, IndexingError> {
    let begun = Instant::now();
    let hands = available_parallelism().map_or(2, usize::from).min(MAX_HANDS);
    let engine = Engine::open(folder)?;
    let bulk = Arc::new(engine.bulk(hands, HEAP_BYTES)?);
    super::analyze(pool).await;
    let mut snapshot = store::begin(pool).await?;
    let present = store::present(&mut snapshot).await?;
    let exported = store::export_snapshot(&mut snapshot).await?;
    let total = store::count_live(&mut snapshot).await?.unsigned_abs();
    progress(0, total);
    tracing::info!(products = total, "building the index");

    let (sender, receiver) = mpsc::channel(hands);
    let share = Share { bulk, dealt: Mutex::new(receiver), done: AtomicU64::new(0), total, progress, stop };
    let work = try_join_all((0..hands).map(|_| share.work(pool, &exported)));
    tokio::try_join!(deal(&mut snapshot, sender), work)?;
    snapshot.rollback().await?;
    let Share { bulk, done, .. } = share;

    let done = done.into_inner();
    let payload = Payload::new(&present).to_text()?;
    let bulk = Arc::into_inner(bulk).ok_or(IndexingError::Panicked)?;
    spawn_blocking(move || bulk.commit(&payload)).await??;
    if done != total {
        return Err(IndexingError::Outlived("the new index does not hold what the database counted"));
    }
    tracing::info!(products = done, seconds = begun.elapsed().as_secs_f64(), "built the index");
    Ok(engine)
}

/// Deals out the ids of all live products, in order.
async fn deal(db: &mut PgConnection, hands: mpsc::Sender<Vec<i64>>) -> Result<(), IndexingError> {
    let mut after = i64::MIN;
    loop {
        let ids = store::live_ids_after(db, after, CHUNK).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = *last;
        // They are gone when one of them has failed, whose error is the one to tell.
        if hands.send(ids).await.is_err() {
            return Ok(());
        }
    }
}

/// What the hands share.
struct Share<'a> {
    bulk: Arc<Bulk>,
    dealt: Mutex<mpsc::Receiver<Vec<i64>>>,
    done: AtomicU64,
    total: u64,
    progress: &'a Progress<'a>,
    stop: &'a CancellationToken,
}

impl Share<'_> {
    async fn work(&self, pool: &PgPool, exported: &str) -> Result<(), IndexingError> {
        let mut db = store::begin(pool).await?;
        store::import_snapshot(&mut db, exported).await?;
        let mut indexing = None;
        while let Some(ids) = self.next().await {
            if self.stop.is_cancelled() {
                return Err(IndexingError::Cancelled);
            }
            let documents = projection::documents(&mut db, &ids).await?;
            self.indexed(indexing.take()).await?;
            let bulk = Arc::clone(&self.bulk);
            // The next rows are read while these are indexed.
            indexing = Some(spawn_blocking(move || add(&bulk, &documents)));
        }
        self.indexed(indexing).await?;
        Ok(db.rollback().await?)
    }

    async fn next(&self) -> Option<Vec<i64>> {
        self.dealt.lock().await.recv().await
    }

    async fn indexed(
        &self,
        indexing: Option<tokio::task::JoinHandle<Result<u64, duka_index::Error>>>,
    ) -> Result<(), IndexingError> {
        let Some(indexing) = indexing else { return Ok(()) };
        let added = indexing.await??;
        let done = self.done.fetch_add(added, Ordering::Relaxed) + added;
        (self.progress)(done, self.total);
        Ok(())
    }
}

fn add(bulk: &Bulk, documents: &[Document]) -> Result<u64, duka_index::Error> {
    for document in documents {
        match bulk.add(document) {
            Err(error @ duka_index::Error::Document { .. }) => super::refuse(&error),
            done => done?,
        }
    }
    Ok(documents.len() as u64)
}
