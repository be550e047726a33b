//! A shop of processes: a PostgreSQL that outlives its servers, servers that can be killed, frozen and started
//! again, and clients that ask all the while.

mod asker;
mod judge;
mod node;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use duka::{
    indexing::verify::{self, Report},
    postgres::{Cluster, Endpoint},
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tempfile::TempDir;

pub use self::{
    asker::Asker,
    judge::{Judge, Truth},
    node::Node,
};

/// How long a mirror may take to be level with the database again, unless a test says otherwise. A debug build on
/// a machine that does other things is slow; a release build takes a tenth.
pub const SOON: Duration = Duration::from_secs(10);

/// A client that speaks to nobody but whom it is told, and gives up after twenty seconds.
pub fn client() -> reqwest::Client {
    duka::outbound::client().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// A shop on a managed PostgreSQL. The test holds the cluster too, so that it outlives every server.
pub struct Shop {
    pub dir: TempDir,
    pub db: PgPool,
    pub node: Node,
    cluster: Option<Cluster>,
}

impl Shop {
    /// Opens a shop with so many products, all of them found.
    pub async fn open(products: i32) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), products).await
    }

    /// [`open`](Self::open) in a data directory that the test has prepared.
    pub async fn open_in(dir: TempDir, products: i32) -> Self {
        Self::open_with(dir, products, Vec::new()).await
    }

    /// [`open_in`](Self::open_in) with variables of the environment.
    pub async fn open_with(dir: TempDir, products: i32, settings: Vec<(&'static str, String)>) -> Self {
        let cluster = blocking(|| Cluster::start(dir.path())).unwrap();
        let node = Node::start_with(dir.path(), None, settings);
        let db = connect(cluster.endpoint(), "duka").await;
        let shop = Self { dir, db, node, cluster: Some(cluster) };
        fill(&shop.db, products).await;
        shop.clean(SOON).await;
        shop
    }

    pub fn endpoint(&self) -> &Endpoint {
        self.cluster.as_ref().unwrap().endpoint()
    }

    /// What `DATABASE_URL` says of one of the cluster's databases.
    pub fn url(&self, database: &str) -> String {
        let endpoint = self.endpoint();
        let socket = endpoint.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://{}@{socket}:{}/{database}", endpoint.user, endpoint.port)
    }

    /// Waits until the node's index equals the database, and says how long that took. On the way it may be behind,
    /// but never wrong.
    pub async fn clean(&self, within: Duration) -> Duration {
        clean(&self.db, &self.node, within).await.0
    }

    pub async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.db).await.unwrap();
    }

    pub async fn close(mut self) {
        self.node.kill();
        self.db.close().await;
        let cluster = self.cluster.take().unwrap();
        blocking(|| cluster.stop()).unwrap();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.node.tell();
        }
    }
}

/// See [`Shop::clean`]; the comparison that found it clean, too.
pub async fn clean(db: &PgPool, node: &Node, within: Duration) -> (Duration, Report) {
    let begun = Instant::now();
    let live = "select count(*) from product where deleted_at is null";
    loop {
        let what = match compare(db, &node.dir).await {
            Ok(report) => {
                assert!(report.is_clean(), "an index that is behind is not wrong: {report:?}");
                let live: i64 = sqlx::query_scalar(live).fetch_one(db).await.unwrap();
                if report.pending == 0 && i64::try_from(report.compared) == Ok(live) {
                    return (begun.elapsed(), report);
                }
                format!("{report:?}")
            }
            Err(error) => error,
        };
        if begun.elapsed() > within {
            node.tell();
            panic!("the mirror is not level after {within:?}: {what}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Compares a data directory's index with the database, beside its server.
pub async fn compare(db: &PgPool, data_dir: &Path) -> Result<Report, String> {
    let damaged = verify::damage(data_dir).await.map_err(|error| error.to_string())?;
    if !damaged.is_clean() {
        return Err(format!("{damaged:?}"));
    }
    let engine = verify::open(data_dir).await.map_err(|error| error.to_string())?;
    verify::verify(db, engine, |_, _| {}).await.map_err(|error| error.to_string())
}

pub async fn connect(endpoint: &Endpoint, database: &str) -> PgPool {
    let options = PgConnectOptions::from_str("postgres:///").unwrap();
    let options = options.socket(&endpoint.socket_dir).port(endpoint.port).username(&endpoint.user);
    // What PostgreSQL says of itself while it is killed is no news.
    let pool = PgPoolOptions::new().max_connections(20).acquire_timeout(Duration::from_secs(20));
    pool.connect_with(options.database(database)).await.unwrap()
}

pub async fn fill(db: &PgPool, products: i32) {
    sqlx::query(
        "with made as (
             insert into product (name, slug, price, sku, brand, description)
             select 'Product ' || n, 'product-' || n, 1 + n % 900, 'SKU-' || n, 'Brand ' || n % 7,
                    'What can be said of number ' || n || ': ' || md5(n::text)
             from generate_series(1, $1) n
             returning id, sku, price
         )
         insert into variant (product_id, variant_name, sku, price, stock)
         select id, 'Default', sku, price, 5 from made",
    )
    .bind(products)
    .execute(db)
    .await
    .unwrap();
}

/// Waits until something holds.
pub async fn until(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

/// Work that waits for processes, beside the clients that go on asking.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// One of PostgreSQL's programs that a server does not need, where this machine has it.
pub fn program(name: &str) -> Option<PathBuf> {
    let configured = std::env::var_os("DUKA_PG_BINDIR").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packaged: Vec<_> = packaged.map(|version| version.path().join("bin")).collect();
    packaged.sort();
    let places = configured.into_iter().chain(packaged.into_iter().rev()).chain(std::env::split_paths(&path));
    places.map(|place| place.join(name)).find(|program| program.is_file())
}

/// A number that a run can set.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Makes an administrator and signs in; the access token.
pub async fn admin(shop: &Shop) -> String {
    const PASSWORD: &str = "a fine long passphrase";
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.args([
        "admin",
        "create",
        "--username",
        "root-of-all",
        "--email",
        "root@example.com",
        "--password-stdin",
    ]);
    command.env("DUKA_DATA_DIR", shop.dir.path()).env_remove("DATABASE_URL");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(blocking(|| child.wait()).unwrap().success());
    let form = serde_json::json!({"username": "root-of-all", "password": PASSWORD});
    let url = format!("{}/api/auth/jwt/login/", shop.node.base);
    let answer = client().post(url).json(&form).send().await.unwrap();
    answer.json::<serde_json::Value>().await.unwrap()["access"].as_str().unwrap().to_owned()
}
