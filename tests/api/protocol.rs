//! What holds for every route: errors, ids, paths, limits, doors.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    rights::operations,
    support::{with_settings, with_shop},
};
use duka::config::Settings;

#[tokio::test]
async fn every_refusal_is_a_problem_with_the_request_s_id() {
    with_shop(async |shop| {
        for (method, path, status, slug) in [
            (Method::GET, "/api/nothing/", 404, "not-found"),
            (Method::GET, "/nothing", 404, "not-found"),
            (Method::GET, "/api/product/999999999/", 404, "not-found"),
            (Method::GET, "/api/product/abc/", 404, "not-found"),
            (Method::GET, "/api/product/99999999999999999999/", 404, "not-found"),
            (Method::GET, "/api/product/-1/", 404, "not-found"),
            (Method::PUT, "/api/product/1/", 405, "method-not-allowed"),
            (Method::GET, "/api/auth/me/", 401, "not-authenticated"),
            (Method::GET, "/api/product/?page=0", 400, "invalid-parameter"),
            (Method::GET, "/api/category/?page_size=101", 400, "invalid-parameter"),
            (Method::GET, "/api/variant/?colour=red", 400, "invalid-parameter"),
            (Method::GET, "/api/product/1/?x=1", 400, "invalid-parameter"),
            (Method::POST, "/api/product/?x=1", 400, "invalid-parameter"),
            (Method::GET, "/healthz/?x", 400, "invalid-parameter"),
            (Method::GET, "/api/product/?sort=", 400, "invalid-parameter"),
        ] {
            let request = shop.request(method.clone(), path).header("x-request-id", "test-1.a_B");
            let answer = shop.send(request).await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.json["type"], format!("/problems/{slug}"), "{method} {path}");
            assert_eq!(answer.json["status"], status);
            assert_eq!(answer.json["instance"], "test-1.a_B");
            assert_eq!(answer.header("x-request-id"), "test-1.a_B");
            assert!(!answer.json["title"].as_str().unwrap().is_empty());
            assert!(!answer.json["detail"].as_str().unwrap().is_empty());
        }
        let put = shop.send(shop.request(Method::PUT, "/api/product/")).await;
        assert_eq!(put.header("allow"), "GET,HEAD,POST");
    })
    .await;
}

#[tokio::test]
async fn a_request_id_that_could_not_stand_in_a_log_is_replaced() {
    with_shop(async |shop| {
        for bad in ["", "a b", "a\"b", &"x".repeat(129)] {
            let answer = shop.send(shop.request(Method::GET, "/healthz/").header("x-request-id", bad)).await;
            assert_ne!(answer.header("x-request-id"), bad);
            assert_eq!(answer.header("x-request-id").len(), 32);
        }
    })
    .await;
}

