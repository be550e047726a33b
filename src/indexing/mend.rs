//! What a worker does when the index fails it: it finds out why, and puts another one in its place.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    IndexingError,
    rebuild::{self, Successor},
    reopen::forget_foreign_log,
    worker::{AFTER_ERROR, Worker, log_progress},
};

/// The longest pause between two tries to build an index.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Worker {
    /// Compares the files with their checksums, if somebody wrote to them, or a search could not read them.
    pub(super) async fn examine(&mut self) -> Result<(), IndexingError> {
        let engine = self.mirror.engine.clone();
        let is_suspected = self.door.0.verdicts.take_suspicion();
        if !is_suspected && !engine.is_suspect() && !engine.is_damaged() {
            return Ok(());
        }
        tracing::warn!(
            "the index's files are compared with their checksums: one was written to, or could not be read"
        );
        let examined = tokio::task::spawn_blocking(move || engine.examine()?.into_error());
        examined.await??;
        tracing::info!("the index's files are what was written");
        self.door.0.verdicts.acquit();
        Ok(())
    }

    /// Gets over an error.
    pub(super) async fn recover(&mut self, error: IndexingError) {
        match error {
            IndexingError::Outlived(_) | IndexingError::Index(duka_index::Error::Corrupt(_)) => {
                self.replace(&error).await;
            }
            // A damaged file can make its reader panic.
            error @ (IndexingError::Index(_) | IndexingError::Panicked | IndexingError::Task(_)) => {
                tracing::error!(%error, "indexing failed and will be tried again");
                metrics::counter!("duka_index_errors_total").increment(1);
                self.failed_turns += 1;
                match self.damage().await {
                    Some(damage) => self.replace(&damage).await,
                    None => self.pause(AFTER_ERROR).await,
                }
            }
            IndexingError::Lagging => {
                tracing::warn!("the standby has not replayed as far as the index yet");
                self.pause(AFTER_ERROR).await;
            }
            error => {
                tracing::error!(%error, "indexing failed and will be tried again");
                metrics::counter!("duka_index_errors_total").increment(1);
                self.pause(AFTER_ERROR).await;
            }
        }
    }

    /// Puts another index in place of one that is of no use any more.
    async fn replace(&mut self, why: &IndexingError) {
        let is_damaged = matches!(why, IndexingError::Index(_));
        if is_damaged {
            metrics::counter!("duka_index_damaged_total").increment(1);
            tracing::error!(error = %why, "the index is damaged and is replaced; it answers what it can meanwhile");
        } else {
            tracing::warn!(error = %why, "the index is rebuilt; the old one answers meanwhile");
        }
        if is_damaged && self.go_back().await {
            return;
        }
        match self.rebuild().await {
            Ok(()) => self.failed_builds = 0,
            Err(error) => {
                tracing::error!(%error, "the rebuild failed");
                self.door.0.verdicts.fail();
                self.failed_builds += 1;
                let pause = AFTER_ERROR * 2_u32.saturating_pow(self.failed_builds.min(10));
                self.pause(pause.min(LONGEST_PAUSE)).await;
            }
        }
    }

    /// Lets the index from before a damaged one take over, which is soon done, if it is whole and the log leads on from
    /// it.
    async fn go_back(&mut self) -> bool {
        let door = self.door.clone();
        let Ok(_building) = door.0.building.try_lock() else { return false };
        let Some(path) = self.folder.previous() else { return false };
        let gone_back = async {
            let mirror = rebuild::reopen(&self.sources.read, &path, &self.stop).await?;
            self.take_over(Successor { mirror, path }).await
        };
        match gone_back.await {
            Ok(()) => {
                tracing::warn!("the index before it takes over again");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the index before it cannot be used either");
                false
            }
        }
    }

    /// What is wrong with the files of an index that fails again and again. Nothing when the disk is full: then it is
    /// the index's last commit that is there to go on from.
    async fn damage(&self) -> Option<IndexingError> {
        // Now and then: a disk may be full for hours.
        if !self.failed_turns.is_power_of_two() {
            return None;
        }
        let engine = self.mirror.engine.clone();
        let examined = tokio::task::spawn_blocking(move || engine.examine()?.into_error()).await;
        examined.map_err(IndexingError::Task).and_then(|examined| Ok(examined?)).err()
    }

    async fn rebuild(&mut self) -> Result<(), IndexingError> {
        let door = self.door.clone();
        // Somebody builds one already, which will do: it comes as an order.
        let Ok(_building) = door.0.building.try_lock() else {
            if let Ok(Some(order)) = timeout(AFTER_ERROR, self.orders.recv()).await {
                self.obey(order).await;
            }
            return Ok(());
        };
        forget_foreign_log(&self.sources.home).await?;
        let successor =
            rebuild::prepare(&self.sources.read, &self.folder, &self.stop, &log_progress()).await?;
        self.take_over(successor).await
    }

    async fn pause(&self, length: Duration) {
        let _ = timeout(length, self.stop.cancelled()).await;
    }
}
