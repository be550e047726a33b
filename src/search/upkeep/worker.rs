//! What runs when nobody asks: reindexing that was left over, or asked for at a prompt, and the nightly comparison.

use std::time::Duration;

use time::{OffsetDateTime, Time};
use tokio::time::{Instant, timeout};

use super::actions;
use crate::{app::App, indexing::IndexingError, job::model::Kind};

/// How often waiting work is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// Nodes do not begin all at once.
const SPREAD: Duration = Duration::from_secs(1800);

/// Looks after the index until the shop closes.
pub async fn run(app: App) {
    // A process that ended in the middle of it begins again.
    take_up(&app, true).await;
    let mut nightly_at = app.config.verify_hour.map(next_night);
    while timeout(LOOK, app.stopping.cancelled()).await.is_err() {
        take_up(&app, false).await;
        if nightly_at.is_some_and(|at| Instant::now() >= at) {
            nightly_at = app.config.verify_hour.map(next_night);
            compare(&app).await;
        }
    }
}

async fn take_up(app: &App, after_start: bool) {
    match app.jobs.take_up(Kind::Reindex, after_start).await {
        Ok(run) => run.into_iter().for_each(|run| actions::start(app, run)),
        Err(error) => tracing::debug!(%error, "waiting jobs are looked for later"),
    }
}

async fn compare(app: &App) {
    let compared = tokio::select! {
        compared = app.indexing.verify(true) => compared,
        () = app.stopping.cancelled() => return,
    };
    match compared {
        Ok(report) if report.is_clean() => {
            tracing::info!(compared = report.compared, "the index equals the database");
        }
        Ok(report) => {
            let (missing, stale, surplus) = (report.missing, report.stale, report.surplus);
            let damaged = report.damaged_files.join(", ");
            tracing::error!(
                missing,
                stale,
                surplus,
                damaged,
                "the index differed from the database and was repaired"
            );
        }
        Err(IndexingError::Cancelled) => {}
        Err(error @ (IndexingError::Index(_) | IndexingError::Task(_))) => {
            tracing::error!(%error, "the index cannot be read and is rebuilt; the old one answers meanwhile");
            if let Err(error) = app.indexing.rebuild(&app.stopping, |_, _| {}).await {
                tracing::error!(%error, "the rebuild failed");
            }
        }
        Err(error) => tracing::warn!(%error, "the nightly comparison failed"),
    }
}

/// When the next comparison begins: at the hour in UTC, and a little later on each node.
fn next_night(hour: u8) -> Instant {
    let now = OffsetDateTime::now_utc();
    let at = now.replace_time(Time::from_hms(hour, 0, 0).unwrap_or(Time::MIDNIGHT));
    let at = if at > now { at } else { at + Duration::from_secs(24 * 3600) };
    let spread = Duration::from_secs(rand::random_range(0..SPREAD.as_secs()));
    Instant::now() + (at - now).unsigned_abs() + spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_lie_within_a_day_and_a_little() {
        for hour in 0..24 {
            let wait = next_night(hour) - Instant::now();
            assert!(wait <= Duration::from_secs(24 * 3600) + SPREAD, "{wait:?}");
        }
    }
}
