//! Orders a second, for one thing that everybody wants and for many, beside what PostgreSQL does by itself.
//!
//! `cargo bench --bench checkout` starts a PostgreSQL of its own with the shop's settings (every commit is on disk
//! before it is acknowledged), serves the shop over loopback, and takes turns: pgbench's simple updates, orders,
//! pgbench again. What is told is the ratio: it holds on other machines too. `DUKA_BENCH_SECONDS` (8) is how long a
//! turn lasts.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "checkout/machine.rs"]
mod machine;
#[path = "checkout/stage.rs"]
mod stage;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;

use self::{
    machine::Load,
    stage::{Buyer, Stage},
};

/// Those who order at once.
const CLIENTS: usize = 16;
/// Those who update at once in pgbench: as many as may check out at once.
const SESSIONS: usize = 8;
/// Things in the shop.
const THINGS: i32 = 1_000;

fn seconds() -> u64 {
    std::env::var("DUKA_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

#[tokio::main]
async fn main() {
    let stage = Stage::open(THINGS).await;
    let hot = vec![stage.things[0]];
    // What is new (plans, pages, connections) is not what is measured.
    turn(&stage, "warm-up", &stage.things, 2).await;
    let mut rows = Vec::new();
    let mut updates = vec![stage.pgbench(SESSIONS, seconds()).await];
    for (name, things) in [("one thing", &hot), ("1,000 things", &stage.things)] {
        rows.push(turn(&stage, name, things, seconds()).await);
        updates.push(stage.pgbench(SESSIONS, seconds()).await);
    }
    let mean = updates.iter().sum::<f64>() / f64::from(u32::try_from(updates.len()).unwrap());
    let all: Vec<String> = updates.iter().map(|rate| format!("{rate:.0}")).collect();
    println!("\npgbench simple-update, {SESSIONS} sessions: {mean:.0} a second ({})", all.join(", "));
    for row in rows {
        println!(
            "orders of {}: {:.0} a second, {:.2} of pgbench's rate",
            row.name,
            row.rate,
            row.rate / mean
        );
        println!("  {}", row.load);
    }
    stage.close().await;
}

/// What a turn came to.
struct Row {
    name: &'static str,
    rate: f64,
    load: Load,
}

/// Buyers who have one of the things in the cart each order it, as many at once as there are clients.
async fn turn(stage: &Stage, name: &'static str, things: &[i64], seconds: u64) -> Row {
    // More than can be used up.
    let buyers = stage.buyers(usize::try_from(seconds).unwrap() * 1_500, things).await;
    let (next, placed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let watch = machine::watch(&stage.db, "duka web").await;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let client = async || {
        while Instant::now() < end {
            let Some(buyer) = buyers.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            order(stage, buyer).await;
            placed.fetch_add(1, Ordering::Relaxed);
        }
    };
    join_all((0..CLIENTS).map(|_| client())).await;
    let (placed, elapsed) = (placed.into_inner(), begun.elapsed());
    let load = watch.end(placed).await;
    assert_eq!(stage.orders_of(&buyers).await, placed, "every order that was acknowledged is there");
    let rate = f64::from(u32::try_from(placed).unwrap()) / elapsed.as_secs_f64();
    Row { name, rate, load }
}

async fn order(stage: &Stage, buyer: &Buyer) {
    let body = json!({"address_id": buyer.home, "payment_method": "card"});
    let request = stage.client.post(format!("{}/api/order/", stage.base)).bearer_auth(&buyer.access);
    let answer = request.json(&body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 201, "{text}");
}
