//! A shop from start to stop, as one story.
//!
//! Database → schema → mirror → listener → ready; then unready → drain → what was asked for and left → jobs → mirror → database.

use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use axum::http::Extensions;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{App, Parts},
    auth::{password::Passwords, token::Keys},
    cache::{Cache, rows::Rows, spellings::Spellings},
    clock::Clock,
    config::Config,
    database::{Database, DatabaseError},
    gate::Gate,
    indexing::{Indexing, IndexingError},
    job::Jobs,
    node, order, payment,
    payment::gateway::Gateways,
    pulse::Pulse,
    router, search, server, telemetry,
    throttle::Throttle,
};

/// Files of imports that wait or are brought in, at a time.
const UPLOADS: usize = 4;
/// How long after its beginning a stop still waits for what clients have asked for that did not wait for its answer: in
/// all less than the ten seconds after which container runtimes kill.
const ACTS: Duration = Duration::from_secs(9);

/// Why a shop did not open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No database.
    #[error("{0}")]
    Database(#[from] DatabaseError),
    /// No mirror.
    #[error("the search index cannot be opened: {0}")]
    Indexing(#[from] IndexingError),
    /// The address is taken or not ours.
    #[error("cannot listen on {0}: {1}")]
    Listen(String, #[source] io::Error),
    /// The data directory cannot be used.
    #[error("the data directory {0} cannot be used: {1}")]
    DataDir(String, #[source] io::Error),
    /// The payment gateways cannot be asked.
    #[error("the payment gateways cannot be asked: {0}")]
    Gateways(#[from] reqwest::Error),
    /// The system gives no threads.
    #[error("the threads that search cannot be started: {0}")]
    Threads(#[source] io::Error),
    /// The system has no randomness or no memory.
    #[error("{0}")]
    Passwords(crate::error::Error),
}

/// An open shop.
pub struct Shop {
    /// What requests reach, for those who serve themselves.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    database: Database,
    running: Running,
}

/// What runs beside the requests' own tasks, and how each is told to stop.
struct Running {
    stop_requests: CancellationToken,
    requests: JoinHandle<()>,
    stop_indexing: CancellationToken,
    indexer: JoinHandle<()>,
    keeper: Option<JoinHandle<()>>,
}

impl Shop {
    /// Opens: returns once requests are answered.
    ///
    /// # Errors
    /// See [`StartError`]; what had been started is stopped again.
    pub async fn open(config: Config, listen: &str, clock: Clock) -> Result<Self, StartError> {
        telemetry::metrics();
        let listener = server::listen(listen).await.map_err(|e| StartError::Listen(listen.to_owned(), e))?;
        let address = listener.local_addr().map_err(|e| StartError::Listen(listen.to_owned(), e))?;
        let database = Database::open(&config).await?;
        match Self::open_on(config, listener, clock, &database).await {
            Ok((app, running)) => Ok(Self { app, address, database, running }),
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    async fn open_on(
        config: Config,
        listener: TcpListener,
        clock: Clock,
        database: &Database,
    ) -> Result<(App, Running), StartError> {
        let address = listener.local_addr().map_err(|e| StartError::Listen(String::new(), e))?;
        // After the database, which knows who must be able to reach the data directory.
        let keys = keys(&config)?;
        database.migrate().await?;
        database.price_in(config.currency).await?;
        database.level().await?;
        let cores = available_parallelism().map_or(2, usize::from);
        let passwords = Passwords::new(cores.div_ceil(2)).map_err(StartError::Passwords)?;
        let stop_indexing = CancellationToken::new();
        let sources = database.index_pools();
        let (indexing, indexer) =
            Indexing::resume(sources, config.data_dir.clone(), stop_indexing.clone()).await?;
        let mut kept = Extensions::new();
        kept.insert(Gateways::open(&config, &clock, address)?);
        let throttle = Throttle::new(&config.limits);
        let most = server::affordable(config.limits.connections);
        let (web, stopping) = (database.web_pool(), CancellationToken::new());
        let checkouts = web.options().get_max_connections().div_ceil(2) as usize;
        let app = App::new(Parts {
            cache: Cache::new(config.search_cache_bytes),
            spellings: Spellings::new(config.search_cache_bytes > 0),
            rows: Rows::new(config.row_cache_bytes),
            jobs: Jobs::open(web.clone(), node::name(&config.data_dir), stopping.clone()),
            config,
            web,
            turns: database.catalog_turns(),
            sessions: database.session_turns(),
            health: database.health_pool(),
            indexing,
            keys,
            passwords,
            clock,
            searches: Gate::new(cores).map_err(StartError::Threads)?,
            pulse: Pulse::default(),
            throttle,
            imports: database.job_pool("duka import"),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            exports: database.job_pool("duka export"),
            checkouts: Arc::new(Semaphore::new(checkouts)),
            kept,
            acts: TaskTracker::new(),
            ready: AtomicBool::new(true),
            stopping,
        });
        let stop_requests = CancellationToken::new();
        tokio::spawn(app.pulse.clone().take(stop_requests.clone()));
        let service = router::service(app.clone());
        let requests = tokio::spawn(server::serve(listener, service, most, stop_requests.clone()));
        let keeper = database.keep(stop_indexing.clone());
        tokio::spawn(telemetry::upkeep(stop_indexing.clone()));
        tokio::spawn(search::upkeep::worker::run(app.clone()));
        tokio::spawn(order::worker::run(app.clone()));
        tokio::spawn(payment::worker::run(app.clone()));
        Ok((app, Running { stop_requests, requests, stop_indexing, indexer, keeper }))
    }

    /// Closes: answers what has been asked, stops the jobs, ends the mirror cleanly, stops the managed database.
    pub async fn close(self) {
        let (running, end) = (self.running, Instant::now() + ACTS);
        self.app.ready.store(false, Ordering::Release);
        self.app.stopping.cancel();
        running.stop_requests.cancel();
        ended(running.requests, "listener").await;
        self.app.acts.close();
        if timeout_at(end, self.app.acts.wait()).await.is_err() {
            tracing::warn!("what some clients have asked for and left did not end in time and is cut off");
        }
        self.app.jobs.close().await;
        running.stop_indexing.cancel();
        ended(running.indexer, "indexer").await;
        if let Some(keeper) = running.keeper {
            ended(keeper, "database's keeper").await;
        }
        self.app.imports.close().await;
        self.app.exports.close().await;
        self.app.turns.close().await;
        self.app.sessions.close().await;
        self.app.web.close().await;
        self.app.health.close().await;
        self.database.close().await;
    }
}

async fn ended(task: JoinHandle<()>, name: &str) {
    if let Err(error) = task.await {
        tracing::error!(%error, "the {name} failed");
    }
}

/// SIGINT and SIGTERM, heard from the moment that it is made: one that comes while nobody waits is not lost.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the process cannot.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves at the next signal, or at one that has come since the last call.
    pub async fn heard(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn keys(config: &Config) -> Result<Keys, StartError> {
    let fail = |error| StartError::DataDir(config.data_dir.display().to_string(), error);
    fs::create_dir_all(&config.data_dir).map_err(fail)?;
    let current = match &config.jwt_secret {
        Some(secret) => secret.clone(),
        None => kept_secret(&config.data_dir.join("jwt-secret")).map_err(fail)?,
    };
    Ok(Keys::new(&current, config.jwt_secret_previous.as_ref()))
}

/// The secret in the file, made on first use; readable by its owner alone.
fn kept_secret(path: &Path) -> io::Result<SecretString> {
    if !path.exists() {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes);
        let secret: SecretString = bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into();
        let draft = path.with_extension(format!("{}", std::process::id()));
        let mut file =
            fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(secret.expose_secret().as_bytes())?;
        file.sync_all()?;
        // Fails when another process was first: then its secret is the one.
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        if let Err(error) = linked
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
    }
    let secret = fs::read_to_string(path)?;
    let usable = secret.trim().len() >= 32;
    usable.then(|| secret.trim().into()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no secret; remove it", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jwt-secret");
        let first = kept_secret(&path).unwrap();
        assert_eq!(first.expose_secret().len(), 64);
        assert_eq!(kept_secret(&path).unwrap().expose_secret(), first.expose_secret());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the draft is gone");
    }
}
