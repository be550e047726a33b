//! The search's settings: who sets them, what is refused, and that every node takes them over.

mod trials;

use std::{collections::BTreeSet, time::Duration};

use duka::{
    auth::Role,
    database::begin_snapshot,
    indexing::{Indexing, Version, tuning},
};
use duka_index::{Settings, Synonym};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, TestShop, User, decoded, with_shop};

const PATH: &str = "/api/admin/search-settings/";

async fn put(shop: &TestShop, admin: &User, body: &Value) -> Answer {
    shop.send(shop.request(Method::PUT, PATH).bearer_auth(&admin.access).json(body)).await
}

async fn put_if(shop: &TestShop, admin: &User, etag: &str, body: &Value) -> Answer {
    let request = shop.request(Method::PUT, PATH).bearer_auth(&admin.access).header("if-match", etag);
    shop.send(request.json(body)).await
}

/// Settings that differ by their one synonym.
fn settings(word: &str) -> Value {
    let weights = json!({
        "name": 8.5, "brand": 5, "sku": 5, "category": 3, "attributes": 0.1, "variants": 0, "description": 1
    });
    let synonyms = json!([
        {"type": "two_way", "phrases": [word, "television"]},
        {"type": "one_way", "from": "phone", "to": ["smart phone"]}
    ]);
    json!({"synonyms": synonyms, "stop_words": ["with", "the"], "weights": weights})
}

async fn rows(shop: &TestShop) -> i64 {
    sqlx::query_scalar("select count(*) from search_settings").fetch_one(&shop.db).await.unwrap()
}

/// The first word of the first synonym that searches of this node know.
fn known(indexing: &Indexing) -> Option<String> {
    match &indexing.tuning().settings.synonyms.first()? {
        Synonym::TwoWay { phrases } => phrases.first().cloned(),
        Synonym::OneWay { from, .. } => Some(from.clone()),
    }
}

#[tokio::test]
async fn at_first_the_defaults_hold() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let first = shop.get_as(&admin, PATH).await.expect(200);
        let defaults = Settings::default();
        assert_eq!(first.json["version"], 0);
        assert_eq!(first.json["synonyms"], json!([]));
        assert_eq!(first.json["stop_words"], json!(defaults.stop_words));
        let weights = r#""weights":{"name":6.3,"brand":4.0,"sku":4.0,"category":3.8,"attributes":3.6,"variants":3.6,"description":3.4}"#;
        assert!(first.text.contains(weights), "{}", first.text);
        assert_eq!((&first.json["updated_at"], &first.json["rebuild_needed"]), (&json!(null), &json!(false)));
        assert!(!first.header("etag").is_empty());
        assert_eq!(shop.shop.app.indexing.tuning().settings, defaults);

        // What was read can be written, and says nothing new.
        let mut same = first.json.clone();
        for name in ["version", "updated_at", "rebuild_needed"] {
            same.as_object_mut().unwrap().remove(name);
        }
        let written = put(shop, &admin, &same).await.expect(200);
        assert_eq!((&written.json, rows(shop).await), (&first.json, 0));
    })
    .await;
}

