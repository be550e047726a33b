//! Places for work that keeps a core busy, and a short queue before them.
//!
//! Each place is a thread, which takes the next work itself: between two of them nobody is waited for, however busy the
//! runtime is with those who are turned away.
//!
//! Under more load than there is capacity, a queue that admits everybody makes everybody late: then those who are
//! answered are answered too late as well. So whoever would wait for too long is turned away at once, while turning
//! away is cheap, and those who are admitted are nearly as fast as ever. A queue that has only just formed is a burst,
//! which is gone before anybody minds; one that stands is overload, and is cut back to what it may be then.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// How long the wait in a queue that stands may be, by what work takes at the time: one that nobody notices, and no
/// more than what those wait who come when there is just enough room.
const QUEUE: Duration = Duration::from_millis(12);
/// A queue stands when it has not been empty for this long.
const STANDING: Duration = Duration::from_millis(100);
/// How long the wait in any other may be. Whoever is not in after it is turned away: estimates may be wrong.
const PATIENCE: Duration = Duration::from_secs(1);
/// For each place, those who may always wait: the first estimate is none, and a few are no overload, however slow the
/// machine.
const ALWAYS: usize = 12;
/// How fast the estimate follows: the last work counts an eighth.
const SMOOTHING: u32 = 8;

/// See the module's words. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct Gate(Arc<Door>);

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// Too many waited, or for too long.
    #[error("too many are waiting")]
    TurnedAway,
    /// It has panicked.
    #[error("the work has panicked")]
    Broken,
}

impl Gate {
    /// A gate with so many places.
    ///
    /// # Errors
    /// When the system gives no thread for one.
    pub fn new(places: usize) -> io::Result<Self> {
        let line = Line {
            waiting: VecDeque::new(),
            idle: 0,
            since: None,
            typical: Duration::ZERO,
            is_closed: false,
        };
        let inner = Arc::new(Inner { places, line: Mutex::new(line), come: Condvar::new() });
        // From here on, so that the threads that there are end when one fails.
        let door = Door(Arc::clone(&inner));
        for _ in 0..places {
            let inner = Arc::clone(&inner);
            thread::Builder::new().name("duka search".to_owned()).spawn(move || inner.work_off())?;
        }
        Ok(Self(Arc::new(door)))
    }

    /// Does the work at the next free place.
    ///
    /// # Errors
    /// See [`Undone`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let (sender, mut done) = oneshot::channel();
        let work = Box::new(move || {
            // Nobody wants what was asked for by somebody who has left.
            if !sender.is_closed() {
                let _ = sender.send(work());
            }
        });
        let ticket = Arc::new(Ticket(Mutex::new(State::Waiting(work))));
        let inner = &self.0.0;
        if !inner.queue(&ticket) {
            return Err(Undone::TurnedAway);
        }
        let answer = match tokio::time::timeout(PATIENCE, &mut done).await {
            Ok(answer) => answer,
            Err(_) if inner.leave(&ticket) => return Err(Undone::TurnedAway),
            Err(_) => done.await,
        };
        answer.map_err(|_| if ticket.is_begun() { Undone::Broken } else { Undone::TurnedAway })
    }
}

/// What the gate's clones share: its end is that of the threads.
struct Door(Arc<Inner>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.line().is_closed = true;
        self.0.come.notify_all();
    }
}

struct Inner {
    places: usize,
    line: Mutex<Line>,
    come: Condvar,
}

struct Line {
    waiting: VecDeque<Arc<Ticket>>,
    /// Places where nothing is done.
    idle: usize,
    /// Since when somebody has been waiting, without a break.
    since: Option<Instant>,
    /// How long work takes, lately.
    typical: Duration,
    is_closed: bool,
}

/// Somebody's place in the queue.
struct Ticket(Mutex<State>);

enum State {
    Waiting(Box<dyn FnOnce() + Send>),
    Begun,
    TurnedAway,
}

impl Ticket {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_begun(&self) -> bool {
        matches!(*self.state(), State::Begun)
    }

