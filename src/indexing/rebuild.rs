//! An index that is to take over: built beside the one that answers, caught up, and checked.

use std::path::{Path, PathBuf};

use duka_index::Engine;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{
    IndexingError,
    build::{self, CHUNK, Progress},
    follow::Mirror,
    mirror::Folder,
    verify,
};

/// Documents that are compared with the database before an index takes over.
const SAMPLE: i32 = 500;

/// An index that can take over, and where it lies.
pub(super) struct Successor {
    pub(super) mirror: Mirror,
    pub(super) path: PathBuf,
}

/// Builds an index in a new folder. If that fails, or `stop` is cancelled, the folder goes again.
pub(super) async fn prepare(
    pool: &PgPool,
    folder: &Folder,
    stop: &CancellationToken,
    progress: &Progress<'_>,
) -> Result<Successor, IndexingError> {
    let path = folder.fresh()?;
    let prepared = async {
        let engine = build::build(pool, &path, stop, progress).await?;
        ready(pool, engine, stop).await
    };
    match prepared.await {
        Ok(mirror) => Ok(Successor { mirror, path }),
        Err(error) => {
            // What is half built would only fill the disk.
            folder.remove(&path);
            Err(error)
        }
    }
}

/// Opens an index that answered before, brings it up to date and checks it.
pub(super) async fn reopen(
    pool: &PgPool,
    path: &Path,
    stop: &CancellationToken,
) -> Result<Mirror, IndexingError> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || Engine::open_checked(&path));
    ready(pool, opened.await??, stop).await
}

async fn ready(pool: &PgPool, engine: Engine, stop: &CancellationToken) -> Result<Mirror, IndexingError> {
    let mut mirror = Mirror::new(engine)?;
    mirror.prepare_to_write().await?;
    // The last few changes are applied by the one who lets it take over.
    while mirror.follow(pool).await? >= CHUNK {
        if stop.is_cancelled() {
            return Err(IndexingError::Cancelled);
        }
    }
    verify::spot_check(pool, &mirror.engine, SAMPLE).await?;
    Ok(mirror)
}