#[tokio::test]
async fn admins_alone_read_and_write_them() {
    with_shop(async |shop| {
        let body = settings("tv");
        shop.get(PATH).await.expect(401);
        shop.send(shop.request(Method::PUT, PATH).json(&body)).await.expect(401);
        for role in [Role::Customer, Role::Vendor] {
            let user = shop.user(role.as_str(), role).await;
            shop.get_as(&user, PATH).await.expect(403);
            put(shop, &user, &body).await.expect(403);
        }
        assert_eq!(rows(shop).await, 0);
        let admin = shop.admin().await;
        put(shop, &admin, &body).await.expect(200);
        let by: Option<i64> =
            sqlx::query_scalar("select created_by from search_settings").fetch_one(&shop.db).await.unwrap();
        assert_eq!(by, Some(admin.id));
        let other = shop.send(shop.request(Method::PATCH, PATH).bearer_auth(&admin.access).json(&body)).await;
        assert_eq!(other.expect(405).header("allow"), "GET,HEAD,PUT");
        shop.get_as(&admin, "/api/admin/search-settings/?version=1").await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn each_change_is_a_version() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let first = put(shop, &admin, &settings("tv")).await.expect(200);
        assert_eq!(first.json["version"], 1);
        assert_eq!(first.json["synonyms"], settings("tv")["synonyms"]);
        assert_eq!(first.json["stop_words"], json!(["the", "with"]));
        assert!(first.text.contains("\"attributes\":0.1,"), "{}", first.text);
        assert!(first.json["updated_at"].is_string() && first.json["rebuild_needed"] == false);
        let read = shop.get_as(&admin, PATH).await.expect(200);
        assert_eq!((&read.json, read.header("etag")), (&first.json, first.header("etag")));

        let mut reordered = settings("tv");
        reordered["stop_words"] = json!(["with", "the"]);
        let same = put(shop, &admin, &reordered).await.expect(200);
        assert_eq!((&same.json, rows(shop).await), (&first.json, 1));
        assert!(!same.header("x-catalog-version").is_empty());

        let second = put(shop, &admin, &settings("telly")).await.expect(200);
        let third = put(shop, &admin, &settings("tv")).await.expect(200);
        assert_eq!((&second.json["version"], &third.json["version"]), (&json!(2), &json!(3)));
        assert_eq!(rows(shop).await, 3, "the history is kept");
    })
    .await;
}

#[tokio::test]
async fn two_who_set_at_once_both_count() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let words: Vec<Value> = (0..8).map(|number| settings(&format!("tv{number}"))).collect();
        let answers = futures_util::future::join_all(words.iter().map(|body| put(shop, &admin, body))).await;
        let mut versions: Vec<i64> =
            answers.into_iter().map(|answer| answer.expect(200).json["version"].as_i64().unwrap()).collect();
        versions.sort_unstable();
        assert_eq!(versions, (1..=8).collect::<Vec<_>>());
        assert_eq!(rows(shop).await, 8);
    })
    .await;
}

#[tokio::test]
async fn a_stale_writer_is_refused() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let zero = shop.get_as(&admin, PATH).await.header("etag").to_owned();
        let first = put_if(shop, &admin, &zero, &settings("tv")).await.expect(200);
        let stale = put_if(shop, &admin, &zero, &settings("telly")).await.expect(412);
        assert_eq!(stale.json["type"], "/problems/precondition-failed");
        put_if(shop, &admin, "\"1\"", &settings("tv")).await.expect(412);
        assert_eq!(rows(shop).await, 1);
        let second = put_if(shop, &admin, first.header("etag"), &settings("telly")).await.expect(200);
        assert_ne!(second.header("etag"), first.header("etag"));
        put_if(shop, &admin, "*", &settings("tv")).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_tag_is_of_one_coding_and_permits_a_change_in_any() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let phrases: Vec<String> = (0..20).map(|number| format!("set of {number} televisions")).collect();
        let mut body = settings("tv");
        body["synonyms"] = json!([{"type": "two_way", "phrases": phrases}]);
        put(shop, &admin, &body).await.expect(200);
        let read = async |coding: &str, known: &str| {
            let request = shop.request(Method::GET, PATH).header("if-none-match", known);
            let request = request.bearer_auth(&admin.access).header("accept-encoding", coding);
            let (status, headers, _) = decoded(request).await;
            assert_eq!(headers["vary"], "accept-encoding, authorization, origin");
            (status, headers["etag"].to_str().unwrap().to_owned())
        };
        let mut tags = BTreeSet::new();
        for coding in ["identity", "gzip", "br"] {
            let (status, tag) = read(coding, "\"other\"").await;
            assert_eq!((status, read(coding, &tag).await.0), (200, 304), "{coding}");
            tags.insert(tag);
        }
        assert_eq!(tags.len(), 3, "{tags:?}");
        for coding in ["identity", "gzip", "br"] {
            let (_, tag) = read(coding, "").await;
            body["stop_words"] = json!([coding]);
            put_if(shop, &admin, &tag, &body).await.expect(200);
            put_if(shop, &admin, &tag, &body).await.expect(412);
        }
    })
    .await;
}

