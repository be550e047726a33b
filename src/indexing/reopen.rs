//! What a worker begins with: the index that was there before, if it is of use.

use std::path::PathBuf;

use duka_index::Engine;
use sqlx::PgPool;

use super::{
    IndexingError,
    follow::Mirror,
    mirror::{Folder, Payload},
    store,
};
use crate::database;

/// What an index must be for the worker to begin with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// One that the log leads on from.
    Level,
    /// One that answers; what it lacks is the worker's to mend.
    Something,
}

/// A dump brings the log of the server that it was made on, whose transactions mean nothing here.
pub(super) async fn forget_foreign_log(pool: &PgPool) -> Result<(), IndexingError> {
    let mut transaction = database::begin_snapshot(pool).await?;
    let foreign = store::has_foreign_log(&mut transaction).await?;
    transaction.rollback().await?;
    if foreign {
        tracing::warn!("the change log is another server's, from a dump; it starts anew");
        store::forget_log(pool).await?;
    }
    Ok(())
}

/// Opens the index that was current, or else the one before it, which may be whole and can be caught up.
pub(super) async fn reopen(
    pool: &PgPool,
    folder: &Folder,
    demand: Demand,
) -> Result<Option<Mirror>, IndexingError> {
    if let Some(current) = folder.current() {
        match open(pool, current, demand).await {
            Ok(mirror) => return Ok(Some(mirror)),
            Err(error @ IndexingError::Database(_)) => return Err(error),
            Err(error) => tracing::warn!(%error, "the index cannot be used"),
        }
    }
    let Some(previous) = folder.previous() else { return Ok(None) };
    match open(pool, previous.clone(), Demand::Level).await {
        Ok(mirror) => {
            tracing::warn!("the index before it takes over again");
            folder.fall_back(&previous)?;
            Ok(Some(mirror))
        }
        Err(error @ IndexingError::Database(_)) => Err(error),
        Err(error) => {
            tracing::debug!(%error, "the one before it cannot be used either");
            Ok(None)
        }
    }
}

/// Opens an index that was built before, once its files were compared with their checksums.
async fn open(pool: &PgPool, path: PathBuf, demand: Demand) -> Result<Mirror, IndexingError> {
    let opened = tokio::task::spawn_blocking(move || Engine::open_checked(&path));
    let mut mirror = Mirror::new(opened.await??)?;
    match (mirror.prepare_to_write().await, demand) {
        // The disk may be full: it answers, and is written when it can be.
        (Err(error), Demand::Something) => tracing::warn!(%error, "the index cannot be written yet"),
        (written, _) => written?,
    }
    let mut transaction = database::begin_snapshot(pool).await?;
    let present = store::present(&mut transaction).await?;
    transaction.rollback().await?;
    let known = Payload::of(&mirror.engine).is_some_and(|payload| payload.same_history(&present));
    if known || demand == Demand::Something {
        return Ok(mirror);
    }
    Err(IndexingError::Outlived("it mirrors another history than this database's"))
}
