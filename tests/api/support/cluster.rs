//! One PostgreSQL for the run, one database a test, cloned from a migrated template.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use duka::postgres::{Endpoint, TestLock, join_test_cluster};
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::OnceCell;

/// A database of one test's own.
pub struct TestDatabase {
    pub url: String,
    pub pool: PgPool,
    name: String,
}

impl TestDatabase {
    pub async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let template = template().await;
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut server = PgConnection::connect_with(&options("postgres")).await.unwrap();
        let copy = format!("create database {name} template {template} strategy file_copy");
        server.execute(AssertSqlSafe(copy)).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(8).connect_with(options(&name)).await.unwrap();
        Self { url: url(&name), pool, name }
    }

    pub async fn drop(self) {
        self.pool.close().await;
        let mut server = PgConnection::connect_with(&options("postgres")).await.unwrap();
        server.execute(AssertSqlSafe(format!("drop database {} with (force)", self.name))).await.unwrap();
    }
}

fn url(name: &str) -> String {
    let endpoint = endpoint();
    let socket = endpoint.socket_dir.display().to_string().replace('/', "%2F");
    format!("postgres://{}@{socket}:{}/{name}", endpoint.user, endpoint.port)
}

fn options(name: &str) -> PgConnectOptions {
    PgConnectOptions::from_str(&url(name)).unwrap()
}

/// The run's server: started by whoever comes first, stopped by its supervisor after the last one.
pub fn endpoint() -> &'static Endpoint {
    static CLUSTER: OnceLock<(TestLock, Endpoint)> = OnceLock::new();
    let (_, endpoint) = CLUSTER.get_or_init(|| {
        let dir = directory();
        join_test_cluster(&dir, || {
            use std::os::unix::process::CommandExt;
            let mut supervisor = Command::new(env!("CARGO_BIN_EXE_duka"));
            supervisor.arg("supervise").arg("--dir").arg(&dir).process_group(0);
            supervisor.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            supervisor.spawn().map(drop)
        })
        .unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error}"))
    });
    endpoint
}

/// One for each user and checkout: another checkout may have other migrations, and would sweep this one's template.
fn directory() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let checkout = fnv(env!("CARGO_MANIFEST_DIR").as_bytes());
    std::env::temp_dir().join(format!("duka-tests-{user}-{checkout:016x}"))
}

/// FNV-1a: tells things apart, nothing more.
fn fnv<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The name of a database with the present schema, made once for each set of migrations.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE.get_or_init(make_template).await
}

async fn make_template() -> String {
    let migrator = sqlx::migrate!();
    let hash = fnv(migrator.iter().flat_map(|m| m.checksum.iter()));
    let name = format!("template_{hash:016x}");
    let mut server = PgConnection::connect_with(&options("postgres")).await.unwrap();
    server.execute("select pg_advisory_lock(7)").await.unwrap();
    let known: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut server)
        .await
        .unwrap();
    if !known {
        sweep(&mut server).await;
        let draft = format!("{name}_draft");
        server.execute(AssertSqlSafe(format!("drop database if exists {draft}"))).await.unwrap();
        server.execute(AssertSqlSafe(format!("create database {draft}"))).await.unwrap();
        let mut draft_connection = PgConnection::connect_with(&options(&draft)).await.unwrap();
        migrator.run(&mut draft_connection).await.unwrap();
        draft_connection.close().await.unwrap();
        // A session may take a moment to be gone.
        for _ in 0..50 {
            let renamed =
                server.execute(AssertSqlSafe(format!("alter database {draft} rename to {name}"))).await;
            if renamed.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    server.execute("select pg_advisory_unlock(7)").await.unwrap();
    name
}

/// Drops what killed runs left behind.
async fn sweep(server: &mut PgConnection) {
    let left: Vec<String> = sqlx::query_scalar(
        "select datname from pg_database d
         where (datname like 'test\\_%' or datname like 'template\\_%')
           and not exists (select from pg_stat_activity a where a.datname = d.datname)",
    )
    .fetch_all(&mut *server)
    .await
    .unwrap();
    for name in left {
        let _ = server.execute(AssertSqlSafe(format!("drop database if exists {name}"))).await;
    }
}
