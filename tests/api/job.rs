//! Long work as jobs, seen from those who do it: how it ends, whatever happens on the way.

use std::time::Duration;

use duka::{
    auth::Author,
    error::Error,
    job::{
        Run,
        model::{Kind, New, Progress},
    },
};
use serde_json::{Value, json};

use crate::support::{TestShop, with_shop};

fn new(kind: Kind) -> New {
    New { kind, author: Author::SHOP, parameters: json!({}) }
}

async fn row(shop: &TestShop, id: i64) -> Value {
    sqlx::query_scalar("select to_jsonb(j) from job j where id = $1")
        .bind(id)
        .fetch_one(&shop.db)
        .await
        .unwrap()
}

/// The job's row once it has ended.
async fn ended(shop: &TestShop, id: i64) -> Value {
    for _ in 0..200 {
        let row = row(shop, id).await;
        if !row["finished_at"].is_null() {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the job does not end: {}", row(shop, id).await);
}

/// Work that goes on until it is told to stop.
async fn endless(run: Run) -> duka::error::Result<()> {
    run.stop().cancelled().await;
    Err(run.stopped())
}

#[tokio::test]
async fn work_ends_as_it_says() {
    with_shop(async |shop| {
        let jobs = &shop.shop.app.jobs;
        let run = jobs.create(new(Kind::Import)).await.unwrap();
        let good = run.id();
        jobs.spawn(run, async |run: Run| {
            assert!(!run.progress(Progress {
                done: 3,
                total: Some(4),
                rows_created: 2,
                ..Progress::default()
            }));
            Ok(())
        });
        let row = ended(shop, good).await;
        assert_eq!((&row["status"], &row["error"]), (&json!("succeeded"), &json!(null)));
        assert_eq!((&row["documents_done"], &row["documents_total"]), (&json!(3), &json!(4)));
        assert!(row["started_at"].is_string(), "{row}");

        let run = jobs.create(new(Kind::Import)).await.unwrap();
        let bad = run.id();
        jobs.spawn(run, async |_| Err(Error::malformed("The file is upside down.")));
        let row = ended(shop, bad).await;
        assert_eq!((&row["status"], &row["error"]), (&json!("failed"), &json!("The file is upside down.")));

        let run = jobs.create(new(Kind::Import)).await.unwrap();
        let broken = run.id();
        jobs.spawn(run, async |_| panic!("a bug"));
        let row = ended(shop, broken).await;
        assert_eq!(row["status"], "failed");
        assert!(!row["error"].as_str().unwrap().contains("bug"), "{row}");
    })
    .await;
}

#[tokio::test]
async fn one_reindex_at_a_time_and_imports_take_turns() {
    with_shop(async |shop| {
        let jobs = &shop.shop.app.jobs;
        let first = jobs.create(new(Kind::Reindex)).await.unwrap();
        let error = jobs.create(new(Kind::Reindex)).await.err().unwrap();
        assert_eq!(error.kind().slug(), "already-running");
        assert!(error.detail().contains(&Kind::Reindex.path(first.id())), "{error}");

        let (one, two) =
            (jobs.create(new(Kind::Import)).await.unwrap(), jobs.create(new(Kind::Import)).await.unwrap());
        let (one_id, two_id) = (one.id(), two.id());
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        jobs.spawn(one, async move |_| {
            let _ = gone.await;
            Ok(())
        });
        jobs.spawn(two, async |_| Ok(()));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            (&row(shop, one_id).await["status"], &row(shop, two_id).await["status"]),
            (&json!("running"), &json!("queued"))
        );
        go.send(()).unwrap();
        assert_eq!(ended(shop, one_id).await["status"], "succeeded");
        assert_eq!(ended(shop, two_id).await["status"], "succeeded");
    })
    .await;
}

#[tokio::test]
async fn an_import_whose_node_died_says_what_is_left_of_it() {
    with_shop(async |shop| {
        let wholly = ("Nothing of the file is kept unless all of it is", 0);
        for (parameters, (said, counted)) in [
            (json!({"on_error": "reject", "dry_run": false}), wholly),
            (json!({"on_error": "skip", "dry_run": true}), wholly),
            (json!({"on_error": "skip", "dry_run": false}), ("is found in place", 7)),
        ] {
            let dead: i64 = sqlx::query_scalar(
                "insert into job (kind, status, parameters, node_id, started_at, heartbeat_at, rows_created, rows_updated)
                 values ('import', 'running', $1, 'elsewhere', now(), now() - interval '31 seconds', 7, 7) returning id",
            )
            .bind(&parameters)
            .fetch_one(&shop.db)
            .await
            .unwrap();
            ended(shop, dead).await;
            let (error, created, updated): (String, i64, i64) =
                sqlx::query_as("select error, rows_created, rows_updated from job where id = $1")
                    .bind(dead)
                    .fetch_one(&shop.db)
                    .await
                    .unwrap();
            assert!(error.contains(said) && error.contains("again"), "{parameters}: {error}");
            assert_eq!((created, updated), (counted, counted), "{parameters}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_node_died_blocks_nobody() {
    with_shop(async |shop| {
        let dead: i64 = sqlx::query_scalar(
            "insert into job (kind, status, node_id, started_at, heartbeat_at)
             values ('reindex', 'running', 'elsewhere', now(), now() - interval '31 seconds') returning id",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        let alive: i64 = sqlx::query_scalar(
            "insert into job (kind, status, node_id, started_at, heartbeat_at)
             values ('import', 'running', 'elsewhere', now(), now() - interval '15 seconds') returning id",
        )
        .fetch_one(&shop.db)
        .await
        .unwrap();
        let jobs = &shop.shop.app.jobs;
        let run = jobs.create(new(Kind::Reindex)).await.expect("the dead job's place is free");
        let row_of_dead = row(shop, dead).await;
        assert_eq!(row_of_dead["status"], "failed");
        assert!(row_of_dead["error"].as_str().unwrap().contains("again"), "{row_of_dead}");
        assert_eq!(row(shop, alive).await["status"], "running");

        // Nobody needs to ask for a job: every node looks.
        sqlx::query("update job set heartbeat_at = now() - interval '1 minute' where id = $1")
            .bind(alive)
            .execute(&shop.db)
            .await
            .unwrap();
        assert_eq!(ended(shop, alive).await["status"], "failed");

        // One that was taken for dead and is not stops, and does not contradict.
        let id = run.id();
        jobs.spawn(run, endless);
        sqlx::query(
            "update job set status = 'failed', error = 'declared dead', finished_at = now() where id = $1",
        )
        .bind(id)
        .execute(&shop.db)
        .await
        .unwrap();
        let run = jobs.create(new(Kind::Reindex)).await.unwrap();
        let next = run.id();
        jobs.spawn(run, async |_| Ok(()));
        assert_eq!(ended(shop, next).await["status"], "succeeded", "the turn was given on");
        assert_eq!(row(shop, id).await["error"], "declared dead");
    })
    .await;
}

#[tokio::test]
async fn a_shop_that_closes_stops_its_jobs_and_says_so() {
    with_shop(async |shop| {
        let jobs = &shop.shop.app.jobs;
        let (running, waiting) =
            (jobs.create(new(Kind::Import)).await.unwrap(), jobs.create(new(Kind::Import)).await.unwrap());
        let ids = [running.id(), waiting.id()];
        jobs.spawn(running, endless);
        jobs.spawn(waiting, endless);
        jobs.close().await;
        for id in ids {
            let row = row(shop, id).await;
            assert_eq!(row["status"], "failed");
            assert!(row["error"].as_str().unwrap().contains("shut down"), "{row}");
        }
    })
    .await;
}

/// A server that is frozen in the middle of a transaction keeps rows, the imports' turn and the log for itself until
/// PostgreSQL stops waiting for it.
#[tokio::test]
async fn nobody_holds_a_transaction_open_for_as_long_as_it_sleeps() {
    with_shop(async |shop| {
        let app = &shop.shop.app;
        for (name, pool) in [("web", &app.web), ("imports", &app.imports), ("exports", &app.exports)] {
            let seconds: i32 = sqlx::query_scalar(
                "select setting::int / 1000 from pg_settings where name = 'idle_in_transaction_session_timeout'",
            )
            .fetch_one(pool)
            .await
            .unwrap();
            assert!((1..=300).contains(&seconds), "{name}: {seconds} s");
        }
    })
    .await;
}
