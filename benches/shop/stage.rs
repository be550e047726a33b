//! A shop of a size, generated once and kept.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use duka::{
    clock::Clock,
    config::{Config, Settings},
    lifecycle::Shop,
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// The program itself, built like this.
const DUKA: &str = env!("CARGO_BIN_EXE_duka");

/// The program as a command: what is meant for the benches would be told to be misspelt.
pub(crate) fn duka() -> Command {
    let mut command = Command::new(DUKA);
    command.env_remove("DUKA_BENCH_SIZES").env_remove("DUKA_BENCH_SECONDS");
    command
}

/// How many products each shop has: `DUKA_BENCH_SIZES`, such as `10k,100k,1M`.
pub(crate) fn sizes() -> Vec<u64> {
    let given = std::env::var("DUKA_BENCH_SIZES").unwrap_or_else(|_| "10k".to_owned());
    let size = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let (digits, unit) = match (text.strip_suffix('k'), text.strip_suffix('m')) {
            (Some(digits), _) => (digits, 1_000),
            (_, Some(digits)) => (digits, 1_000_000),
            _ => (text.as_str(), 1),
        };
        let products: u64 = digits.parse().unwrap_or_else(|_| panic!("DUKA_BENCH_SIZES: {text} is no size"));
        products * unit
    };
    given.split(',').map(size).collect()
}

/// The data directory of a size.
pub(crate) fn data_dir(size: u64) -> PathBuf {
    kept().join(size.to_string())
}

/// Where shops are kept: with what else is built. Of root's, the database's own user must be able to get there.
fn kept() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("bench");
    fs::create_dir_all(&target).unwrap();
    let is_open = |path: &Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    if target.ancestors().all(is_open) {
        return target;
    }
    let elsewhere = std::env::temp_dir().join("duka-bench");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o711)).unwrap();
    elsewhere
}

/// An open shop.
pub(crate) struct Stage {
    pub(crate) size: u64,
    pub(crate) shop: Shop,
    /// For looking at the database behind the shop's back.
    pub(crate) db: PgPool,
    pub(crate) folder: PathBuf,
}

impl Stage {
    /// Opens it, and generates it the first time.
    pub(crate) async fn open(size: u64) -> Self {
        let folder = data_dir(size);
        let done = folder.join("generated");
        if !done.exists() {
            println!("generating a shop of {size} products in {}", folder.display());
            let _ = fs::remove_dir_all(&folder);
            let mut generate = duka();
            generate.args(["generate", "--products", &size.to_string(), "--data-dir"]).arg(&folder);
            assert!(generate.status().unwrap().success());
            fs::write(&done, "").unwrap();
        }
        let settings = Settings { data_dir: Some(folder.clone()), ..Settings::default() };
        let config = Config::new(&settings).unwrap();
        let shop = Shop::open(config, "127.0.0.1:0", Clock::default()).await.unwrap();
        let engine = || shop.app.indexing.engine();
        // What a build leaves is merged soon after, as the writer's policy has it: a level holds fewer than four. A shop
        // that somebody has changed since may have several levels, and is measured as it is.
        let begun = Instant::now();
        let may_merge = || engine().status().segments >= 4 && begun.elapsed() < Duration::from_secs(120);
        while engine().len() < size || may_merge() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let socket = folder.join("postgres/socket");
        // What takes milliseconds is not worth compiling.
        let options = PgConnectOptions::new().socket(&socket).username("duka").database("duka");
        let options = options.options([("jit", "off")]);
        let db = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
        Self { size, shop, db, folder }
    }

    /// Where the index is that answers now.
    pub(crate) fn index(&self) -> PathBuf {
        let index = self.folder.join("index");
        let name = fs::read_to_string(index.join("current")).unwrap();
        index.join(name.trim())
    }

    pub(crate) async fn close(self) {
        self.db.close().await;
        self.shop.close().await;
    }
}
