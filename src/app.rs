//! What every request can reach.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::http::Extensions;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{password::Passwords, token::Keys},
    cache::{Cache, rows::Rows, spellings::Spellings},
    clock::Clock,
    config::Config,
    database::Turns,
    gate::Gate,
    indexing::Indexing,
    job::Jobs,
    pulse::Pulse,
    throttle::Throttle,
};

/// The running shop; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// See [`App`].
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The database, for requests.
    pub web: PgPool,
    /// The database, for writes to the catalog: few connections, which they take in turns.
    pub turns: Turns,
    /// The database, for the question whether a session lives, which comes before everything that somebody does.
    pub sessions: Turns,
    /// The database, for `/readyz/`: never waits behind requests.
    pub health: PgPool,
    /// The mirror that answers searches, and what keeps it; told of each write.
    pub indexing: Indexing,
    /// Long work that clients ask for.
    pub jobs: Jobs,
    /// Signs and verifies access tokens.
    pub keys: Keys,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// The time.
    pub clock: Clock,
    /// Answers to searches.
    pub cache: Cache,
    /// What anonymous searches have asked, by their query strings.
    pub spellings: Spellings,
    /// Products as answers show them.
    pub rows: Rows,
    /// Places for searches: as many as there are cores, so that a queue forms here and not on the runtime.
    pub searches: Gate,
    /// Whether the runtime keeps up with what is asked.
    pub pulse: Pulse,
    /// How often somebody may ask.
    pub throttle: Throttle,
    /// The database, for imports that clients have sent.
    pub imports: PgPool,
    /// Places for the files of imports, on this server's disk.
    pub uploads: Arc<Semaphore>,
    /// The database, for exports: one connection each, for as long as its client reads.
    pub exports: PgPool,
    /// Places for checkouts, half as many as `web` has connections: in a rush their queue forms here, and leaves
    /// connections to everybody else.
    pub checkouts: Arc<Semaphore>,
    /// What features keep for as long as the shop is open, such as the gateways of payments: by its type, since the
    /// ground does not know them.
    pub kept: Extensions,
    /// The tasks of requests that change something: they go on when their clients leave, and a stop waits for them.
    pub acts: TaskTracker,
    /// Whether new requests are welcome.
    pub ready: AtomicBool,
    /// Cancelled when the shop closes: answers that go on for long end then.
    pub stopping: CancellationToken,
}

impl App {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether new requests are welcome: false while it starts and while it stops.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
