//! A shop a test.

pub mod bank;
mod cluster;
mod crowd;
pub mod gateway;
mod graph;
mod leaving;
mod statements;
mod trade;

use std::{io::Read, panic::AssertUnwindSafe, time::Duration};

use duka::{
    account::{actions, model::Registration},
    auth::Role,
    body,
    clock::Clock,
    config::{Config, Settings},
    indexing::Version,
    lifecycle::Shop,
};
use futures_util::FutureExt;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;

pub use self::{
    cluster::TestDatabase,
    crowd::{Buyer, rounds},
    statements::{statements, statements_of},
};

/// An open shop, and somebody to speak to it.
pub struct TestShop {
    pub shop: Shop,
    pub base: String,
    /// For looking at the database behind the shop's back.
    pub db: PgPool,
    pub database_url: String,
    pub data_dir: TempDir,
    client: reqwest::Client,
}

/// Opens a shop, runs the test, closes the shop and drops its database, also when the test fails.
pub async fn with_shop(test: impl AsyncFnOnce(&TestShop)) {
    with_settings(Settings::default(), test).await;
}

/// [`with_shop`] with settings of the test's own.
pub async fn with_settings(settings: Settings, test: impl AsyncFnOnce(&TestShop)) {
    with_clock(settings, Clock::default(), test).await;
}

/// [`with_settings`] with a clock that the test moves. Tokens are verified by the system's time: sign in while
/// the clock is near it.
pub async fn with_clock(settings: Settings, clock: Clock, test: impl AsyncFnOnce(&TestShop)) {
    let database = TestDatabase::create().await;
    let data_dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        data_dir: Some(data_dir.path().to_owned()),
        database_url: Some(database.url.clone()),
        ..settings
    };
    let config = Config::new(&settings).unwrap();
    let shop = Shop::open(config, "127.0.0.1:0", clock).await.unwrap();
    let base = format!("http://{}", shop.address);
    let client = http_client().timeout(Duration::from_secs(30)).build().unwrap();
    let database_url = database.url.clone();
    let shop = TestShop { shop, base, db: database.pool.clone(), database_url, data_dir, client };
    let outcome = AssertUnwindSafe(test(&shop)).catch_unwind().await;
    shop.shop.close().await;
    database.drop().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// A client that speaks to nobody but whom it is told.
pub fn http_client() -> reqwest::ClientBuilder {
    duka::outbound::client().no_proxy()
}

/// Sends it, and reads what comes back.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, json }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null when the body is not JSON.
    pub json: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Demands a status, showing the body when it is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The pointers (or parameters) of a problem's faults.
    pub fn faults(&self) -> Vec<&str> {
        let faults = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        faults.iter().filter_map(|f| f["pointer"].as_str().or(f["parameter"].as_str())).collect()
    }

    #[track_caller]
    pub fn id(&self) -> i64 {
        self.json["id"].as_i64().unwrap_or_else(|| panic!("no id in {}", self.text))
    }
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct User {
    pub id: i64,
    pub name: String,
    pub access: String,
    pub refresh: String,
}

/// Sends it: the status, the headers as they came, and the body, decoded.
pub async fn decoded(request: reqwest::RequestBuilder) -> (u16, HeaderMap, Vec<u8>) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let length = headers.get("content-length").map(|length| length.to_str().unwrap());
    assert!(status != 200 || length.is_none_or(|length| length == bytes.len().to_string()), "{headers:?}");
    let mut plain = Vec::new();
    match headers.get("content-encoding").map(reqwest::header::HeaderValue::as_bytes) {
        Some(b"gzip") => flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap(),
        Some(b"br") => brotli::Decompressor::new(&*bytes, 4096).read_to_end(&mut plain).unwrap(),
        None => (&*bytes).read_to_end(&mut plain).unwrap(),
        Some(other) => panic!("{other:?}"),
    };
    (status, headers, plain)
}

pub const PASSWORD: &str = "a fine long passphrase";

