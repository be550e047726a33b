//! The connections to PostgreSQL, the shop's own or the managed one, and the schema in it.

mod store;
mod turns;

use std::{num::NonZero, str::FromStr, sync::Arc, thread, time::Duration};

use secrecy::ExposeSecret;
use sqlx::{
    Connection as _, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::turns::{Turn, Turns, was_not_run};
use crate::{
    config::Config,
    indexing::Sources,
    money::Currency,
    postgres::{self, Cluster},
};

/// The managed cluster's database.
const DATABASE: &str = "duka";
/// How often the managed server is looked after: it costs a millisecond or two.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A request's connection that was idle for so long is asked whether it lives before it is used.
const RESTED: Duration = Duration::from_secs(1);

/// Each answers some ten thousand times a second.
const SESSION_CONNECTIONS: u32 = 2;

/// For how long PostgreSQL waits for the next statement of a transaction of ours that nobody waits for.
const FROZEN: &str = "5min";

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The managed cluster does not run.
    #[error("{0}")]
    Cluster(#[from] postgres::Error),
    /// The server does not answer, or refuses.
    #[error("the database cannot be reached: {0}; check --database-url (DATABASE_URL)")]
    Unreachable(#[source] sqlx::Error),
    /// The same of the database that the mirror reads.
    #[error(
        "the mirror's source cannot be reached: {0}; check --mirror-database-url (DUKA_MIRROR_DATABASE_URL)"
    )]
    MirrorUnreachable(#[source] sqlx::Error),
    /// The mirror would show another shop's products.
    #[error(
        "--mirror-database-url (DUKA_MIRROR_DATABASE_URL) is neither the database of --database-url nor a standby of it"
    )]
    Stranger,
    /// The standby does not come as far as the schema.
    #[error("the mirror's source has not replayed what the database held {} seconds ago; is its replication at work?", CATCH_UP.as_secs())]
    Behind,
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A task was ended from outside.
    #[error("starting the database was interrupted: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// For how long a standby may be behind when a shop opens.
const CATCH_UP: Duration = Duration::from_secs(30);

/// A database that answers.
pub struct Database {
    options: PgConnectOptions,
    /// What the mirror reads, where that is another server.
    mirror: Option<PgConnectOptions>,
    cluster: Option<Arc<Cluster>>,
}