#[tokio::test]
async fn a_path_without_its_slash_is_answered_alike() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let made = shop.post_as(&admin, "/api/category", json!({"name": "A"})).await.expect(201);
        for path in ["/api/category", "/api/product?facets=none", "/healthz", "/metrics"] {
            shop.get(path).await.expect(200);
        }
        shop.get(&format!("/api/category/{}", made.id())).await.expect(200);
        for path in ["/metrics?x=1", "/metrics/?x=1", "/api/openapi.json?x=1", "/healthz?x=1"] {
            assert_eq!(shop.get(path).await.expect(400).faults(), ["x"], "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_by_their_fault() {
    with_shop(async |shop| {
        let send = async |kind: Option<&str>, body: &str| {
            let request = shop.request(Method::POST, "/api/auth/jwt/login/").body(body.to_owned());
            let request = match kind {
                Some(kind) => request.header("content-type", kind),
                None => request,
            };
            shop.send(request).await
        };
        let json_type = Some("application/json");
        for body in
            ["", "{", "{\"username\": }", "{\"username\": \"\\ud800\"}", "nonsense", &"[".repeat(10_000)]
        {
            let answer = send(json_type, body).await.expect(400);
            assert_eq!(answer.json["type"], "/problems/malformed-request");
        }
        for body in ["[]", "null", "1", "\"a\""] {
            send(json_type, body).await.expect(422);
        }
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let answer = send(kind, "{}").await.expect(415);
            assert_eq!(answer.json["type"], "/problems/unsupported-media-type");
        }
        let coded = shop.request(Method::POST, "/api/auth/jwt/login/").header("content-encoding", "gzip");
        shop.send(coded.json(&json!({"username": "a", "password": "b"}))).await.expect(415);
        let large = format!("{{\"username\": \"{}\"}}", "x".repeat(64 * 1024));
        assert_eq!(send(json_type, &large).await.expect(413).json["type"], "/problems/too-large");
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_to_a_route_that_takes_nothing_is_refused() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        for path in [
            "/api/order/1/cancel/",
            "/api/admin/reindex/",
            "/api/admin/index/verify/",
            "/api/admin/index/rollback/",
        ] {
            let refused = shop.post_as(&admin, path, json!({"reason": "x"})).await.expect(422);
            assert_eq!(refused.faults(), ["/reason"], "{path}");
            let garbage = shop.request(Method::POST, path).bearer_auth(&admin.access).body("garbage");
            shop.send(garbage).await.expect(415);
            shop.post(path, json!({"reason": "x"})).await.expect(401);
        }
        for body in [Some(json!({})), None] {
            let request = shop.request(Method::POST, "/api/order/1/cancel/").bearer_auth(&admin.access);
            let request = if let Some(body) = body { request.json(&body) } else { request };
            shop.send(request).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused_everywhere() {
    with_shop(async |shop| {
        for path in ["/api/auth/me/", "/api/product/", "/api/variant/"] {
            for value in ["Bearer nonsense", "Bearer ", "Basic YTpi", "Bearer a.b.c"] {
                let answer = shop.send(shop.request(Method::GET, path).header("authorization", value)).await;
                assert_eq!(answer.status, 401, "{path} {value}");
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_doors_open() {
    with_shop(async |shop| {
        assert_eq!(shop.get("/healthz/").await.expect(200).json["status"], "ok");
        shop.get("/readyz/").await.expect(200);
        let metrics = shop.get("/metrics/").await.expect(200);
        assert!(metrics.text.contains("duka_http_request_seconds"), "{}", metrics.text);
        let page = shop.get("/swagger/").await.expect(200);
        assert!(page.text.contains("swagger-ui"), "{}", page.text);
        for part in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
            let file = shop.get(&format!("/swagger/{part}")).await.expect(200);
            assert!(
                !file.text.contains("cdn.jsdelivr") && !file.text.contains("unpkg.com"),
                "{part} loads from elsewhere"
            );
        }
        assert!(!page.text.contains("https://"), "nothing of the page comes from elsewhere");
        let document = shop.get("/api/openapi.json").await.expect(200);
        assert!(document.json["openapi"].as_str().unwrap().starts_with("3.1"));
    })
    .await;
}

#[tokio::test]
async fn other_origins_are_let_in_by_name_only() {
    let settings = Settings { cors_origins: Some("https://shop.example".into()), ..Settings::default() };
    with_settings(settings, async |shop| {
        for (origin, allowed) in
            [("https://shop.example", "https://shop.example"), ("https://evil.example", "")]
        {
            let answer = shop
                .send(shop.request(Method::GET, "/api/product/").header("origin", origin))
                .await
                .expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), allowed);
        }
    })
    .await;
}

#[tokio::test]
async fn answers_are_compressed_on_request() {
    with_shop(async |shop| {
        let request = shop.request(Method::GET, "/api/openapi.json").header("accept-encoding", "gzip");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip");
    })
    .await;
}

#[tokio::test]
async fn who_takes_no_coding_is_told_before_anything_is_done() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        for refused in ["identity;q=0", "*;q=0", "identity;q=0, deflate"] {
            for path in ["/api/product/", "/api/category/", "/healthz/"] {
                let answer =
                    shop.send(shop.request(Method::GET, path).header("accept-encoding", refused)).await;
                assert_eq!((answer.status, &answer.json["status"]), (406, &json!(406)), "{}", answer.text);
                assert_eq!(answer.json["type"], "/problems/not-acceptable");
            }
            let request = shop.request(Method::POST, "/api/category/").header("accept-encoding", refused);
            shop.send(request.bearer_auth(&admin.access).json(&json!({"name": "A"}))).await.expect(406);
        }
        assert_eq!(shop.get("/api/category/").await.expect(200).json["count"], 0);
        let request =
            shop.request(Method::GET, "/api/openapi.json").header("accept-encoding", "identity;q=0, gzip");
        assert_eq!(request.send().await.unwrap().headers()["content-encoding"], "gzip");
    })
    .await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    with_shop(async |shop| {
        for (version, hosts, status) in [
            ("1.1", "host: a\r\n", "200"),
            ("1.1", "", "400"),
            ("1.1", "host: a\r\nhost: a\r\n", "400"),
            ("1.0", "", "200"),
            ("1.0", "host: a\r\nhost: b\r\n", "400"),
        ] {
            // The second search is one whose answer is kept.
            for path in ["/healthz/", "/api/product/", "/api/product/"] {
                let mut stream = TcpStream::connect(shop.shop.address).await.unwrap();
                let request = format!("GET {path} HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut said = String::new();
                stream.read_to_string(&mut said).await.unwrap();
                assert_eq!(said.split(' ').nth(1), Some(status), "{version} {hosts:?} {path}: {said}");
                assert!(status == "200" || said.contains("/problems/malformed-request"), "{said}");
            }
        }
    })
    .await;
}

/// The path of an operation, with `id` for each of its ids.
fn with_id(operation: &str, id: &str) -> (Method, String) {
    let (method, template) = operation.split_once(' ').unwrap();
    let parts = template.split('/').map(|part| if part.starts_with('{') { id } else { part });
    (method.parse().unwrap(), parts.collect::<Vec<_>>().join("/"))
}

#[tokio::test]
async fn a_method_that_a_path_lacks_is_405_with_those_that_it_has() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let operations = operations();
        let paths: BTreeSet<&str> = operations.iter().map(|one| one.split_once(' ').unwrap().1).collect();
        let mut tried = 0;
        for path in paths {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                if operations.contains(&format!("{method} {path}")) {
                    continue;
                }
                // By another operation's method this path may be one with an id: `GET /api/product/suggest/`.
                let (_, filled) = with_id(&format!("{method} {path}"), "1");
                let answer =
                    shop.send(shop.request(method.clone(), &filled).bearer_auth(&admin.access)).await;
                assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
                assert_eq!(answer.json["type"], "/problems/method-not-allowed");
                let allowed: BTreeSet<&str> = answer.header("allow").split(',').map(str::trim).collect();
                let own = operations.iter().filter_map(|one| one.split_once(' '));
                let mut own: BTreeSet<&str> = own.filter(|one| one.1 == path).map(|one| one.0).collect();
                if own.contains("GET") {
                    own.insert("HEAD");
                }
                assert_eq!(allowed, own, "{method} {path}");
                let asked = format!("{filled}?surely_unknown=1");
                let answer = shop.send(shop.request(method.clone(), &asked).bearer_auth(&admin.access)).await;
                assert_eq!(answer.status, 405, "{method} {path}, with a parameter: {}", answer.text);
                tried += 1;
            }
        }
        assert!(tried > 100, "only {tried}");
    })
    .await;
}

