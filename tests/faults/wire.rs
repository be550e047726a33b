//! The connections between nodes and PostgreSQL are cut, or allow no more than a pooler does.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::postgres::PgListener;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};

use crate::support::{self, Asker, Node, SOON, Shop, client, until};

/// The connections on which a node listens.
async fn cut_listeners(shop: &Shop) -> i64 {
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where query ilike 'listen%'";
    sqlx::query_scalar(cut).fetch_one(&shop.db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_cut_listens_again() {
    let shop = Shop::open(100).await;
    let asker = Asker::of(&shop.node, 100);
    let mut clean = Duration::ZERO;
    let mut cut = 0;
    for round in 0..5 {
        until("somebody listens", SOON, async || {
            cut = cut_listeners(&shop).await;
            cut > 0
        })
        .await;
        let brand = format!("cut-{round}");
        sqlx::query("update product set brand = $1 where sku = 'SKU-1'")
            .bind(&brand)
            .execute(&shop.db)
            .await
            .unwrap();
        clean = clean.max(shop.clean(SOON).await);
        shop.node.finds(&format!("brand={brand}"), 1).await;
    }
    // All of its connections at once.
    shop.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'duka%'",
    )
    .await;
    shop.execute("update product set brand = 'all cut' where sku = 'SKU-1'").await;
    clean = clean.max(shop.clean(SOON).await);
    shop.node.finds("brand=all%20cut", 1).await;
    until("somebody listens again", SOON, async || cut_listeners(&shop).await > 0).await;
    asker.done().await.tell_of_one_that_lived("the listener's connection cut", clean);
    shop.close().await;
}

/// Inside a transaction that writes, a notification makes all who do so commit one after another. So whoever tells
/// the nodes is never whoever wrote; and of many writes it tells a few times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_does_not_notify() {
    let shop = Shop::open(100).await;
    let mut listener = PgListener::connect_with(&shop.db).await.unwrap();
    listener.listen("duka_catalog").await.unwrap();
    let admin = support::admin(&shop).await;
    let client = client();
    let id: i64 = sqlx::query_scalar("select max(id) from product").fetch_one(&shop.db).await.unwrap();
    let (begun, writes) = (Instant::now(), 60);
    for n in 0..writes {
        let url = format!("{}/api/product/{id}/", shop.node.base);
        let change = serde_json::json!({"brand": format!("Told {n}")});
        let request = client.patch(url).bearer_auth(&admin).json(&change);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        sqlx::query("update product set brand = $1 where sku = 'SKU-1'")
            .bind(n.to_string())
            .execute(&shop.db)
            .await
            .unwrap();
    }
    let took = begun.elapsed();
    let mut told = 0_u32;
    let mut names: HashMap<u32, String> = HashMap::new();
    while let Ok(heard) = tokio::time::timeout(Duration::from_millis(500), listener.recv()).await {
        told += 1;
        let pid = heard.unwrap().process_id();
        if let std::collections::hash_map::Entry::Vacant(entry) = names.entry(pid) {
            let name = "select application_name from pg_stat_activity where pid = $1";
            let pid = i32::try_from(pid).unwrap();
            let name = sqlx::query_scalar(name).bind(pid).fetch_optional(&shop.db).await.unwrap();
            entry.insert(name.unwrap_or_else(|| "gone".to_owned()));
        }
    }
    println!("{} writes in {took:?}: told {told} times, by {names:?}", 2 * writes);
    assert!(told > 0, "nobody was told");
    assert!(names.values().all(|name| name == "duka indexer"), "who wrote told the others: {names:?}");
    assert!(f64::from(told) <= (took.as_secs_f64() + 0.5) * 20.0 + 2.0, "at most twenty times a second");
    drop(listener);
    shop.clean(SOON).await;
    shop.close().await;
}

/// Passes bytes to the database, but no `LISTEN`, which poolers that share connections do not keep either.
async fn pooler(socket: PathBuf, listens: Arc<AtomicU64>) -> u16 {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = door.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = door.accept().await {
            let Ok(server) = UnixStream::connect(&socket).await else { continue };
            let listens = Arc::clone(&listens);
            tokio::spawn(async move {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let back = tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                });
                let mut buffer = vec![0; 1 << 16];
                while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                    let said = String::from_utf8_lossy(&buffer[..read]);
                    if said.contains("LISTEN ") {
                        listens.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    if to_server.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
                back.abort();
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_listen_the_mirror_polls() {
    let shop = Shop::open(100).await;
    let listens = Arc::new(AtomicU64::new(0));
    let socket = shop.endpoint().socket_dir.join(format!(".s.PGSQL.{}", shop.endpoint().port));
    let port = pooler(socket, Arc::clone(&listens)).await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("postgres://{}@127.0.0.1:{port}/duka?sslmode=disable", shop.endpoint().user);
    let far = Node::start(dir.path(), Some(url));
    let asker = Asker::of(&far, 100);
    let (mut slowest, mut clean) = (Duration::ZERO, Duration::ZERO);
    for round in 0..8 {
        let brand = format!("polled-{round}");
        sqlx::query("update product set brand = $1 where sku = 'SKU-1'")
            .bind(&brand)
            .execute(&shop.db)
            .await
            .unwrap();
        let found =
            until("polling finds it", SOON, async || far.count(&format!("brand={brand}")).await == Some(1));
        slowest = slowest.max(found.await);
        clean = clean.max(support::clean(&shop.db, &far, SOON).await.0);
    }
    let listens = listens.load(Ordering::Relaxed);
    println!("found within {slowest:?} by polling; tried to listen {listens} times");
    assert!(listens > 0, "it did not even try to listen");
    assert!(slowest < Duration::from_secs(3), "polls are four a second");
    asker.done().await.tell_of_one_that_lived("only a pooler reachable", clean);
    drop(far);
    shop.close().await;
}
