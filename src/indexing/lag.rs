//! How far a mirror is behind, asked of the shop's database itself.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Indexing, IndexingError, store};

/// How often it is measured how far the mirror is behind.
const MEASURE: Duration = Duration::from_secs(5);

/// How far a mirror is behind.
#[derive(Clone, Copy, Debug)]
pub struct Lag {
    /// Products that changed and are not applied.
    pub pending_changes: u64,
    /// For how long the oldest of these changes has waited; 0 when there is none.
    pub seconds: f64,
    /// For how long the oldest writing transaction has been open: what it wrote is unseen as long as it is, and the
    /// mirror remembers all that came after it. Hours are worth an alert.
    pub horizon_seconds: f64,
}

impl Indexing {
    /// How far the mirror is behind the database; where it reads a standby, that one's delay is in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lag(&self) -> Result<Lag, IndexingError> {
        let backlog = store::backlog(&self.0.sources.home, &self.applied().snapshot).await?;
        Ok(Lag {
            pending_changes: backlog.changes.unsigned_abs(),
            seconds: backlog.seconds,
            horizon_seconds: backlog.horizon_seconds,
        })
    }

    /// Measures how far the mirror is behind until `stop`, whatever the worker is at: it may be stuck.
    pub(super) async fn measure(self, stop: CancellationToken) {
        while timeout(MEASURE, stop.cancelled()).await.is_err() {
            self.measure_lag().await;
        }
    }

    async fn measure_lag(&self) {
        match self.lag().await {
            Ok(lag) => {
                metrics::gauge!("duka_index_pending_changes").set(lag.pending_changes as f64);
                metrics::gauge!("duka_index_lag_seconds").set(lag.seconds);
                metrics::gauge!("duka_index_horizon_age_seconds").set(lag.horizon_seconds);
            }
            Err(error) => tracing::debug!(%error, "the lag is measured later"),
        }
    }
}
