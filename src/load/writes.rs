//! Writes beside the searches, and how soon a search holds them.
//!
//! Variants take turns in being in stock with one piece more, and at the next turn with one less again. A sample of
//! the writes is followed: a search that demands the write's version is answered once the index holds it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, uri::PathAndQuery},
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    pace::{Pace, Slots},
    report::Times,
    wire::{Fault, Reply, Target, Wire},
};

/// Connections that write: more than a database commits at once.
const WRITERS: usize = 16;
/// Pages of variants that are written to.
const PAGES: usize = 20;
/// At most so many writes a second are followed, so that following is no load of its own.
const FOLLOWED: f64 = 20.0;
/// An access token lasts ten minutes.
const LOG_IN_AGAIN: Duration = Duration::from_secs(300);
/// How long a write may take to be searchable before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

const VERSION: HeaderName = HeaderName::from_static("x-catalog-version");
const MIN_VERSION: HeaderName = HeaderName::from_static("x-catalog-min-version");
const LOG_IN: PathAndQuery = PathAndQuery::from_static("/api/auth/jwt/login/");
const LEAST_SEARCH: PathAndQuery = PathAndQuery::from_static("/api/product/?facets=none&page_size=1");

/// Whoever may write to what the shop sells.
#[derive(Clone)]
pub struct Account {
    /// An administrator's, or a vendor's.
    pub username: String,
    /// Never told.
    pub password: String,
}

/// What is written, and by whom.
pub struct Writes {
    target: Target,
    account: Account,
    variants: Vec<Variant>,
    rate: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Variant {
    id: i64,
    stock: i64,
}

/// What came of them.
pub struct Outcome {
    /// The writes themselves.
    pub writes: Times,
    /// From a write's answer to the search that held it.
    pub visible: Times,
}

impl Writes {
    /// Prepares to write so often a second.
    ///
    /// # Errors
    /// When the account may not log in, or there is nothing to write to.
    pub async fn prepare(target: &Target, account: Account, rate: f64) -> Result<Self, Fault> {
        let mut wire = Wire::open(target).await?;
        log_in(&mut wire, &account).await?;
        let mut variants = Vec::new();
        let mut next = Some("/api/variant/?page_size=100".to_owned());
        while let Some(page) = next.take().filter(|_| variants.len() < PAGES * 100) {
            let (more, found) = variants_of(&mut wire, &page).await?;
            variants.extend(found);
            next = more;
        }
        if variants.is_empty() {
            return Err(Fault::Foreign("the shop has no variants to write to".to_owned()));
        }
        Ok(Self { target: target.clone(), account, variants, rate })
    }

    /// Writes for so long, or until `stop` is cancelled.
    ///
    /// # Errors
    /// When no connection can be made at the beginning.
    pub async fn run(self, length: Duration, stop: &CancellationToken) -> Result<Outcome, Fault> {
        let slots = Slots::open(Pace::Open(self.rate), Instant::now(), length, stop.clone());
        #[expect(clippy::cast_sign_loss, reason = "it is at least one")]
        let every = (self.rate / FOLLOWED).ceil().max(1.0) as u64;
        let this = Arc::new(self);
        let mut writing = JoinSet::new();
        for number in 0..WRITERS {
            let wire = Wire::open(&this.target).await?;
            let probe = Wire::open(&this.target).await?;
            let writer = Writer::new(Arc::clone(&this), wire, probe, number, every);
            writing.spawn(writer.run(slots.clone()));
        }
        let mut outcome = Outcome { writes: Times::new(), visible: Times::new() };
        while let Some(done) = writing.join_next().await {
            let done = done.map_err(|error| Fault::Task(error.to_string()))?;
            outcome.writes.add(&done.writes);
            outcome.visible.add(&done.visible);
        }
        Ok(outcome)
    }
}

/// A connection that writes, to variants of its own.
struct Writer {
    writes: Arc<Writes>,
    wire: Wire,
    probe: Wire,
    number: usize,
    written: usize,
    follow_every: u64,
    access: Option<(HeaderValue, Instant)>,
    outcome: Outcome,
}

impl Writer {
    fn new(writes: Arc<Writes>, wire: Wire, probe: Wire, number: usize, follow_every: u64) -> Self {
        let outcome = Outcome { writes: Times::new(), visible: Times::new() };
        Self { writes, wire, probe, number, written: 0, follow_every, access: None, outcome }
    }

