//! Connections that are kept at hand, and taken in turns. Nothing here knows what is asked through them.

use std::{
    io::ErrorKind,
    ops::{Deref, DerefMut},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::{RESTED, store};

/// How long somebody waits for a turn in which no other one ends: about twice what a write takes on a busy machine. Turns
/// that take longer wait themselves, for a row, or for a processor where searches take all of them.
const PATIENCE: Duration = Duration::from_millis(10);
/// And so many times at most, however fast others end, where PostgreSQL has the same processors: more connections would only
/// take those from each other. Where it has its own, more connections do more, and nobody waits a second time.
const WAITS: usize = 10;
/// How long it may take until it is known how a connection was left: one in the middle of a statement is busy until that
/// ends.
const READY: Duration = Duration::from_millis(100);
/// How long anything may take that nobody waits for, until the connection is given up.
const MENDED: Duration = Duration::from_secs(5);
/// How long it is until another connection is tried where the last one was not made.
const AGAIN: Duration = Duration::from_secs(1);
/// And how long the closing shop waits for each.
const CLOSED: Duration = Duration::from_secs(1);
/// What a connection has learnt of the database is forgotten after so long.
const LIFETIME: Duration = Duration::from_secs(1800);

/// A few connections, and whose turn it is. Each connection has plans and tables of its own in PostgreSQL, which fall out of
/// the processor's memory while others have theirs, and each that works takes a core from whoever searches: beside 500
/// writes a second on two cores, two connections in place of eight take PostgreSQL an eighth less time. A pool also asks
/// each connection that comes back whether it lives, which is one more question for each answer; here only those are asked
/// that were left in the middle or with an open transaction, or have rested.
pub struct Turns {
    options: PgConnectOptions,
    lines: Vec<Arc<Mutex<Option<Line>>>>,
    places: Arc<Semaphore>,
    waits: usize,
    /// Turns that have ended.
    ended: Arc<AtomicU64>,
}

/// A connection.
struct Line {
    connection: PgConnection,
    since: Instant,
    used: Instant,
    left: Left,
}

/// How the last one who had it has left it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Everything is answered.
    Done,
    /// Something may be on its way.
    Midway,
    /// And in a transaction.
    Open,
}

/// A turn: the next one's when this is dropped. A transaction that was begun in it and is not committed then is taken back
/// soon after.
pub struct Turn {
    line: OwnedMappedMutexGuard<Option<Line>, Line>,
    own: Arc<Mutex<Option<Line>>>,
    ended: Arc<AtomicU64>,
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// Turns on so many connections, each of which is made when it is first needed, to a PostgreSQL on the same processors or
    /// on others.
    pub(super) fn new(options: PgConnectOptions, connections: u32, shares_processors: bool) -> Self {
        let lines: Vec<_> = (0..connections).map(|_| Arc::default()).collect();
        Self {
            options,
            places: Arc::new(Semaphore::new(lines.len())),
            lines,
            waits: if shares_processors { WAITS } else { 1 },
            ended: Arc::default(),
        }
    }

    /// The next turn; none where those before it wait for something themselves, or the database does not answer, and a
    /// connection from elsewhere has to do.
    pub async fn next(&self) -> Option<Turn> {
        let place = self.place(PATIENCE).await?;
        let free = |line: &Arc<Mutex<Option<Line>>>| {
            Some((Arc::clone(line), Arc::clone(line).try_lock_owned().ok()?))
        };
        let (own, mut line) = self.lines.iter().find_map(free)?;
        let is_known = timeout(READY, tidy(&mut line)).await.is_ok();
        if !is_known || line.is_none() {
            // Nobody waits for it: on a busy machine it takes longer than many a turn.
            tokio::spawn(mend(place, line, self.options.clone()));
            return None;
        }
        let mut line = OwnedMutexGuard::try_map(line, Option::as_mut).ok()?;
        line.left = Left::Midway;
        Some(Turn { line, own, ended: Arc::clone(&self.ended), _place: place })
    }

    /// A place in the line, unless those before make no way.
    async fn place(&self, patience: Duration) -> Option<OwnedSemaphorePermit> {
        let mut place = pin!(Arc::clone(&self.places).acquire_owned());
        let mut ended = self.ended.load(Relaxed);
        for _ in 0..self.waits {
            if let Ok(place) = timeout(patience, place.as_mut()).await {
                return place.ok();
            }
            let now = self.ended.load(Relaxed);
            if now == ended {
                return None;
            }
            ended = now;
        }
        None
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.places.close();
        for line in &self.lines {
            let _ = timeout(CLOSED, async {
                if let Some(line) = line.lock().await.take() {
                    let _ = line.connection.close().await;
                }
            })
            .await;
        }
    }
}

