//! Many updates for a while: how far the mirror is behind, and whether it grows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

use crate::support::{Asker, SOON, Shop, setting};

const WRITERS: u64 = 8;

/// `DUKA_SOAK_SECONDS` (5), `DUKA_SOAK_PRODUCTS` (2000) and `DUKA_SOAK_UPDATES` a second (100: a debug build that
/// shares its cores with other tests is not what is measured).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_that_do_not_end_are_followed() {
    let length = Duration::from_secs(setting("DUKA_SOAK_SECONDS", 5));
    let products = setting("DUKA_SOAK_PRODUCTS", 2_000);
    let rate = setting("DUKA_SOAK_UPDATES", 100);
    let shop = Shop::open(i32::try_from(products).unwrap()).await;
    let asker = Asker::of(&shop.node, products);
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let begun = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (db, stop, written) = (shop.db.clone(), Arc::clone(&stop), Arc::clone(&written));
            tokio::spawn(async move {
                let mut ticks = interval(Duration::from_secs_f64(WRITERS as f64 / rate as f64));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                while !stop.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    let sku = format!(
                        "SKU-{}",
                        2 + (written.fetch_add(1, Ordering::Relaxed) * 7 + writer) % (products - 1)
                    );
                    let update = "update product set popularity = popularity + 0.001 where sku = $1";
                    sqlx::query(update).bind(sku).execute(&db).await.unwrap();
                }
            })
        })
        .collect();

    // How long a write among them takes until it is found.
    let mut lags = Vec::new();
    let warm = Duration::from_secs(1);
    tokio::time::sleep(warm).await;
    let before = shop.node.resident();
    let mut fullest = before;
    while begun.elapsed() < length + warm {
        let brand = format!("lag-{}", lags.len());
        sqlx::query("update product set brand = $1 where sku = 'SKU-1'")
            .bind(&brand)
            .execute(&shop.db)
            .await
            .unwrap();
        let asked = Instant::now();
        while shop.node.count(&format!("brand={brand}")).await != Some(1) {
            assert!(asked.elapsed() < Duration::from_secs(30), "the mirror does not follow");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        lags.push(asked.elapsed());
        fullest = fullest.max(shop.node.resident());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    let after = shop.node.resident();
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let clean = shop.clean(SOON).await;
    lags.sort_unstable();
    let at = |percent: usize| lags[(lags.len() - 1) * percent / 100];
    println!(
        "{:.0} updates/s of {products} products for {:.0} s: {} lags, p50 {:?}, p99 {:?}, slowest {:?}; memory {before} MiB, at most {fullest}, then {after} MiB; {} segments",
        written.load(Ordering::Relaxed) as f64 / took.as_secs_f64(),
        took.as_secs_f64(),
        lags.len(),
        at(50),
        at(99),
        at(100),
        shop.node.metric("duka_index_segments").await,
    );
    asker.done().await.tell_of_one_that_lived("updates without end", clean);
    // The goal of a second is for a release build that has the machine to itself; this is neither.
    assert!(at(50) < Duration::from_secs(3), "{lags:?}");
    shop.close().await;
}
