//! Running a search off the runtime's threads, within limits.

use std::{sync::Arc, time::Duration};

use duka_index::{Hits, Query};

use crate::{
    app::App,
    error::{Error, Kind, Result},
    indexing::Version,
};

/// How long a search may wait for its place.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a search waits for the write that it must hold.
const CATCH_UP: Duration = Duration::from_millis(500);

/// What was found, and the version of the catalog that it was found in.
pub struct Found {
    /// The engine's answer.
    pub hits: Hits,
    /// Every write up to this one was seen.
    pub version: Version,
}

/// Searches the mirror.
///
/// # Errors
/// 503 when too many searches are waiting.
pub async fn search(app: &App, query: Query) -> Result<Found> {
    let busy = || Error::unavailable("Too many searches are waiting.");
    let place = Arc::clone(&app.searches).acquire_owned();
    let place = tokio::time::timeout(PATIENCE, place).await.map_err(|_| busy())?.map_err(|_| busy())?;
    // Before the engine: what it answers is never older than what is promised.
    let version = app.indexing.applied().version();
    let engine = app.indexing.engine();
    let found = tokio::task::spawn_blocking(move || {
        // The place goes with the work: who hangs up does not free it early.
        let _held = place;
        engine.search(&query)
    });
    let hits = found.await.map_err(Error::internal)??;
    Ok(Found { hits, version })
}

/// Waits until the index holds a write.
///
/// # Errors
/// 503 when it does not within half a second.
pub async fn catch_up(app: &App, version: Version) -> Result<()> {
    let held = app.indexing.holds(version, CATCH_UP).await;
    held.then_some(()).ok_or_else(|| {
        Error::new(
            Kind::IndexBehind,
            format!("The index is at {}, not at {version}.", app.indexing.applied().version()),
        )
    })
}

/// Nothing, as found now.
pub fn nothing(app: &App) -> Found {
    Found { hits: Hits::default(), version: app.indexing.applied().version() }
}
