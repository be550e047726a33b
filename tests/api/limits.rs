//! How much at once, and how often: clients that dawdle, connections beyond the limit, rates.

use std::time::{Duration, Instant};

use duka::{
    auth::Role,
    config::{LimitSettings, Settings},
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{Answer, PASSWORD, TestShop, with_settings, with_shop};

/// Sends it, then waits until the server closes: what it said, and after how long.
async fn until_closed(shop: &TestShop, sent: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(shop.shop.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // A reset ends it as well.
    let _ = timeout(Duration::from_secs(40), stream.read_to_end(&mut said)).await.expect("it is closed");
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

const ALIVE: &str = "GET /healthz/ HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn clients_that_dawdle_are_left() {
    with_shop(async |shop| {
        let login = "POST /api/auth/jwt/login/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        let slow_body = format!("{login}content-length: 100\r\n\r\n{{\"user");
        let drip = async {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(shop.shop.address).await.unwrap();
            // A byte a second is not silence, and is not a header in time either.
            while stream.write_all(b"G").await.is_ok() && begun.elapsed() < Duration::from_secs(30) {
                let mut byte = [0];
                if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_secs(1), stream.read(&mut byte)).await {
                    break;
                }
            }
            begun.elapsed()
        };
        let (silent, half, idle, drip, body) = tokio::join!(
            until_closed(shop, ""),
            until_closed(shop, "GET /healthz/ HTTP/1.1\r\nhost"),
            until_closed(shop, ALIVE),
            drip,
            until_closed(shop, &slow_body),
        );
        let soon = Duration::from_secs(4)..Duration::from_secs(12);
        for (what, took) in
            [("silent", silent.1), ("half a header", half.1), ("idle", idle.1), ("drip", drip)]
        {
            assert!(soon.contains(&took), "{what}: {took:?}");
        }
        assert!(idle.0.starts_with("HTTP/1.1 200 "), "{}", idle.0);
        assert!(body.0.starts_with("HTTP/1.1 408 "), "{}", body.0);
        assert!((Duration::from_secs(14)..Duration::from_secs(25)).contains(&body.1), "{:?}", body.1);
    })
    .await;
}

#[tokio::test]
async fn headers_have_an_end() {
    with_shop(async |shop| {
        let large = format!("GET /healthz/ HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(20_000));
        assert!(until_closed(shop, &large).await.0.starts_with("HTTP/1.1 431 "));
        let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
        let many = format!("GET /healthz/ HTTP/1.1\r\nhost: x\r\n{many}\r\n");
        assert!(until_closed(shop, &many).await.0.starts_with("HTTP/1.1 431 "));
        let usual = format!(
            "GET /healthz/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-large: {}\r\n\r\n",
            "x".repeat(8_000)
        );
        assert!(until_closed(shop, &usual).await.0.starts_with("HTTP/1.1 200 "));
    })
    .await;
}

fn limited(limits: LimitSettings) -> Settings {
    Settings { limits, ..Settings::default() }
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_at_once() {
    let limits = LimitSettings { max_connections: Some("3".into()), ..LimitSettings::default() };
    with_settings(limited(limits), async |shop| {
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(shop.shop.address).await.unwrap();
            stream.write_all(ALIVE.as_bytes()).await.unwrap();
            let mut said = [0; 12];
            stream.read_exact(&mut said).await.unwrap();
            assert_eq!(&said, b"HTTP/1.1 200");
            open.push(stream);
        }
        let begun = Instant::now();
        let (said, _) = until_closed(shop, ALIVE).await;
        assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\r\nretry-after: 1\r\n"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        let refused = shop.get("/healthz/").await.expect(503);
        assert_eq!(refused.json["type"], "/problems/unavailable");
        drop(open);
        for _ in 0..50 {
            if shop.get("/healthz/").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("a place that is free is not given away");
    })
    .await;
}

fn assert_too_many(answer: &Answer) {
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert_eq!(answer.json["type"], "/problems/too-many-requests");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert_eq!(answer.json["retry_after"], wait);
}

async fn login(shop: &TestShop, name: &str, password: &str, from: &str) -> Answer {
    let request = shop.request(Method::POST, "/api/auth/jwt/login/").header("x-forwarded-for", from);
    shop.send(request.json(&json!({"username": name, "password": password}))).await
}

#[tokio::test]
async fn of_many_wrong_passwords_at_once_no_more_are_tried() {
    let limits = LimitSettings { login_failure_rate: Some("3/h".into()), ..LimitSettings::default() };
    with_settings(limited(limits), async |shop| {
        shop.user("ada", Role::Customer).await;
        for name in ["ada", "ada@example.com", "nobody@example.com"] {
            let answers = join_all((0..20).map(|_| login(shop, name, "a wrong one", ""))).await;
            let tried = answers.iter().filter(|answer| answer.status == 401).count();
            assert_eq!(tried, 3, "{name}");
            answers.iter().filter(|answer| answer.status != 401).for_each(assert_too_many);
        }
        // Right ones wait for each other.
        shop.user("bob", Role::Customer).await;
        for answer in join_all((0..20).map(|_| login(shop, "bob", PASSWORD, ""))).await {
            answer.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_passwords_are_limited_by_account_and_address() {
    let limits = LimitSettings {
        login_failure_rate: Some("3/h".into()),
        trusted_proxies: Some("127.0.0.0/8".into()),
        ..LimitSettings::default()
    };
    with_settings(limited(limits), async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        // Whoever knows the password may sign in as often as they like.
        for _ in 0..5 {
            login(shop, "ada", PASSWORD, "1.1.1.1").await.expect(200);
        }
        // An account that there is and one that there is not are the same to a guesser.
        for name in ["ada", "nobody"] {
            for _ in 0..3 {
                login(shop, name, "a wrong one", "1.1.1.1").await.expect(401);
            }
            assert_too_many(&login(shop, &name.to_uppercase(), "a wrong one", "1.1.1.1").await);
        }
        assert_too_many(&login(shop, "ada", PASSWORD, "1.1.1.1").await);
        // The owner is not kept out elsewhere, nor by a hop that anybody could have written.
        login(shop, "ada", PASSWORD, "2.2.2.2").await.expect(200);
        assert_too_many(&login(shop, "ada", PASSWORD, "2.2.2.2, 1.1.1.1").await);
        assert_too_many(&login(shop, "ada", PASSWORD, "1.1.1.1, 127.0.0.9").await);
        // GraphQL is no way around.
        let query = "mutation { login(input: {username: \"ada\", password: \"a wrong one\"}) { access } }";
        let request = shop.request(Method::POST, "/graphql/").header("x-forwarded-for", "1.1.1.1");
        let told = shop.send(request.json(&json!({"query": query}))).await.expect(200);
        assert_eq!(told.json["errors"][0]["extensions"]["code"], "too-many-requests", "{}", told.text);
        // Nor is the change of a password.
        let change = json!({"old_password": "a wrong one", "new_password": "another passphrase"});
        let request = shop.request(Method::POST, "/api/auth/password/").header("x-forwarded-for", "1.1.1.1");
        assert_too_many(&shop.send(request.bearer_auth(&ada.access).json(&change)).await);
        // From everywhere it is ten times as many.
        for n in 0..27 {
            let answer = login(shop, "ada", "a wrong one", &format!("3.3.3.{n}")).await;
            assert_eq!(answer.status, 401, "{n}: {}", answer.text);
        }
        assert_too_many(&login(shop, "ada", PASSWORD, "4.4.4.4").await);
        let metrics = shop.get("/metrics").await.text;
        assert!(metrics.contains("duka_rate_limited_total{limit=\"login-failure\"}"), "{metrics}");
    })
    .await;
}

#[tokio::test]
async fn changing_passwords_counts_as_signing_in() {
    let limits = LimitSettings { login_rate: Some("4/h".into()), ..LimitSettings::default() };
    with_settings(limited(limits), async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let same = json!({"old_password": PASSWORD, "new_password": PASSWORD});
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(shop.post_as(&ada, "/api/auth/password/", same.clone()).await);
        }
        assert!((1..=4).contains(&answers.iter().filter(|answer| answer.status == 204).count()));
        assert_too_many(&answers[5]);
    })
    .await;
}

#[tokio::test]
async fn an_address_acts_so_often() {
    let limits = LimitSettings {
        login_rate: Some("4/h".into()),
        register_rate: Some("2/h".into()),
        refresh_rate: Some("2/h".into()),
        search_rate: Some("5/h".into()),
        ..LimitSettings::default()
    };
    with_settings(limited(limits), async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        let mut asked = 0;
        let mut post = async |path: &str, body| {
            // Nobody is trusted: whatever is forwarded, it is this machine.
            asked += 1;
            let spoofed = format!("9.9.9.{asked}");
            shop.send(shop.request(Method::POST, path).header("x-forwarded-for", spoofed).json(&body)).await
        };
        for n in 0..2 {
            let form = json!({"username": format!("user{n}"), "email": format!("u{n}@example.com"), "password": PASSWORD});
            post("/api/auth/register/", form).await.expect(201);
        }
        assert_too_many(&post("/api/auth/register/", json!({"username": "eve", "email": "e@example.com", "password": PASSWORD})).await);
        for _ in 0..3 {
            post("/api/auth/jwt/login/", json!({"username": "ada", "password": PASSWORD})).await.expect(200);
        }
        assert_too_many(&post("/api/auth/jwt/login/", json!({"username": "ada", "password": PASSWORD})).await);
        post("/api/auth/jwt/refresh/", json!({"refresh": "nonsense"})).await.expect(401);
        post("/api/auth/jwt/refresh/", json!({"refresh": ada.refresh})).await.expect(200);
        assert_too_many(&post("/api/auth/jwt/refresh/", json!({"refresh": "nonsense"})).await);
        for path in ["/api/product/", "/api/product/?q=a", "/api/product/suggest/?q=a", "/api/product/", "/api/product/"] {
            shop.get(path).await.expect(200);
        }
        for path in ["/api/product/", "/api/product/suggest/?q=a", "/api/product/1/similar/"] {
            assert_too_many(&shop.get(path).await);
        }
        shop.get("/api/category/").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn where_all_connections_to_the_database_are_taken_searches_go_on_and_the_rest_comes_back() {
    with_shop(async |shop| {
        let ada = shop.user("ada", Role::Customer).await;
        shop.get_as(&ada, "/api/cart/").await.expect(200);
        let web = &shop.shop.app.web;
        let mut taken = Vec::new();
        while taken.len() < web.options().get_max_connections() as usize {
            // Whoever works in the background has one for a moment.
            let connection = timeout(Duration::from_secs(30), async {
                loop {
                    if let Ok(connection) = web.acquire().await {
                        return connection;
                    }
                }
            });
            taken.push(connection.await.expect("a connection becomes free"));
        }
        let (cart, order, search, alive, ready) = tokio::join!(
            shop.get_as(&ada, "/api/cart/"),
            shop.post_as(&ada, "/api/order/", json!({"address_id": 1, "payment_method": "card"})),
            shop.get("/api/product/?q=kettle"),
            shop.get("/healthz/"),
            shop.get("/readyz/"),
        );
        for refused in [cart.expect(503), order.expect(503)] {
            assert_eq!(refused.json["type"], "/problems/unavailable");
            assert_eq!(refused.header("retry-after"), "1");
        }
        search.expect(200);
        alive.expect(200);
        ready.expect(200);
        drop(taken);
        shop.insist(&ada, Method::GET, "/api/cart/", &json!(null)).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_before_sending_too_much_is_told_so() {
    with_shop(async |shop| {
        let user = shop.user("long", Role::Customer).await;
        let head = format!(
            "POST /api/cart/add/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 65537\r\nexpect: 100-continue\r\n\r\n",
            user.access
        );
        let mut stream = TcpStream::connect(shop.shop.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        let answered = stream.read_exact(&mut status);
        tokio::time::timeout(Duration::from_secs(5), answered).await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 413");
    })
    .await;
}

/// In the midst of any of these, also while what it reads begins.
#[tokio::test]
async fn whoever_goes_away_leaves_no_transaction_to_the_next_one() {
    with_shop(async |shop| {
        let user = shop.user("gone", Role::Customer).await;
        let go_away = async |path: &str, number: u64| {
            let asked =
                format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", user.access);
            for step in 0..40 {
                let mut stream = TcpStream::connect(shop.shop.address).await.unwrap();
                stream.write_all(asked.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis((step + number) % 6)).await;
            }
        };
        let paths = ["/api/wishlist/", "/api/cart/", "/api/order/", "/api/payment/1/status/"];
        join_all((0..16).map(|number| go_away(paths[number as usize % paths.len()], number))).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let left: Vec<String> = sqlx::query_scalar(
            "select application_name || ': ' || query from pg_stat_activity
             where datname = current_database() and state like 'idle in transaction%'
               and xact_start < now() - interval '400 ms'",
        )
        .fetch_all(&shop.db)
        .await
        .unwrap();
        assert!(left.is_empty(), "{left:#?}");
        for _ in 0..20 {
            shop.get_as(&user, "/api/cart/").await.expect(200);
        }
    })
    .await;
}
