//! The database is put back from a dump, under a server that runs.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{self, Asker, SOON, Shop, connect};

/// What a rebuild of a few hundred products may take in a debug build, beside other tests.
const REBUILT: Duration = Duration::from_secs(30);

async fn run(server: &PgPool, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(server).await.unwrap();
}

/// Dumps the shop's database into one beside it, by `pg_dump` where this machine has it, else as a copy.
async fn dump(shop: &Shop, server: &PgPool, name: &str) {
    let endpoint = shop.endpoint();
    let (Some(pg_dump), Some(psql)) = (support::program("pg_dump"), support::program("psql")) else {
        println!("no pg_dump here: the database is copied instead");
        run(server, "alter database duka allow_connections false".to_owned()).await;
        hang_up(server).await;
        run(server, format!("create database {name} template duka")).await;
        return run(server, "alter database duka allow_connections true".to_owned()).await;
    };
    run(server, format!("create database {name}")).await;
    let command = |program: &Path, database: &str| {
        let mut command = Command::new(program);
        command.arg("-h").arg(&endpoint.socket_dir).args(["-p", &endpoint.port.to_string()]);
        command.args(["-U", &endpoint.user, "-d", database]);
        command
    };
    support::blocking(|| {
        let mut dumping = command(&pg_dump, "duka").stdout(Stdio::piped()).spawn().unwrap();
        let mut restoring = command(&psql, name);
        restoring.args(["-q", "-v", "ON_ERROR_STOP=1"]).stdin(dumping.stdout.take().unwrap());
        assert!(restoring.stdout(Stdio::null()).status().unwrap().success());
        assert!(dumping.wait().unwrap().success());
    });
}

async fn hang_up(server: &PgPool) {
    let hang_up = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'duka'";
    sqlx::raw_sql(hang_up).execute(server).await.unwrap();
}

/// Puts the copy in the database's place, as an operator would: nobody may connect meanwhile.
async fn put_back(server: &PgPool, name: &str, old: &str) {
    run(server, "alter database duka allow_connections false".to_owned()).await;
    hang_up(server).await;
    for _ in 0..100 {
        // A session may take a moment to be gone.
        let renamed = sqlx::raw_sql(AssertSqlSafe(format!("alter database duka rename to {old}")));
        if renamed.execute(server).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    run(server, format!("alter database {name} rename to duka")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_put_back_is_another_history() {
    let mut shop = Shop::open(300).await;
    let server = connect(shop.endpoint(), "postgres").await;
    dump(&shop, &server, "restored").await;
    shop.execute("update product set brand = 'lost'").await;
    shop.clean(SOON).await;
    let before = shop.node.index();
    let asker = Asker::of(&shop.node, 300);
    put_back(&server, "restored", "before").await;
    let db = connect(shop.endpoint(), "duka").await;
    let (clean, _) = support::clean(&db, &shop.node, REBUILT).await;
    assert_ne!(shop.node.index(), before, "what was written since the dump is not there");
    assert_eq!(shop.node.count("brand=lost").await, Some(0));
    sqlx::query("update product set brand = 'found' where sku = 'SKU-1'").execute(&db).await.unwrap();
    support::clean(&db, &shop.node, SOON).await;
    shop.node.finds("brand=found", 1).await;
    asker.done().await.tell_of_one_that_lived("a dump put back under the server", clean);

    // The same while the server is away: the old index answers until the new one does.
    dump(&shop, &server, "restored").await;
    shop.node.kill();
    put_back(&server, "restored", "before_that").await;
    let second = connect(shop.endpoint(), "duka").await;
    let before = shop.node.index();
    shop.node.restart();
    let asker = Asker::of(&shop.node, 300);
    let (clean, _) = support::clean(&second, &shop.node, REBUILT).await;
    assert_ne!(shop.node.index(), before);
    asker.done().await.tell_of_one_that_lived("a dump put back while the server was away", clean);
    for pool in [server, db, second] {
        pool.close().await;
    }
    shop.close().await;
}

/// A dump carries the log of a server that had come further: its transactions have not begun here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_a_busier_server_brings_a_log_that_says_nothing() {
    let shop = Shop::open(300).await;
    let server = connect(shop.endpoint(), "postgres").await;
    dump(&shop, &server, "restored").await;
    let restored = connect(shop.endpoint(), "restored").await;
    sqlx::raw_sql(
        "update change_floor set floor = '900000000';
         insert into change_log (xid, product_id) select '900000001', id from product;
         update index_consumer set cursor = '900000000'",
    )
    .execute(&restored)
    .await
    .unwrap();
    restored.close().await;
    let asker = Asker::of(&shop.node, 300);
    put_back(&server, "restored", "before").await;
    let db = connect(shop.endpoint(), "duka").await;
    let (clean, _) = support::clean(&db, &shop.node, REBUILT).await;
    sqlx::query("update product set brand = 'found' where sku = 'SKU-1'").execute(&db).await.unwrap();
    support::clean(&db, &shop.node, SOON).await;
    shop.node.finds("brand=found", 1).await;
    assert_eq!(shop.node.rebuilds().await, 1, "one is enough");
    asker.done().await.tell_of_one_that_lived("a dump of a busier server put back", clean);
    for pool in [server, db] {
        pool.close().await;
    }
    shop.close().await;
}

/// As `pg_restore --clean` does it, under the server: the tables are dropped and come back as they were, the epoch among
/// them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_restored_over_itself_is_another_history() {
    let shop = Shop::open(300).await;
    let (Some(pg_dump), Some(psql)) = (support::program("pg_dump"), support::program("psql")) else {
        println!("no pg_dump here: nothing is tried");
        return shop.close().await;
    };
    let endpoint = shop.endpoint();
    let dump = shop.dir.path().join("shop.sql");
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.arg("-h").arg(&endpoint.socket_dir).args(["-p", &endpoint.port.to_string()]);
        command.args(["-U", &endpoint.user, "-d", "duka", "-f"]).arg(&dump).args(arguments);
        support::blocking(|| command.stdout(Stdio::null()).status().unwrap().success())
    };
    assert!(run(&pg_dump, &["--clean", "--if-exists"]));
    shop.execute("update product set brand = 'lost'").await;
    shop.clean(SOON).await;
    shop.node.finds("brand=lost", 300).await;
    // Whoever asks meanwhile may be in its way, and the other way round.
    let restored = (0..20).any(|_| run(&psql, &["-q", "-1", "-v", "ON_ERROR_STOP=1"]));
    assert!(restored);
    let (clean, _) = support::clean(&shop.db, &shop.node, REBUILT).await;
    assert_eq!(shop.node.count("brand=lost").await, Some(0));
    shop.execute("update product set brand = 'found' where sku = 'SKU-1'").await;
    shop.clean(SOON).await;
    shop.node.finds("brand=found", 1).await;
    println!("a dump restored over itself: level after {clean:?}");
    shop.close().await;
}
