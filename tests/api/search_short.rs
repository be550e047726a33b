//! The short way to an answer: it is taken, and nobody can tell.

use std::{
    io::{self, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use duka::{
    auth::Role,
    config::Settings,
    search::http::{asked, kept},
};
use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use crate::{
    search::{generate, shelve},
    search_cache::hold_all_places,
    support::{TestShop, decoded, with_settings, with_shop},
};

fn request(method: Method, uri: &str, headers: &[(&str, &str)]) -> axum::http::Request<String> {
    let mut request = axum::http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(String::new()).unwrap()
}

/// Whether a request would be answered at once.
fn is_short(shop: &TestShop, method: Method, uri: &str, headers: &[(&str, &str)]) -> bool {
    let request = request(method, uri, headers);
    kept(&shop.shop.app, Instant::now(), ([127, 0, 0, 1], 1).into(), &request, &axum::http::HeaderMap::new())
        .is_some()
}

/// Whether its answer would be made by the short way.
fn is_made_short(shop: &TestShop, uri: &str, headers: &[(&str, &str)]) -> bool {
    asked(&shop.shop.app, ([127, 0, 0, 1], 1).into(), &request(Method::GET, uri, headers)).is_some()
}

const PATH: &str = "/api/product/?q=the&facets=brand";

/// What came over the wire but for what is another one for each request.
async fn told(shop: &TestShop, headers: &[(&str, &str)]) -> (u16, Vec<(String, String)>, Vec<u8>) {
    told_of(shop, PATH, headers).await
}

async fn told_of(
    shop: &TestShop,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut request = shop.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (status, headers, mut body) = decoded(request).await;
    if status >= 400 {
        let mut problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["instance"], headers["x-request-id"].to_str().unwrap());
        problem["instance"] = json!(null);
        body = problem.to_string().into_bytes();
    }
    (status, sorted(&headers), body)
}

fn sorted(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        let value = value.to_str().unwrap().to_owned();
        let value = match name.as_str() {
            "date" | "x-request-id" => String::new(),
            "server-timing" => value.split_once("cache").unwrap().1.to_owned(),
            // The mirror moves on with what others write into the same cluster.
            "x-catalog-version" => value.split_once(':').unwrap().0.to_owned(),
            _ => value,
        };
        (name.as_str().to_owned(), value)
    };
    let mut sorted: Vec<_> = headers.iter().map(value).collect();
    sorted.sort();
    sorted
}

