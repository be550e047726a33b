//! What is committed beside the code agrees with it: the OpenAPI document, and the cache of checked queries.

use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::support::TestDatabase;

#[test]
fn the_openapi_document_is_as_committed() {
    let document = duka::router::openapi().to_pretty_json().unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    insta::assert_json_snapshot!("openapi", document);
}

/// A query that was checked against an older schema would fail at run time only.
#[tokio::test]
async fn every_cached_query_is_valid_in_the_present_schema() {
    let database = TestDatabase::create().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let cached: serde_json::Value = serde_json::from_str(&text).unwrap();
        let query = cached["query"].as_str().unwrap().to_owned();
        let described = (&database.pool).prepare(AssertSqlSafe(query.clone()).into_sql_str()).await;
        assert!(described.is_ok(), "{query}\n{:?}", described.err());
        checked += 1;
    }
    assert!(checked > 50, "only {checked} queries were found");
    database.drop().await;
}

/// Every table says what it is for.
#[tokio::test]
async fn every_table_has_a_comment() {
    let database = TestDatabase::create().await;
    let silent: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname <> '_sqlx_migrations'
           and obj_description(c.oid, 'pg_class') is null",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    assert!(silent.is_empty(), "{silent:?}");
    database.drop().await;
}