    /// The work, if it is still to be done.
    fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        match std::mem::replace(&mut *self.state(), State::Begun) {
            State::Waiting(work) => Some(work),
            State::Begun | State::TurnedAway => None,
        }
    }

    /// False when it has begun.
    fn turn_away(&self) -> bool {
        let mut state = self.state();
        if !matches!(*state, State::Waiting(_)) {
            return false;
        }
        let before = std::mem::replace(&mut *state, State::TurnedAway);
        // With the work goes what tells whoever waits for it, who looks at the state then.
        drop(state);
        drop(before);
        true
    }
}

impl Inner {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in or into the queue, if the wait is not too long.
    fn queue(&self, ticket: &Arc<Ticket>) -> bool {
        let mut line = self.line();
        if line.idle > line.waiting.len() {
            line.waiting.push_back(Arc::clone(ticket));
            drop(line);
            self.come.notify_one();
            return true;
        }
        let stands = line.since.get_or_insert_with(Instant::now).elapsed() > STANDING;
        let is_let_in = line.waiting.len() < self.most(&line, stands);
        if is_let_in {
            line.waiting.push_back(Arc::clone(ticket));
        }
        is_let_in
    }

    /// How many may wait.
    fn most(&self, line: &Line, stands: bool) -> usize {
        let longest = if stands { QUEUE } else { PATIENCE };
        let in_time = longest.as_nanos() * self.places as u128 / line.typical.as_nanos().max(1);
        usize::try_from(in_time).unwrap_or(usize::MAX).max(ALWAYS * self.places)
    }

    /// Ends the wait of somebody who has lost patience; false when the work has begun.
    fn leave(&self, ticket: &Arc<Ticket>) -> bool {
        self.line().waiting.retain(|waiting| !Arc::ptr_eq(waiting, ticket));
        ticket.turn_away()
    }

    /// What a place does until the gate is gone.
    fn work_off(&self) {
        while let Some(ticket) = self.next() {
            let Some(work) = ticket.take() else { continue };
            let begun = Instant::now();
            // It has told of itself already; whoever waits for it is told by what it leaves behind.
            let _ = catch_unwind(AssertUnwindSafe(work));
            let took = begun.elapsed();
            let mut line = self.line();
            line.typical = line.typical - line.typical / SMOOTHING + took / SMOOTHING;
        }
    }

    /// The next in the queue, once there is one; `None` at the end.
    fn next(&self) -> Option<Arc<Ticket>> {
        let mut line = self.line();
        line.idle += 1;
        let next = loop {
            if line.is_closed {
                return None;
            }
            match line.waiting.pop_front() {
                Some(next) => break next,
                None => line = self.come.wait(line).unwrap_or_else(PoisonError::into_inner),
            }
        };
        line.idle -= 1;
        let too_many = self.cut(&mut line);
        drop(line);
        for ticket in too_many {
            ticket.turn_away();
        }
        Some(next)
    }