#[tokio::test]
async fn the_short_way_looks_like_the_long_one() {
    for public_url in ["http://shop.test", "https://shop.test"] {
        let settings = Settings { public_url: Some(public_url.into()), ..Settings::default() };
        with_settings(settings, async |shop| {
            generate(shop, 100).await;
            let first = shop.get(PATH).await.expect(200);
            let (etag, version) = (first.header("etag"), first.header("x-catalog-version"));
            for coding in ["identity", "gzip", "br, gzip", "*"] {
                for known in ["\"other\"", etag, "*"] {
                    let usual = [("accept-encoding", coding), ("if-none-match", known)];
                    told(shop, &usual).await;
                    assert!(is_short(shop, Method::GET, PATH, &usual), "{coding} {known}");
                    let short = told(shop, &usual).await;
                    // A write that was found long ago.
                    let demanding = [usual[0], usual[1], ("x-catalog-min-version", version)];
                    assert!(!is_short(shop, Method::GET, PATH, &demanding));
                    let long = told(shop, &demanding).await;
                    assert!(short == long, "{coding} {known}: {:?} and {:?}", short.1, long.1);
                    // A page of a stranger's: what others may read is all that it is told more.
                    let strange = [usual[0], usual[1], ("origin", "https://elsewhere.test")];
                    assert!(!is_short(shop, Method::GET, PATH, &strange));
                    let mut strange = told(shop, &strange).await;
                    strange.1.retain(|(name, _)| name != "access-control-expose-headers");
                    assert!(short == strange, "{coding} {known}: {:?} and {:?}", short.1, strange.1);
                    assert!(short.1.contains(&("server-timing".into(), ";desc=hit".into())), "{short:?}");
                }
            }
            let own = shop.request(Method::GET, PATH).header("x-request-id", "a-1.b_2");
            assert_eq!(decoded(own).await.1["x-request-id"], "a-1.b_2");
            let strange = shop.request(Method::GET, PATH).header("x-request-id", "a b");
            let made = decoded(strange).await.1["x-request-id"].to_str().unwrap().to_owned();
            assert!(made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()), "{made}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_made_the_short_way_looks_like_the_rest() {
    for public_url in ["http://shop.test", "https://shop.test"] {
        let settings = Settings {
            public_url: Some(public_url.into()),
            search_cache_bytes: Some("0".into()),
            ..Settings::default()
        };
        with_settings(settings, async |shop| {
            generate(shop, 100).await;
            let first = shop.get(PATH).await.expect(200);
            let (etag, version) = (first.header("etag"), first.header("x-catalog-version"));
            let paged = shop.get("/api/product/?page_size=5").await.expect(200);
            let next =
                format!("/api/product/?page_size=5&cursor={}", paged.json["next_cursor"].as_str().unwrap());
            let foreign = next.replace("page_size=5", "page_size=5&in_stock=true");
            for (path, status) in [
                (PATH, 200),
                (next.as_str(), 200),
                (foreign.as_str(), 400),
                ("/api/product/?q=a&q=b&x=1&page=0", 400),
                ("/api/product/?q=%22the+%22&facets=none&sort=-price&highlight=true", 200),
            ] {
                for coding in ["identity", "gzip", "br, gzip", "*"] {
                    for known in ["\"other\"", etag] {
                        let usual = [("accept-encoding", coding), ("if-none-match", known)];
                        assert!(
                            is_made_short(shop, path, &usual) && !is_short(shop, Method::GET, path, &usual)
                        );
                        let short = told_of(shop, path, &usual).await;
                        // A write that was found long ago.
                        let demanding = [usual[0], usual[1], ("x-catalog-min-version", version)];
                        assert!(!is_made_short(shop, path, &demanding));
                        let long = told_of(shop, path, &demanding).await;
                        assert!(short == long, "{path} {coding} {known}: {short:?} and {long:?}");
                        let status =
                            if path == PATH && known == etag && coding == "identity" { 304 } else { status };
                        assert_eq!(short.0, status, "{path} {coding} {known}");
                    }
                }
            }
            // What demands a write is for the long way, and so is a path that is not quite right.
            assert!(!is_made_short(shop, &format!("/api/product/?min_version={version}"), &[]));
            let slashless = PATH.replace("/?", "?");
            assert!(!is_made_short(shop, &slashless, &[]));
            for (coding, status) in [
                ("GZIP", 200),
                ("gzip;level=9", 200),
                ("br;q=1.5, gzip;q=0.5", 200),
                ("Identity;q=0", 406),
                ("IDENTITY;q=0, deflate", 406),
                ("*;q=0, gzip;level=9", 406),
                ("br;x=1;q=0.5, *;q=0", 406),
            ] {
                let odd = [("accept-encoding", coding)];
                let (short, long) = (told(shop, &odd).await, told_of(shop, &slashless, &odd).await);
                assert!(short == long, "{coding}: {short:?} and {long:?}");
                assert_eq!(short.0, status, "{coding}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn only_what_is_usual_goes_the_short_way() {
    with_shop(async |shop| {
        shelve(shop, &["kettle a", "kettle b"]).await;
        let short = |uri: &str| is_short(shop, Method::GET, uri, &[]);
        assert!(!short("/api/product/"), "nobody has asked yet");
        let version = shop.get("/api/product/").await.expect(200).header("x-catalog-version").to_owned();
        assert!(short("/api/product/") && short("http://host.test/api/product/"));
        assert!(!short("/api/product") && !short("/api/product/suggest/") && !short("/api/product/?q=a"));
        for method in [Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE] {
            assert!(!is_short(shop, method.clone(), "/api/product/", &[]), "{method}");
        }
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("origin", "https://elsewhere.test"),
            ("x-catalog-min-version", "1:1"),
            ("accept-encoding", "identity;q=0"),
        ] {
            assert!(!is_short(shop, Method::GET, "/api/product/", &[(name, value)]), "{name}");
        }
        let demanding = format!("/api/product/?min_version={version}");
        shop.get(&demanding).await.expect(200);
        assert!(!short(&demanding), "whoever demands a write may have to wait");
        let repeated = "/api/product/?q=a&q=b";
        shop.get(repeated).await.expect(400);
        assert!(!short(repeated));
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_for_others_is_not_found_by_the_short_way() {
    with_shop(async |shop| {
        let vendor = shop.user("vendor", Role::Vendor).await;
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let hidden = json!({"category_id": category, "name": "hidden", "price": "1.00", "sku": "H", "is_active": false});
        let made = shop.post_as(&vendor, "/api/product/", hidden).await.expect(201);
        shop.indexed(&made).await;
        let path = "/api/product/?is_active=false";
        for user in [&vendor, &admin] {
            assert_eq!(shop.get_as(user, path).await.expect(200).json["count"], 1);
            assert!(!is_short(shop, Method::GET, path, &[]), "a privileged reader's words mean something else");
        }
        for _ in 0..2 {
            assert_eq!(shop.get(path).await.expect(200).json["count"], 0);
        }
        assert!(is_short(shop, Method::GET, path, &[]));
        assert_eq!(shop.get_as(&vendor, path).await.expect(200).json["count"], 1);
    })
    .await;
}

#[tokio::test]
async fn whatever_changes_the_answer_ends_the_short_way() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let body = json!({"category_id": category, "name": "a kettle", "price": "1.00", "sku": "K"});
        let made = shop.post_as(&admin, "/api/product/", body).await.expect(201);
        shop.indexed(&made).await;
        let path = "/api/product/?q=teapot";
        let count = async || shop.get(path).await.expect(200).json["count"].as_i64();
        let is_kept = || is_short(shop, Method::GET, path, &[]);
        assert_eq!((count().await, is_kept()), (Some(0), true));
        let renamed = json!({"name": "a teapot"});
        let renamed =
            shop.patch_as(&admin, &format!("/api/product/{}/", made.id()), renamed).await.expect(200);
        shop.indexed(&renamed).await;
        assert!(!is_kept());
        assert_eq!((count().await, is_kept()), (Some(1), true));
    })
    .await;
}

#[tokio::test]
async fn searches_are_metered_by_the_short_way_too() {
    let settings = {
        let mut settings = Settings::default();
        settings.limits.search_rate = Some("5/h".into());
        settings
    };
    with_settings(settings, async |shop| {
        shelve(shop, &["a"]).await;
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(shop.get("/api/product/").await.status);
        }
        assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    })
    .await;
}

/// Asks by connections of their own, all before the first is answered; the headers of those answers that are refusals,
/// but for what is another one for each.
fn refusals(address: &str, paths: &[String]) -> Vec<Vec<String>> {
    let ask = |path: &String| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        stream
    };
    let asked: Vec<TcpStream> = paths.iter().map(ask).collect();
    let answers = asked.into_iter().map(|stream| io::read_to_string(stream).unwrap());
    let lines = |answer: String| {
        let lines = answer.split_once("\r\n\r\n").unwrap().0.lines();
        let is_own = |line: &&str| line.starts_with("x-request-id") || line.starts_with("date");
        lines.filter(|line| !is_own(line)).map(str::to_owned).collect()
    };
    answers.filter(|answer| answer.starts_with("HTTP/1.1 503")).map(lines).collect()
}

#[tokio::test]
async fn whoever_is_turned_away_at_once_is_told_what_others_are() {
    with_shop(async |shop| {
        generate(shop, 100).await;
        let address = shop.base.strip_prefix("http://").unwrap().to_owned();
        let asking = |paths: Vec<String>| {
            let address = address.clone();
            tokio::task::spawn_blocking(move || refusals(&address, &paths))
        };
        let held = hold_all_places(shop).await;
        let [waited] = asking(vec![PATH.to_owned()]).await.unwrap().try_into().unwrap();
        drop(held);
        let mut at_once = Vec::new();
        for round in 0..40 {
            let path = |number| format!("{PATH},price&page_size=100&price_min={round}.{number:03}");
            let crowd = asking((0..300).map(path).collect());
            while !crowd.is_finished() {
                // This thread is the shop's as well: whatever it can do, more has come meanwhile.
                std::thread::sleep(Duration::from_millis(20));
                tokio::task::yield_now().await;
            }
            at_once.extend(crowd.await.unwrap());
            // Each way writes the same lines in an order of its own.
            if at_once.iter().any(|lines| *lines != waited) {
                break;
            }
        }
        assert!(at_once.iter().any(|lines| *lines != waited), "{} of {waited:?} only", at_once.len());
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let waited = sorted(waited);
        for lines in at_once {
            assert_eq!(sorted(lines), waited);
        }
    })
    .await;
}
