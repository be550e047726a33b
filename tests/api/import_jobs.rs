//! Importing over HTTP: a file in any wrapping, a job that can be watched and stopped.

mod limits;

use std::{io::Write, time::Duration};

use duka::auth::Role;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::support::{Answer, TestShop, User, with_shop};

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

fn post(shop: &TestShop, admin: &User, query: &str) -> RequestBuilder {
    shop.request(Method::POST, &format!("/api/admin/import/{query}")).bearer_auth(&admin.access)
}

async fn send(
    shop: &TestShop,
    admin: &User,
    query: &str,
    media_type: &str,
    body: impl Into<reqwest::Body>,
) -> Answer {
    shop.send(post(shop, admin, query).header("content-type", media_type).body(body)).await
}

fn rows(range: std::ops::Range<u32>) -> String {
    range
        .map(|n| format!("{}\n", json!({"sku": format!("S{n}"), "name": format!("Thing {n}"), "price": 1})))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The job that was answered, once it has ended.
async fn ended(shop: &TestShop, admin: &User, answer: Answer) -> Value {
    let answer = answer.expect(202);
    let path = answer.header("location").to_owned();
    assert_eq!(path, format!("/api/admin/import/{}/", answer.id()));
    wait(shop, admin, &path, |job| !job["finished_at"].is_null()).await
}

async fn wait(shop: &TestShop, admin: &User, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..400 {
        let job = shop.get_as(admin, path).await.expect(200).json;
        if is_so(&job) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not come to that: {}", shop.get_as(admin, path).await.text);
}

/// What is in the data directory: an upload must leave nothing in it.
fn files(shop: &TestShop) -> Vec<String> {
    let entries = std::fs::read_dir(shop.data_dir.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

async fn jobs(shop: &TestShop) -> i64 {
    sqlx::query_scalar("select count(*) from job").fetch_one(&shop.db).await.unwrap()
}

#[tokio::test]
async fn a_file_comes_in_in_every_wrapping() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let before = files(shop);
        let csv = "sku,name,price\r\nC1,Cup,2.50\r\nC2,\"Kettle, big\",3\r\n";
        let form = |part: Part| Form::new().part("file", part);
        let part = |bytes: Vec<u8>, name: &str| Part::bytes(bytes).file_name(name.to_owned());
        let requests = [
            post(shop, &admin, "").header("content-type", NDJSON).body(rows(0..2)),
            post(shop, &admin, "").header("content-type", "application/jsonl").body(rows(2..4)),
            post(shop, &admin, "").header("content-type", "text/csv; charset=utf-8").body(csv),
            post(shop, &admin, "")
                .header("content-type", NDJSON)
                .header("content-encoding", "gzip")
                .body(gzip(rows(4..6).as_bytes())),
            post(shop, &admin, "").multipart(form(part(rows(6..8).into_bytes(), "a.ndjson"))),
            post(shop, &admin, "").multipart(form(part(csv.replace('C', "D").into_bytes(), "a.csv"))),
            post(shop, &admin, "").multipart(form(part(gzip(csv.replace('C', "E").as_bytes()), "a.csv.gz"))),
            // The type that the part declares beats its name.
            post(shop, &admin, "")
                .multipart(form(part(rows(8..10).into_bytes(), "a.csv").mime_str(NDJSON).unwrap())),
            // Neither says anything: the first bytes do.
            post(shop, &admin, "").multipart(form(part(gzip(rows(10..12).as_bytes()), "blob"))),
            // As pieces, without a length.
            post(shop, &admin, "").header("content-type", NDJSON).body(reqwest::Body::wrap_stream(
                stream::iter(
                    rows(12..14)
                        .into_bytes()
                        .chunks(7)
                        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
                        .collect::<Vec<_>>(),
                ),
            )),
        ];
        for (at, request) in requests.into_iter().enumerate() {
            let job = ended(shop, &admin, shop.send(request).await).await;
            assert_eq!(job["status"], "succeeded", "{at}: {job}");
            let counts =
                ["rows_created", "rows_updated", "rows_refused", "documents_done", "documents_total"];
            assert_eq!(counts.map(|name| job[name].as_i64().unwrap()), [2, 0, 0, 2, 2], "{at}: {job}");
            assert!(job["started_at"].is_string() && job["error"].is_null(), "{job}");
            // Its own write, at once.
            let version = job["catalog_version"].as_str().unwrap();
            let found = shop.get(&format!("/api/product/?min_version={version}")).await.expect(200).json;
            assert_eq!(found["count"].as_u64().unwrap(), 2 * (at as u64 + 1));
        }
        assert_eq!(files(shop), before);
        let kettle = shop.get("/api/product/?q=kettle").await.json;
        assert_eq!(kettle["count"], 3);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_keeps_nothing_and_says_what_it_would_do() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let before = shop.fingerprint().await;
        let job = ended(shop, &admin, send(shop, &admin, "?dry_run=true", NDJSON, rows(0..3)).await).await;
        assert_eq!(
            (&job["status"], &job["dry_run"], &job["on_error"]),
            (&json!("succeeded"), &json!(true), &json!("reject"))
        );
        assert_eq!((&job["rows_created"], &job["catalog_version"]), (&json!(3), &json!(null)));
        assert_eq!(shop.fingerprint().await, before);
        assert_eq!(
            shop.send(post(shop, &admin, "?dry_run=yes").header("content-type", NDJSON))
                .await
                .expect(400)
                .faults(),
            ["dry_run"]
        );
        assert_eq!(
            send(shop, &admin, "?on_error=stop&x=1", NDJSON, "").await.expect(400).faults(),
            ["on_error", "x"]
        );
    })
    .await;
}

#[tokio::test]
async fn refused_rows_are_told_page_by_page() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut file = String::new();
        for n in 0..50 {
            file.push_str(&format!("{}\n", json!({"sku": format!("G{n}"), "name": "Good", "price": 1})));
            file.push_str(&format!("{}\n", json!({"sku": format!("B{n}"), "price": -1, "colour": "red"})));
        }
        let before = shop.fingerprint().await;
        let job = ended(shop, &admin, send(shop, &admin, "", NDJSON, file.clone()).await).await;
        assert_eq!(job["status"], "failed");
        let error = job["error"].as_str().unwrap();
        assert!(error.contains("50 of 100 rows") && error.contains("errors/"), "{error}");
        assert_eq!((&job["rows_created"], &job["rows_refused"]), (&json!(0), &json!(50)));
        assert_eq!((&job["documents_done"], &job["catalog_version"]), (&json!(100), &json!(null)));
        assert_eq!(shop.fingerprint().await, before);

        let path = format!("/api/admin/import/{}/errors/", job["id"]);
        let first = shop.get_as(&admin, &format!("{path}?page_size=20")).await.expect(200).json;
        assert_eq!((&first["count"], first["results"].as_array().unwrap().len()), (&json!(50), 20));
        let told = &first["results"][1];
        assert_eq!((&told["line"], &told["sku"]), (&json!(4), &json!("B1")));
        let reason = told["reason"].as_str().unwrap();
        assert!(
            reason.contains("/name is required; /price must not be negative; /colour is not known"),
            "{reason}"
        );
        assert_eq!(job["errors"].as_array().map(Vec::len), Some(50));
        assert_eq!(&job["errors"][1], told, "and with the job");
        let second = shop.get_as(&admin, first["next"].as_str().unwrap()).await.expect(200).json;
        assert_eq!(second["results"][0]["line"], 42);
        assert!(second["previous"].as_str().unwrap().ends_with("page=1"), "{second}");

        let mut lines: Vec<i64> = Vec::new();
        let mut next = format!("{path}?page_size=20");
        loop {
            let page = shop.get_as(&admin, &next).await.expect(200).json;
            lines.extend(page["results"].as_array().unwrap().iter().map(|row| row["line"].as_i64().unwrap()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{path}?page_size=20&cursor={cursor}");
        }
        assert_eq!(lines, (1..=50).map(|n| 2 * n).collect::<Vec<_>>());
        let cursor = first["next_cursor"].as_str().unwrap();
        let both = shop.get_as(&admin, &format!("{path}?page=1&cursor={cursor}")).await.expect(400);
        assert_eq!(both.faults(), ["cursor"]);
        // Another import's list is another list.
        let job = ended(shop, &admin, send(shop, &admin, "?on_error=skip", NDJSON, file).await).await;
        assert_eq!(
            (&job["status"], &job["rows_created"], &job["rows_refused"]),
            (&json!("succeeded"), &json!(50), &json!(50))
        );
        let other = format!("/api/admin/import/{}/errors/?cursor={cursor}", job["id"]);
        assert_eq!(shop.get_as(&admin, &other).await.expect(400).faults(), ["cursor"]);
        assert_eq!(shop.get_as(&admin, "/api/admin/import/99/errors/").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn an_import_is_cancelled_in_the_middle() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        ended(shop, &admin, send(shop, &admin, "", NDJSON, rows(1_500..1_501)).await).await;
        // Somebody else holds a row of the second step.
        let mut other = shop.db.begin().await.unwrap();
        sqlx::query("select 1 from product where sku = 'S1500' for update")
            .execute(&mut *other)
            .await
            .unwrap();
        let answer = send(shop, &admin, "?on_error=skip", NDJSON, rows(0..3_000)).await.expect(202);
        let path = answer.header("location").to_owned();
        let job = wait(shop, &admin, &path, |job| job["documents_done"] == 1_000).await;
        assert_eq!((&job["status"], &job["documents_total"]), (&json!("running"), &json!(3_000)));
        shop.delete_as(&admin, &path).await.expect(202);
        shop.delete_as(&admin, &path).await.expect(202);
        // Whoever runs it hears of that with the next heartbeat, and only then may it go on.
        let heard = "select heartbeat_at > cancel_requested_at from job order by id desc limit 1";
        while !sqlx::query_scalar::<_, bool>(heard).fetch_one(&shop.db).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.rollback().await.unwrap();
        let job = wait(shop, &admin, &path, |job| !job["finished_at"].is_null()).await;
        assert_eq!((&job["status"], &job["error"]), (&json!("cancelled"), &json!(null)));
        assert_eq!((&job["rows_created"], &job["documents_done"]), (&json!(1_000), &json!(1_000)));
        let version = job["catalog_version"].as_str().unwrap();
        let found = shop.get(&format!("/api/product/?min_version={version}")).await.expect(200).json;
        assert_eq!(found["count"], 1_001, "what had been kept stays");
        shop.delete_as(&admin, &path).await.expect(202);

        // One that keeps all or nothing keeps nothing, and one that waits for another process' does not begin.
        let before = shop.fingerprint().await;
        let mut other = shop.db.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(hashtextextended('duka.import', 0))")
            .execute(&mut *other)
            .await
            .unwrap();
        let answer = send(shop, &admin, "", NDJSON, rows(5_000..5_010)).await.expect(202);
        let path = answer.header("location").to_owned();
        wait(shop, &admin, &path, |job| job["status"] == "running").await;
        shop.delete_as(&admin, &path).await.expect(202);
        let job = wait(shop, &admin, &path, |job| !job["finished_at"].is_null()).await;
        assert_eq!((&job["status"], &job["rows_created"]), (&json!("cancelled"), &json!(0)));
        other.rollback().await.unwrap();
        assert_eq!(shop.fingerprint().await, before);

        let job = ended(shop, &admin, send(shop, &admin, "", NDJSON, rows(0..1)).await).await;
        let late = shop.delete_as(&admin, &format!("/api/admin/import/{}/", job["id"])).await.expect(409);
        assert_eq!(late.json["type"], "/problems/already-finished");
    })
    .await;
}

#[tokio::test]
async fn events_tell_an_import_to_its_end() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut other = shop.db.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(hashtextextended('duka.import', 0))")
            .execute(&mut *other)
            .await
            .unwrap();
        let answer = send(shop, &admin, "", NDJSON, rows(0..5)).await.expect(202);
        let path = answer.header("location").to_owned();
        let watch = shop.request(Method::GET, &format!("{path}events/")).bearer_auth(&admin.access);
        // What is compressed would be held back until there is enough of it.
        let watch = watch.header("accept-encoding", "gzip, br");
        let mut response = watch.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let first = response.chunk().await.unwrap().unwrap();
        assert!(first.starts_with(b"data: {"), "at once: {first:?}");
        other.rollback().await.unwrap();
        let mut text = String::from_utf8(first.to_vec()).unwrap();
        while let Some(chunk) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let events: Vec<Value> = text
            .split("\n\n")
            .filter_map(|event| Some(serde_json::from_str(event.strip_prefix("data: ")?).unwrap()))
            .collect();
        assert!(events.len() >= 2 && events.windows(2).all(|pair| pair[0] != pair[1]), "{text}");
        assert_ne!(events[0]["status"], "succeeded");
        let job = shop.get_as(&admin, &path).await.json;
        assert_eq!((events.last(), &job["status"]), (Some(&job), &json!("succeeded")));
        // Of one that has ended, its end.
        let again = shop.get_as(&admin, &format!("{path}events/")).await.expect(200);
        assert_eq!(again.text.matches("data: ").count(), 1);
        assert_eq!(serde_json::from_str::<Value>(again.text["data: ".len()..].trim_end()).unwrap(), job);
    })
    .await;
}

