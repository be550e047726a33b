//! Whether the runtime keeps up with what is asked, and who is let in while it does not.
//!
//! Places for searches have a queue that is kept short (`gate`), but what the runtime itself does for a request, reading
//! it and looking for a kept answer, has none that anybody could look at: more than the runtime can do waits unread in
//! the system's buffers, for seconds, and whoever is let in at last has waited as long as whoever is turned away. So the
//! runtime's pulse is taken: a task that sleeps for a moment stands in the same line as the requests, and tells how long
//! that is. Once the line has been long for a while, and that for the sake of searches, those that come when the last
//! beat is too long ago, and have no kept answer, are turned away before anything else is done for them, at a fraction
//! of what the least of answers costs, which shortens the line until the next beat.
//!
//! Where nearly all searches want a place, those that come while its queue is full are turned away here as well: for one
//! that the queue refuses most of the work has been done before.

use std::{
    future::poll_fn,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;

/// How often the pulse is taken, from when somebody comes until nobody does.
const BEAT: Duration = Duration::from_millis(2);
/// A beat that is later than this is late: everybody waits for as long before anything is done for them.
const LATE: Duration = Duration::from_millis(3);
/// The runtime's clock ticks so often, and a beat in time is up to a tick late. Whoever comes later still while the line
/// is known to be too long is turned away: let in for as much longer as [`LATE`], as many are as make the line as long again.
const TICK: Duration = Duration::from_millis(1);
/// For how long beats must have been late: a burst is gone before anybody minds.
const STANDING: Duration = Duration::from_millis(50);
/// What the first late beat counts of that at most: a machine that stood still makes it late too, and the next a little, by
/// what has gathered meanwhile.
const FIRST: Duration = Duration::from_millis(40);
/// For how long they must have been in time, for all to be let in again: overload comes in waves, and each would be taken
/// for a burst at first.
const AT_REST: Duration = Duration::from_secs(10);
/// With fewer searches in a beat it is not they that the runtime is late for: the machine is, or a debugger.
const CROWD: u32 = 64;
/// So many are let in at each beat, however long the line is.
const LEAST: u32 = 16;
/// What nearly all searches do, nine of ten do; of fewer than this nobody can say.
const KNOWN: u32 = 8;

/// See the module's words. Clones share it.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Beat>);

#[derive(Debug)]
struct Beat {
    begun: Instant,
    /// The last one, or when it woke since, in microseconds from then on.
    last: AtomicU64,
    /// How many searches have come since, and what the first of them wakes.
    come: AtomicU32,
    first: Notify,
    /// How many of them were let in, and how many want a place of their own.
    let_in: AtomicU32,
    placed: AtomicU32,
    /// For how long beats have been late, in microseconds; 0 when the last one was not.
    late_for: AtomicU64,
    /// Whether the line is known to be too long.
    is_overloaded: AtomicBool,
    /// Whether nearly all want a place.
    is_placed: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Arc::new(Beat {
            begun: Instant::now(),
            last: AtomicU64::new(0),
            come: AtomicU32::new(0),
            first: Notify::new(),
            let_in: AtomicU32::new(0),
            placed: AtomicU32::new(0),
            late_for: AtomicU64::new(0),
            is_overloaded: AtomicBool::new(false),
            is_placed: AtomicBool::new(false),
        }))
    }
}

