//! Servers and PostgreSQL are killed at random instants, while many write and while an index is built.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    support::{Asker, Node, SOON, Shop, blocking, setting, until},
    writers::Writers,
};

const WRITERS: u64 = 16;
const KILLS: u32 = 8;

fn seconds() -> Duration {
    Duration::from_secs(setting("DUKA_FAULT_SECONDS", 16))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_again_and_again_loses_nothing() {
    let mut shop = Shop::open(100).await;
    let (writers, asker) = (Writers::start(&shop.db, WRITERS), Asker::of(&shop.node, 100));
    let mut dice = StdRng::seed_from_u64(0);
    let begun = Instant::now();
    let mut slowest_start = Duration::ZERO;
    for _ in 0..KILLS {
        tokio::time::sleep((seconds() / KILLS).mul_f64(dice.random_range(0.3..1.0))).await;
        slowest_start = slowest_start.max(shop.node.restart());
    }
    tokio::time::sleep(seconds().saturating_sub(begun.elapsed())).await;
    let products = writers.kept(&shop.db).await;
    let clean = shop.clean(SOON).await;
    println!("{products} products, {KILLS} kills, slowest start {slowest_start:?}");
    asker.done().await.tell("the server killed while many write", clean);
    shop.close().await;
}

/// A server that is asked to stop leaves no process behind, and the next start is quick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::start(dir.path(), None);
    let mut warm = Duration::ZERO;
    for _ in 0..2 {
        assert!(node.stop().success());
        assert!(!dir.path().join("postgres/data/postmaster.pid").exists(), "the database server still runs");
        warm = node.restart();
    }
    assert!(node.stop().success());
    println!("a warm start is ready after {warm:?}");
}

fn postmaster(shop: &Shop) -> Option<Pid> {
    let text = fs::read_to_string(shop.dir.path().join("postgres/data/postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.parse().ok()?)
}

/// PostgreSQL itself is killed: it is started again, searches go on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_again_and_again_comes_back() {
    let shop = Shop::open(100).await;
    let (writers, asker) = (Writers::start(&shop.db, WRITERS), Asker::of(&shop.node, 100));
    let mut dice = StdRng::seed_from_u64(1);
    let mut away = Duration::ZERO;
    for _ in 0..4 {
        tokio::time::sleep((seconds() / 8).mul_f64(dice.random_range(0.3..1.0))).await;
        kill_process(postmaster(&shop).unwrap(), Signal::KILL).unwrap();
        let back = Instant::now();
        tokio::time::sleep(Duration::from_millis(300)).await;
        until("the database is back", Duration::from_secs(20), async || {
            shop.node.status("/readyz/").await == 200
        })
        .await;
        away = away.max(back.elapsed());
    }
    writers.kept(&shop.db).await;
    let clean = shop.clean(SOON).await;
    println!("PostgreSQL was ready again after {away:?} at most");
    assert_eq!(shop.node.rebuilds().await, 0, "the log was enough");
    asker.done().await.tell_of_one_that_lived("PostgreSQL killed while many write", clean);
    shop.close().await;
}

/// `duka reindex`, which asks the server that runs.
fn reindex(shop: &Shop) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.arg("reindex").env("DUKA_DATA_DIR", shop.dir.path()).env_remove("DATABASE_URL");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn job(shop: &Shop) -> Option<String> {
    let newest = "select status from job where kind = 'reindex' order by id desc limit 1";
    sqlx::query_scalar(newest).fetch_optional(&shop.db).await.ok()?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_a_reindex_begins_again() {
    let mut shop = Shop::open(3_000).await;
    let asker = Asker::of(&shop.node, 3_000);
    let mut dice = StdRng::seed_from_u64(2);
    let mut clean = Duration::ZERO;
    for round in 0..3 {
        let before = shop.node.index();
        let mut asking = reindex(&shop);
        until("the reindex runs", SOON, async || job(&shop).await.as_deref() == Some("running")).await;
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..250))).await;
        shop.node.restart();
        assert_eq!(shop.node.count("").await, Some(3_000), "round {round}: an index answers from the start");
        let begun = Instant::now();
        until("the job succeeds", Duration::from_secs(30), async || {
            job(&shop).await.as_deref() == Some("succeeded")
        })
        .await;
        assert_ne!(shop.node.index(), before, "another index answers");
        shop.clean(SOON).await;
        clean = clean.max(begun.elapsed());
        assert!(blocking(|| asking.wait()).unwrap().success(), "whoever asked at a prompt was answered");
    }
    let folders = fs::read_dir(shop.dir.path().join("index")).unwrap().flatten();
    assert!(folders.filter(|entry| entry.path().is_dir()).count() <= 2, "half an index was left behind");
    asker.done().await.tell("the server killed in a reindex, three times", clean);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_in_the_middle_of_a_reindex_costs_no_answer() {
    let shop = Shop::open(3_000).await;
    let asker = Asker::of(&shop.node, 3_000);
    let mut asking = reindex(&shop);
    until("the reindex runs", SOON, async || job(&shop).await.as_deref() == Some("running")).await;
    kill_process(postmaster(&shop).unwrap(), Signal::KILL).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    until("the job ends", Duration::from_secs(40), async || {
        matches!(job(&shop).await.as_deref(), Some("succeeded" | "failed"))
    })
    .await;
    shop.execute("update product set brand = 'after' where sku = 'SKU-1'").await;
    let clean = shop.clean(SOON).await;
    shop.node.finds("brand=after", 1).await;
    let _ = blocking(|| asking.wait());
    asker.done().await.tell_of_one_that_lived("PostgreSQL killed in a reindex", clean);
    shop.close().await;
}