impl Turn {
    /// Begins a transaction with what the statements say.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(&mut self, statements: String) -> sqlx::Result<()> {
        self.line.left = Left::Open;
        store::begin(&mut self.line.connection, statements).await
    }

    /// Commits it.
    ///
    /// # Errors
    /// When the database does not answer: then whether it is committed is unknown.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        store::commit(&mut self.line.connection).await?;
        self.done();
        Ok(())
    }

    /// Takes everything back, and what it held is free when this returns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rollback(mut self) -> sqlx::Result<()> {
        store::rollback(&mut self.line.connection).await?;
        self.done();
        Ok(())
    }

    /// Ends a turn in which everything that was asked is answered, and no transaction is open.
    pub fn done(mut self) {
        self.line.left = Left::Done;
        self.line.used = Instant::now();
    }
}

impl Deref for Turn {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.line.connection
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.line.connection
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.ended.fetch_add(1, Relaxed);
        if self.line.left != Left::Done
            && let Ok(runtime) = Handle::try_current()
        {
            let own = Arc::clone(&self.own);
            runtime.spawn(async move { tidy_in_time(&mut *own.lock().await).await });
        }
    }
}

/// Whether nobody has run the statement that this was the answer to: who should have had ended, and said so or hung up before
/// it was sent.
pub fn was_not_run(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == ErrorKind::BrokenPipe,
        // admin_shutdown
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P01"),
        _ => false,
    }
}

/// Finds out how a connection was left, or makes another one, while the place and the line are nobody's.
async fn mend(
    _place: OwnedSemaphorePermit,
    mut line: OwnedMutexGuard<Option<Line>>,
    options: PgConnectOptions,
) {
    tidy_in_time(&mut line).await;
    if line.is_some() {
        return;
    }
    match timeout(MENDED, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => {
            let now = Instant::now();
            *line = Some(Line { connection, since: now, used: now, left: Left::Done });
        }
        told => {
            tracing::debug!(error = ?told.map(drop), "no connection for a turn");
            sleep(AGAIN).await;
        }
    }
}

/// As [`tidy`]; one that does not answer for long is given up.
async fn tidy_in_time(line: &mut Option<Line>) {
    if timeout(MENDED, tidy(line)).await.is_err() {
        *line = None;
    }
}

/// Finds out how a connection was left, if there is any doubt: one that is no good is given up, and so is one that is old.
async fn tidy(kept: &mut Option<Line>) {
    let Some(line) = kept else { return };
    if line.since.elapsed() > LIFETIME {
        *kept = None;
        return;
    }
    if line.left == Left::Done && line.used.elapsed() < RESTED {
        return;
    }
    let mut told = ask(line).await;
    // What was given up may have ended in an error of its own, which is told first.
    if matches!(&told, Err(sqlx::Error::Database(_))) {
        told = ask(line).await;
    }
    match told {
        Ok(()) => (line.left, line.used) = (Left::Done, Instant::now()),
        Err(error) => {
            tracing::debug!(%error, "the connection of a turn is given up");
            *kept = None;
        }
    }
}

/// Takes back what is open, and asks whether the connection lives.
async fn ask(line: &mut Line) -> sqlx::Result<()> {
    match line.left {
        Left::Open => store::rollback(&mut line.connection).await,
        Left::Done | Left::Midway => line.connection.ping().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_stands_in_line_waits_while_it_moves() {
        // Long enough for a machine that does much else.
        let patience = Duration::from_millis(250);
        let turns = Turns::new(PgConnectOptions::new_without_pgpass(), 1, true);
        let first = turns.place(patience).await.unwrap();
        let others = async {
            for _ in 0..8 {
                sleep(patience / 5).await;
                turns.ended.fetch_add(1, Relaxed);
            }
            drop(first);
        };
        let (second, ()) = tokio::join!(turns.place(patience), others);
        assert!(second.is_some());

        let begun = Instant::now();
        assert!(turns.place(patience).await.is_none());
        assert!(begun.elapsed() < patience * 2, "nothing moves: {:?}", begun.elapsed());

        let others = async {
            loop {
                sleep(patience / 5).await;
                turns.ended.fetch_add(1, Relaxed);
            }
        };
        let told = timeout(patience * 12, async {
            tokio::select! { told = turns.place(patience) => told, () = others => None }
        });
        assert!(told.await.is_ok_and(|told| told.is_none()), "it is not for ever");

        let elsewhere = Turns::new(PgConnectOptions::new_without_pgpass(), 1, false);
        let _first = elsewhere.place(patience).await.unwrap();
        let others = async {
            loop {
                sleep(patience / 5).await;
                elsewhere.ended.fetch_add(1, Relaxed);
            }
        };
        let begun = Instant::now();
        let told = tokio::select! { told = elsewhere.place(patience) => told, () = others => None };
        assert!(told.is_none() && begun.elapsed() < patience * 2, "{:?}", begun.elapsed());
    }
}
