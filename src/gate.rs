//! Places for work that keeps a core busy, and a short queue before them.
//!
//! Under more load than there is capacity, a queue that admits everybody makes everybody late: then those who are
//! answered are answered too late as well. So whoever would wait for too long is turned away at once, while turning
//! away is cheap, and those who are admitted are nearly as fast as ever. A queue that has only just formed is a burst,
//! which is gone before anybody minds; one that stands is overload.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// How long the wait in a queue that stands may be, by what work takes at the time: one that a person does not notice.
const QUEUE: Duration = Duration::from_millis(100);
/// A queue stands when it has not been empty for this long.
const STANDING: Duration = Duration::from_millis(500);
/// How long the wait in any other may be. Whoever is not in after it is turned away: estimates may be wrong.
const PATIENCE: Duration = Duration::from_secs(1);
/// Those who may always wait: the first estimate is none, and a few are no overload, however slow the machine.
const ALWAYS: usize = 32;
/// How fast the estimate follows: the last work counts an eighth.
const SMOOTHING: u64 = 8;

/// See the module's words. Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    count: u64,
    waiting: AtomicUsize,
    begun: Instant,
    /// When nobody waited, last: nanoseconds after `begun`.
    empty: AtomicU64,
    /// Nanoseconds that work takes, lately.
    typical: AtomicU64,
}

/// A place: goes with the work, and is free again when it is dropped.
pub struct Place {
    gate: Arc<Inner>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// A gate with so many places.
    pub fn new(places: usize) -> Self {
        let count = u64::try_from(places).unwrap_or(u64::MAX).max(1);
        let places = Arc::new(Semaphore::new(places));
        let (waiting, empty, typical) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { places, count, waiting, begun: Instant::now(), empty, typical }))
    }

    /// Waits for a place; `None` for whoever is turned away.
    pub async fn enter(&self) -> Option<Place> {
        let gate = Arc::clone(&self.0);
        let permit = match Arc::clone(&gate.places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return None,
            Err(TryAcquireError::NoPermits) => {
                let queued = Queued::take(&gate)?;
                let place = tokio::time::timeout(PATIENCE, Arc::clone(&gate.places).acquire_owned()).await;
                drop(queued);
                place.ok()?.ok()?
            }
        };
        Some(Place { gate, since: Instant::now(), _permit: permit })
    }

    /// Takes all places, once they are free: nobody else gets in until what is returned is dropped.
    pub async fn close(&self) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(self.0.count).unwrap_or(u32::MAX);
        Arc::clone(&self.0.places).acquire_many_owned(count).await.ok()
    }
}

impl Inner {
    fn now(&self) -> u64 {
        nanos(self.begun.elapsed())
    }

    /// How long the wait may be at this moment.
    fn longest(&self) -> u64 {
        let stood = self.now().saturating_sub(self.empty.load(Ordering::Relaxed));
        nanos(if stood > nanos(STANDING) { QUEUE } else { PATIENCE })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A place in the queue.
struct Queued<'a>(&'a Inner);

impl<'a> Queued<'a> {
    fn take(gate: &'a Inner) -> Option<Self> {
        let before = gate.waiting.fetch_add(1, Ordering::Relaxed);
        let queued = Self(gate);
        if before == 0 {
            gate.empty.store(gate.now(), Ordering::Relaxed);
        }
        let ahead = u64::try_from(before).unwrap_or(u64::MAX);
        let wait = ahead.saturating_mul(gate.typical.load(Ordering::Relaxed)) / gate.count;
        (before < ALWAYS || wait <= gate.longest()).then_some(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.empty.store(self.0.now(), Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let took = nanos(self.since.elapsed());
        let typical = &self.gate.typical;
        // One that is lost to another thread's is no loss.
        let before = typical.load(Ordering::Relaxed);
        typical.store(before - before / SMOOTHING + took / SMOOTHING, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;

    /// Work that takes as long, on one place, so that the gate knows it.
    async fn learn(gate: &Gate, took: Duration) {
        for _ in 0..64 {
            let place = gate.enter().await.unwrap();
            tokio::time::sleep(took).await;
            drop(place);
        }
    }

    /// So many who ask at once; those who were turned away within a moment.
    async fn ask(gate: &Gate, many: usize) -> (Vec<JoinHandle<bool>>, usize) {
        let asking: Vec<_> = (0..many)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.enter().await.is_some() })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let turned_away = asking.iter().filter(|asker| asker.is_finished()).count();
        (asking, turned_away)
    }

    #[tokio::test]
    async fn a_queue_that_stands_is_short() {
        let gate = Gate::new(1);
        learn(&gate, Duration::from_millis(5)).await;
        let busy = gate.enter().await.unwrap();
        let (first, _) = ask(&gate, 1).await;
        tokio::time::sleep(STANDING).await;
        let (asking, turned_away) = ask(&gate, 100).await;
        assert!((60..=70).contains(&turned_away), "{ALWAYS} may wait, and one does: {turned_away} may not");
        drop(busy);
        let mut admitted = 0;
        for asker in first.into_iter().chain(asking) {
            admitted += usize::from(asker.await.unwrap());
        }
        assert_eq!(admitted, 101 - turned_away, "whoever waits gets in");
        assert!(gate.enter().await.is_some(), "nobody is left in the queue");
    }

    #[tokio::test]
    async fn a_burst_is_no_overload() {
        let gate = Gate::new(1);
        learn(&gate, Duration::from_millis(5)).await;
        let busy = gate.enter().await.unwrap();
        let (asking, turned_away) = ask(&gate, 60).await;
        assert_eq!(turned_away, 0);
        drop(busy);
        for asker in asking {
            assert!(asker.await.unwrap());
        }
    }

    #[tokio::test]
    async fn nor_does_anybody_wait_for_longer_than_patience() {
        let gate = Gate::new(1);
        learn(&gate, Duration::from_millis(50)).await;
        let _busy = gate.enter().await.unwrap();
        let (_, turned_away) = ask(&gate, 100).await;
        assert!((60..=70).contains(&turned_away), "{ALWAYS} may wait: {turned_away} may not");
    }

    #[tokio::test]
    async fn patience_has_an_end() {
        let gate = Gate::new(1);
        let _busy = gate.enter().await.unwrap();
        let begun = Instant::now();
        assert!(gate.enter().await.is_none());
        assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert_eq!(gate.0.waiting.load(Ordering::Relaxed), 0);
    }
}
