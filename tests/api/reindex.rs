//! Building the index anew, over HTTP: it takes over, is cancelled, and is one at a time.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use duka::indexing::IndexingError;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{TestShop, User, with_shop};

/// More than are dealt out and taken before anybody is told how far it is.
const MANY: i32 = 25_000;

async fn stock(shop: &TestShop, count: i32) {
    sqlx::query(
        "with made as (
             insert into product (name, slug, sku, price)
             select 'Thing ' || n, 'thing-' || n, 'THING-' || n, 1 from generate_series(1, $1) n returning id, sku
         )
         insert into variant (product_id, variant_name, sku, price, stock) select id, 'Default', sku, 1, 1 from made",
    )
    .bind(count)
    .execute(&shop.db)
    .await
    .unwrap();
    let begun = Instant::now();
    while shop.get("/api/product/?page_size=1").await.expect(200).json["count"] != count {
        assert!(begun.elapsed() < Duration::from_secs(60), "the products are not found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Looks at a job until it is as it should be, and at the shop meanwhile, which always shows so many products.
async fn wait(
    shop: &TestShop,
    admin: &User,
    path: &str,
    count: i32,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let begun = Instant::now();
    loop {
        let job = shop.get_as(admin, path).await.expect(200).json;
        if is_so(&job) {
            return job;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{job}");
        assert_eq!(shop.get("/api/product/?page_size=1").await.expect(200).json["count"], count);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_index_takes_over_and_the_old_one_stays_for_a_way_back() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        stock(shop, 2_000).await;
        let answer = shop.post_as(&admin, "/api/admin/reindex/", json!({})).await.expect(202);
        let path = answer.header("location").to_owned();
        assert_eq!(path, format!("/api/admin/reindex/{}/", answer.id()));
        let watch = shop.request(Method::GET, &format!("{path}events/")).bearer_auth(&admin.access);
        let events = shop.send(watch).await.expect(200).text;
        let job = wait(shop, &admin, &path, 2_000, |job| !job["finished_at"].is_null()).await;
        assert_eq!((&job["status"], &job["error"]), (&json!("succeeded"), &json!(null)), "{job}");
        assert_eq!((&job["documents_done"], &job["documents_total"]), (&json!(2_000), &json!(2_000)));
        let last = events.trim_end().rsplit("data: ").next().unwrap();
        assert_eq!(serde_json::from_str::<Value>(last).unwrap(), job, "the last event is the end");
        shop.delete_as(&admin, &path).await.expect(409);
        let clean = shop.post_as(&admin, "/api/admin/index/verify/", json!({})).await.expect(200).json;
        assert_eq!((&clean["compared"], &clean["missing"]), (&json!(2_000), &json!(0)), "{clean}");
        shop.post_as(&admin, "/api/admin/index/rollback/", json!({})).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_build_is_cancelled_in_the_middle_and_lets_go_of_everything() {
    with_shop(async |shop| {
        stock(shop, MANY).await;
        let stop = CancellationToken::new();
        let seen = |done, total| {
            assert_eq!(total, u64::from(MANY.unsigned_abs()));
            if done > 0 {
                stop.cancel();
            }
        };
        let build = shop.shop.app.indexing.rebuild(&stop, seen);
        let built = tokio::time::timeout(Duration::from_secs(20), build).await.expect("it stops");
        assert!(matches!(built, Err(IndexingError::Cancelled)), "{built:?}");
        // The server's own short transactions come and go; the build's began before it was stopped, and a connection
        // that is given back rolls back a moment later.
        let mut left: i64 = 1;
        let stopped: String =
            sqlx::query_scalar("select clock_timestamp()::text").fetch_one(&shop.db).await.unwrap();
        let begun = Instant::now();
        while left > 0 && begun.elapsed() < Duration::from_secs(5) {
            left = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                  where datname = current_database() and state like 'idle in transaction%'
                    and xact_start < $1::timestamptz",
            )
            .bind(&stopped)
            .fetch_one(&shop.db)
            .await
            .unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(left, 0, "nobody holds the snapshot any more");
        assert_eq!(shop.get("/api/product/?page_size=1").await.expect(200).json["count"], MANY);
    })
    .await;
}

#[tokio::test]
async fn who_compares_everything_waits_for_others_who_do() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        stock(shop, 500).await;
        let compare = (0..12).map(|_| shop.post_as(&admin, "/api/admin/index/verify/", json!({})));
        let mut reports = pin!(join_all(compare));
        let mut most: i64 = 0;
        let reports = loop {
            tokio::select! {
                reports = &mut reports => break reports,
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            let reading = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                  where datname = current_database() and application_name = 'duka indexer' and xact_start is not null",
            );
            most = most.max(reading.fetch_one(&shop.db).await.unwrap());
        };
        for report in reports {
            assert_eq!(report.expect(200).json["compared"], 500);
        }
        // The mirror's own come and go beside, and what is given back is rolled back a moment later. All of the pool is 8.
        assert!((1..=4).contains(&most), "{most} at once");
    })
    .await;
}
