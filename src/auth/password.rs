//! Password hashes: argon2id on a bounded pool.
//!
//! Hashing is made to be expensive, so the number of hashes at once is bounded (more threads than cores slow
//! every one of them down, and each slows what the other cores do, since all share one memory: half of the cores are
//! left alone), the queue for them is bounded (a flood of sign-ins is refused, not stored up),
//! and the 19 MiB that each one fills are kept for the next one, since asking the system for them anew costs
//! half as much again. They run on threads that stand back behind whatever answers, and make way for it more often than
//! the system's clock ticks, where the system lets them: without that the slowest hundredth of searches took up to seven
//! times as long under a flood of sign-ins, and takes up to half as long again now.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
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
    niceness::{make_way, stand_back, take_slices},
};

/// Sign-ins that may wait for a place; with a place for every two cores and 30 ms a hash the last one waits
/// two seconds.
const QUEUE: usize = 64;
/// How far hashing stands back: it gets what others leave, and a ninth of a core that they would take whole.
const NICENESS: i32 = 8;
/// How often a hash makes way, and the slices that it takes, of which it gives one up each time, in use or not: with longer
/// ones a sign-in takes two seconds where searches want more than there is, and with these a quarter of one.
const TURN: Duration = Duration::from_micros(300);
const SLICE: Duration = Duration::from_micros(100);
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

/// What a thread does next, with the memory that it keeps, and what it tells of that.
type Work = Box<dyn FnOnce(&mut Vec<Block>) -> Box<dyn FnOnce()> + Send>;

struct Inner {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// To the threads, of which there is one for each place. They end with it.
    works: mpsc::Sender<Work>,
    /// The hash that an unknown user's password is checked against, so that it takes as long.
    dummy: String,
}

impl Passwords {
    /// A pool that hashes `at_once` passwords at once.
    ///
    /// # Errors
    /// When the system has no randomness, no memory or no thread.
    pub fn new(at_once: usize) -> Result<Self> {
        let dummy = hash_now(&mut Vec::new(), b"nobody has this password")?;
        let (works, received) = mpsc::channel();
        let received = Arc::new(Mutex::new(received));
        for _ in 0..at_once {
            let received = Arc::clone(&received);
            let thread = thread::Builder::new().name("duka password".to_owned());
            thread.spawn(move || work_off(&received)).map_err(Error::internal)?;
        }
        let (places, queue) = (Arc::new(Semaphore::new(at_once)), Arc::new(Semaphore::new(at_once + QUEUE)));
        Ok(Self(Arc::new(Inner { places, queue, works, dummy })))
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
        self.run(move |memory| hash_now(memory, password.expose_secret().as_bytes())).await?
    }

    /// Whether the password has this hash. Without a hash it takes the same time and is false.
    ///
    /// # Errors
    /// 503 when too many are waiting.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.0.dummy.clone());
        self.run(move |memory| Ok(verify_now(memory, password.expose_secret().as_bytes(), &hash)? && known))
            .await?
    }

    /// Both permits go with the work: who hangs up frees no place while the hash still runs.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T> {
        let queued = Arc::clone(&self.0.queue).try_acquire_owned().map_err(|_| busy())?;
        let place = Arc::clone(&self.0.places).acquire_owned().await.map_err(|_| busy())?;
        let (sender, done) = oneshot::channel();
        let work: Work = Box::new(move |memory| {
            let done = work(memory);
            Box::new(move || {
                drop((queued, place));
                // Whoever has hung up wants it no more.
                let _ = sender.send(done);
            })
        });
        self.0.works.send(work).map_err(|_| Error::internal("the threads that hash have ended"))?;
        done.await.map_err(Error::internal)
    }
}

/// What a thread does until nobody has any more work for it.
fn work_off(received: &Mutex<mpsc::Receiver<Work>>) {
    stand_back(NICENESS);
    let has_slices = take_slices(None, SLICE)
        .inspect_err(|error| tracing::debug!(%error, "a thread that hashes takes slices of the usual length"))
        .unwrap_or(false);
    let mut memory = Vec::new();
    let next = || received.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(work) = next() {
        let making_way = has_slices.then(|| {
            make_way(TURN).inspect_err(|error| tracing::debug!(%error, "a thread that hashes makes no way"))
        });
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut memory)));
        // Others wait for the locks that are held while it is told.
        drop(making_way);
        // After a panic whoever waits for it is told by what it leaves behind.
        if let Ok(tell) = done {
            tell();
        }
    }
}

fn busy() -> Error {
    metrics::counter!("duka_passwords_refused_total").increment(1);
    Error::unavailable("Too many people are signing in at this moment.")
}

fn hash_now(memory: &mut Vec<Block>, password: &[u8]) -> Result<String> {
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

fn verify_now(memory: &mut Vec<Block>, password: &[u8], hash: &str) -> Result<bool> {
    let hash = PasswordHash::new(hash).map_err(Error::internal)?;
    let params = Params::try_from(&hash).map_err(Error::internal)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Ok(false) };
    let digest = digest(memory, password, salt.as_ref(), &params)?;
    Ok(digest.as_slice().ct_eq(expected.as_bytes()).into())
}

fn digest(memory: &mut Vec<Block>, password: &[u8], salt: &[u8], params: &Params) -> Result<[u8; HASH]> {
    memory.resize(params.block_count(), Block::default());
    let mut digest = [0; HASH];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password_into_with_memory(password, salt, &mut digest, memory).map_err(Error::internal)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use std::{cell::OnceCell, time::Duration};

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
    async fn a_thread_outlasts_a_panic_and_ends_with_the_last_clone() {
        let passwords = Passwords::new(1).unwrap();
        let (sender, ended) = mpsc::channel::<()>();
        let broken = passwords.run(move |_| {
            // Dropped when the thread ends.
            thread_local!(static KEPT: OnceCell<mpsc::Sender<()>> = const { OnceCell::new() });
            KEPT.with(|kept| kept.set(sender).unwrap());
            panic!("broken")
        });
        assert!(broken.await.map(|(): ()| ()).is_err());
        passwords.clone().hash("another".into()).await.unwrap();
        assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(passwords);
        let told = ended.recv_timeout(Duration::from_secs(10));
        assert_eq!(told, Err(mpsc::RecvTimeoutError::Disconnected));
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