impl TestShop {
    /// Runs statements as somebody at a prompt does, over a connection of their own; again where they lock
    /// themselves out with what the shop reads meanwhile: a `truncate` takes its tables in another order.
    pub async fn at_a_prompt(&self, statements: &'static str) -> Result<(), sqlx::Error> {
        loop {
            let mut connection = self.db.acquire().await?.detach();
            let ran = sqlx::raw_sql(statements).execute(&mut connection).await;
            let deadlock =
                matches!(&ran, Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("40P01"));
            if !deadlock {
                return ran.map(drop);
            }
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        send(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn get_as(&self, user: &User, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(&user.access)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn post_as(&self, user: &User, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).bearer_auth(&user.access).json(&body)).await
    }

    pub async fn patch_as(&self, user: &User, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).bearer_auth(&user.access).json(&body)).await
    }

    pub async fn delete_as(&self, user: &User, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).bearer_auth(&user.access)).await
    }

    /// Sends a body as somebody, or as nobody.
    pub async fn send_as(&self, user: Option<&User>, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).json(body);
        self.send(match user {
            Some(user) => request.bearer_auth(&user.access),
            None => request,
        })
        .await
    }

    /// [`send_as`](Self::send_as), and again while the shop says that it is too busy (503), as its answer asks for:
    /// for those who come in crowds, where the crowd is not what is tried.
    pub async fn insist(&self, user: &User, method: Method, path: &str, body: &Value) -> Answer {
        for _ in 0..20 {
            let answer = self.send_as(Some(user), method.clone(), path, body).await;
            if answer.status != 503 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("too busy for too long: {method} {path}");
    }

    /// Makes a user of the role and signs in.
    pub async fn user(&self, name: &str, role: Role) -> User {
        let form = json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        let account: Registration = body::read(form, self.shop.app.config.currency).unwrap();
        let made = actions::create(&self.db, &self.shop.app.passwords, &account, role).await.unwrap();
        self.sign_in(made.id, name, PASSWORD).await
    }

    pub async fn sign_in(&self, id: i64, name: &str, password: &str) -> User {
        let body = json!({"username": name, "password": password});
        let answer = self.post("/api/auth/jwt/login/", body).await.expect(200);
        let token = |name: &str| answer.json[name].as_str().unwrap().to_owned();
        User { id, name: name.to_owned(), access: token("access"), refresh: token("refresh") }
    }

    pub async fn admin(&self) -> User {
        self.user("root-of-all", Role::Admin).await
    }

    /// A category, for products to hang in.
    pub async fn category(&self, admin: &User, name: &str) -> i64 {
        self.post_as(admin, "/api/category/", json!({"name": name})).await.expect(201).id()
    }

    /// Waits until the index holds the write that this answers.
    #[track_caller]
    pub fn indexed<'a>(&'a self, answer: &Answer) -> impl Future<Output = ()> + 'a {
        let version: Version = answer.header("x-catalog-version").parse().unwrap();
        async move {
            let held = self.shop.app.indexing.holds(version, Duration::from_secs(10)).await;
            assert!(held, "the index did not get the write {version} within ten seconds");
        }
    }

    /// Waits until the index holds everything that is committed now.
    pub async fn settled(&self) {
        let xid: String =
            sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&self.db).await.unwrap();
        let epoch = self.shop.app.indexing.applied().epoch;
        let version = Version { epoch, xid: xid.parse().unwrap() };
        assert!(self.shop.app.indexing.holds(version, Duration::from_secs(60)).await, "the index lags");
    }

    /// Everything that can be told of the database's catalog and accounts, for seeing that nothing changed.
    pub async fn fingerprint(&self) -> String {
        sqlx::query_scalar(
            "select md5(
                 (select coalesce(string_agg(p::text, '|' order by id), '') from product p)
                 || (select coalesce(string_agg(v::text, '|' order by id), '') from variant v)
                 || (select coalesce(string_agg(c::text, '|' order by id), '') from category c)
                 || (select coalesce(string_agg(u::text, '|' order by id), '') from users u)
             )",
        )
        .fetch_one(&self.db)
        .await
        .unwrap()
    }
}
