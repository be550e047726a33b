//! Places for work that keeps a core busy, and a short queue before them.
//!
//! Each place is a thread, which takes the next work itself: between two of them nobody is waited for, however busy the
//! runtime is with those who are turned away.
//!
//! Under more load than there is capacity, a queue that admits everybody makes everybody late: then those who are
//! answered are answered too late as well. So whoever would wait for too long is turned away at once, while turning
//! away is cheap, and those who are admitted are nearly as fast as ever. A queue that has only just formed is a burst,
//! which is gone before anybody minds; one that stands is overload, and is cut back to what it may be then. Overload
//! comes in waves: what follows one soon is no burst.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::niceness::{stand_back, take_slices};

/// A search's thread has a processor for so long at a time, a fraction of what one takes at most, and so is let in before
/// those that take more: beside 500 writes a second its slowest hundredth is a seventh faster.
const SLICE: Duration = Duration::from_micros(100);
/// How long the wait in a queue that stands may be, by what work takes at the time: one that nobody notices, and no
/// more than what those wait who come when there is just enough room.
const QUEUE: Duration = Duration::from_millis(8);
/// How old who is in such a queue may become while others wait behind: beside a runtime that is busy turning away, it
/// takes two or three times as long as its work does.
const AGE: Duration = Duration::from_millis(3);
/// A queue stands when it has not been empty for this long.
const STANDING: Duration = Duration::from_millis(50);
/// For how long after that any other is taken for one that stands.
const AT_REST: Duration = Duration::from_secs(2);
/// Whoever is not in after this is turned away, whatever was expected: estimates may be wrong.
const PATIENCE: Duration = Duration::from_secs(1);
/// For each place, those who may always wait: the first estimate is none, and a few are no overload, however slow the
/// machine.
const ALWAYS: usize = 12;
/// How far the places' threads stand back behind the runtime's, which answer what takes no time, and turn away.
const NICENESS: i32 = 5;
/// For how long a thread of the runtime that has nothing to do rests while the queue is full: what comes meanwhile is
/// turned away together. By itself each takes the processor from a search, for twice as long as it needs.
const REST: Duration = Duration::from_millis(1);
/// How fast the estimate follows: the last work counts an eighth, and no more than if it had taken eight times as long.
const SMOOTHING: u32 = 8;

/// Whether the queue is full, of the gate that a process has; of several, of any that changed last.
static IS_FULL: AtomicBool = AtomicBool::new(false);

/// How many requests there are that are no searches.
static OTHERS: AtomicUsize = AtomicUsize::new(0);

/// A request that is no search, for as long as it is being answered: whatever it waits for, such as the database, a
/// thread that rests would notice late.
pub struct Other(());

impl Other {
    /// One that has come.
    pub fn come() -> Self {
        OTHERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        OTHERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Rests while the queue is full, unless there are others: for a thread of the runtime, before it waits for whatever
/// comes next.
pub fn rest() {
    if IS_FULL.load(Ordering::Relaxed) && OTHERS.load(Ordering::Relaxed) == 0 {
        thread::sleep(REST);
    }
}

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
            stood: None,
            full: None,
            typical: Duration::ZERO,
            is_closed: false,
        };
        let (line, is_full) = (Mutex::new(line), AtomicBool::new(false));
        let inner = Arc::new(Inner { places, line, is_full, come: Condvar::new() });
        // From here on, so that the threads that there are end when one fails.
        let door = Door(Arc::clone(&inner));
        for _ in 0..places {
            let inner = Arc::clone(&inner);
            thread::Builder::new().name("duka search".to_owned()).spawn(move || {
                stand_back(NICENESS);
                if let Err(error) = take_slices(None, SLICE) {
                    tracing::debug!(%error, "searches take slices of the usual length");
                }
                inner.work_off();
            })?;
        }
        Ok(Self(Arc::new(door)))
    }

    /// Whether somebody who came now would be turned away, as far as is known: to be asked before anything is done for
    /// who comes.
    pub fn is_full(&self) -> bool {
        self.0.0.is_full.load(Ordering::Relaxed)
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
        let ticket = Arc::new(Ticket { come: Instant::now(), state: Mutex::new(State::Waiting(work)) });
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
        self.0.tell_full(false);
        self.0.come.notify_all();
    }
}

struct Inner {
    places: usize,
    line: Mutex<Line>,
    /// Whether as many wait as may.
    is_full: AtomicBool,
    come: Condvar,
}

struct Line {
    waiting: VecDeque<Arc<Ticket>>,
    /// Places where nothing is done.
    idle: usize,
    /// Since when somebody has been waiting, without a break.
    since: Option<Instant>,
    /// When the queue was last seen to stand.
    stood: Option<Instant>,
    /// When somebody was last turned away, for too many waited.
    full: Option<Instant>,
    /// How long work takes, lately.
    typical: Duration,
    is_closed: bool,
}

