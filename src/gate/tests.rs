//! Who gets in, who waits, and who is turned away.

use std::sync::mpsc;

use tokio::task::JoinHandle;

use super::*;

impl Gate {
    /// Makes others believe so.
    pub(crate) fn seem_full(&self, is_full: bool) {
        self.0.0.is_full.store(is_full, Ordering::Relaxed);
    }
}

/// Lets the gate expect that work takes as long.
fn expect(gate: &Gate, took: Duration) {
    gate.0.0.line().typical = took;
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

/// So many who ask at once, all of whom have been let in or turned away.
async fn ask(gate: &Gate, many: usize) -> Vec<JoinHandle<Result<(), Undone>>> {
    let asking = come(gate, many);
    tokio::time::sleep(Duration::from_millis(20)).await;
    asking
}

/// So many who ask at once.
fn come(gate: &Gate, many: usize) -> Vec<JoinHandle<Result<(), Undone>>> {
    let one = |_| {
        let gate = gate.clone();
        tokio::spawn(async move { gate.run(|| ()).await })
    };
    (0..many).map(one).collect()
}

/// A gate whose queue stood until just now; nobody waits any more.
async fn overloaded() -> Gate {
    let gate = Gate::new(1).unwrap();
    expect(&gate, Duration::from_millis(1));
    let busy = occupy(&gate).await;
    let mut asking = ask(&gate, 1).await;
    tokio::time::sleep(STANDING).await;
    asking.extend(ask(&gate, 1).await);
    drop(busy);
    assert_eq!(done(asking).await, 2, "all are answered");
    gate
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
    expect(&gate, Duration::from_millis(5));
    let busy = occupy(&gate).await;
    let mut asking = ask(&gate, 1).await;
    tokio::time::sleep(STANDING).await;
    asking.extend(ask(&gate, 100).await);
    assert_eq!(answered(&asking), 101 - ALWAYS, "so many may wait, and the others are told at once");
    assert!(gate.is_full());
    drop(busy);
    assert_eq!(done(asking).await, ALWAYS, "whoever waits gets in");
    assert!(!gate.is_full());
    assert_eq!(gate.run(|| 7).await, Ok(7), "nobody is left in the queue");
}

#[tokio::test]
async fn a_burst_is_no_overload() {
    let gate = Gate::new(1).unwrap();
    expect(&gate, Duration::from_millis(1));
    let busy = occupy(&gate).await;
    let asking = ask(&gate, 20).await;
    assert_eq!(answered(&asking), 0);
    assert!(!gate.is_full());
    drop(busy);
    assert_eq!(done(asking).await, 20);
}

#[tokio::test]
async fn soon_after_overload_nothing_is_a_burst() {
    let gate = overloaded().await;
    for (allowed, then) in [(ALWAYS, AT_REST), (20, Duration::ZERO)] {
        let busy = occupy(&gate).await;
        expect(&gate, Duration::from_millis(1));
        let asking = ask(&gate, 20).await;
        assert_eq!(answered(&asking), 20 - allowed);
        drop(busy);
        assert_eq!(done(asking).await, allowed);
        tokio::time::sleep(then).await;
    }
}

#[tokio::test]
async fn nor_while_it_goes_on_with_an_empty_queue_between() {
    let gate = overloaded().await;
    let begun = Instant::now();
    while begun.elapsed() < AT_REST + 2 * STANDING {
        let busy = occupy(&gate).await;
        expect(&gate, Duration::from_millis(1));
        let asking = come(&gate, 20);
        while answered(&asking) < 20 - ALWAYS {
            assert!(begun.elapsed() < 2 * AT_REST, "nobody is turned away any more");
            tokio::task::yield_now().await;
        }
        drop(busy);
        assert_eq!(done(asking).await, ALWAYS, "the queue is empty");
    }
}

#[tokio::test]
async fn a_burst_that_turns_out_to_be_overload_is_cut_back() {
    let gate = Gate::new(1).unwrap();
    expect(&gate, Duration::from_millis(1));
    let busy = occupy(&gate).await;
    let asking = ask(&gate, 20).await;
    assert_eq!(answered(&asking), 0);
    tokio::time::sleep(STANDING).await;
    drop(busy);
    assert_eq!(done(asking).await, ALWAYS + 1, "the first one was at the place already");
}

#[test]
fn who_has_become_old_makes_way_for_those_behind() {
    let gate = Gate::new(1).unwrap();
    let ago = |age: Duration| Instant::now().checked_sub(age).unwrap();
    let ticket = |age| Ticket { come: ago(age), state: Mutex::new(State::Waiting(Box::new(|| ()))) };
    let is_late = |age, behind, since| {
        let waiting = (0..behind).map(|_| Arc::new(ticket(Duration::ZERO))).collect();
        let since = Some(ago(since));
        let mut line = Line {
            waiting,
            idle: 0,
            since,
            stood: None,
            full: None,
            typical: Duration::ZERO,
            is_closed: false,
        };
        gate.0.0.is_late(&mut line, &ticket(age))
    };
    assert!(is_late(2 * AGE, ALWAYS + 1, 2 * STANDING));
    assert!(!is_late(AGE / 2, ALWAYS + 1, 2 * STANDING), "it is young");
    assert!(!is_late(2 * AGE, ALWAYS, 2 * STANDING), "a few are no overload");
    assert!(!is_late(2 * AGE, ALWAYS + 1, STANDING / 2), "a burst");
}

#[tokio::test]
async fn who_has_left_leaves_no_queue() {
    let gate = Gate::new(1).unwrap();
    expect(&gate, Duration::from_millis(1));
    let busy = occupy(&gate).await;
    assert_eq!(gate.run(|| ()).await, Err(Undone::TurnedAway), "after as long as anybody waits");
    let asking = ask(&gate, 20).await;
    assert_eq!(answered(&asking), 0, "a burst");
    drop(busy);
    assert_eq!(done(asking).await, 20);
}

#[tokio::test]
async fn who_would_be_turned_away_once_the_queue_stands_is_so_at_once() {
    let gate = Gate::new(1).unwrap();
    expect(&gate, Duration::from_millis(2));
    let _busy = occupy(&gate).await;
    let asking = ask(&gate, 100).await;
    let turned_away = answered(&asking);
    assert!((71..=88).contains(&turned_away), "29 are let in within 58 ms: {turned_away} may not wait");
}

#[test]
fn one_that_was_held_up_is_no_rule() {
    let gate = Gate::new(1).unwrap();
    let millis = Duration::from_millis;
    let mut line = gate.0.0.line();
    line.learn(millis(8));
    assert_eq!(line.typical, millis(1), "the first");
    line.learn(millis(1000));
    assert!(line.typical < millis(2), "{:?}", line.typical);
    for _ in 0..20 {
        line.learn(millis(1000));
    }
    assert!(line.typical > millis(800), "what goes on is one: {:?}", line.typical);
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

#[test]
fn a_thread_without_work_rests_while_the_queue_is_full() {
    let gate = Gate::new(1).unwrap();
    let rested = |is_full| {
        gate.0.0.tell_full(is_full);
        let begun = Instant::now();
        rest();
        begun.elapsed() >= REST
    };
    // Other tests have gates too, whose word may come in between.
    assert!((0..100).any(|_| rested(true)));
    assert!((0..100).any(|_| !rested(false)));
    let other = Other::come();
    assert!((0..100).any(|_| !rested(true)), "it may be what the other waits for that comes");
    drop(other);
    assert!((0..100).any(|_| rested(true)));
}
