//! What runs when nobody asks: events that wait are processed, silent attempts are asked about, money that is owed
//! goes back, and what nobody needs to know any more is forgotten.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::actions;
use crate::{app::App, error::Result};

/// How often there is looked for work.
const LOOK: Duration = Duration::from_secs(1);
/// How often the figures are taken.
const FIGURES: Duration = Duration::from_secs(10);
/// How often old events are forgotten.
const TIDY: Duration = Duration::from_secs(3600);
/// How much is taken at a time: as many gateways may be slow before others wait.
const MOST: i64 = 8;

/// Looks after payments until the shop closes. Each kind of work on its own, so that none waits for another's gateway.
pub async fn run(app: App) {
    tokio::join!(
        every(&app, "events", |app| Box::pin(actions::inbox::look_after(app, MOST))),
        every(&app, "attempts", |app| Box::pin(actions::reconcile::look_after(app, MOST))),
        every(&app, "refunds", |app| Box::pin(actions::refund::look_after(app, MOST))),
        every(&app, "what is owed", |app| Box::pin(actions::refund::give_back_some(app, MOST))),
        now_and_then(&app, FIGURES, "payments are counted", |app| Box::pin(actions::count(app))),
        now_and_then(&app, TIDY, "old events are forgotten", |app| Box::pin(actions::inbox::tidy(app))),
    );
}

/// Works until there is nothing to do, then looks again after a while.
async fn every(app: &App, what: &str, work: impl for<'a> Fn(&'a App) -> BoxFuture<'a, Result<usize>>) {
    while timeout(LOOK, app.stopping.cancelled()).await.is_err() {
        loop {
            match work(app).await {
                Ok(0) => break,
                Ok(_) if app.stopping.is_cancelled() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, what, "payments are looked after later");
                    break;
                }
            }
        }
    }
}

async fn now_and_then(
    app: &App,
    pause: Duration,
    what: &str,
    work: impl for<'a> Fn(&'a App) -> BoxFuture<'a, Result<()>>,
) {
    let mut next = Instant::now();
    while timeout(next - Instant::now(), app.stopping.cancelled()).await.is_err() {
        next = Instant::now() + pause;
        if let Err(error) = work(app).await {
            tracing::debug!(%error, "{what} later");
        }
    }
}
