//! What a turn asks of the machine and of PostgreSQL: whatever is used up is what bounds it.

use std::{collections::BTreeMap, fmt, fs, time::Duration};

use sqlx::PgPool;
use tokio::{sync::oneshot, task::JoinHandle};

/// What was counted until now.
struct Counts {
    /// Of all cores, in ticks.
    busy: f64,
    ticks: f64,
    flushes: f64,
    wal_bytes: f64,
    commits: f64,
}

impl Counts {
    async fn read(db: &PgPool) -> Self {
        let (flushes, wal_bytes, commits) = sqlx::query_as(
            "select wal_sync::float8, wal_bytes::float8, (select sum(xact_commit)::float8 from pg_stat_database)
             from pg_stat_wal",
        )
        .fetch_one(db)
        .await
        .unwrap();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        let fields: Vec<f64> = fields.take(8).filter_map(|field| field.parse().ok()).collect();
        let ticks: f64 = fields.iter().sum();
        let idle: f64 = fields.iter().skip(3).take(2).sum();
        Self { busy: ticks - idle, ticks, flushes, wal_bytes, commits }
    }
}

/// A turn that is being watched.
pub(crate) struct Watch {
    db: PgPool,
    before: Counts,
    stop: oneshot::Sender<()>,
    waits: JoinHandle<BTreeMap<String, usize>>,
}

/// Begins to count, and to ask what the sessions of this name wait for.
pub(crate) async fn watch(db: &PgPool, name: &'static str) -> Watch {
    let (stop, stopped) = oneshot::channel();
    let waits = tokio::spawn(waits(db.clone(), name, stopped));
    Watch { db: db.clone(), before: Counts::read(db).await, stop, waits }
}

/// How often a session in a transaction was seen doing what.
async fn waits(db: PgPool, name: &str, mut stopped: oneshot::Receiver<()>) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    while tokio::time::timeout(Duration::from_millis(50), &mut stopped).await.is_err() {
        let now: Vec<String> = sqlx::query_scalar(
            "select coalesce(wait_event_type || ' ' || wait_event, 'running') from pg_stat_activity
             where application_name = $1 and state in ('active', 'idle in transaction')",
        )
        .bind(name)
        .fetch_all(&db)
        .await
        .unwrap();
        for wait in now {
            *seen.entry(wait).or_default() += 1;
        }
    }
    seen
}

impl Watch {
    /// What so many orders took.
    pub(crate) async fn end(self, orders: usize) -> Load {
        let _ = self.stop.send(());
        let waits = self.waits.await.unwrap();
        // The server's sessions tell what they did a second later.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let (before, after) = (self.before, Counts::read(&self.db).await);
        let orders = f64::from(u32::try_from(orders.max(1)).unwrap_or(u32::MAX));
        let each = |field: fn(&Counts) -> f64| (field(&after) - field(&before)) / orders;
        Load {
            cpu: (after.busy - before.busy) / (after.ticks - before.ticks),
            flushes: each(|counts| counts.flushes),
            kilobytes: each(|counts| counts.wal_bytes) / 1_000.0,
            commits: each(|counts| counts.commits),
            waits,
        }
    }
}

/// What an order took, and what sessions did meanwhile.
pub(crate) struct Load {
    cpu: f64,
    flushes: f64,
    kilobytes: f64,
    commits: f64,
    waits: BTreeMap<String, usize>,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, flushes, kilobytes, commits, waits } = self;
        write!(f, "processors {:.0} % busy; an order: {flushes:.2} flushes of the log, ", cpu * 100.0)?;
        write!(f, "{kilobytes:.1} kB of it, {commits:.1} transactions; sessions in one:")?;
        let total: usize = waits.values().sum();
        let mut waits: Vec<_> = waits.iter().collect();
        waits.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (wait, count) in waits.into_iter().take(5) {
            write!(f, " {} % {wait},", count * 100 / total.max(1))?;
        }
        Ok(())
    }
}