    async fn run(mut self, slots: Slots) -> Outcome {
        while let Some(due) = slots.next().await {
            let sent = Instant::now();
            match self.write().await {
                Ok(reply) if reply.is_success() => {
                    let answered = Instant::now();
                    self.outcome.writes.answered(answered - due, answered - sent);
                    let is_followed = (self.written as u64).is_multiple_of(self.follow_every);
                    if let Some(version) = reply.headers.get(VERSION).filter(|_| is_followed) {
                        self.follow(version.clone(), answered).await;
                    }
                }
                Ok(reply) => self.outcome.writes.refused(reply.status, due.elapsed()),
                Err(_) => self.outcome.writes.failed(),
            }
        }
        self.outcome
    }

    async fn write(&mut self) -> Result<Reply, Fault> {
        let access = self.access().await?;
        // Its own ones, so that no two connections wait for one another over a row.
        let own = self.writes.variants.iter().skip(self.number).step_by(WRITERS);
        let count = own.clone().count().max(1);
        let variant = own.clone().nth(self.written % count).or(self.writes.variants.first());
        let variant = variant.cloned().unwrap_or(Variant { id: 0, stock: 0 });
        let stock = variant.stock + i64::from((self.written / count).is_multiple_of(2));
        self.written += 1;
        let path = path_of(&format!("/api/variant/{}/", variant.id))?;
        let reply =
            send(&mut self.wire, Method::PATCH, &path, Some(access), &serde_json::json!({"stock": stock}))
                .await;
        if reply.is_err() {
            self.wire = Wire::open(&self.writes.target).await?;
        }
        reply
    }

    async fn access(&mut self) -> Result<HeaderValue, Fault> {
        if let Some((access, since)) = &self.access
            && since.elapsed() < LOG_IN_AGAIN
        {
            return Ok(access.clone());
        }
        let access = log_in(&mut self.wire, &self.writes.account).await?;
        self.access = Some((access.clone(), Instant::now()));
        Ok(access)
    }

    /// Asks until the index holds a write. The server waits half a second itself, so that this asks rarely again.
    async fn follow(&mut self, version: HeaderValue, since: Instant) {
        loop {
            let headers = HeaderMap::from_iter([(MIN_VERSION, version.clone())]);
            let request = self.probe.request(Method::GET, &LEAST_SEARCH, headers, Body::empty());
            match self.probe.send(request).await {
                Ok(reply) if reply.is_success() => {
                    return self.outcome.visible.answered(since.elapsed(), since.elapsed());
                }
                Ok(reply) if since.elapsed() > PATIENCE => {
                    return self.outcome.visible.refused(reply.status, since.elapsed());
                }
                Ok(_) => {}
                Err(_) => return self.outcome.visible.failed(),
            }
        }
    }
}

async fn log_in(wire: &mut Wire, account: &Account) -> Result<HeaderValue, Fault> {
    #[derive(Deserialize)]
    struct Tokens {
        access: String,
    }
    let Account { username, password } = account;
    let form = serde_json::json!({"username": username, "password": password});
    let reply = send(wire, Method::POST, &LOG_IN, None, &form).await?;
    let refused = || Fault::Foreign(format!("{username} cannot log in: {}", reply.status));
    let tokens: Tokens = serde_json::from_slice(&reply.body).map_err(|_| refused())?;
    let mut access = HeaderValue::try_from(format!("Bearer {}", tokens.access)).map_err(|_| refused())?;
    access.set_sensitive(true);
    Ok(access)
}

async fn variants_of(wire: &mut Wire, path: &str) -> Result<(Option<String>, Vec<Variant>), Fault> {
    #[derive(Deserialize)]
    struct Page {
        next: Option<String>,
        results: Vec<Variant>,
    }
    let reply = wire.get(&path_of(path)?).await?;
    let page: Page = serde_json::from_slice(&reply.body)
        .map_err(|error| Fault::Foreign(format!("{path} is not what a shop answers: {error}")))?;
    // Absolute where the shop has a public address.
    let next = page.next.and_then(|next| Some(next[next.find("/api/")?..].to_owned()));
    Ok((next, page.results))
}

async fn send(
    wire: &mut Wire,
    method: Method,
    path: &PathAndQuery,
    access: Option<HeaderValue>,
    body: &impl Serialize,
) -> Result<Reply, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.extend(access.map(|access| (header::AUTHORIZATION, access)));
    let body = serde_json::to_vec(body).map_err(|error| Fault::Foreign(error.to_string()))?;
    let request = wire.request(method, path, headers, Body::from(body));
    wire.send(request).await
}

fn path_of(text: &str) -> Result<PathAndQuery, Fault> {
    text.parse().map_err(|_| Fault::Foreign(format!("{text} is no path")))
}