impl Database {
    /// Reaches the configured server, or starts the managed one.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub async fn open(config: &Config) -> Result<Self, DatabaseError> {
        let Some(url) = &config.database_url else { return Self::managed(config).await };
        let options = PgConnectOptions::from_str(url.expose_secret()).map_err(DatabaseError::Unreachable)?;
        store::ping(&options).await.map_err(DatabaseError::Unreachable)?;
        let mut database = Self { options: ours(options), mirror: None, cluster: None };
        if let Some(url) = &config.mirror_database_url {
            let options =
                PgConnectOptions::from_str(url.expose_secret()).map_err(DatabaseError::MirrorUnreachable)?;
            let replica = store::identity(&options).await.map_err(DatabaseError::MirrorUnreachable)?;
            let own = store::identity(&database.options).await.map_err(DatabaseError::Unreachable)?;
            if own != replica {
                return Err(DatabaseError::Stranger);
            }
            database.mirror = Some(ours(options));
        }
        Ok(database)
    }

    async fn managed(config: &Config) -> Result<Self, DatabaseError> {
        let data_dir = config.data_dir.clone();
        let cluster = tokio::task::spawn_blocking(move || Cluster::start(&data_dir)).await??;
        let server = server_options(cluster.endpoint());
        store::ensure_database(&server.clone().database("postgres"), DATABASE)
            .await
            .map_err(DatabaseError::Unreachable)?;
        let options = ours(server.database(DATABASE));
        Ok(Self { options, mirror: None, cluster: Some(Arc::new(cluster)) })
    }

    /// Brings the schema up to date; a second call finds nothing to do.
    ///
    /// # Errors
    /// When a migration fails, or the database has ones that this program does not know.
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        Ok(store::migrate(&self.options).await?)
    }

    /// Waits until what the mirror reads holds all that the database holds now, its schema included.
    ///
    /// # Errors
    /// [`DatabaseError::Behind`] when it does not come as far.
    pub async fn level(&self) -> Result<(), DatabaseError> {
        let Some(mirror) = &self.mirror else { return Ok(()) };
        let place = store::end_of_log(&self.options).await.map_err(DatabaseError::Unreachable)?;
        let replayed = store::replayed(mirror, &place, CATCH_UP).await;
        replayed.map_err(DatabaseError::MirrorUnreachable)?.then_some(()).ok_or(DatabaseError::Behind)
    }

    /// Makes everybody round discounted prices to the currency's decimals. The schema must be there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn price_in(&self, currency: Currency) -> Result<(), DatabaseError> {
        let rounded = store::round_prices(&self.options, currency.unit()).await;
        rounded.map_err(DatabaseError::Unreachable)
    }

    /// Connections for writes to the catalog, in turns.
    pub fn catalog_turns(&self) -> Turns {
        // Everything here is named by its key, for which one plan serves all.
        let options = self.brief("duka catalog").options([("plan_cache_mode", "force_generic_plan")]);
        Turns::new(options, cores(), self.cluster.is_some())
    }

    /// Connections on which every request that is signed in asks whether its session lives, in turns.
    pub fn session_turns(&self) -> Turns {
        Turns::new(self.brief("duka sessions"), SESSION_CONNECTIONS, self.cluster.is_some())
    }

    fn brief(&self, name: &str) -> PgConnectOptions {
        self.options.clone().application_name(name).options([
            ("statement_timeout", "3s"),
            ("lock_timeout", "2s"),
            // Filters may be absent: a plan for whatever is asked, which PostgreSQL settles on after a few costly
            // executions, reads whole tables for a row.
            ("plan_cache_mode", "force_custom_plan"),
            ("idle_in_transaction_session_timeout", "10s"),
        ])
    }

    /// A pool for requests: short patience everywhere, so that a slow database sheds load instead of
    /// collecting it.
    pub fn web_pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(web_connections())
            .acquire_timeout(Duration::from_millis(500))
            // Asking a connection whether it lives doubles what a brief statement costs, and where the machine is busy
            // and the patience ends while it is asked, it is closed, and another one opened at a hundred times the cost.
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    if known.idle_for >= RESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(self.brief("duka web"))
    }

    /// A pool for a command's work. Statements take as long as they take.
    pub fn work_pool(&self, name: &str) -> PgPool {
        // An import waits for its file, however slow that arrives.
        patient_pool(&self.options, name, "0")
    }

    /// A pool for a server's work that nobody waits for. Statements take as long as they take, but nothing waits between
    /// them: a server that is frozen in the middle must not keep rows from being written, and PostgreSQL from cleaning
    /// up, for as long as it sleeps.
    pub fn job_pool(&self, name: &str) -> PgPool {
        patient_pool(&self.options, name, FROZEN)
    }

    /// The indexer's pools, of which the same holds.
    pub fn index_pools(&self) -> Sources {
        let home = patient_pool(&self.options, "duka indexer", FROZEN);
        let read = self.mirror.as_ref().map(|mirror| patient_pool(mirror, "duka indexer", FROZEN));
        Sources { read: read.unwrap_or_else(|| home.clone()), home }
    }

    /// One connection for `/readyz/`.
    pub fn health_pool(&self) -> PgPool {
        let options =
            self.options.clone().application_name("duka health").options([("statement_timeout", "1s")]);
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_millis(500))
            .connect_lazy_with(options)
    }

    /// Looks after the managed server until `stop`: one that has died is started again.
    pub fn keep(&self, stop: CancellationToken) -> Option<JoinHandle<()>> {
        let cluster = Arc::clone(self.cluster.as_ref()?);
        Some(tokio::spawn(async move {
            while tokio::time::timeout(LOOK_AFTER, stop.cancelled()).await.is_err() {
                let cluster = Arc::clone(&cluster);
                match tokio::task::spawn_blocking(move || cluster.ensure_running()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "the database server is down"),
                    Err(error) => tracing::error!(%error, "the database server is not looked after"),
                }
            }
        }))
    }

    /// Stops the managed cluster, if this is its last user.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            let stopped =
                tokio::task::spawn_blocking(move || Arc::into_inner(cluster).map(Cluster::stop)).await;
            if let Ok(Some(Err(error))) = stopped {
                tracing::warn!(%error, "the database server did not stop");
            }
        }
    }
}

/// Begins a transaction, on a task of its own: one that is given up before it knows that it has begun would leave its
/// connection to the next one with a transaction in which nobody commits.
///
/// # Errors
/// When the database does not answer.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// The same of one that only reads, all as of one moment.
///
/// # Errors
/// When the database does not answer.
pub async fn begin_snapshot(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    const READING: &str = "begin transaction isolation level repeatable read read only";
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(READING).await });
    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// Whether the database answers.
///
/// # Errors
/// When it does not.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    store::ask(pool).await
}

/// How many connections requests share. They take turns, so each that is open has PostgreSQL's plans and tables of its own
/// fall out of the processor's memory: a write that is made by one of sixteen takes PostgreSQL 0.78 ms of two cores, by one
/// of six 0.54, of three 0.45. More are only of use to those that wait for a row.
fn web_connections() -> u32 {
    (4 * cores()).clamp(8, 32)
}

fn cores() -> u32 {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(cores).map_or(16, |cores| cores.clamp(2, 16))
}

fn patient_pool(options: &PgConnectOptions, name: &str, idle_in_transaction: &str) -> PgPool {
    let options = options.clone().application_name(name).options([
        // The log's view is estimated far too high for a poll: compiling it would take longer than running it.
        ("jit", "off"),
        ("idle_in_transaction_session_timeout", idle_in_transaction),
    ]);
    PgPoolOptions::new()
        // A rebuild reads with several hands beside the indexer.
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(options)
}

/// What is written through these is not somebody's at a prompt: the audit tells them apart.
fn ours(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("duka.audit", "shop")])
}

fn server_options(endpoint: &postgres::Endpoint) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&endpoint.socket_dir)
        .port(endpoint.port)
        .username(&endpoint.user)
        // Whatever the environment says of other servers: this is a socket.
        .ssl_mode(PgSslMode::Disable)
}
