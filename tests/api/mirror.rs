//! The mirror: every write arrives, whoever makes it, and nothing is ever read that was not written.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use duka::indexing::{verify, verify::Report};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use crate::support::{TestShop, with_shop};

async fn verified(shop: &TestShop) -> Report {
    shop.settled().await;
    let engine = verify::open(shop.data_dir.path()).await.unwrap();
    verify::verify(&shop.db, engine, |_, _| {}).await.unwrap()
}

async fn fill(shop: &TestShop, products: i32) {
    sqlx::query(
        "with made as (
             insert into product (name, slug, price, sku)
             select 'Product ' || n, 'product-' || n, n, 'SKU-' || n from generate_series(1, $1) n
             returning id, sku, price
         )
         insert into variant (product_id, variant_name, sku, price, stock)
         select id, 'Default', sku, price, 5 from made",
    )
    .bind(products)
    .execute(&shop.db)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_write_at_a_prompt_arrives_like_any_other() {
    with_shop(async |shop| {
        fill(shop, 50).await;
        shop.settled().await;
        assert_eq!(shop.get("/api/product/").await.json["count"], 50);
        for (statement, query, count) in [
            ("update product set brand = 'Kibo' where sku = 'SKU-7'", "brand=Kibo", 1),
            ("update variant set price = 0.01 where sku = 'SKU-8'", "price_max=0.01", 1),
            ("update variant set stock = 0", "in_stock=true", 0),
            ("update product set deleted_at = now() where sku like 'SKU-1%'", "", 39),
            ("insert into category (name, slug) values ('Cats', 'cats')", "category=cats", 0),
            ("update product set category_id = (select id from category)", "category=cats", 39),
            ("update category set slug = 'dogs'", "category=dogs", 39),
        ] {
            sqlx::query(statement).execute(&shop.db).await.unwrap();
            shop.settled().await;
            let found = shop.get(&format!("/api/product/?{query}")).await.expect(200);
            assert_eq!(found.json["count"], count, "{statement}");
        }
        let report = verified(shop).await;
        assert!(report.is_clean() && report.compared == 39, "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn a_review_moves_the_rating_that_search_shows() {
    with_shop(async |shop| {
        fill(shop, 1).await;
        let user = shop.admin().await;
        for (statement, rating) in [
            ("insert into review (user_id, product_id, rating) select $1, id, 4 from product", json!(4.0)),
            ("update review set rating = 2 where user_id = $1", json!(2.0)),
            ("delete from review where user_id = $1", json!(null)),
        ] {
            sqlx::query(statement).bind(user.id).execute(&shop.db).await.unwrap();
            shop.settled().await;
            assert_eq!(shop.get("/api/product/").await.json["results"][0]["rating"], rating, "{statement}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_commits_late_is_not_lost_and_holds_nobody_up() {
    with_shop(async |shop| {
        fill(shop, 3).await;
        shop.settled().await;
        // Begins first, writes first, commits last.
        let mut slow = shop.db.begin().await.unwrap();
        sqlx::query("update product set brand = 'slow' where sku = 'SKU-1'")
            .execute(&mut *slow)
            .await
            .unwrap();
        let begun = Instant::now();
        for round in 0..5 {
            let brand = format!("fast-{round}");
            sqlx::query("update product set brand = $1 where sku = 'SKU-2'")
                .bind(&brand)
                .execute(&shop.db)
                .await
                .unwrap();
            shop.settled().await;
            assert_eq!(shop.get(&format!("/api/product/?brand={brand}")).await.json["count"], 1);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "an open transaction held the others up");
        assert_eq!(shop.get("/api/product/?brand=slow").await.json["count"], 0, "not committed, not seen");
        slow.commit().await.unwrap();
        shop.settled().await;
        assert_eq!(shop.get("/api/product/?brand=slow").await.json["count"], 1);
        assert!(verified(shop).await.is_clean());
    })
    .await;
}

#[tokio::test]
async fn the_later_transaction_may_commit_first() {
    with_shop(async |shop| {
        fill(shop, 1).await;
        shop.settled().await;
        let mut early = shop.db.begin().await.unwrap();
        sqlx::query("select pg_current_xact_id()").execute(&mut *early).await.unwrap();
        sqlx::query("update product set brand = 'late xid'").execute(&shop.db).await.unwrap();
        shop.settled().await;
        sqlx::query("update product set brand = 'early xid'").execute(&mut *early).await.unwrap();
        early.commit().await.unwrap();
        shop.settled().await;
        assert_eq!(shop.get("/api/product/?brand=early%20xid").await.json["count"], 1);
        assert!(verified(shop).await.is_clean());
    })
    .await;
}

#[tokio::test]
async fn verify_finds_every_kind_of_difference() {
    with_shop(async |shop| {
        fill(shop, 10).await;
        assert!(verified(shop).await.is_clean());
        // Behind the log's back: with the triggers off nobody is told.
        sqlx::raw_sql(
            "begin;
             set local session_replication_role = replica;
             update product set name = 'changed' where sku = 'SKU-1';
             update variant set price = 99 where sku = 'SKU-2';
             update product set deleted_at = now() where sku = 'SKU-3';
             insert into product (name, slug, price, sku) values ('new', 'new', 1, 'NEW');
             commit",
        )
        .execute(&shop.db)
        .await
        .unwrap();
        let report = verified(shop).await;
        assert_eq!((report.stale, report.surplus, report.missing), (2, 1, 1), "{report:?}");
        assert_eq!(report.stale_ids.len(), 2);
    })
    .await;
}

/// The shop's database, of which every answer comes so late.
async fn far_away(shop: &TestShop, late: Duration, dir: &Path) -> PgPool {
    let options = (*shop.db.connect_options()).clone();
    let name = format!(".s.PGSQL.{}", options.get_port());
    let (near, listener) =
        (options.get_socket().unwrap().join(&name), UnixListener::bind(dir.join(&name)).unwrap());
    tokio::spawn(async move {
        loop {
            let (asks, tells) = listener.accept().await.unwrap().0.into_split();
            let (heard, asked) = UnixStream::connect(&near).await.unwrap().into_split();
            for (mut from, mut to, late) in [(asks, asked, Duration::ZERO), (heard, tells, late)] {
                tokio::spawn(async move {
                    let mut some = vec![0; 1 << 16];
                    while let Ok(length @ 1..) = from.read(&mut some).await {
                        tokio::time::sleep(late).await;
                        if to.write_all(&some[..length]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    PgPoolOptions::new().connect_with(options.socket(dir)).await.unwrap()
}

/// A comparison of the index that answers finds nothing wrong in what is written meanwhile, however long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_is_exact_while_products_are_written() {
    with_shop(async |shop| {
        fill(shop, 50).await;
        shop.settled().await;
        let (dir, late) = (tempfile::tempdir().unwrap(), Duration::from_millis(30));
        let slow = far_away(shop, late, dir.path()).await;
        let (db, indexing) = (shop.db.clone(), shop.shop.app.indexing.clone());
        let writing = tokio::spawn(async move {
            loop {
                let sql = "update product set price = price + 1 where id = (select min(id) + floor(random() * 50)::int from product)";
                sqlx::query(sql).execute(&db).await.unwrap();
                indexing.changed();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let mut compared = 0;
        for _ in 0..10 {
            let engine = shop.shop.app.indexing.engine();
            let report = verify::verify(&slow, engine, |_, _| {}).await.unwrap();
            assert!(report.is_clean(), "{report:?}");
            compared += report.compared;
        }
        writing.abort();
        assert!(compared > 100, "{compared}");
    })
    .await;
}

#[tokio::test]
async fn a_truncated_catalog_is_built_anew() {
    with_shop(async |shop| {
        fill(shop, 10).await;
        shop.settled().await;
        let epoch = shop.shop.app.indexing.applied().epoch;
        shop.at_a_prompt("truncate product cascade").await.unwrap();
        fill(shop, 3).await;
        let begun = Instant::now();
        while shop.shop.app.indexing.applied().epoch == epoch {
            assert!(begun.elapsed() < Duration::from_secs(20), "the mirror was not rebuilt");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        shop.settled().await;
        assert_eq!(shop.get("/api/product/").await.json["count"], 3);
        assert!(verified(shop).await.is_clean());
    })
    .await;
}

#[tokio::test]
async fn a_mirror_that_slept_past_the_log_is_built_anew() {
    with_shop(async |shop| {
        fill(shop, 10).await;
        shop.settled().await;
        // As if the log had been cut while this node was away.
        sqlx::raw_sql(
            "begin;
             set local session_replication_role = replica;
             update product set brand = 'unlogged';
             commit;
             update change_floor set floor = pg_snapshot_xmax(pg_current_snapshot())",
        )
        .execute(&shop.db)
        .await
        .unwrap();
        let begun = Instant::now();
        while shop.get("/api/product/?brand=unlogged").await.json["count"] != 10 {
            assert!(begun.elapsed() < Duration::from_secs(20), "the mirror was not rebuilt");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(verified(shop).await.is_clean());
    })
    .await;
}

#[tokio::test]
async fn a_write_is_searchable_soon() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        fill(shop, 200).await;
        shop.settled().await;
        let id: i64 = sqlx::query_scalar("select min(id) from product").fetch_one(&shop.db).await.unwrap();
        let mut waits = Vec::new();
        for round in 0..40 {
            let change = json!({"brand": format!("brand-{round}")});
            let written = shop.patch_as(&admin, &format!("/api/product/{id}/"), change).await.expect(200);
            let begun = Instant::now();
            shop.indexed(&written).await;
            waits.push(begun.elapsed());
        }
        waits.sort_unstable();
        println!("a write is searchable after {:?} (median), {:?} (p95)", waits[20], waits[37]);
        // The goal of 200 ms is for an idle machine and a release build; this is neither.
        assert!(waits[20] < Duration::from_secs(1), "{waits:?}");
    })
    .await;
}
