//! What runs when nobody asks: orders that nobody paid in time give their stock back, and old keys are forgotten.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::actions;
use crate::{app::App, idempotency};

/// How often orders are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many orders may fail at one look: each may have waited for a lock.
const MOST_FAILED: usize = 20;
/// How often old keys are.
const TIDY: Duration = Duration::from_secs(3600);

/// Looks after orders until the shop closes.
pub async fn run(app: App) {
    let mut tidy_at = Instant::now();
    while timeout(LOOK, app.stopping.cancelled()).await.is_err() {
        expire(&app).await;
        if Instant::now() >= tidy_at {
            tidy_at = Instant::now() + TIDY;
            if let Err(error) = idempotency::forget_old(&app.web).await {
                tracing::debug!(%error, "old idempotency keys are forgotten later");
            }
        }
    }
}

/// A transaction an order: one that fails is passed by until the next look, and locks are held shortly.
async fn expire(app: &App) {
    let mut failed = Vec::new();
    while !app.stopping.is_cancelled() {
        let before = failed.len();
        match actions::expire_one(app, &mut failed).await {
            Ok(true) => {
                failed.truncate(before);
                metrics::counter!("duka_orders_expired_total").increment(1);
            }
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "an order that was not paid is cancelled later");
                // No order was to blame, or so many that it is none of theirs.
                if failed.len() == before || failed.len() > MOST_FAILED {
                    return;
                }
            }
        }
    }
}
