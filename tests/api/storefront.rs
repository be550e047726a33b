//! How the pages and their files are sent.

use std::collections::HashMap;

use duka::config::{PaymentSettings, Settings};
use reqwest::{Method, header::HeaderMap};

use crate::support::{TestShop, decoded, with_settings, with_shop};

async fn page(shop: &TestShop, path: &str, headers: &[(&'static str, &str)]) -> (u16, HeaderMap, String) {
    let accept = shop.request(Method::GET, path).header("accept", "text/html,*/*;q=0.8");
    let request = headers.iter().fold(accept, |request, (name, value)| request.header(*name, *value));
    let (status, headers, body) = decoded(request).await;
    (status, headers, String::from_utf8(body).unwrap())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// What a page loads: everything below `/assets/`.
fn files(page: &str) -> Vec<String> {
    let files = page.split('"').filter(|part| part.starts_with("/assets/"));
    files.map(str::to_owned).collect()
}

#[tokio::test]
async fn both_pages_answer_to_their_addresses_and_say_what_they_may() {
    with_shop(async |shop| {
        let own = [
            "/",
            "/search?q=a&brand=b",
            "/product/1",
            "/product/1/a-slug",
            "/account",
            "/orders/7/",
            "/wishlist",
            "/checkout",
        ];
        let admin = ["/admin", "/admin/", "/admin/products/7/edit"];
        for (paths, title) in [(&own[..], "<title>duka</title>"), (&admin[..], "<title>duka console</title>")]
        {
            for path in paths {
                let (status, headers, body) = page(shop, path, &[]).await;
                assert_eq!(
                    (status, text(&headers, "content-type")),
                    (200, "text/html; charset=utf-8"),
                    "{path}"
                );
                assert!(body.contains(title), "{path}: {body}");
                assert!(!body.contains("{{"), "{path} has a place left open: {body}");
                let policy = text(&headers, "content-security-policy");
                for part in [
                    "default-src 'self'",
                    "object-src 'none'",
                    "base-uri 'none'",
                    "frame-ancestors 'none'",
                    "script-src 'self' 'sha256-",
                ] {
                    assert!(policy.contains(part), "{path}: {policy}");
                }
                assert!(!policy.contains("unsafe"), "{policy}");
                assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
                assert_eq!(text(&headers, "referrer-policy"), "same-origin");
                assert_eq!(text(&headers, "cache-control"), "no-cache");
                let (status, again, _) = page(shop, path, &[("if-none-match", text(&headers, "etag"))]).await;
                assert_eq!((status, text(&again, "etag")), (304, text(&headers, "etag")), "{path}");
                assert!(!text(&again, "content-security-policy").is_empty());
            }
        }
        shop.send(shop.request(Method::POST, "/search/")).await.expect(405);
    })
    .await;
}

#[tokio::test]
async fn files_are_kept_for_ever_and_each_coding_has_its_tag() {
    with_shop(async |shop| {
        for path in ["/", "/admin/"] {
            let (_, _, body) = page(shop, path, &[]).await;
            let files = files(&body);
            assert!(files.len() > 8, "{files:?}");
            for file in &files {
                let mut tags = HashMap::new();
                let mut bodies = Vec::new();
                for coding in ["identity", "gzip", "br"] {
                    let request = shop.request(Method::GET, file).header("accept-encoding", coding);
                    let (status, headers, plain) = decoded(request).await;
                    assert_eq!(status, 200, "{file}");
                    assert_eq!(text(&headers, "cache-control"), "public, max-age=31536000, immutable");
                    assert_eq!(text(&headers, "vary").split(", ").next(), Some("accept-encoding"));
                    let coded = if coding == "identity" { "" } else { coding };
                    assert_eq!(text(&headers, "content-encoding"), coded, "{file}");
                    tags.insert(text(&headers, "etag").to_owned(), coding);
                    bodies.push(plain);
                }
                assert_eq!(tags.len(), 3, "{tags:?}");
                assert!(bodies.iter().all(|body| *body == bodies[0] && !body.is_empty()), "{file}");
                for (tag, coding) in tags {
                    let request = shop.request(Method::GET, file).header("accept-encoding", coding);
                    shop.send(request.header("if-none-match", tag)).await.expect(304);
                }
            }
            // Under another state's name there is nothing, or it would be kept for ever.
            let name = files[0].split('/').nth(2).unwrap();
            shop.get(&files[0].replace(name, "0000000000000000")).await.expect(404);
            shop.get(&format!("/assets/{name}/shop/index.html")).await.expect(404);
            shop.get(&format!("/assets/{name}/shop/../../http.rs")).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_lost_is_told_in_the_own_tongue() {
    with_shop(async |shop| {
        // A program gets the problem, everywhere; a person's browser a page, but for what is no page.
        let problem = "application/problem+json";
        let html = "text/html; charset=utf-8";
        for (path, kind) in [
            ("/nowhere", html),
            ("/deep/down/here", html),
            ("/api/nowhere/", problem),
            ("/api/product/x/y/", problem),
            ("/assets/x/y.js", problem),
        ] {
            let (status, headers, body) = page(shop, path, &[]).await;
            assert_eq!((status, text(&headers, "content-type")), (404, kind), "{path}");
            assert_eq!(body.contains("<title>duka</title>"), kind == html, "{path}");
            let plain = shop.get(path).await.expect(404);
            assert_eq!(plain.header("content-type"), problem, "{path}");
            assert_eq!(plain.json["type"], "/problems/not-found");
        }
        shop.send(shop.request(Method::POST, "/nowhere/").header("accept", "text/html")).await.expect(404);
        // What somebody else has does not change.
        shop.get("/api/product/?nosuch=1").await.expect(400);
        shop.get("/healthz?x=1").await.expect(400);
    })
    .await;
}

#[tokio::test]
async fn a_page_knows_the_gateway_s_publishable_key_and_no_other() {
    let payment = PaymentSettings {
        card_secret_key: Some("sk_very_secret".to_owned()),
        card_webhook_secret: Some("whsec_very_secret".to_owned()),
        card_publishable_key: Some("pk_of_the_shop".to_owned()),
        card_base_url: Some("https://cards.example/base".to_owned()),
        ..PaymentSettings::default()
    };
    with_settings(Settings { payment, ..Settings::default() }, async |shop| {
        let (_, headers, body) = page(shop, "/", &[]).await;
        assert!(body.contains("pk_of_the_shop") && body.contains("https://cards.example/base"), "{body}");
        assert!(!body.contains("secret"), "{body}");
        assert!(
            text(&headers, "content-security-policy").contains("connect-src 'self' https://cards.example;")
        );
    })
    .await;
    with_shop(async |shop| {
        let (_, headers, body) = page(shop, "/", &[]).await;
        assert!(body.contains("&quot;card&quot;:null"), "{body}");
        assert!(text(&headers, "content-security-policy").contains("connect-src 'self';"));
    })
    .await;
}
