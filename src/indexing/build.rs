//! Building an index from one snapshot of the database, with all hands.
//!
//! One transaction holds the snapshot and deals out ids; several others import it, read their share of the products
//! and index it. All of them see the same rows, so the index equals the database at that one snapshot, whoever read
//! what.

use std::{
    ops::RangeInclusive,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};

use duka_index::{Bulk, Document, Engine};
use sqlx::{ConnectOptions, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::spawn_blocking,
    time::interval,
};
use tokio_util::sync::CancellationToken;

use super::{
    IndexingError,
    follow::begin_lasting,
    mirror::Payload,
    projection::{self, Paths},
    store,
};
use crate::niceness::stand_back;

/// Products that are read and indexed at a time: enough to make a round trip cheap, few enough to hold.
pub(super) const CHUNK: usize = 1_000;
/// What gathers in memory before it becomes segments, all threads together.
const HEAP_BYTES: usize = 256 << 20;
/// Hands at most: beyond that they wait for the database.
const MAX_HANDS: usize = 4;
/// How far a build's threads stand back behind those that answer searches, which share their cores.
const NICENESS: i32 = 15;
/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

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
    // One more than there are cores: each waits for the database now and then.
    let hands = (available_parallelism().map_or(2, usize::from) + 1).min(MAX_HANDS);
    super::analyze(pool).await;
    let (mut snapshot, present) = begin_lasting(pool).await?;
    let exported = store::export_snapshot(&mut snapshot).await?;
    let total = store::count_live(&mut snapshot).await?.unsigned_abs();
    let paths = projection::paths(&mut snapshot).await?;
    progress(0, total);
    tracing::info!(products = total, "building the index");

    let (engine, bulk) = open(folder).await?;
    let (sender, receiver) = mpsc::channel(hands);
    let share = Arc::new(Share {
        bulk,
        dealt: Mutex::new(receiver),
        done: AtomicU64::new(0),
        exported,
        paths,
        stop: stop.child_token(),
    });
    // However this ends, the hands end too.
    let _ended = share.stop.clone().drop_guard();
    let work = (0..hands).map(|_| hand(Arc::clone(&share), pool.connect_options()));
    let work: Vec<_> = work.collect::<Result<_, _>>()?;
    let telling = async {
        let mut ticks = interval(TELL_EVERY);
        loop {
            ticks.tick().await;
            progress(share.done.load(Ordering::Relaxed), total);
        }
    };
    let working = async {
        deal(&mut snapshot, sender, &share.stop).await?;
        let mut ended: Result<(), IndexingError> = Ok(());
        for done in work {
            // One that panicked has said nothing.
            let done = done.await.unwrap_or(Err(IndexingError::Panicked));
            // Of several errors that which stopped the others.
            if matches!(ended, Ok(()) | Err(IndexingError::Cancelled)) && done.is_err() {
                ended = done;
            }
        }
        // Hands that had nothing to do when it was stopped have nothing to complain of.
        if ended.is_ok() && share.stop.is_cancelled() { Err(IndexingError::Cancelled) } else { ended }
    };
    tokio::select! {
        worked = working => worked?,
        () = telling => {}
    }
    snapshot.rollback().await?;

    let Share { bulk, done, .. } = Arc::into_inner(share).ok_or(IndexingError::Panicked)?;
    let done = done.into_inner();
    progress(done, total);
    let payload = Payload::new(&present).to_text()?;
    spawn_blocking(move || bulk.commit(&payload)).await??;
    if done != total {
        return Err(IndexingError::Unlike(format!("{done} of {total} products were read")));
    }
    tracing::info!(products = done, seconds = begun.elapsed().as_secs_f64(), "built the index");
    Ok(engine)
}

/// Opens an index and what fills it. The threads that do so are as patient as the one that starts them.
async fn open(folder: &Path) -> Result<(Engine, Bulk), IndexingError> {
    let (folder, threads) = (folder.to_owned(), available_parallelism().map_or(2, usize::from));
    patiently(NICENESS, move || {
        let engine = Engine::open(&folder)?;
        let bulk = engine.bulk(threads, HEAP_BYTES)?;
        Ok((engine, bulk))
    })?
    .await
    .unwrap_or(Err(IndexingError::Panicked))
}

/// Does work in a thread of its own that stands so many steps back behind the others, and so do those that it starts.
pub(super) fn patiently<T: Send + 'static>(
    steps: i32,
    work: impl FnOnce() -> Result<T, IndexingError> + Send + 'static,
) -> Result<oneshot::Receiver<Result<T, IndexingError>>, IndexingError> {
    let (sender, done) = oneshot::channel();
    thread::Builder::new().name("duka index".to_owned()).spawn(move || {
        stand_back(steps);
        // Nobody waits any more for one that was stopped.
        let _ = sender.send(work());
    })?;
    Ok(done)
}

/// Deals out the ids of all live products, in order, each share from its first to its last, until it is stopped.
async fn deal(
    db: &mut PgConnection,
    hands: mpsc::Sender<RangeInclusive<i64>>,
    stop: &CancellationToken,
) -> Result<(), IndexingError> {
    let mut after = i64::MIN;
    loop {
        let ids = store::live_ids_after(db, after, CHUNK).await?;
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(()) };
        after = *last;
        // Whoever failed has stopped the others, and nobody takes what is dealt any more.
        match stop.run_until_cancelled(hands.send(*first..=*last)).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return Ok(()),
        }
    }
}

/// What the hands share.
struct Share {
    bulk: Bulk,
    dealt: Mutex<mpsc::Receiver<RangeInclusive<i64>>>,
    done: AtomicU64,
    exported: String,
    paths: Paths,
    stop: CancellationToken,
}

/// Starts a hand: a thread with a connection of its own.
fn hand(
    share: Arc<Share>,
    options: Arc<PgConnectOptions>,
) -> Result<oneshot::Receiver<Result<(), IndexingError>>, IndexingError> {
    patiently(NICENESS, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worked = runtime.block_on(share.work(&options));
        if worked.is_err() {
            // The others need not finish what is lost.
            share.stop.cancel();
        }
        worked
    })
}

impl Share {
    async fn work(&self, options: &PgConnectOptions) -> Result<(), IndexingError> {
        let mut db = options.connect().await?;
        store::begin_with(&mut db, &self.exported).await?;
        while let Some(ids) = self.next().await {
            if self.stop.is_cancelled() {
                return Err(IndexingError::Cancelled);
            }
            let documents = projection::documents_within(&mut db, ids, &self.paths).await?;
            let added = add(&self.bulk, &documents)?;
            self.done.fetch_add(added, Ordering::Relaxed);
        }
        Ok(sqlx::Connection::close(db).await?)
    }

    async fn next(&self) -> Option<RangeInclusive<i64>> {
        self.dealt.lock().await.recv().await
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
