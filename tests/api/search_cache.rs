//! Kept answers: who shares one, when there is a new one, and what is sent of it.

use duka::{auth::Role, cache::Statistics, config::Settings, indexing::Version};
use futures_util::future::join_all;
use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use crate::{
    search::{generate, shelve},
    support::{Answer, TestShop, User, decoded, with_settings, with_shop},
};

/// `hit` or `miss`.
fn outcome(answer: &Answer) -> &str {
    let timing = answer.header("server-timing");
    assert!(timing.starts_with("search;dur="), "{timing}");
    timing.split_once("cache;desc=").map_or("", |(_, outcome)| outcome)
}

fn statistics(shop: &TestShop) -> Statistics {
    shop.shop.app.cache.statistics()
}

#[tokio::test]
async fn a_search_asked_in_other_words_is_answered_alike() {
    with_shop(async |shop| {
        shelve(shop, &["kettle a", "kettle b", "kettle c"]).await;
        for spellings in [
            [
                "q=kettle&page_size=1&page=2",
                "search=kettle&page=2&page_size=1&sort=relevance",
                "page=2&facets=availability,brand,price,category&page_size=1&%71=+kettle%20",
            ],
            [
                "q=k%C3%A9ttle&page=2&page_size=1",
                "page_size=1&q=%C2%A0ke%CC%81ttle%E2%80%83&page=2",
                "page=2&page_size=1&search=k%65%CC%81ttle+",
            ],
            [
                "q=kettle&page=2&page_size=1&sort=-price,name&facets=brand,price&price_max=5&category=1&category=things",
                "ordering=-price,name&price_max=5.00&category=things&category=1&search=kettle&page_size=1&page=2&facets=price,brand",
                "q=kettle&is_active=true&highlight=false&sort=%2Dprice%2Cname&page_size=01&page=2&price_max=05.0\
                 &facets=brand,price&category=01&category=things&category=1",
            ],
        ] {
            let first = shop.get(&format!("/api/product/?{}", spellings[0])).await.expect(200);
            assert_eq!((outcome(&first), &first.json["count"]), ("miss", &json!(3)));
            for spelling in &spellings[1..] {
                let again = shop.get(&format!("/api/product/?{spelling}")).await.expect(200);
                assert_eq!(outcome(&again), "hit", "{spelling}");
                assert_eq!((&again.text, again.header("etag")), (&first.text, first.header("etag")));
            }
            // The links are none of the three spellings: they lead to the pages all the same.
            for (link, page) in [("next", 3), ("previous", 1)] {
                let path = first.json[link].as_str().unwrap();
                assert!(path.ends_with(&format!("&page={page}")) && !path.contains("ordering"), "{path}");
                assert_eq!(shop.get(path).await.expect(200).json["results"].as_array().unwrap().len(), 1);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn case_is_kept_where_the_answer_repeats_the_text() {
    with_shop(async |shop| {
        shelve(shop, &["kettle a", "kettle b"]).await;
        let typed = shop.get("/api/product/suggest/?q=ket").await.expect(200);
        let shouted = shop.get("/api/product/suggest/?q=KEt").await.expect(200);
        assert_eq!((outcome(&typed), outcome(&shouted), &shouted.text), ("miss", "hit", &typed.text));
        let found = shop.get("/api/product/?q=KETTLE&page_size=1").await.expect(200).json;
        assert_eq!(
            (&found["count"], &found["next"]),
            (&json!(2), &json!("/api/product/?page_size=1&q=KETTLE&page=2"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_write_is_seen_although_the_answer_was_kept() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let body = json!({"category_id": category, "name": "old", "price": "1.00", "sku": "SKU-1"});
        let made = shop.post_as(&admin, "/api/product/", body).await.expect(201);
        shop.indexed(&made).await;
        let path = format!("/api/product/{}/", made.id());
        let mut kept = shop.get("/api/product/").await.expect(200);
        for round in 0..20 {
            assert_eq!(outcome(&shop.get("/api/product/").await.expect(200)), "hit");
            let name = format!("name {round}");
            let written = shop.patch_as(&admin, &path, json!({"name": name})).await.expect(200);
            let version = written.header("x-catalog-version");
            let answer = shop.get(&format!("/api/product/?min_version={version}")).await.expect(200);
            assert_eq!((outcome(&answer), &answer.json["results"][0]["name"]), ("miss", &json!(name)));
            assert_ne!(answer.header("etag"), kept.header("etag"));
            let (asked, told): (Version, Version) =
                (version.parse().unwrap(), answer.header("x-catalog-version").parse().unwrap());
            assert!(told.epoch == asked.epoch && told.xid >= asked.xid, "{told} < {asked}");
            kept = answer;
        }
    })
    .await;
}

/// As long as somebody else's transaction is open, the index cannot say that it has seen everything below.
#[tokio::test]
async fn an_answer_s_version_is_not_below_the_one_demanded() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut open = shop.db.begin().await.unwrap();
        sqlx::query("select pg_current_xact_id()").execute(&mut *open).await.unwrap();
        let made = shop.post_as(&admin, "/api/category/", json!({"name": "A"})).await.expect(201);
        let version = made.header("x-catalog-version");
        for path in ["/api/product/", "/api/product/suggest/"] {
            let answer = shop.get(&format!("{path}?q=a&min_version={version}")).await.expect(200);
            assert_eq!(answer.header("x-catalog-version"), version);
        }
        let behind = shop.get("/api/product/").await.expect(200);
        assert_ne!(behind.header("x-catalog-version"), version, "who demands nothing is promised less");
        open.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn equal_searches_at_once_ask_the_index_once() {
    with_shop(async |shop| {
        generate(shop, 300).await;
        for path in ["/api/product/?q=the&facets=category,brand,rating", "/api/product/suggest/?q=the"] {
            let before = statistics(shop);
            let asked = join_all((0..32).map(|number| async move {
                let coding = ["identity", "gzip", "br"][number % 3];
                let request = shop.request(Method::GET, path).header("accept-encoding", coding);
                let response = request.send().await.unwrap();
                assert_eq!(response.status(), 200);
            }));
            asked.await;
            let after = statistics(shop);
            assert_eq!((after.misses - before.misses, after.hits - before.hits), (1, 31), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_for_one_is_not_shown_to_another() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (one, other) =
            (shop.user("vendor-1", Role::Vendor).await, shop.user("vendor-2", Role::Vendor).await);
        let customer = shop.user("customer", Role::Customer).await;
        for (user, sku) in [(&one, "ONE"), (&other, "OTHER"), (&admin, "SHOP")] {
            let body = json!({
                "category_id": category, "name": sku, "price": "1.00", "sku": sku, "is_active": false,
            });
            shop.post_as(user, "/api/product/", body).await.expect(201);
        }
        shop.settled().await;
        let path = "/api/product/?is_active=false&sort=name";
        let see = async |user: Option<&User>| {
            let answer = match user {
                Some(user) => shop.get_as(user, path).await.expect(200),
                None => shop.get(path).await.expect(200),
            };
            let names = answer.json["results"].as_array().unwrap().iter().map(|found| found["name"].clone());
            assert!(answer.header("vary").contains("authorization"));
            (names.collect::<Vec<_>>(), outcome(&answer).to_owned())
        };
        for expected in ["miss", "hit"] {
            let expected = expected.to_owned();
            assert_eq!(
                see(Some(&admin)).await,
                (vec![json!("ONE"), json!("OTHER"), json!("SHOP")], expected.clone())
            );
            assert_eq!(see(Some(&one)).await, (vec![json!("ONE")], expected.clone()));
            assert_eq!(see(Some(&other)).await, (vec![json!("OTHER")], expected.clone()));
            assert_eq!(see(None).await, (vec![], expected));
            assert_eq!(see(Some(&customer)).await, (vec![], "hit".into()), "like everybody who sees none");
        }
        // Of what everybody sees there is one answer for all.
        shop.get("/api/product/").await.expect(200);
        assert_eq!(outcome(&shop.get_as(&one, "/api/product/").await.expect(200)), "hit");
    })
    .await;
}

/// The answer as it came over the wire, decoded.
async fn coded(shop: &TestShop, path: &str, accepted: &str, known: &str) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = shop.request(Method::GET, path).header("if-none-match", known);
    if !accepted.is_empty() {
        request = request.header("accept-encoding", accepted);
    }
    let (status, headers, plain) = decoded(request).await;
    assert!(status != 200 || headers.contains_key("content-length"), "prepared, not made on the way");
    (status, headers, plain)
}

#[tokio::test]
async fn each_coding_says_the_same_under_a_tag_of_its_own() {
    with_shop(async |shop| {
        generate(shop, 100).await;
        let mut tags = Vec::new();
        let path = "/api/product/?q=the&facets=none";
        let text = shop.get(path).await.expect(200).text;
        for (accepted, coding) in [
            ("", None),
            ("gzip", Some("gzip")),
            ("gzip, deflate, br", Some("br")),
            ("br;q=0, gzip;q=0.1", Some("gzip")),
            ("gzip;q=0, br;q=0", None),
            ("identity, gzip;q=0.5", None),
        ] {
            for round in 0..2 {
                let (status, headers, plain) = coded(shop, path, accepted, "\"other\"").await;
                assert_eq!((status, plain == text.as_bytes()), (200, true), "{accepted}");
                let told = headers.get("content-encoding").map(|coding| coding.to_str().unwrap());
                assert_eq!(told, coding, "{accepted}, {round}");
                assert_eq!(headers["vary"], "accept-encoding, authorization, origin", "{headers:?}");
                assert_eq!(headers["content-type"], "application/json");
                assert!(headers["server-timing"].to_str().unwrap().ends_with("hit"));
                let tag = headers["etag"].to_str().unwrap().to_owned();
                assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is strong");
                for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
                    let (status, headers, body) = coded(shop, path, accepted, &known).await;
                    assert_eq!((status, body.len(), headers["etag"].to_str().unwrap()), (304, 0, &*tag));
                    assert!(headers.contains_key("x-catalog-version") && headers.contains_key("vary"));
                }
                tags.push((coding, tag));
            }
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3, "one for each coding: {tags:?}");
        assert_eq!(
            coded(shop, path, "gzip", &tags[0].1).await.0,
            200,
            "another coding's tag is another body's"
        );
        // What is too short to be worth it stays plain, whatever is asked.
        let (status, headers, _) = coded(shop, "/api/product/?q=%21&facets=none", "br", "").await;
        assert_eq!((status, headers.get("content-encoding")), (200, None));
    })
    .await;
}

/// Has every place where searches are answered taken, until what is returned is dropped.
pub async fn hold_all_places(shop: &TestShop) -> Vec<std::sync::mpsc::Sender<()>> {
    let places = std::thread::available_parallelism().unwrap().get();
    let (free, taken): (Vec<_>, Vec<_>) = (0..places).map(|_| std::sync::mpsc::channel::<()>()).unzip();
    for place in taken {
        let (searches, (begun, is_begun)) = (shop.shop.app.searches.clone(), tokio::sync::oneshot::channel());
        tokio::spawn(async move { searches.run(move || (begun.send(()), place.recv())).await });
        is_begun.await.unwrap();
    }
    free
}

#[tokio::test]
async fn what_is_kept_needs_no_place_in_the_queue() {
    with_shop(async |shop| {
        generate(shop, 30).await;
        shop.get("/api/product/?q=the").await.expect(200);
        let held = hold_all_places(shop).await;
        assert_eq!(outcome(&shop.get("/api/product/?q=the").await.expect(200)), "hit");
        let busy = shop.get("/api/product/?q=a").await.expect(503);
        assert_eq!(
            (busy.json["type"].as_str(), busy.header("retry-after")),
            (Some("/problems/unavailable"), "1")
        );
        drop(held);
        assert_eq!(
            outcome(&shop.get("/api/product/?q=a").await.expect(200)),
            "miss",
            "the refusal is not kept"
        );
    })
    .await;
}

#[tokio::test]
async fn a_shop_may_keep_nothing() {
    let settings = Settings { search_cache_bytes: Some("0".into()), ..Settings::default() };
    with_settings(settings, async |shop| {
        shelve(shop, &["a"]).await;
        for _ in 0..3 {
            assert_eq!(outcome(&shop.get("/api/product/").await.expect(200)), "miss");
        }
        assert_eq!(statistics(shop), Statistics { hits: 0, misses: 3, entries: 0 });
        assert_eq!(coded(shop, "/api/product/", "gzip", "").await.1["content-encoding"], "gzip");
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_is_counted_and_bounded() {
    let bytes = 100_000;
    let settings = Settings { search_cache_bytes: Some(bytes.to_string()), ..Settings::default() };
    with_settings(settings, async |shop| {
        generate(shop, 100).await;
        for page in 1..=30 {
            let path = format!("/api/product/?page_size=3&page={page}");
            for (coding, outcome) in [("gzip", "miss"), ("gzip", "hit")] {
                let (_, headers, _) = coded(shop, &path, coding, "").await;
                assert!(headers["server-timing"].to_str().unwrap().ends_with(outcome), "{path}");
            }
        }
        let kept = statistics(shop);
        assert_eq!((kept.hits, kept.misses), (30, 30));
        assert!((1..50).contains(&kept.entries), "{} of some kilobytes each", kept.entries);
        assert_eq!(outcome(&shop.get("/api/product/?page_size=3&page=1").await.expect(200)), "miss");
        let metrics = shop.get("/metrics").await.expect(200).text;
        for name in ["hits_total", "misses_total", "entries", "bytes"] {
            assert!(metrics.contains(&format!("duka_search_cache_{name}")), "{name}");
        }
    })
    .await;
}