#[tokio::test]
async fn whatever_is_wrong_is_named_and_changes_nothing() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let with = |name: &str, value: Value| {
            let mut body = settings("tv");
            body[name] = value;
            body
        };
        let synonym = |value: Value| with("synonyms", json!([{"type": "two_way", "phrases": ["a", "b"]}, value]));
        let weight = |name: &str, value: Value| {
            let mut body = settings("tv");
            body["weights"][name] = value;
            body
        };
        let without = |name: &str| {
            let mut body = settings("tv");
            body.as_object_mut().unwrap().remove(name);
            body
        };
        let many = |count: usize| (0..count).map(|number| format!("w{number}")).collect::<Vec<_>>();
        let long = "a b c d e f";
        let cases = [
            (without("synonyms"), "/synonyms"),
            (without("stop_words"), "/stop_words"),
            (without("weights"), "/weights"),
            (with("version", json!(1)), "/version"),
            (with("synonyms", json!(vec![json!({"type": "two_way", "phrases": ["a", "b"]}); 5_001])), "/synonyms"),
            (with("synonyms", json!({})), "/synonyms"),
            (synonym(json!("tv")), "/synonyms/1"),
            (synonym(json!({"phrases": ["a", "b"]})), "/synonyms/1/type"),
            (synonym(json!({"type": "synonym", "phrases": ["a", "b"]})), "/synonyms/1/type"),
            (synonym(json!({"type": "two_way", "phrases": ["a"]})), "/synonyms/1/phrases"),
            (synonym(json!({"type": "two_way", "phrases": many(21)})), "/synonyms/1/phrases"),
            (synonym(json!({"type": "two_way", "phrases": ["a", long]})), "/synonyms/1/phrases/1"),
            (synonym(json!({"type": "two_way", "phrases": ["...", "a"]})), "/synonyms/1/phrases/0"),
            (synonym(json!({"type": "two_way", "phrases": ["a", 1]})), "/synonyms/1/phrases/1"),
            (synonym(json!({"type": "two_way", "phrases": ["a", "b"], "to": ["c"]})), "/synonyms/1/to"),
            (synonym(json!({"type": "one_way", "to": ["a"]})), "/synonyms/1/from"),
            (synonym(json!({"type": "one_way", "from": long, "to": ["a"]})), "/synonyms/1/from"),
            (synonym(json!({"type": "one_way", "from": "a", "to": []})), "/synonyms/1/to"),
            (synonym(json!({"type": "one_way", "from": "a", "to": ["\u{0}"]})), "/synonyms/1/to/0"),
            (with("stop_words", json!(many(1_001))), "/stop_words"),
            (with("stop_words", json!(["the", "of the"])), "/stop_words/1"),
            (with("stop_words", json!(["the", ""])), "/stop_words/1"),
            (with("stop_words", json!("the")), "/stop_words"),
            (weight("name", json!(-0.01)), "/weights/name"),
            (weight("brand", json!(100.01)), "/weights/brand"),
            (weight("sku", json!("5")), "/weights/sku"),
            (weight("category", json!(null)), "/weights/category"),
            (weight("title", json!(1)), "/weights/title"),
        ];
        for (body, pointer) in cases {
            let answer = put(shop, &admin, &body).await;
            let shown = body.to_string().chars().take(200).collect::<String>();
            assert_eq!(answer.status, 422, "{shown}");
            assert_eq!(answer.faults(), [pointer], "{shown}");
        }
        let both = json!({"synonyms": [{"type": "two_way"}], "stop_words": [1], "weights": []});
        let answer = put(shop, &admin, &both).await.expect(422);
        assert_eq!(answer.faults(), ["/synonyms/0/phrases", "/stop_words/0", "/weights"]);
        assert_eq!((rows(shop).await, shop.shop.app.indexing.tuning().version), (0, 0));

        // Larger than other bodies may be, and not without an end.
        let rule = |number: usize| json!({"type": "two_way", "phrases": [format!("word {number}"), format!("other {number}")]});
        let large = with("synonyms", (0..5_000).map(rule).collect());
        assert!(large.to_string().len() > 200_000);
        put(shop, &admin, &large).await.expect(200);
        let huge = with("synonyms", json!(["x".repeat(600_000)]));
        assert!(put(shop, &admin, &huge).await.expect(413).json["detail"].as_str().unwrap().contains("512 KiB"));
    })
    .await;
}

