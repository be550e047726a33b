//! When requests are sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second, at times that do not depend on each other (a Poisson process), whether they are answered
    /// or not.
    Open(f64),
    /// As soon as the request before on the same connection is answered.
    Closed,
}

/// Behind its time by so much, a request was sent late by this program and not by the server.
const LATE: Duration = Duration::from_millis(2);

/// The times that are left, shared by all connections.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// In an open loop, what the clock has dealt out.
    dealt: Option<Mutex<mpsc::UnboundedReceiver<Instant>>>,
    end: Instant,
    stop: CancellationToken,
    late: AtomicU64,
}

impl Slots {
    /// Times from `begun` on, for so long. A thread of its own keeps them: the runtime's clock ticks in milliseconds,
    /// which is longer than most answers take.
    pub fn open(pace: Pace, begun: Instant, length: Duration, stop: CancellationToken) -> Self {
        let end = begun + length;
        let dealt = match pace {
            Pace::Closed => None,
            Pace::Open(rate) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                let stop = stop.clone();
                thread::spawn(move || deal(rate, begun, end, &sender, &stop));
                Some(Mutex::new(receiver))
            }
        };
        Self(Arc::new(Inner { dealt, end, stop, late: AtomicU64::new(0) }))
    }

    /// When the next request is due, once it is; `None` at the end.
    pub async fn next(&self) -> Option<Instant> {
        let Some(dealt) = &self.0.dealt else {
            let now = Instant::now();
            return (now < self.0.end && !self.0.stop.is_cancelled()).then_some(now);
        };
        let (due, was_waiting) = {
            let mut dealt = dealt.lock().await;
            let was_waiting = dealt.is_empty();
            (dealt.recv().await?, was_waiting)
        };
        // With a connection free, only this program itself can be the reason.
        if was_waiting && due.elapsed() > LATE {
            self.0.late.fetch_add(1, Ordering::Relaxed);
        }
        Some(due)
    }

    /// How many requests were sent late although a connection was free: their times say more of this machine than of
    /// the server.
    pub fn late(&self) -> u64 {
        self.0.late.load(Ordering::Relaxed)
    }
}

/// Deals out each time when it has come.
fn deal(
    rate: f64,
    begun: Instant,
    end: Instant,
    sender: &mpsc::UnboundedSender<Instant>,
    stop: &CancellationToken,
) {
    let mut random = StdRng::seed_from_u64(1);
    let mut due = begun;
    loop {
        due += gap(rate, random.random());
        if due >= end || stop.is_cancelled() {
            return;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if sender.send(due).is_err() {
            return;
        }
    }
}

/// The time between two of `rate` a second, for a chance between 0 and 1.
fn gap(rate: f64, chance: f64) -> Duration {
    Duration::try_from_secs_f64(-(1.0 - chance).ln() / rate).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_exponential() {
        let mut random = StdRng::seed_from_u64(7);
        let gaps: Vec<f64> = (0..20_000).map(|_| gap(50.0, random.random()).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((0.019..0.021).contains(&mean), "{mean}");
        // A third is longer than the mean, to the e.
        let longer = gaps.iter().filter(|gap| **gap > 0.02).count() as f64 / gaps.len() as f64;
        assert!((0.35..0.385).contains(&longer), "{longer}");
    }

    #[tokio::test]
    async fn an_open_loop_does_not_wait_for_answers() {
        let begun = Instant::now();
        let slots =
            Slots::open(Pace::Open(1_000.0), begun, Duration::from_millis(200), CancellationToken::new());
        // Nobody asks for a while; what was due meanwhile is due all the same, at its own time.
        tokio::time::sleep(Duration::from_millis(250)).await;
        let mut dues = Vec::new();
        while let Some(due) = slots.next().await {
            dues.push(due);
        }
        assert!((140..260).contains(&dues.len()), "{}", dues.len());
        assert!(dues.is_sorted() && dues.iter().all(|due| *due < begun + Duration::from_millis(200)));
    }

    #[tokio::test]
    async fn a_closed_loop_ends_with_its_time_or_when_it_is_stopped() {
        let stop = CancellationToken::new();
        let slots = Slots::open(Pace::Closed, Instant::now(), Duration::from_secs(600), stop.clone());
        assert!(slots.next().await.is_some());
        stop.cancel();
        assert!(slots.next().await.is_none());
    }
}