impl Line {
    /// Notes that nobody waits, unless somebody still would who was turned away just now.
    fn note_empty(&mut self) {
        if self.waiting.is_empty() && self.full.is_none_or(|full| full.elapsed() > QUEUE) {
            self.since = None;
        }
    }

    /// Learns how long work took. One that was held up for once is no rule.
    fn learn(&mut self, took: Duration) {
        let took = if self.typical.is_zero() { took } else { took.min(SMOOTHING * self.typical) };
        self.typical = self.typical - self.typical / SMOOTHING + took / SMOOTHING;
    }

    /// Whether the queue stands, or did just now.
    fn stands(&mut self) -> bool {
        if self.since.is_some_and(|since| since.elapsed() > STANDING) {
            self.stood = Some(Instant::now());
        }
        self.stood.is_some_and(|stood| stood.elapsed() <= AT_REST)
    }
}

/// Somebody's place in the queue.
struct Ticket {
    come: Instant,
    state: Mutex<State>,
}

enum State {
    Waiting(Box<dyn FnOnce() + Send>),
    Begun,
    TurnedAway,
}

impl Ticket {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn tell_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
        IS_FULL.store(is_full, Ordering::Relaxed);
    }

    /// Lets somebody in or into the queue, if the wait is not too long.
    fn queue(&self, ticket: &Arc<Ticket>) -> bool {
        let mut line = self.line();
        line.note_empty();
        if line.idle > line.waiting.len() {
            line.waiting.push_back(Arc::clone(ticket));
            drop(line);
            self.come.notify_one();
            return true;
        }
        line.since.get_or_insert_with(Instant::now);
        let stands = line.stands();
        let most = self.most(&line, stands);
        let is_let_in = line.waiting.len() < most;
        if is_let_in {
            line.waiting.push_back(Arc::clone(ticket));
        } else {
            line.full = Some(Instant::now());
        }
        self.tell_full(line.waiting.len() >= most);
        is_let_in
    }

    /// How many may wait: in a queue that has only just formed, those who would be let in before it is one that stands,
    /// or soon enough after. Whoever else came would be turned away then.
    fn most(&self, line: &Line, stands: bool) -> usize {
        let left = STANDING.saturating_sub(line.since.map_or(Duration::ZERO, |since| since.elapsed()));
        let longest = if stands { QUEUE } else { left + QUEUE };
        let in_time = longest.as_nanos() * self.places as u128 / line.typical.as_nanos().max(1);
        usize::try_from(in_time).unwrap_or(usize::MAX).max(ALWAYS * self.places)
    }

    /// Ends the wait of somebody who has lost patience; false when the work has begun.
    fn leave(&self, ticket: &Arc<Ticket>) -> bool {
        let mut line = self.line();
        line.waiting.retain(|waiting| !Arc::ptr_eq(waiting, ticket));
        self.tell_full(false);
        line.note_empty();
        drop(line);
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
            self.line().learn(took);
        }
    }

    /// The next in the queue, once there is one; `None` at the end.
    fn next(&self) -> Option<Arc<Ticket>> {
        let mut line = self.line();
        let mut late = VecDeque::new();
        line.idle += 1;
        let next = loop {
            if line.is_closed {
                return None;
            }
            match line.waiting.pop_front() {
                Some(next) if self.is_late(&mut line, &next) => late.push_back(next),
                Some(next) => break next,
                None => line = self.come.wait(line).unwrap_or_else(PoisonError::into_inner),
            }
        };
        line.idle -= 1;
        late.append(&mut self.cut(&mut line));
        if !late.is_empty() {
            line.full = Some(Instant::now());
        }
        self.tell_full(!late.is_empty());
        drop(line);
        for ticket in late {
            ticket.turn_away();
        }
        Some(next)
    }

    /// Whether who was first has waited for too long, and enough others have come since.
    fn is_late(&self, line: &mut Line, first: &Ticket) -> bool {
        line.waiting.len() > ALWAYS * self.places && first.come.elapsed() > AGE && line.stands()
    }

    /// Those at the end of a queue that has turned out to stand, and is longer than it may be then.
    fn cut(&self, line: &mut Line) -> VecDeque<Arc<Ticket>> {
        line.note_empty();
        if !line.stands() {
            return VecDeque::new();
        }
        let most = self.most(line, true);
        if line.waiting.len() > most { line.waiting.split_off(most) } else { VecDeque::new() }
    }
}

#[cfg(test)]
mod tests;