#[tokio::test]
async fn every_node_takes_them_over() {
    with_shop(async |shop| {
        let (first, stop) = (&shop.shop.app.indexing, CancellationToken::new());
        let folder = tempfile::tempdir().unwrap();
        let start = || Indexing::start(shop.db.clone(), folder.path().to_owned(), stop.child_token());
        let (second, worker) = start().await.unwrap();
        let admin = shop.admin().await;
        for round in 0..5 {
            let word = format!("tv{round}");
            let written = put(shop, &admin, &settings(&word)).await.expect(200);
            let version: Version = written.header("x-catalog-version").parse().unwrap();
            for node in [first, &second] {
                assert!(node.holds(version, Duration::from_secs(10)).await);
                assert_eq!(known(node).as_deref(), Some(word.as_str()));
                assert_eq!(Some(node.tuning().version), written.json["version"].as_i64());
            }
            shop.get(&format!("/api/product/?q=tv&min_version={version}")).await.expect(200);
        }
        let mut snapshot = begin_snapshot(&shop.db).await.unwrap();
        assert_eq!(tuning(&mut snapshot).await.unwrap().version, 5);
        snapshot.rollback().await.unwrap();

        // Whoever was away has them from its first answer on.
        stop.cancel();
        worker.await.unwrap();
        put(shop, &admin, &settings("telly")).await.expect(200);
        let stop = CancellationToken::new();
        let (third, worker) =
            Indexing::start(shop.db.clone(), folder.path().to_owned(), stop.clone()).await.unwrap();
        assert_eq!(known(&third).as_deref(), Some("telly"));
        stop.cancel();
        worker.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn in_another_history_the_same_version_says_something_else() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let written = put(shop, &admin, &settings("tv")).await.expect(200);
        shop.indexed(&written).await;
        // As a restored dump would have it; the epoch makes the index be built anew.
        sqlx::raw_sql(
            "begin;
             set local session_replication_role = replica;
             update search_settings set settings = jsonb_set(settings, '{synonyms,0,phrases,0}', '\"telly\"');
             update index_epoch set epoch = epoch / 2 + 1;
             commit",
        )
        .execute(&shop.db)
        .await
        .unwrap();
        let same = put(shop, &admin, &settings("telly")).await.expect(200);
        assert_eq!(same.json["version"], 1);
        shop.indexed(&same).await;
        assert_eq!(known(&shop.shop.app.indexing).as_deref(), Some("telly"));
    })
    .await;
}

#[tokio::test]
async fn what_a_newer_program_wrote_leaves_the_last_good_ones() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let good = put(shop, &admin, &settings("tv")).await.expect(200);
        shop.indexed(&good).await;
        let insert =
            "insert into search_settings (version, settings) values (2, '{\"ranking\": \"neural\"}')";
        sqlx::raw_sql(insert).execute(&shop.db).await.unwrap();
        shop.settled().await;
        let now = shop.shop.app.indexing.tuning();
        assert_eq!((now.version, known(&shop.shop.app.indexing).as_deref()), (1, Some("tv")));
        shop.get_as(&admin, PATH).await.expect(500);
        // They can be replaced, also by those that were there before.
        let mended = put(shop, &admin, &settings("tv")).await.expect(200);
        shop.indexed(&mended).await;
        assert_eq!((&mended.json["version"], shop.shop.app.indexing.tuning().version), (&json!(3), 3));
    })
    .await;
}

#[tokio::test]
async fn history_is_not_rewritten() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        put(shop, &admin, &settings("tv")).await.expect(200);
        for statement in [
            "update search_settings set settings = '{}'",
            "delete from search_settings",
            "truncate search_settings",
        ] {
            let refused = sqlx::raw_sql(statement).execute(&shop.db).await.unwrap_err();
            assert!(refused.to_string().contains("insert a new version"), "{refused}");
        }
    })
    .await;
}
