//! What survives: the server is killed at random instants while many write, and nothing is lost, doubled or
//! left behind in the mirror.
//!
//! The managed PostgreSQL stays up: it is the server that dies. Bounded by `DUKA_FAULT_SECONDS` (30).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    str::FromStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use duka::{
    indexing::verify,
    postgres::{Cluster, Endpoint},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

const WRITERS: u64 = 16;
const KILLS: u32 = 10;
const QUIET: Duration = Duration::from_secs(5);

/// A server process that is killed when it is dropped.
struct Server(Child);

impl Server {
    fn start(data_dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DUKA_DATA_DIR", data_dir)
            .env("DUKA_LOG", "warn");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on"), "the server did not start: {line}");
        Self(child)
    }
}

impl Server {
    /// How it ended, which it must within half a minute.
    fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connect(endpoint: &Endpoint) -> PgPool {
    let options = PgConnectOptions::from_str("postgres:///duka").unwrap();
    let options = options.socket(&endpoint.socket_dir).port(endpoint.port).username(&endpoint.user);
    PgPoolOptions::new().max_connections(20).connect_with(options).await.unwrap()
}

/// Writes in transactions of random length, some of them rolled back; notes what was acknowledged.
async fn write(
    db: PgPool,
    writer: u64,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeMap<String, String>>>,
) {
    let mut dice = StdRng::seed_from_u64(writer);
    for round in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut transaction = db.begin().await.unwrap();
        let mut written = Vec::new();
        for step in 0..dice.random_range(1..5) {
            let sku = format!("W{writer}-{}", dice.random_range(0..40));
            let name = format!("{round}.{step}");
            sqlx::query(
                "with p as (
                     insert into product (sku, name, slug, price) values ($1, $2, 'x', $3)
                     on conflict (sku) where deleted_at is null do update set name = excluded.name
                     returning id, sku
                 )
                 insert into variant (product_id, variant_name, sku, price, stock)
                 select id, 'Default', sku, $3, 1 from p
                 on conflict (sku) where deleted_at is null do update set stock = variant.stock + 1",
            )
            .bind(&sku)
            .bind(&name)
            .bind(rust_decimal::Decimal::new(dice.random_range(100..10_000), 2))
            .execute(&mut *transaction)
            .await
            .unwrap();
            written.push((sku, name));
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..30))).await;
        }
        if dice.random_bool(0.2) {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
            acknowledged.lock().unwrap().extend(written);
        }
    }
}

#[tokio::test]
async fn a_server_killed_ten_times_loses_nothing() {
    let seconds = std::env::var("DUKA_FAULT_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    let data_dir = tempfile::tempdir().unwrap();
    // This process holds the cluster too, so that it outlives every server.
    let held = data_dir.path().to_owned();
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&held)).await.unwrap().unwrap();
    let dir = data_dir.path().to_owned();
    let start = move || {
        let dir = dir.clone();
        tokio::task::spawn_blocking(move || Server::start(&dir))
    };
    let mut server = start().await.unwrap();
    let db = connect(cluster.endpoint()).await;

    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
    let spawn =
        |writer| tokio::spawn(write(db.clone(), writer, Arc::clone(&stop), Arc::clone(&acknowledged)));
    let writers: Vec<_> = (0..WRITERS).map(spawn).collect();

    let mut dice = StdRng::seed_from_u64(0);
    let begun = Instant::now();
    let pause = Duration::from_secs(seconds) / KILLS;
    let mut slowest_start = Duration::ZERO;
    for _ in 0..KILLS {
        tokio::time::sleep(pause.mul_f64(dice.random_range(0.3..1.0))).await;
        drop(server);
        let restart = Instant::now();
        server = start().await.unwrap();
        slowest_start = slowest_start.max(restart.elapsed());
    }
    tokio::time::sleep(Duration::from_secs(seconds).saturating_sub(begun.elapsed())).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    let rows: Vec<(String, String)> =
        sqlx::query_as("select sku, name from product").fetch_all(&db).await.unwrap();
    let rows: BTreeMap<String, String> = rows.into_iter().collect();
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert_eq!(rows, acknowledged, "every acknowledged write is in the database, and nothing else");

    let quiet = Instant::now();
    loop {
        let engine = verify::open(data_dir.path()).await.unwrap();
        let report = verify::verify(&db, engine, |_, _| {}).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        if report.pending == 0 {
            assert_eq!(report.compared, rows.len() as u64);
            break;
        }
        assert!(quiet.elapsed() < QUIET, "changes are still pending after {QUIET:?}: {report:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "{} products, {KILLS} kills: clean {:?} after the last write, slowest start {slowest_start:?}",
        rows.len(),
        quiet.elapsed()
    );
    drop(server);
    db.close().await;
    tokio::task::spawn_blocking(move || cluster.stop()).await.unwrap().unwrap();
}

/// A server that is asked to stop leaves no process behind, and the next start is quick.
#[tokio::test]
async fn a_stopped_server_leaves_nothing_behind() {
    let data_dir = tempfile::tempdir().unwrap();
    let path = data_dir.path().to_owned();
    let stopped = tokio::task::spawn_blocking(move || {
        let mut warm = Duration::ZERO;
        for _ in 0..2 {
            let begun = Instant::now();
            let mut server = Server::start(&path);
            warm = begun.elapsed();
            let pid = rustix::process::Pid::from_raw(i32::try_from(server.0.id()).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            assert!(server.ended().success());
            assert!(!path.join("postgres/data/postmaster.pid").exists(), "the database server still runs");
            assert!(!path.join("index/unclean").exists(), "the index was not left cleanly");
        }
        warm
    });
    println!("a warm start is ready after {:?}", stopped.await.unwrap());
}

/// PostgreSQL itself is killed: it is started again, searches go on meanwhile.
#[tokio::test]
async fn a_killed_database_comes_back() {
    let data_dir = tempfile::tempdir().unwrap();
    let path = data_dir.path().to_owned();
    let (server, address) = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("DUKA_DATA_DIR", &path).env("DUKA_LOG", "off");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Server(child), line.trim().trim_start_matches("listening on ").to_owned())
    })
    .await
    .unwrap();
    let pid = std::fs::read_to_string(data_dir.path().join("postgres/data/postmaster.pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let begun = Instant::now();
    // The client's library has no cryptography of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let status = async |path: &str| reqwest::get(format!("{address}{path}")).await.unwrap().status().as_u16();
    while status("/readyz/").await != 200 || begun.elapsed() < Duration::from_millis(300) {
        assert_eq!(status("/api/product/").await, 200, "searches go on");
        assert!(begun.elapsed() < Duration::from_secs(20), "the database did not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("ready again after {:?}", begun.elapsed());
    drop(server);
    let path = data_dir.path().to_owned();
    // The killed server could not stop its database: whoever holds it last does.
    tokio::task::spawn_blocking(move || Cluster::start(&path).unwrap().stop().unwrap()).await.unwrap();
}