#[tokio::test]
async fn parameters_that_nobody_knows_are_refused_everywhere() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        for operation in operations() {
            let (method, path) = with_id(&operation, "1");
            let request = shop.request(method.clone(), &format!("{path}?surely_unknown=1"));
            let request = if method == Method::GET { request } else { request.json(&json!({})) };
            let answer = shop.send(request.bearer_auth(&admin.access)).await;
            assert_eq!(answer.status, 400, "{operation}: {}", answer.text);
            assert!(answer.faults().contains(&"surely_unknown"), "{operation}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn ids_that_no_row_can_have_are_not_found() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut tried = 0;
        for operation in operations().iter().filter(|operation| operation.contains('{')) {
            for id in ["0", "-1", "9223372036854775808", "99999999999999999999999", "1.0", "abc", "%00", "１"]
            {
                let (method, path) = with_id(operation, id);
                let request = shop.request(method.clone(), &path);
                let request = match method {
                    Method::GET | Method::DELETE => request,
                    _ => request.json(&json!({})),
                };
                let answer = shop.send(request.bearer_auth(&admin.access)).await;
                assert_eq!(answer.status, 404, "{operation} {id}: {}", answer.text);
                assert_eq!(answer.json["type"], "/problems/not-found");
                tried += 1;
            }
        }
        assert!(tried > 100, "only {tried}");
    })
    .await;
}
