//! Several nodes on one database, one of them asleep.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{self, Asker, Node, SOON, Shop, client, until};

/// Makes a log as old as it is after eight days.
const AGE: &str = "update change_log set at = at - interval '8 days'";

async fn logged(shop: &Shop) -> i64 {
    sqlx::query_scalar("select count(*) from change_log").fetch_one(&shop.db).await.unwrap()
}

async fn cut(shop: &Shop) {
    duka::indexing::cut_log(&shop.db).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_sleeps_past_the_log_holds_up_nobody_and_is_built_anew() {
    let shop = Shop::open(500).await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let second = Node::start(dirs[0].path(), Some(shop.url("duka")));
    let sleeper = Node::start(dirs[1].path(), Some(shop.url("duka")));
    let name = "select node_id from index_consumer where node_id like '%' || $1";
    let named = dirs[1].path().file_name().unwrap().to_str().unwrap();
    let name: String = sqlx::query_scalar(name).bind(named).fetch_one(&shop.db).await.unwrap();
    let cursors: i64 =
        sqlx::query_scalar("select count(*) from index_consumer").fetch_one(&shop.db).await.unwrap();
    assert_eq!(cursors, 3, "each has a cursor of its own");

    sleeper.signal(Signal::STOP);
    let askers = [Asker::of(&shop.node, 500), Asker::of(&second, 500)];
    shop.execute("update product set brand = 'while it slept'").await;
    let mut clean = Duration::ZERO;
    for node in [&shop.node, &second] {
        clean = clean.max(support::clean(&shop.db, node, SOON).await.0);
    }
    // As long as it was heard of within a week, the log is kept for it, however old.
    beats(&shop, &name).await;
    let before = logged(&shop).await;
    shop.execute(AGE).await;
    cut(&shop).await;
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from change_log l, index_consumer c where c.node_id = $1 and l.xid >= c.cursor",
    )
    .bind(&name)
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert!(kept > 0 && kept == logged(&shop).await, "all that it still needs is kept, and nothing else");
    assert!(logged(&shop).await < before, "what nobody needs is cut");

    // Silent for more than a week: nobody waits for it any more.
    sqlx::query(
        "update index_consumer set heartbeat_at = heartbeat_at - interval '8 days' where node_id = $1",
    )
    .bind(&name)
    .execute(&shop.db)
    .await
    .unwrap();
    cut(&shop).await;
    assert_eq!(logged(&shop).await, 0, "the others have it all");
    let gone: i64 = sqlx::query_scalar("select count(*) from index_consumer where node_id = $1")
        .bind(&name)
        .fetch_one(&shop.db)
        .await
        .unwrap();
    assert_eq!(gone, 0, "it is forgotten");
    shop.execute("update product set brand = 'later' where sku = 'SKU-1'").await;
    for node in [&shop.node, &second] {
        clean = clean.max(support::clean(&shop.db, node, SOON).await.0);
    }
    for asker in askers {
        asker.done().await.tell_of_one_that_lived("another node asleep past the log", clean);
    }

    let before = sleeper.index();
    sleeper.signal(Signal::CONT);
    let asker = Asker::of(&sleeper, 500);
    let woken = until("it is built anew", Duration::from_secs(30), async || sleeper.index() != before).await;
    let woken = woken + support::clean(&shop.db, &sleeper, SOON).await.0;
    assert_ne!(sleeper.index(), before, "what it missed cannot be caught up");
    sleeper.finds("brand=while%20it%20slept", 499).await;
    assert_eq!(sleeper.rebuilds().await, 1);
    asker.done().await.tell_of_one_that_lived("the sleeper, from waking", woken);
    drop((second, sleeper));
    shop.close().await;
}

/// Waits until those that are awake need nothing of the log as it is.
///
/// The sleeper may have been frozen in the middle of a write. What they committed as long as PostgreSQL waited for it
/// says that they have not seen it, so that they need what came after; the next change leads beyond, as in any shop.
async fn beats(shop: &Shop, sleeper: &str) {
    for _ in 0..4 {
        if level(shop, sleeper, Duration::from_secs(15)).await {
            return;
        }
        println!("held up by {:?}", open(shop).await);
        shop.execute("update product set brand = brand where sku = 'SKU-1'").await;
    }
    panic!("the others still need the log: {:?}", cursors(shop).await);
}

async fn level(shop: &Shop, sleeper: &str, within: Duration) -> bool {
    let level =
        "select bool_and(cursor > (select max(xid) from change_log)) from index_consumer where node_id <> $1";
    let begun = Instant::now();
    while begun.elapsed() < within {
        let level = sqlx::query_scalar::<_, Option<bool>>(level).bind(sleeper).fetch_one(&shop.db).await;
        if level.unwrap() == Some(true) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// Who has a write open.
async fn open(shop: &Shop) -> Vec<(String, String, String)> {
    let open = "select application_name, backend_xid::text || ' ' || state, query
                from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()";
    sqlx::query_as(open).fetch_all(&shop.db).await.unwrap()
}

async fn cursors(shop: &Shop) -> Vec<(String, String, String)> {
    let cursors = "select node_id, snapshot, (select max(xid)::text from change_log) from index_consumer";
    sqlx::query_as(cursors).fetch_all(&shop.db).await.unwrap()
}

/// Nodes tell each other: a write on one is found on the others at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_one_is_found_on_the_others() {
    let shop = Shop::open(100).await;
    let dir = tempfile::tempdir().unwrap();
    let second = Node::start(dir.path(), Some(shop.url("duka")));
    let admin = support::admin(&shop).await;
    let client = client();
    let id: i64 = sqlx::query_scalar("select max(id) from product").fetch_one(&shop.db).await.unwrap();
    let mut slowest = Duration::ZERO;
    for n in 0..10 {
        let url = format!("{}/api/product/{id}/", shop.node.base);
        let change = serde_json::json!({"brand": format!("Far {n}")});
        let request = client.patch(url).bearer_auth(&admin).json(&change);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let version = answer.headers()["x-catalog-version"].to_str().unwrap().to_owned();
        let begun = Instant::now();
        let found = second.count(&format!("brand=Far+{n}&min_version={version}")).await;
        assert!(found == Some(1), "{found:?}");
        slowest = slowest.max(begun.elapsed());
    }
    println!("a write on one node was found on another within {slowest:?}");
    support::clean(&shop.db, &second, SOON).await;
    drop(second);
    shop.close().await;
}
