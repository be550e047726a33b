//! Load on a running shop: how long its searches take while many ask, and while it is written to.
//!
//! The loop is open. Requests have their times in advance, as shoppers who know nothing of each other do, and each is
//! timed from the moment at which it was due, not from that at which a connection was free for it: a server that
//! stands still for a second is charged with everybody who came in that second. (A closed loop, which asks again once
//! it is answered, forgives exactly that; it is there for the rate at which a server is full.)
//!
//! What is asked is learnt from the shop itself ([`mix`]), through its API alone: this knows a shop as a stranger does,
//! and imports nothing of it.

pub mod mix;
pub mod pace;
pub mod process;
pub mod report;
pub mod wire;
pub mod writes;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{
    mix::Mix,
    pace::{Pace, Slots},
    report::{Report, Times},
    wire::{Fault, Reply, Target, Wire},
};

/// How long an answer may take; later, its connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to ask.
    pub target: Target,
    /// When to ask.
    pub pace: Pace,
    /// How many connections there are. In an open loop, as many as may wait for an answer at once.
    pub connections: usize,
    /// How long requests are sent.
    pub length: Duration,
}

/// How far it is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Requests that were answered.
    pub answered: AtomicU64,
}

/// Asks as planned, until it is done or `stop` is cancelled.
///
/// # Errors
/// When no connection can be made at the beginning. Later ones are counted: that is what is measured.
pub async fn run(
    plan: &Plan,
    mix: &Mix,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Report, Fault> {
    // Before the first is due: what times are kept in takes long enough to make that whoever came meanwhile would wait
    // for it, and that a connection would be idle for too long.
    let mut askers: Vec<Asker> =
        (0..plan.connections).map(|number| Asker::new(plan, mix, progress, number)).collect();
    for asker in &mut askers {
        asker.wire = Some(Wire::open(&plan.target).await?);
    }
    let begun = Instant::now();
    let slots = Slots::open(plan.pace, begun, plan.length, stop.clone());
    let mut asking = JoinSet::new();
    for asker in askers {
        asking.spawn(asker.run(slots.clone()));
    }
    let mut asked = Vec::with_capacity(plan.connections);
    while let Some(times) = asking.join_next().await {
        asked.push(times.map_err(|error| Fault::Task(error.to_string()))?);
    }
    let mut report = Report { took: begun.elapsed(), late: slots.late(), ..Report::default() };
    asked.iter().for_each(|times| report.searches.add(times));
    Ok(report)
}

/// One connection, and what it asks.
struct Asker {
    target: Target,
    /// None before the first, and after it failed.
    wire: Option<Wire>,
    mix: Mix,
    progress: Arc<Progress>,
    times: Times,
}

impl Asker {
    fn new(plan: &Plan, mix: &Mix, progress: &Arc<Progress>, number: usize) -> Self {
        Self {
            target: plan.target.clone(),
            wire: None,
            mix: mix.shuffled(number as u64),
            progress: Arc::clone(progress),
            times: Times::new(),
        }
    }

    async fn run(mut self, slots: Slots) -> Times {
        while let Some(due) = slots.next().await {
            let sent = Instant::now();
            let answer = tokio::time::timeout(PATIENCE, self.ask()).await.unwrap_or(Err(Fault::Silent));
            let now = Instant::now();
            match answer {
                Ok(reply) if reply.is_success() => self.times.answered(now - due, now - sent),
                Ok(reply) => self.times.refused(reply.status, now - due),
                Err(_) => {
                    self.wire = None;
                    self.times.failed();
                }
            }
            self.progress.answered.fetch_add(1, Ordering::Relaxed);
        }
        self.times
    }

    async fn ask(&mut self) -> Result<Reply, Fault> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            lost => lost.insert(Wire::open(&self.target).await?),
        };
        wire.get(self.mix.draw()).await
    }
}
