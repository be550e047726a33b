//! Comparing the mirror with the database, document by document.
//!
//! The two are compared exactly, although the database moves on: what changed after the index's snapshot is
//! known from the change log and left out (it is `pending`); everything else must be equal in every field.

use std::{
    collections::{BTreeMap, HashSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use duka_index::{Damage, Document, Engine, Reader};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use super::{IndexingError, Snapshot, build::CHUNK, mirror, mirror::Payload, projection, store};
use crate::database;

/// Ids that a report names at most, for each kind of difference.
const NAMED: usize = 100;
/// What nobody knows the time of cannot be compared.
const UNKNOWN: IndexingError = IndexingError::Outlived("its commit has no payload");

/// What a comparison found. The index is right when [`is_clean`](Self::is_clean).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Report {
    /// Documents compared in every field.
    pub compared: u64,
    /// Products without a document.
    pub missing: u64,
    /// Documents that differ from their product, and all documents in segments with damaged files.
    pub stale: u64,
    /// Documents without a product, or with a second document of the same product.
    pub surplus: u64,
    /// Products that changed since the index's snapshot, left out.
    pub pending: u64,
    /// Files of the index that differ from their checksums. Where there are any, nothing is compared.
    pub damaged_files: Vec<String>,
    /// The first hundred product ids of each kind of difference.
    pub missing_ids: Vec<i64>,
    /// See `missing_ids`.
    pub stale_ids: Vec<i64>,
    /// See `missing_ids`.
    pub surplus_ids: Vec<i64>,
    /// Every product that was found to differ.
    #[serde(skip)]
    pub(super) differing: Vec<i64>,
}

impl Report {
    /// No difference.
    pub fn is_clean(&self) -> bool {
        self.differences() == 0 && self.damaged_files.is_empty()
    }

    /// How many documents differ, of whatever kind.
    pub fn differences(&self) -> u64 {
        self.missing + self.stale + self.surplus
    }

    fn of(damage: Damage) -> Self {
        let mut report = Self { damaged_files: damage.files, ..Self::default() };
        damage.documents.into_iter().for_each(|id| report.stale(id));
        report
    }

    fn missing(&mut self, id: i64) {
        self.missing += 1;
        self.differing.push(id);
        name(&mut self.missing_ids, id);
    }

    fn stale(&mut self, id: i64) {
        self.stale += 1;
        self.differing.push(id);
        name(&mut self.stale_ids, id);
    }

    fn surplus(&mut self, id: i64) {
        self.surplus += 1;
        self.differing.push(id);
        name(&mut self.surplus_ids, id);
    }
}

fn name(ids: &mut Vec<i64>, id: i64) {
    if ids.len() < NAMED {
        ids.push(id);
    }
}

/// Opens the current index of a data directory, beside the process that may be writing it.
///
/// # Errors
/// When there is none, or it cannot be read.
pub async fn open(data_dir: &Path) -> Result<Engine, IndexingError> {
    let path = current(data_dir)?;
    Ok(tokio::task::spawn_blocking(move || Engine::open_existing(&path)).await??)
}

fn current(data_dir: &Path) -> Result<PathBuf, IndexingError> {
    mirror::current_of(data_dir).ok_or_else(|| {
        let hint = format!("{} holds no index yet; `duka serve` builds one", data_dir.display());
        std::io::Error::new(std::io::ErrorKind::NotFound, hint).into()
    })
}

/// Compares the files of a data directory's current index with their checksums, which needs not open it; see
/// [`Report::damaged_files`].
///
/// # Errors
/// When there is none, or its folder cannot be read.
pub async fn damage(data_dir: &Path) -> Result<Report, IndexingError> {
    let path = current(data_dir)?;
    let files = tokio::task::spawn_blocking(move || duka_index::damaged_files(&path)).await??;
    Ok(Report::of(Damage { files, documents: Vec::new() }))
}

/// Compares the files of `engine` with their checksums, and every document with the database; `progress` hears how many
/// are done.
///
/// # Errors
/// When either cannot be read, or the index mirrors another history.
pub async fn verify(
    pool: &PgPool,
    engine: Engine,
    progress: impl FnMut(u64, u64),
) -> Result<Report, IndexingError> {
    let examined = engine.clone();
    let damage = tokio::task::spawn_blocking(move || examined.examine()).await??;
    if !damage.files.is_empty() {
        return Ok(Report::of(damage));
    }
    compare_all(pool, engine, progress).await
}

async fn compare_all(
    pool: &PgPool,
    engine: Engine,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, IndexingError> {
    // Held before the snapshot is taken, or it may hold what that does not see, which no log tells of.
    let reader = engine.reader();
    drop(engine);
    let mut db = database::begin_snapshot(pool).await?;
    let present = store::present(&mut db).await?;
    let payload = Payload::in_commit(reader.payload()).ok_or(UNKNOWN)?;
    if !payload.same_history(&present) {
        return Err(IndexingError::Outlived("it mirrors another history than this database's"));
    }
    let since: Snapshot = payload.snapshot.parse()?;
    let pending: HashSet<i64> = store::changed_since(&mut db, &since).await?.into_iter().collect();
    let mut report = Report { pending: pending.len() as u64, ..Report::default() };
    let total = reader.len();

    let (chunks, mut received) = mpsc::channel(2);
    let reader = tokio::task::spawn_blocking(move || read_all(&reader, &chunks));
    let mut seen = HashSet::new();
    while let Some(chunk) = received.recv().await {
        compare(&mut db, chunk, &pending, &mut seen, &mut report).await?;
        progress(report.compared, total);
    }
    reader.await??;
    find_missing(&mut db, &pending, &seen, &mut report).await?;
    db.rollback().await?;
    Ok(report)
}

/// Compares the number of documents, exactly, and some of them in every field.
///
/// # Errors
/// [`IndexingError::Unlike`] when they differ.
pub(super) async fn spot_check(pool: &PgPool, engine: &Engine, sample: i32) -> Result<(), IndexingError> {
    let mut db = database::begin_snapshot(pool).await?;
    let since: Snapshot = payload(engine)?.snapshot.parse()?;
    let pending = store::changed_since(&mut db, &since).await?;
    let changed_live = projection::documents(&mut db, &pending).await?.len() as u64;
    let live = store::count_live(&mut db).await?.unsigned_abs() - changed_live;
    let pending: HashSet<i64> = pending.into_iter().collect();
    let mut ids = store::some_live_ids(&mut db, sample).await?;
    ids.retain(|id| !pending.contains(id));
    let rows = projection::documents(&mut db, &ids).await?;
    db.rollback().await?;

    let engine = engine.clone();
    let compare = move || {
        let mut held = engine.len();
        for id in &pending {
            held -= u64::from(engine.get(*id)?.is_some());
        }
        if held != live {
            return Err(IndexingError::Unlike(format!("it holds {held} products, the database {live}")));
        }
        for row in rows {
            if engine.get(row.id)?.as_ref() != Some(&row) {
                return Err(IndexingError::Unlike(format!("product {} is not what it is there", row.id)));
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(compare).await?
}

fn payload(engine: &Engine) -> Result<Payload, IndexingError> {
    Payload::of(engine).ok_or(UNKNOWN)
}

fn read_all(reader: &Reader, chunks: &mpsc::Sender<Vec<Document>>) -> Result<(), duka_index::Error> {
    let mut chunk = Vec::with_capacity(CHUNK);
    reader.for_each(|document| {
        chunk.push(document);
        let full = chunk.len() == CHUNK;
        if full && chunks.blocking_send(std::mem::take(&mut chunk)).is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    // The receiver is gone only when the comparison has failed already.
    let _ = chunks.blocking_send(chunk);
    Ok(())
}

async fn compare(
    db: &mut PgConnection,
    chunk: Vec<Document>,
    pending: &HashSet<i64>,
    seen: &mut HashSet<i64>,
    report: &mut Report,
) -> Result<(), IndexingError> {
    let ids: Vec<i64> = chunk.iter().map(|document| document.id).collect();
    let rows = projection::documents(db, &ids).await?;
    let rows: BTreeMap<i64, Document> = rows.into_iter().map(|document| (document.id, document)).collect();
    for document in chunk {
        let id = document.id;
        if !seen.insert(id) {
            report.surplus(id);
            continue;
        }
        if pending.contains(&id) {
            continue;
        }
        report.compared += 1;
        match rows.get(&id) {
            None => report.surplus(id),
            Some(row) if *row != document => report.stale(id),
            Some(_) => {}
        }
    }
    Ok(())
}

async fn find_missing(
    db: &mut PgConnection,
    pending: &HashSet<i64>,
    seen: &HashSet<i64>,
    report: &mut Report,
) -> Result<(), IndexingError> {
    let mut after = i64::MIN;
    loop {
        let ids = store::live_ids_after(db, after, 10 * CHUNK).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = *last;
        ids.iter()
            .filter(|id| !seen.contains(id) && !pending.contains(id))
            .for_each(|id| report.missing(*id));
    }
}