impl Pulse {
    /// Whether one more search is let in, for which there may be a place at the gate. Each is asked for once.
    pub fn lets_in(&self, gate: &Gate) -> bool {
        let before = self.0.come.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.0.first.notify_one();
        }
        let is_late = before >= LEAST && self.is_too_late(before);
        let is_let_in = !(is_late || self.0.is_placed.load(Ordering::Relaxed) && gate.is_full());
        if is_let_in {
            self.0.let_in.fetch_add(1, Ordering::Relaxed);
        }
        is_let_in
    }

    /// Whether the line is too long for whoever comes now, after so many others in this beat: it stands, or this beat will
    /// find it so when it comes, which takes as long as the line.
    fn is_too_late(&self, before: u32) -> bool {
        if self.is_overloaded() {
            return self.since() >= BEAT + TICK;
        }
        let late_for = Duration::from_micros(self.0.late_for.load(Ordering::Relaxed));
        if late_for.is_zero() || before < CROWD {
            return false;
        }
        let since = self.since();
        since > BEAT + LATE && late_for + since > STANDING
    }

    /// Says that a search that was let in wants a place.
    pub fn count_placed(&self) {
        self.0.placed.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether more comes than the runtime can do, for a while by now.
    pub fn is_overloaded(&self) -> bool {
        self.0.is_overloaded.load(Ordering::Relaxed)
    }

    /// Takes the pulse until `stop`.
    pub async fn take(self, stop: CancellationToken) {
        let mut overload = Overload::default();
        while !stop.is_cancelled() {
            if !self.beat(&mut overload) {
                tokio::select! {
                    () = self.0.first.notified() => {}
                    () = stop.cancelled() => break,
                }
                self.0.last.store(micros(self.0.begun.elapsed()), Ordering::Relaxed);
            }
            tokio::time::sleep(BEAT).await;
            end_of_line().await;
        }
        // Nobody tells any more how long the line is: whoever still comes before the shop has closed is let in.
        self.0.is_overloaded.store(false, Ordering::Relaxed);
        self.0.late_for.store(0, Ordering::Relaxed);
    }

    /// One beat, [`BEAT`] after the last if it is in time; whether the next one comes although nobody should wake it.
    fn beat(&self, overload: &mut Overload) -> bool {
        let took = self.since();
        self.0.last.store(micros(self.0.begun.elapsed()), Ordering::Relaxed);
        let come = self.0.come.swap(0, Ordering::Relaxed);
        if self.0.let_in.load(Ordering::Relaxed) >= KNOWN {
            let let_in = self.0.let_in.swap(0, Ordering::Relaxed);
            let placed = self.0.placed.swap(0, Ordering::Relaxed);
            self.0.is_placed.store(placed >= let_in - let_in / 10, Ordering::Relaxed);
        }
        let stands = overload.stands(took, took.saturating_sub(BEAT), come);
        self.0.is_overloaded.store(stands, Ordering::Relaxed);
        self.0.late_for.store(micros(overload.late_for.unwrap_or_default()), Ordering::Relaxed);
        come > 0 || stands
    }

    /// How long ago the last beat was.
    fn since(&self) -> Duration {
        let last = Duration::from_micros(self.0.last.load(Ordering::Relaxed));
        self.0.begun.elapsed().saturating_sub(last)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Waits until all that can go on now has been let go on. Whoever is woken by a timer is let go on at once, past all
/// others; only a task that wakes itself goes to the end of the line.
fn end_of_line() -> impl Future<Output = ()> {
    let mut is_there = false;
    poll_fn(move |context| {
        if mem::replace(&mut is_there, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Tells overload from bursts.
#[derive(Debug, Default)]
struct Overload {
    stands: bool,
    /// None while beats are in time.
    late_for: Option<Duration>,
    in_time_for: Duration,
}

impl Overload {
    /// Whether it stands, after a beat that took so long, of which it was so late, and in which so many came.
    fn stands(&mut self, took: Duration, late: Duration, come: u32) -> bool {
        let is_late = late > LATE && come >= CROWD;
        let late_for = self.late_for.map_or(late.min(FIRST), |before| before + took);
        self.late_for = is_late.then_some(late_for);
        self.in_time_for = if is_late { Duration::ZERO } else { self.in_time_for + took };
        if is_late {
            self.stands |= late_for > STANDING;
        } else if self.in_time_for > AT_REST {
            self.stands = false;
        }
        self.stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Overload {
        fn in_time(&mut self, come: u32) -> bool {
            self.stands(BEAT, Duration::ZERO, come)
        }

        fn late(&mut self, come: u32) -> bool {
            let late = Duration::from_millis(40);
            self.stands(BEAT + late, late, come)
        }
    }

    #[test]
    fn a_burst_a_slow_machine_and_a_crowd_in_time_are_no_overload() {
        let mut overload = Overload::default();
        let brief = |overload: &mut Overload| overload.stands(BEAT + LATE * 2, LATE * 2, 1_000);
        assert!(!overload.stands(STANDING + LATE * 2, LATE * 2, 1_000), "nobody was waiting for most of it");
        assert!((0..5).all(|_| !brief(&mut overload)), "not for long enough yet");
        for _ in 0..100 {
            assert!(!overload.in_time(1_000));
            assert!(!overload.stands(STANDING * 4, STANDING * 3, 1_000), "the machine stood still");
            assert!(!brief(&mut overload), "and much had gathered");
            assert!(!overload.late(CROWD - 1));
        }
    }

    #[test]
    fn it_stands_until_beats_have_been_in_time_for_a_while() {
        let mut overload = Overload::default();
        let late: Vec<bool> = (0..4).map(|_| overload.late(1_000)).collect();
        assert_eq!(late, [false, true, true, true]);
        // As soon as the line is short again, it is because others were turned away.
        assert!((0..200).all(|_| overload.in_time(1_000)));
        assert!(overload.late(1_000) && overload.in_time(10));
        let beats = 1 + (0..1_000_000).take_while(|_| overload.in_time(10)).count() as u32;
        assert!(BEAT * beats <= AT_REST && BEAT * (beats + 1) > AT_REST, "{beats}");
    }

    #[tokio::test]
    async fn whoever_comes_late_in_a_beat_is_turned_away_while_it_stands() {
        let (pulse, gate) = (Pulse::default(), Gate::new(1).unwrap());
        let lets_in = |many: u32| (0..many).filter(|_| pulse.lets_in(&gate)).count();
        let late = || std::thread::sleep(BEAT + LATE);
        late();
        assert_eq!(lets_in(1_000), 1_000, "at rest all are let in");
        pulse.beat(&mut Overload { stands: true, ..Overload::default() });
        let goes_on = pulse.beat(&mut Overload { stands: true, ..Overload::default() });
        assert!(goes_on, "although nobody came");
        assert!(lets_in(LEAST) == LEAST as usize, "a few always");
        late();
        assert_eq!(lets_in(100), 0);
        pulse.beat(&mut Overload { stands: true, ..Overload::default() });
        assert!(
            lets_in(LEAST + 1) > LEAST as usize || pulse.since() >= BEAT + TICK,
            "the line is short again"
        );
        let stop = CancellationToken::new();
        let taking = tokio::spawn(pulse.clone().take(stop.clone()));
        while pulse.0.is_overloaded.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        late();
        assert_eq!(lets_in(1_000), 1_000);
        stop.cancel();
        taking.await.unwrap();
    }

    #[test]
    fn nobody_waits_for_a_second_late_beat_to_come() {
        let (pulse, gate) = (Pulse::default(), Gate::new(1).unwrap());
        let mut overload = Overload::default();
        let mut come_in_a_late_beat = || {
            std::thread::sleep(STANDING);
            let let_in = (0..1_000).filter(|_| pulse.lets_in(&gate)).count();
            pulse.beat(&mut overload);
            let_in
        };
        assert_eq!(come_in_a_late_beat(), 1_000, "the machine may have stood still");
        assert_eq!(come_in_a_late_beat(), CROWD as usize);
        assert_eq!(come_in_a_late_beat(), LEAST as usize, "it stands");
    }

    #[tokio::test]
    async fn it_sleeps_until_somebody_comes() {
        let (pulse, gate) = (Pulse::default(), Gate::new(1).unwrap());
        let stop = CancellationToken::new();
        let taking = tokio::spawn(pulse.clone().take(stop.clone()));
        let last = || pulse.0.last.load(Ordering::Relaxed);
        for _ in 0..2 {
            // Each wait is one that a beat that is still to come has time in, however busy the machine is.
            for _ in 0..20 {
                tokio::time::sleep(BEAT).await;
            }
            let before = last();
            tokio::time::sleep(BEAT * 20).await;
            assert_eq!(last(), before, "it sleeps");
            assert!(pulse.lets_in(&gate));
            tokio::task::yield_now().await;
            assert!(last() > before, "it is awake");
            let beaten = async {
                while pulse.0.come.load(Ordering::Relaxed) > 0 {
                    tokio::time::sleep(BEAT).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), beaten).await.unwrap();
        }
        pulse.0.is_overloaded.store(true, Ordering::Relaxed);
        stop.cancel();
        taking.await.unwrap();
        assert!(!pulse.is_overloaded(), "nobody would tell when it is over");
    }

    #[test]
    fn a_full_gate_turns_away_where_nearly_all_want_a_place() {
        let (pulse, gate) = (Pulse::default(), Gate::new(1).unwrap());
        let beat = |let_in: u32, placed: u32| {
            assert!((0..let_in).all(|_| pulse.lets_in(&gate)), "there is room");
            (0..placed).for_each(|_| pulse.count_placed());
            pulse.beat(&mut Overload::default());
        };
        let lets_in = |is_full| {
            gate.seem_full(is_full);
            pulse.lets_in(&gate)
        };
        beat(20, 17);
        assert!(lets_in(true), "many are answered without a place");
        pulse.beat(&mut Overload::default());
        gate.seem_full(false);
        beat(20, 19);
        assert!(!lets_in(true));
        pulse.beat(&mut Overload::default());
        assert!(!lets_in(true), "nobody has come to tell otherwise");
        assert!(lets_in(false));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn it_stands_in_the_line_of_requests() {
        let (pulse, gate) = (Pulse::default(), Gate::new(1).unwrap());
        let stop = CancellationToken::new();
        let taking = tokio::spawn(pulse.clone().take(stop.clone()));
        // As many as keep one worker busy for 60 ms each round, and are never done.
        let requests: Vec<_> = (0..120)
            .map(|_| {
                let (pulse, gate, stop) = (pulse.clone(), gate.clone(), stop.clone());
                tokio::spawn(async move {
                    let mut turned_away = 0_u32;
                    while !stop.is_cancelled() {
                        if pulse.lets_in(&gate) {
                            std::thread::sleep(Duration::from_micros(500));
                        } else {
                            turned_away += 1;
                        }
                        end_of_line().await;
                    }
                    turned_away
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
        let mut turned_away = 0;
        for request in requests {
            turned_away += request.await.unwrap();
        }
        taking.await.unwrap();
        assert!(turned_away > 100, "the line is seen to be long: {turned_away}");
    }
}
