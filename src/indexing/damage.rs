//! What searches do with an index that cannot be read: they say so, and wait for another one, or for word that this one
//! is whole.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use duka_index::Engine;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{Indexing, IndexingError};

/// Searches that fail although all files are whole are the program's fault: they do not have all files read again and again.
const BELIEVED: Duration = Duration::from_secs(60);

/// What has become of an index that a search could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Another one has taken over.
    Replaced,
    /// All of its files are what was written.
    Whole,
    /// Nothing yet.
    Late,
}

/// What is found out about the index that answers.
#[derive(Default)]
pub(super) struct Verdicts {
    /// A search could not read it.
    suspicion: AtomicBool,
    /// When its files were compared and were all whole, last.
    acquitted_at: Mutex<Option<Instant>>,
    failures: watch::Sender<u64>,
}

impl Verdicts {
    /// Tells those who wait that there is news.
    pub(super) fn tell(&self) {
        self.failures.send_modify(|_| {});
    }

    /// All files are whole.
    pub(super) fn acquit(&self) {
        *self.acquitted_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.tell();
    }

    /// No other index could be built.
    pub(super) fn fail(&self) {
        self.failures.send_modify(|failures| *failures += 1);
    }

    /// Whether somebody suspected the index since the last call.
    pub(super) fn take_suspicion(&self) -> bool {
        self.suspicion.swap(false, Ordering::Relaxed)
    }

    fn acquitted_since(&self, begun: Instant) -> bool {
        let acquitted_at = *self.acquitted_at.lock().unwrap_or_else(PoisonError::into_inner);
        acquitted_at.is_some_and(|at| at >= begun)
    }
}

impl Indexing {
    /// Says that this index could not be read, and waits until it is known what that was.
    pub async fn remedy(&self, engine: &Engine, deadline: Instant) -> Remedy {
        let verdicts = &self.0.verdicts;
        let mut news = verdicts.failures.subscribe();
        let mut since = Instant::now();
        if !engine.is_suspect() && !engine.is_damaged() {
            since = since.checked_sub(BELIEVED).unwrap_or(since);
        }
        if !verdicts.acquitted_since(since) && self.engine().is_same(engine) {
            verdicts.suspicion.store(true, Ordering::Relaxed);
            self.0.wake.notify_one();
        }
        loop {
            if !self.engine().is_same(engine) {
                return Remedy::Replaced;
            }
            if verdicts.acquitted_since(since) {
                return Remedy::Whole;
            }
            if !matches!(timeout_at(deadline, news.changed()).await, Ok(Ok(()))) {
                return Remedy::Late;
            }
        }
    }

    /// Waits until another index answers in place of a damaged one.
    pub(super) async fn replaced(&self, engine: &Engine) -> Result<(), IndexingError> {
        let mut news = self.0.verdicts.failures.subscribe();
        let failures = *news.borrow();
        loop {
            if !self.engine().is_same(engine) {
                return Ok(());
            }
            news.changed().await.map_err(|_| IndexingError::Cancelled)?;
            if *news.borrow() > failures {
                return Err(IndexingError::Damaged);
            }
        }
    }
}
