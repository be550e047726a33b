//! Requests that may be sent again: the first answer to an `Idempotency-Key` is kept, and given again.
//!
//! [`begin`] claims the key in the transaction that does the work, and [`finish`] keeps the answer in it: work and
//! answer are there together or not at all. Whoever sends the same key meanwhile is told so at once, and gets the
//! answer later. Refusals are not kept: they changed nothing, and the same request may do better later.

pub mod http;
mod store;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use crate::error::{Error, Kind, Result};

/// The longest key, in characters.
pub const LONGEST_KEY: usize = 255;

/// A request that names a key.
#[derive(Clone, Debug)]
pub struct Request {
    user_id: i64,
    route: String,
    key: String,
    hash: [u8; 32],
}

impl Request {
    /// `route` is its method and path, `body` its canonical text.
    pub fn new(user_id: i64, route: impl Into<String>, key: String, body: &str) -> Self {
        Self { user_id, route: route.into(), key, hash: Sha256::digest(body).into() }
    }

    /// The number of the lock that stands for the key while a request with it runs.
    fn lock(&self) -> i64 {
        let name = format!("{} {} {}", self.user_id, self.route, self.key);
        let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(name).into();
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// An answer, ready to be sent and sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to it.
    pub headers: Vec<Header>,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Kept {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }
}

/// A header of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// In lower case.
    pub name: String,
    /// Visible ASCII.
    pub value: String,
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub enum Answered {
    /// To the first such request.
    First(Kept),
    /// To one that repeats it.
    Again(Kept),
}

/// What [`begin`] found.
#[derive(Debug)]
pub enum Begun {
    /// Nobody has sent it before: do the work, then [`finish`].
    First(Claim),
    /// The first answer.
    Again(Kept),
}

/// A key that this transaction holds.
#[derive(Clone, Copy, Debug)]
pub struct Claim(Option<i64>);

impl Claim {
    /// The key's row, for work that is committed before its answer is known; `None` without a key.
    pub fn id(self) -> Option<i64> {
        self.0
    }
}

/// Claims the request's key until the transaction ends. A request without one is always the first.
///
/// Whoever refuses the request afterwards rolls back before it answers: until then the key is in use.
///
/// # Errors
/// 409 while another transaction holds the key, 422 when it came with another body.
pub async fn begin(db: &mut PgConnection, request: Option<&Request>) -> Result<Begun> {
    let Some(request) = request else { return Ok(Begun::First(Claim(None))) };
    let running = || Error::new(Kind::KeyInUse, "The first request with this key has not been answered yet.");
    if !store::hold(db, request.lock()).await? {
        return Err(running());
    }
    if let Some(id) = store::claim(db, request).await? {
        return Ok(Begun::First(Claim(Some(id))));
    }
    let known = store::known(db, request).await?.ok_or_else(running)?;
    if known.hash != request.hash {
        let detail = "This Idempotency-Key came with another body before; use a new key for a new request.";
        return Err(Error::new(Kind::KeyReused, detail));
    }
    known.answer.map(Begun::Again).ok_or_else(running)
}

/// The claim of the same request, where its work was committed and its answer is not kept yet: somebody is at it, or
/// has died over it.
///
/// # Errors
/// When the database does not answer.
pub async fn unanswered(db: &mut PgConnection, request: &Request) -> Result<Option<Claim>> {
    Ok(store::unanswered(db, request).await?.map(|id| Claim(Some(id))))
}

/// Keeps the answer with the work.
///
/// # Errors
/// When the database does not answer.
pub async fn finish(db: &mut PgConnection, claim: &Claim, answer: &Kept) -> Result<()> {
    match claim.0 {
        Some(id) => store::keep(db, id, answer).await,
        None => Ok(()),
    }
}

/// Forgets the keys of more than seven days ago.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_old(db: &PgPool) -> Result<()> {
    store::forget_old(db).await
}
