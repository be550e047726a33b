//! The audit: who changed what is written down with the change, and stays.

mod acts;
mod log;
mod operations;
mod own;
mod silence;
mod writes;

use serde_json::Value;

use crate::support::{Answer, TestShop, User};

const PATH: &str = "/api/admin/audit/";

/// The log's lines that a query asks for, newest first.
async fn log(shop: &TestShop, admin: &User, query: &str) -> Vec<Value> {
    let answer = shop.get_as(admin, &format!("{PATH}?page_size=100&{query}")).await.expect(200);
    let lines = answer.json["results"].as_array().unwrap().clone();
    assert_eq!(answer.json["count"], lines.len(), "{query}");
    lines
}

/// The lines of one request.
async fn of(shop: &TestShop, admin: &User, answer: &Answer) -> Vec<Value> {
    log(shop, admin, &format!("request_id={}", answer.header("x-request-id"))).await
}

/// Lines in all.
async fn count(shop: &TestShop) -> i64 {
    sqlx::query_scalar("select count(*) from audit_log").fetch_one(&shop.db).await.unwrap()
}

/// The line's action, and its fields before and after.
fn told(line: &Value) -> (&str, &Value, &Value) {
    (line["action"].as_str().unwrap(), &line["before"], &line["after"])
}
