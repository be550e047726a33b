//! Password hashes: argon2id on a bounded pool.
//!
//! Hashing is made to be expensive, so the number of hashes at once is bounded (more threads than cores slow
//! every one of them down, and each slows what the other cores do, since all share one memory: half of the cores are
//! left alone), the queue for them is bounded (a flood of sign-ins is refused, not stored up),
//! and the 19 MiB that each one fills are kept for the next one, since asking the system for them anew costs
//! half as much again. Each runs on a thread of its own that stands back behind everything else: a flood of
//! sign-ins slows sign-ins, and of searches one in a hundred, which waits for up to a tick of the system's clock
//! until such a thread makes way (4 ms at 250 Hz).

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, PasswordHash, Salt},
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    error::{Error, Result},
    niceness::stand_back,
};

/// Sign-ins that may wait for a place; with a place for every two cores and 30 ms a hash the last one waits
/// two seconds.
const QUEUE: usize = 64;
/// How far hashing stands back: it gets what others leave, and a ninth of a core that they would take whole.
const NICENESS: i32 = 10;
/// Bytes of a salt (RFC 9106 §3.1 recommends 16) and of a hash.
const SALT: usize = 16;
const HASH: usize = 32;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
fn params() -> Params {
    Params::new(19 * 1024, 2, 1, Some(HASH)).unwrap_or(Params::DEFAULT)
}

/// Hashes and checks passwords; cheap to clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    memory: Mutex<Vec<Vec<Block>>>,
    /// The hash that an unknown user's password is checked against, so that it takes as long.
    dummy: String,
}

impl Passwords {
    /// A pool that hashes `at_once` passwords at once.
    ///
    /// # Errors
    /// When the system has no randomness or no memory.
    pub fn new(at_once: usize) -> Result<Self> {
        let memory = Mutex::new(Vec::new());
        let dummy = hash_now(&memory, b"nobody has this password")?;
        let (places, queue) = (Arc::new(Semaphore::new(at_once)), Arc::new(Semaphore::new(at_once + QUEUE)));
        Ok(Self(Arc::new(Inner { places, queue, memory, dummy })))
    }

    /// Refuses while no more may wait, before the database is asked for somebody who would be refused anyway: under a
    /// flood its connections belong to everybody else.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub fn demand_room(&self) -> Result<()> {
        if self.0.queue.available_permits() == 0 { Err(busy()) } else { Ok(()) }
    }

    /// The hash of a password as a PHC string.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        self.run(move |inner| hash_now(&inner.memory, password.expose_secret().as_bytes())).await?
    }

    /// Whether the password has this hash. Without a hash it takes the same time and is false.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool> {
        self.run(move |inner| {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(&inner.dummy);
            Ok(verify_now(&inner.memory, password.expose_secret().as_bytes(), hash)? && known)
        })
        .await?
    }

    /// Both permits go with the work: who hangs up frees no place while the hash still runs.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> T + Send + 'static) -> Result<T> {
        let inner = Arc::clone(&self.0);
        let queued = Arc::clone(&inner.queue).try_acquire_owned().map_err(|_| busy())?;
        let place = Arc::clone(&inner.places).acquire_owned().await.map_err(|_| busy())?;
        let (sender, done) = oneshot::channel();
        let thread = thread::Builder::new().name("duka password".to_owned()).spawn(move || {
            stand_back(NICENESS);
            let done = work(&inner);
            drop((queued, place));
            // Whoever has hung up wants it no more.
            let _ = sender.send(done);
        });
        thread.map_err(Error::internal)?;
        done.await.map_err(Error::internal)
    }
}

fn busy() -> Error {
    metrics::counter!("duka_passwords_refused_total").increment(1);
    Error::unavailable("Too many people are signing in at this moment.")
}

fn hash_now(memory: &Mutex<Vec<Vec<Block>>>, password: &[u8]) -> Result<String> {
    let mut salt = [0; SALT];
    rand::fill(&mut salt);
    let params = params();
    let digest = digest(memory, password, &salt, &params)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: (&params).try_into().map_err(Error::internal)?,
        salt: Some(Salt::new(&salt).map_err(Error::internal)?),
        hash: Some(Output::new(&digest).map_err(Error::internal)?),
    };
    Ok(hash.to_string())
}

fn verify_now(memory: &Mutex<Vec<Vec<Block>>>, password: &[u8], hash: &str) -> Result<bool> {
    let hash = PasswordHash::new(hash).map_err(Error::internal)?;
    let params = Params::try_from(&hash).map_err(Error::internal)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Ok(false) };
    let digest = digest(memory, password, salt.as_ref(), &params)?;
    Ok(digest.as_slice().ct_eq(expected.as_bytes()).into())
}

fn digest(
    memory: &Mutex<Vec<Vec<Block>>>,
    password: &[u8],
    salt: &[u8],
    params: &Params,
) -> Result<[u8; HASH]> {
    let kept = || memory.lock().unwrap_or_else(PoisonError::into_inner);
    let mut blocks = kept().pop().unwrap_or_default();
    blocks.resize(params.block_count(), Block::default());
    let mut digest = [0; HASH];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let done = argon2.hash_password_into_with_memory(password, salt, &mut digest, &mut blocks);
    kept().push(blocks);
    done.map(|()| digest).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_has_its_hash_and_no_other() {
        let passwords = Passwords::new(1).unwrap();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody has this password".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_is_known_beforehand() {
        let passwords = Passwords::new(1).unwrap();
        passwords.demand_room().unwrap();
        let waiting =
            Arc::clone(&passwords.0.queue).try_acquire_many_owned(u32::try_from(QUEUE).unwrap() + 1).unwrap();
        assert!(passwords.demand_room().is_err() && passwords.hash("another".into()).await.is_err());
        drop(waiting);
        passwords.demand_room().unwrap();
    }

    #[tokio::test]
    async fn hashes_are_salted() {
        let passwords = Passwords::new(1).unwrap();
        let first = passwords.hash("same".into()).await.unwrap();
        assert_ne!(first, passwords.hash("same".into()).await.unwrap());
    }
}
