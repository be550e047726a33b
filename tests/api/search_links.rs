//! What else a search takes and gives: cursors, highlights, suggestions, products like one. What is refused of
//! them, and the shapes of their answers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    search::shelve,
    support::{TestShop, with_settings, with_shop},
};
use duka::config::Settings;

async fn first_id(shop: &TestShop) -> i64 {
    shop.get("/api/product/").await.expect(200).json["results"][0]["id"].as_i64().unwrap()
}

#[tokio::test]
async fn what_is_given_too_often_is_named() {
    with_shop(async |shop| {
        for name in ["brand", "category", "attr.color"] {
            let query = vec![format!("{name}=1"); 101].join("&");
            let answer = shop.get(&format!("/api/product/?{query}")).await.expect(400);
            assert_eq!(answer.json["errors"][0]["parameter"], name, "{}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_by_its_name() {
    with_shop(async |shop| {
        shelve(shop, &["a", "b"]).await;
        let long = "A".repeat(9_000);
        for query in [
            "cursor=",
            "cursor=abc",
            "cursor=%C3%A9",
            "cursor=AQ",
            "cursor=a&page=1",
            "page=2&cursor=a",
            "cursor=a&cursor=b",
        ]
        .into_iter()
        .map(ToOwned::to_owned)
        .chain([format!("cursor={long}"), format!("cursor={}", "A".repeat(64))])
        {
            let refused = shop.get(&format!("/api/product/?{query}")).await.expect(400);
            assert_eq!(refused.json["type"], "/problems/invalid-parameter");
            assert_eq!(refused.faults(), ["cursor"], "{}", refused.text);
        }
        let detail = shop.get("/api/product/?cursor=abc").await.json["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("start again"), "{detail}");
        let both =
            shop.get("/api/product/?cursor=abc&page=1").await.json["detail"].as_str().unwrap().to_owned();
        assert!(both.contains("`page`"), "{both}");
    })
    .await;
}

#[tokio::test]
async fn a_page_always_says_whether_there_is_more() {
    with_shop(async |shop| {
        shelve(shop, &["a", "b"]).await;
        for query in ["", "page=2", "page_size=2", "q=nothing-like-it"] {
            let page = shop.get(&format!("/api/product/?{query}")).await.expect(200).json;
            assert_eq!(page.get("next_cursor"), Some(&Value::Null), "{query}: it is the last one");
        }
    })
    .await;
}

#[tokio::test]
async fn links_name_the_shop_where_it_has_a_name() {
    let settings = Settings { public_url: Some("https://shop.example/".into()), ..Settings::default() };
    with_settings(settings, async |shop| {
        shelve(shop, &["tea & pot", "tea & cup"]).await;
        let page = shop.get("/api/product/?page_size=1&search=tea+%26").await.expect(200).json;
        assert_eq!(page["next"], "https://shop.example/api/product/?page_size=1&q=tea%20%26&page=2");
    })
    .await;
}

#[tokio::test]
async fn highlights_are_there_when_asked_for() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let body = json!({
            "category_id": category, "name": "Tea <b>pot</b>", "price": "1.00", "sku": "T-1",
            "description": "\"Brown\" & kind's",
        });
        shop.post_as(&admin, "/api/product/", body).await.expect(201);
        shop.settled().await;
        let plain = shop.get("/api/product/?highlight=false").await.expect(200).json;
        assert!(plain["results"][0].get("highlights").is_none());
        // Without words nothing is marked, and everything is escaped.
        let asked = shop.get("/api/product/?highlight=true").await.expect(200).json;
        let shown = &asked["results"][0];
        let escaped = json!({
            "name": "Tea &lt;b&gt;pot&lt;/b&gt;", "description": "&quot;Brown&quot; &amp; kind&#39;s",
        });
        assert_eq!((&shown["highlights"], &shown["name"]), (&escaped, &json!("Tea <b>pot</b>")));
        assert_eq!(shop.get("/api/product/?highlight=1").await.expect(400).faults(), ["highlight"]);
    })
    .await;
}

#[tokio::test]
async fn suggestions_have_their_shape_and_their_limits() {
    with_shop(async |shop| {
        shelve(shop, &["kettle"]).await;
        for path in ["/api/product/suggest/?q=zzzz", "/api/product/suggest?q=zzzz"] {
            let answer = shop.get(path).await.expect(200);
            let lists = json!({"queries": [], "products": [], "categories": [], "brands": []});
            assert_eq!(answer.json, lists);
            for header in ["etag", "x-catalog-version", "server-timing"] {
                assert!(!answer.header(header).is_empty(), "{header}");
            }
        }
        let long = format!("q={}", "a".repeat(257));
        for query in ["", "q=", "q=%20", "q=a&q=b", &long] {
            let refused = shop.get(&format!("/api/product/suggest/?{query}")).await.expect(400);
            assert_eq!(refused.faults(), ["q"], "{query}");
        }
        let refused = shop.get("/api/product/suggest/?q=a&limit=3").await.expect(400);
        assert_eq!(refused.faults(), ["limit"]);
        let tag = shop.get("/api/product/suggest/?q=ke").await.expect(200).header("etag").to_owned();
        let request = shop.request(Method::GET, "/api/product/suggest/?q=ke").header("if-none-match", tag);
        shop.send(request).await.expect(304);
        let post = shop.send(shop.request(Method::PATCH, "/api/product/suggest/")).await.expect(405);
        assert_eq!(post.header("allow"), "GET,HEAD");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_like_what_shoppers_do_not_see() {
    with_shop(async |shop| {
        shelve(shop, &["kettle"]).await;
        let id = first_id(shop).await;
        sqlx::query("update product set is_active = false").execute(&shop.db).await.unwrap();
        shop.settled().await;
        for id in [id.to_string(), "999999999".into(), "0".into(), "-1".into(), "kettle".into()] {
            let missing = shop.get(&format!("/api/product/{id}/similar/")).await.expect(404);
            assert_eq!(missing.json["type"], "/problems/not-found");
        }
        for query in ["page_size=0", "page_size=25", "page=1", "q=a"] {
            let refused = shop.get(&format!("/api/product/{id}/similar/?{query}")).await.expect(400);
            assert_eq!(refused.faults(), [query.split('=').next().unwrap()]);
        }
    })
    .await;
}