    /// Those at the end of a queue that has turned out to stand, and is longer than it may be then.
    fn cut(&self, line: &mut Line) -> VecDeque<Arc<Ticket>> {
        if line.waiting.is_empty() {
            line.since = None;
        }
        if line.since.is_none_or(|since| since.elapsed() <= STANDING) {
            return VecDeque::new();
        }
        let most = self.most(line, true);
        if line.waiting.len() > most { line.waiting.split_off(most) } else { VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinHandle;

    use super::*;

    /// Work that takes as long, on one place, so that the gate knows it.
    async fn learn(gate: &Gate, took: Duration) {
        for _ in 0..64 {
            gate.run(move || thread::sleep(took)).await.unwrap();
        }
    }

    /// Takes the one place until what is returned is dropped.
    async fn occupy(gate: &Gate) -> mpsc::Sender<()> {
        let (go, wait) = mpsc::channel::<()>();
        let (begun, is_begun) = oneshot::channel();
        let gate = gate.clone();
        tokio::spawn(async move {
            gate.run(move || {
                begun.send(()).unwrap();
                let _ = wait.recv();
            })
            .await
        });
        is_begun.await.unwrap();
        go
    }

    /// So many who ask at once.
    async fn ask(gate: &Gate, many: usize) -> Vec<JoinHandle<Result<(), Undone>>> {
        let asking: Vec<_> = (0..many)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.run(|| ()).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        asking
    }

    fn answered(asking: &[JoinHandle<Result<(), Undone>>]) -> usize {
        asking.iter().filter(|asker| asker.is_finished()).count()
    }

    async fn done(asking: Vec<JoinHandle<Result<(), Undone>>>) -> usize {
        let mut done = 0;
        for asker in asking {
            done += usize::from(asker.await.unwrap().is_ok());
        }
        done
    }

    #[tokio::test]
    async fn a_queue_that_stands_is_short() {
        let gate = Gate::new(1).unwrap();
        learn(&gate, Duration::from_millis(5)).await;
        let busy = occupy(&gate).await;
        let mut asking = ask(&gate, 1).await;
        tokio::time::sleep(STANDING).await;
        asking.extend(ask(&gate, 100).await);
        assert_eq!(answered(&asking), 101 - ALWAYS, "so many may wait, and the others are told at once");
        drop(busy);
        assert_eq!(done(asking).await, ALWAYS, "whoever waits gets in");
        assert_eq!(gate.run(|| 7).await, Ok(7), "nobody is left in the queue");
    }

    #[tokio::test]
    async fn a_burst_is_no_overload() {
        let gate = Gate::new(1).unwrap();
        learn(&gate, Duration::from_millis(5)).await;
        let busy = occupy(&gate).await;
        let asking = ask(&gate, 60).await;
        assert_eq!(answered(&asking), 0);
        drop(busy);
        assert_eq!(done(asking).await, 60);
    }

    #[tokio::test]
    async fn a_burst_that_turns_out_to_be_overload_is_cut_back() {
        let gate = Gate::new(1).unwrap();
        learn(&gate, Duration::from_millis(5)).await;
        let busy = occupy(&gate).await;
        let asking = ask(&gate, 60).await;
        assert_eq!(answered(&asking), 0);
        tokio::time::sleep(STANDING).await;
        drop(busy);
        assert_eq!(done(asking).await, ALWAYS + 1, "the first one was at the place already");
    }

    #[tokio::test]
    async fn nor_does_anybody_wait_for_longer_than_patience() {
        let gate = Gate::new(1).unwrap();
        learn(&gate, Duration::from_millis(50)).await;
        let _busy = occupy(&gate).await;
        let asking = ask(&gate, 100).await;
        let turned_away = answered(&asking);
        assert!((75..=88).contains(&turned_away), "twenty take a second: {turned_away} may not wait");
    }

    #[tokio::test]
    async fn patience_has_an_end() {
        let gate = Gate::new(1).unwrap();
        let _busy = occupy(&gate).await;
        let begun = Instant::now();
        assert_eq!(gate.run(|| ()).await, Err(Undone::TurnedAway));
        assert!((PATIENCE..PATIENCE * 3).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(gate.0.0.line().waiting.is_empty());
    }

    #[tokio::test]
    async fn a_place_outlives_work_that_panics() {
        let gate = Gate::new(1).unwrap();
        assert_eq!(gate.run(|| assert_eq!(1, 2, "as it should")).await, Err(Undone::Broken));
        assert_eq!(gate.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn who_has_left_is_not_worked_for() {
        let gate = Gate::new(1).unwrap();
        let busy = occupy(&gate).await;
        let (told, telling) = mpsc::channel();
        let asker = gate.clone();
        let leaver = tokio::spawn(async move { asker.run(move || told.send(())).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        leaver.abort();
        assert!(leaver.await.unwrap_err().is_cancelled());
        drop(busy);
        assert_eq!(gate.run(|| 7).await, Ok(7));
        assert!(telling.try_recv().is_err());
    }

    #[tokio::test]
    async fn the_threads_end_with_the_gate() {
        let gate = Gate::new(3).unwrap();
        let inner = Arc::downgrade(&gate.0.0);
        assert_eq!(gate.clone().run(|| 7).await, Ok(7));
        drop(gate);
        for _ in 0..500 {
            if inner.strong_count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} are left", inner.strong_count());
    }
}