#[tokio::test]
async fn admins_alone_import_and_what_is_no_catalog_is_refused() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let vendor = shop.user("vera", Role::Vendor).await;
        let anonymous =
            shop.request(Method::POST, "/api/admin/import/").header("content-type", NDJSON).body(rows(0..1));
        shop.send(anonymous).await.expect(401);
        send(shop, &vendor, "", NDJSON, rows(0..1)).await.expect(403);
        for path in ["/api/admin/import/1/", "/api/admin/import/1/errors/", "/api/admin/import/1/events/"] {
            shop.get(path).await.expect(401);
            shop.get_as(&vendor, path).await.expect(403);
            shop.get_as(&admin, path).await.expect(404);
        }
        shop.delete_as(&vendor, "/api/admin/import/1/").await.expect(403);
        shop.delete_as(&admin, "/api/admin/import/1/").await.expect(404);

        let refused = send(shop, &admin, "", "application/json", "{}").await.expect(415);
        assert!(refused.text.contains("application/x-ndjson"), "{}", refused.text);
        shop.send(post(shop, &admin, "").body("{}")).await.expect(415);
        let brotli =
            post(shop, &admin, "").header("content-type", CSV).header("content-encoding", "br").body("x");
        shop.send(brotli).await.expect(415);
        let file = |name: &str| Part::bytes(rows(0..1).into_bytes()).file_name(name.to_owned());
        for form in [
            Form::new(),
            Form::new().text("note", "no file"),
            Form::new().part("a", file("a.ndjson")).part("b", file("b.ndjson")),
            Form::new().part("a", file("a.ndjson")).text("note", "more"),
        ] {
            let answer = shop.send(post(shop, &admin, "").multipart(form)).await;
            assert!(matches!(answer.status, 400 | 422), "{}", answer.text);
        }
        let broken =
            post(shop, &admin, "").header("content-type", "multipart/form-data; boundary=x").body("--y\r\n");
        shop.send(broken).await.expect(400);
        shop.send(post(shop, &admin, "").header("content-type", "multipart/form-data").body(""))
            .await
            .expect(400);
        assert_eq!(jobs(shop).await, 0);

        // What turns out later fails the job, in words.
        let packed = gzip(rows(0..100).as_bytes());
        let cut = packed[..packed.len() - 10].to_vec();
        for (media_type, coding, body, word) in [
            (NDJSON, "gzip", cut, "sent whole"),
            (NDJSON, "gzip", rows(0..1).into_bytes(), "not"),
            (CSV, "identity", b"sku;name;price\n".to_vec(), "separate the columns by commas"),
            (CSV, "identity", Vec::new(), "header row is missing"),
        ] {
            let request = post(shop, &admin, "?on_error=skip").header("content-type", media_type);
            let request = request.header("content-encoding", coding).body(body);
            let job = ended(shop, &admin, shop.send(request).await).await;
            assert_eq!(job["status"], "failed", "{job}");
            assert!(job["error"].as_str().unwrap().contains(word), "{job}");
        }
        assert_eq!(shop.get("/api/product/").await.json["count"], 0);
    })
    .await;
}
