//! The connections of catalog writes and sessions, which are taken in turns: nobody keeps one, however a request ends.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{TestShop, User, statements, with_shop};

/// Products, each with a variant, in a shop whose turns have their connections.
async fn open(shop: &TestShop, admin: &User, products: usize) -> Vec<(i64, i64)> {
    let mut made = Vec::new();
    for number in 0..products {
        made.push(shop.shelve(admin, &format!("P{number}"), "2.50", 10).await);
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let until = Instant::now() + Duration::from_secs(20);
    for (turns, count) in [(&shop.shop.app.turns, cores), (&shop.shop.app.sessions, 2)] {
        while all_of(turns).await < count {
            assert!(Instant::now() < until, "turns have no connections");
        }
    }
    made
}

/// How many turns there are for whoever asks.
async fn all_of(turns: &duka::database::Turns) -> usize {
    let mut all = Vec::new();
    while let Some(turn) = turns.next().await {
        all.push(turn);
    }
    let count = all.len();
    all.into_iter().for_each(duka::database::Turn::done);
    count
}

/// The processes of connections by this name, and how many of them have a transaction.
async fn processes(shop: &TestShop, name: &str) -> (Vec<i32>, usize) {
    let told: Vec<(i32, bool)> = sqlx::query_as(
        "select pid, xact_start is not null from pg_stat_activity
         where application_name = $1 and datname = current_database() order by pid",
    )
    .bind(name)
    .fetch_all(&shop.db)
    .await
    .unwrap();
    let open = told.iter().filter(|(_, open)| *open).count();
    (told.into_iter().map(|(pid, _)| pid).collect(), open)
}

async fn stock(shop: &TestShop, admin: &User, variant: i64, stock: i64) -> u16 {
    shop.patch_as(admin, &format!("/api/variant/{variant}/"), json!({"stock": stock})).await.status
}

#[tokio::test]
async fn a_change_of_a_variant_s_stock_takes_two_statements() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = open(shop, &admin, 1).await;
        shop.settled().await;
        let mut told = statements(stock(shop, &admin, made[0].1, 3)).await;
        assert_eq!(told.0, 200);
        // The mirror may follow at once.
        told.1.retain(|told| !told.starts_with("with recursive\n") && !told.contains("change_log"));
        let begin = ["select live_role", "with owned as"];
        let is_told = told.1.len() == begin.len()
            && begin.iter().zip(&told.1).all(|(begin, told)| told.starts_with(begin));
        assert!(is_told, "{:?}", told.1);
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_given_up_leave_their_turns() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = open(shop, &admin, 2).await;
        let (waited_for, free) = (made[0], made[1].1);
        let mut holder = shop.db.begin().await.unwrap();
        sqlx::query("select from product where id = $1 for update")
            .bind(waited_for.0)
            .execute(&mut *holder)
            .await
            .unwrap();
        let places = all_of(&shop.shop.app.turns).await;
        for number in 0..places {
            // The last writes with one statement; the others with several.
            let path = format!("/api/product/{}/", waited_for.0);
            let given_up = async {
                match places - number {
                    1 => drop(stock(shop, &admin, waited_for.1, 3).await),
                    _ => drop(shop.patch_as(&admin, &path, json!({"name": "Late"})).await),
                }
            };
            let given_up = tokio::time::timeout(Duration::from_millis(150), given_up).await;
            assert!(given_up.is_err(), "the row is locked");
        }
        // All turns wait for the row, whose requests nobody waits for any more.
        let begun = Instant::now();
        assert_eq!(stock(shop, &admin, free, 3).await, 200);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        holder.rollback().await.unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while all_of(&shop.shop.app.turns).await < places || processes(shop, "duka catalog").await.1 > 0 {
            assert!(Instant::now() < until, "a turn is not given back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let left: (i32, String) = sqlx::query_as(
            "select v.stock, p.name from variant v join product p on p.id = v.product_id where v.id = $1",
        )
        .bind(waited_for.1)
        .fetch_one(&shop.db)
        .await
        .unwrap();
        assert_eq!(left, (3, "Late".to_owned()), "what was asked for is done, whoever leaves");
    })
    .await;
}

#[tokio::test]
async fn what_a_commit_refuses_was_not_written() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = open(shop, &admin, 1).await;
        assert_eq!(stock(shop, &admin, made[0].1, 3).await, 200);
        sqlx::raw_sql(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
             create constraint trigger refuse after update on variant deferrable initially deferred
             for each row execute function refuse();",
        )
        .execute(&shop.db)
        .await
        .unwrap();
        assert_eq!(stock(shop, &admin, made[0].1, 4).await, 500);
        let left: i32 = sqlx::query_scalar("select stock from variant where id = $1")
            .bind(made[0].1)
            .fetch_one(&shop.db)
            .await
            .unwrap();
        assert_eq!(left, 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_in_a_turn_is_taken_back_at_once() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = open(shop, &admin, 2).await;
        let (product, variant) = made[0];
        let before = processes(shop, "duka catalog").await.0;
        for _ in 0..10 {
            // The row is locked before it is found to be another version. (What PostgreSQL itself refuses it takes back.)
            let stale =
                shop.request(Method::PATCH, &format!("/api/product/{product}/")).bearer_auth(&admin.access);
            shop.send(stale.header("if-match", "\"x\"").json(&json!({"name": "Late"}))).await.expect(412);
            let mut free = shop.db.begin().await.unwrap();
            sqlx::raw_sql("set local lock_timeout = '1s'").execute(&mut *free).await.unwrap();
            let row = sqlx::query("select from product where id = $1 for update").bind(product);
            row.execute(&mut *free).await.unwrap();
            free.rollback().await.unwrap();
        }
        assert_eq!(stock(shop, &admin, variant, 4).await, 200);
        assert_eq!(processes(shop, "duka catalog").await.0, before, "connections are kept");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_has_ended_is_nobodys_refusal() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = open(shop, &admin, 1).await;
        for name in ["duka catalog", "duka sessions"] {
            for amount in 4..8 {
                let pids = processes(shop, name).await.0;
                let end =
                    sqlx::query("select pg_terminate_backend(pid) from unnest($1::int[]) as pid").bind(&pids);
                end.execute(&shop.db).await.unwrap();
                assert_eq!(stock(shop, &admin, made[0].1, amount).await, 200, "{name}");
            }
        }
        let until = Instant::now() + Duration::from_secs(20);
        while all_of(&shop.shop.app.turns).await < 2 {
            assert!(Instant::now() < until, "turns have no new connections");
        }
    })
    .await;
}
