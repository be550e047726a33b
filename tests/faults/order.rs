//! Transactions that commit in another order than they began, and some that never do.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Asker, SOON, Shop, setting, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_later_transaction_commits_first_on_the_same_row() {
    let shop = Shop::open(100).await;
    let asker = Asker::of(&shop.node, 100);
    let mut clean = Duration::ZERO;
    for round in 0..5 {
        let mut early = shop.db.begin().await.unwrap();
        sqlx::query("select pg_current_xact_id()").execute(&mut *early).await.unwrap();
        sqlx::query("update product set brand = $1 where sku = 'SKU-1'")
            .bind(format!("later {round}"))
            .execute(&shop.db)
            .await
            .unwrap();
        shop.clean(SOON).await;
        shop.node.finds(&format!("brand=later%20{round}"), 1).await;
        sqlx::query("update product set brand = $1 where sku = 'SKU-1'")
            .bind(format!("early {round}"))
            .execute(&mut *early)
            .await
            .unwrap();
        early.commit().await.unwrap();
        clean = clean.max(shop.clean(SOON).await);
        shop.node.finds(&format!("brand=early%20{round}"), 1).await;
    }
    asker.done().await.tell_of_one_that_lived("the later transaction commits first", clean);
    shop.close().await;
}

/// A write that stays open hides itself, and nobody else's: also across a restart, since the index's commit says what
/// it has not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_held_open_holds_nobody_up() {
    let mut shop = Shop::open(100).await;
    let held = Duration::from_secs(setting("DUKA_HELD_SECONDS", 20));
    let asker = Asker::of(&shop.node, 100);
    let mut slow = shop.db.begin().await.unwrap();
    sqlx::query("update product set brand = 'slow' where sku = 'SKU-1'").execute(&mut *slow).await.unwrap();
    let begun = Instant::now();
    let (mut round, mut slowest) = (0, Duration::ZERO);
    while begun.elapsed() < held {
        round += 1;
        let brand = format!("fast-{round}");
        sqlx::query("update product set brand = $1 where sku = 'SKU-2'")
            .bind(&brand)
            .execute(&shop.db)
            .await
            .unwrap();
        let found = until("a write beside it is found", SOON, async || {
            shop.node.count(&format!("brand={brand}")).await == Some(1)
        });
        slowest = slowest.max(found.await);
        if round == 10 {
            shop.node.restart();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    until("the horizon's age is told", SOON, async || {
        shop.node.metric("duka_index_horizon_age_seconds").await > 1.0
    })
    .await;
    assert_eq!(shop.node.count("brand=slow").await, Some(0), "not committed, not seen");
    slow.commit().await.unwrap();
    let clean = shop.clean(SOON).await;
    shop.node.finds("brand=slow", 1).await;
    println!("{round} writes beside it, each found within {slowest:?}");
    assert!(slowest < Duration::from_secs(5), "the open transaction held them up");
    asker.done().await.tell("a transaction held open", clean);
    shop.close().await;
}

/// What was rolled back, or not yet written to disk, is forgotten by a PostgreSQL that is killed, and the numbers of
/// those transactions are given out again. A mirror that had taken note of them would take the new ones for old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_number_that_is_given_out_twice_is_not_mistaken() {
    let shop = Shop::open(100).await;
    let asker = Asker::of(&shop.node, 100);
    // So that what nobody waits for stays unwritten.
    shop.execute("alter system set wal_writer_delay = '10s'").await;
    shop.execute("select pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut clean = Duration::ZERO;
    for round in 0..3 {
        shop.clean(SOON).await;
        let mut lost = String::new();
        for _ in 0..20 {
            let mut transaction = shop.db.begin().await.unwrap();
            sqlx::query("update product set brand = 'never' where sku = 'SKU-9'")
                .execute(&mut *transaction)
                .await
                .unwrap();
            lost = sqlx::query_scalar("select pg_current_xact_id()::text")
                .fetch_one(&mut *transaction)
                .await
                .unwrap();
            transaction.rollback().await.unwrap();
        }
        // The mirror looks meanwhile.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let pid = fs::read_to_string(shop.dir.path().join("postgres/data/postmaster.pid")).unwrap();
        let pid = Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        let brand = format!("again-{round}");
        let again = "update product set brand = $1 where sku = $2 returning pg_current_xact_id()::text";
        let write = async |n: i32| {
            let write = sqlx::query_scalar::<_, String>(again).bind(&brand).bind(format!("SKU-{n}"));
            write.fetch_one(&shop.db).await.ok()
        };
        let mut xid = None;
        until("the database is back", Duration::from_secs(20), async || {
            xid = write(1).await;
            xid.is_some()
        })
        .await;
        // More than were lost, before the mirror looks again.
        for n in 2..=50 {
            until("the write is in", SOON, async || write(n).await.is_some()).await;
        }
        println!("rolled back: {lost}, written after the crash: from {} on", xid.unwrap());
        clean = clean.max(shop.clean(SOON).await);
        shop.node.finds(&format!("brand={brand}"), 50).await;
    }
    assert_eq!(shop.node.rebuilds().await, 0, "the log was enough");
    asker.done().await.tell_of_one_that_lived("transaction numbers given out twice", clean);
    shop.close().await;
}
