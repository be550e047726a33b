//! The mirror follows a standby, which may be behind the index.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use duka::{indexing::Indexing, postgres::Endpoint};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{self, Asker, Node, SOON, Shop, admin, blocking, clean, client, connect, until};

/// A hot standby of a shop's database.
struct Standby {
    process: Child,
    endpoint: Endpoint,
    _dir: TempDir,
}

impl Standby {
    /// `None`, and a line that says why, where this machine lacks what makes one.
    async fn of(shop: &Shop) -> Option<Self> {
        let (Some(pg_basebackup), Some(postgres)) =
            (support::program("pg_basebackup"), support::program("postgres"))
        else {
            println!("skipped: there is no pg_basebackup here");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let (data, primary) = (dir.path().join("data"), shop.endpoint());
        let mut backup = Command::new(pg_basebackup);
        backup.arg("-D").arg(&data).arg("-h").arg(&primary.socket_dir).args(["-U", &primary.user]);
        backup.args(["-p", &primary.port.to_string(), "-R", "-X", "stream", "-c", "fast"]);
        assert!(blocking(|| backup.status()).unwrap().success());
        let owner = fs::metadata(shop.dir.path().join("postgres/data")).unwrap();
        give(dir.path(), owner.uid(), owner.gid());
        // What the primary's settings include is not part of its data.
        let conf = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        fs::write(data.join("postgresql.conf"), conf.replace("include_if_exists", "# include_if_exists"))
            .unwrap();
        let mut command = Command::new(postgres.canonicalize().unwrap());
        command.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-c", "hot_standby=on"]);
        command.arg("-c").arg(format!("unix_socket_directories={}", dir.path().display()));
        command.args(["-c", "wal_receiver_status_interval=1"]);
        if rustix::process::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let process = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let endpoint = Endpoint { socket_dir: dir.path().to_owned(), ..primary.clone() };
        let standby = Self { process, endpoint, _dir: dir };
        until("the standby answers", Duration::from_secs(30), async || {
            Command::new(support::program("psql").unwrap_or_else(|| PathBuf::from("psql")))
                .arg("-h")
                .arg(&standby.endpoint.socket_dir)
                .args(["-U", &standby.endpoint.user, "-d", "duka", "-c", "select 1"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })
        .await;
        Some(standby)
    }
}

impl Standby {
    /// What names it.
    fn url(&self, database: &str) -> String {
        let socket = self.endpoint.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://{}@{socket}:{}/{database}", self.endpoint.user, self.endpoint.port)
    }

    /// Ends it as a power cut does.
    fn fall(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = self.process.wait();
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.fall();
    }
}

/// What a server says that does not start.
fn refused(dir: &Path, settings: &[(&str, String)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("DUKA_DATA_DIR", dir).env_remove("DATABASE_URL");
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    let output = blocking(|| command.output()).unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn give(path: &Path, uid: u32, gid: u32) {
    if rustix::process::geteuid().is_root() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => give(&entry.path(), uid, gid),
            false if rustix::process::geteuid().is_root() => {
                std::os::unix::fs::lchown(entry.path(), Some(uid), Some(gid)).unwrap();
            }
            false => {}
        }
    }
}

/// A mirror in this process, which follows one database.
struct Follower {
    indexing: Indexing,
    stop: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
}

impl Follower {
    async fn of(pool: &PgPool, dir: &Path) -> Self {
        let stop = CancellationToken::new();
        let (indexing, worker) = Indexing::start(pool.clone(), dir.to_owned(), stop.clone()).await.unwrap();
        Self { indexing, stop, worker }
    }

    async fn close(self) {
        self.stop.cancel();
        self.worker.await.unwrap();
    }

    fn brand(&self, id: i64) -> String {
        self.indexing.engine().get(id).unwrap().unwrap().brand
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_lags_is_waited_for() {
    let shop = Shop::open(200).await;
    let Some(standby) = Standby::of(&shop).await else { return shop.close().await };
    let (replica, dir) = (connect(&standby.endpoint, "duka").await, tempfile::tempdir().unwrap());
    let id: i64 = sqlx::query_scalar("select min(id) from product").fetch_one(&shop.db).await.unwrap();
    let write = async |brand: &str| {
        sqlx::query("update product set brand = $1 where id = $2")
            .bind(brand)
            .bind(id)
            .execute(&shop.db)
            .await
            .unwrap();
    };

    // Built from the standby and kept by it.
    let follower = Follower::of(&replica, dir.path()).await;
    write("first").await;
    let kept = until("the standby's mirror follows", SOON, async || follower.brand(id) == "first").await;
    follower.close().await;

    // The primary takes it further than the standby has come, with a transaction open that hides in both.
    let mut open = shop.db.begin().await.unwrap();
    sqlx::query("update product set brand = 'open' where id = $1 + 1")
        .bind(id)
        .execute(&mut *open)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    sqlx::raw_sql("select pg_wal_replay_pause()").execute(&replica).await.unwrap();
    until("the replay is paused", SOON, async || {
        let state = sqlx::query_scalar::<_, String>("select pg_get_wal_replay_pause_state()");
        state.fetch_one(&replica).await.unwrap() == "paused"
    })
    .await;
    let follower = Follower::of(&shop.db, dir.path()).await;
    write("second").await;
    until("the primary's mirror follows", SOON, async || follower.brand(id) == "second").await;
    let ahead = follower.indexing.applied();
    follower.close().await;

    // Back on the standby: it does not go back, and does not take the standby for a database that was restored.
    let follower = Follower::of(&replica, dir.path()).await;
    let index = fs::read_to_string(dir.path().join("index/current")).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(follower.brand(id), "second", "it went back");
    let now = follower.indexing.applied().snapshot;
    assert!(
        (0..ahead.snapshot.xmin() + 10).all(|xid| !ahead.snapshot.sees(xid) || now.sees(xid)),
        "it forgot what it holds: {now} after {}",
        ahead.snapshot
    );
    assert_eq!(fs::read_to_string(dir.path().join("index/current")).unwrap(), index, "it was built anew");
    open.commit().await.unwrap();
    write("third").await;
    sqlx::raw_sql("select pg_wal_replay_resume()").execute(&replica).await.unwrap();
    let caught_up = until("the mirror goes on", SOON, async || {
        follower.brand(id) == "third" && follower.brand(id + 1) == "open"
    })
    .await;
    let report = follower.indexing.verify(false).await.unwrap();
    assert!(report.is_clean() && report.compared == 200, "{report:?}");
    assert_eq!(fs::read_to_string(dir.path().join("index/current")).unwrap(), index, "it was built anew");
    println!(
        "a standby as the source: a write is found after {kept:?}, level {caught_up:?} after its replay goes on"
    );
    follower.close().await;
    replica.close().await;
    drop(standby);
    shop.close().await;
}

/// A standby does not say which transactions are open: what `pg_current_snapshot` lists on a primary, it leaves out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_hides_what_is_open_until_it_commits() {
    let shop = Shop::open(200).await;
    let Some(standby) = Standby::of(&shop).await else { return shop.close().await };
    let (replica, dir) = (connect(&standby.endpoint, "duka").await, tempfile::tempdir().unwrap());
    let id: i64 = sqlx::query_scalar("select min(id) from product").fetch_one(&shop.db).await.unwrap();
    let rename = "update product set brand = $1 where id = $2";
    let follower = Follower::of(&replica, dir.path()).await;
    for round in 0..5 {
        let (early, late) = (format!("early {round}"), format!("late {round}"));
        let mut open = shop.db.begin().await.unwrap();
        sqlx::query(rename).bind(&early).bind(id).execute(&mut *open).await.unwrap();
        let version: String =
            sqlx::query_scalar("select epoch || ':' || pg_current_xact_id() from index_epoch")
                .fetch_one(&mut *open)
                .await
                .unwrap();
        sqlx::query(rename).bind(&late).bind(id + 1).execute(&shop.db).await.unwrap();
        until("the later one is found", SOON, async || follower.brand(id + 1) == late).await;
        let version = version.parse().unwrap();
        assert!(!follower.indexing.applied().holds(version), "it saw what is open");
        open.commit().await.unwrap();
        until("the earlier one is found", SOON, async || follower.brand(id) == early).await;
        until("that is known", SOON, async || follower.indexing.applied().holds(version)).await;
    }
    let report = follower.indexing.verify(false).await.unwrap();
    assert!(report.is_clean() && report.compared == 200, "{report:?}");
    follower.close().await;
    replica.close().await;
    drop(standby);
    shop.close().await;
}

/// After a failover the numbers of transactions that were lost are given out again. Until its first checkpoint, minutes
/// later, the server that was promoted calls itself of the old timeline there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_is_another_history_at_once() {
    let shop = Shop::open(200).await;
    let Some(standby) = Standby::of(&shop).await else { return shop.close().await };
    let (replica, dir) = (connect(&standby.endpoint, "duka").await, tempfile::tempdir().unwrap());
    let id: i64 = sqlx::query_scalar("select min(id) from product").fetch_one(&shop.db).await.unwrap();
    let rename = "update product set brand = $1 where id = $2";
    // Its first checkpoint takes the longer the more there is to be written.
    for round in 0..5 {
        let sql = "update product set description = repeat(md5(id::text || $1), 200)";
        sqlx::query(sql).bind(round.to_string()).execute(&shop.db).await.unwrap();
    }
    sqlx::query(rename).bind("before").bind(id).execute(&shop.db).await.unwrap();
    until("it has replayed that", SOON, async || {
        let brand = sqlx::query_scalar::<_, String>("select brand from product where id = $1").bind(id);
        brand.fetch_one(&replica).await.unwrap() == "before"
    })
    .await;
    let cut = "alter system set primary_conninfo = ''; select pg_reload_conf()";
    for statement in cut.split("; ") {
        sqlx::raw_sql(statement).execute(&replica).await.unwrap();
    }
    until("it is cut off", SOON, async || {
        let receivers = sqlx::query_scalar::<_, i64>("select count(*) from pg_stat_wal_receiver");
        receivers.fetch_one(&replica).await.unwrap() == 0
    })
    .await;
    // What is written now is lost, after the mirror has taken it.
    let follower = Follower::of(&shop.db, dir.path()).await;
    for _ in 0..20 {
        sqlx::query(rename).bind("lost").bind(id).execute(&shop.db).await.unwrap();
    }
    until("the mirror follows", SOON, async || follower.brand(id) == "lost").await;
    follower.close().await;

    sqlx::query_scalar::<_, bool>("select pg_promote()").fetch_one(&replica).await.unwrap();
    for _ in 0..200 {
        sqlx::query(rename).bind("kept").bind(id + 1).execute(&replica).await.unwrap();
    }
    sqlx::query(rename).bind("last").bind(id + 2).execute(&replica).await.unwrap();
    let before: i32 = sqlx::query_scalar("select timeline_id from pg_control_checkpoint()")
        .fetch_one(&replica)
        .await
        .unwrap();
    let follower = Follower::of(&replica, dir.path()).await;
    until("the mirror is level", SOON, async || follower.brand(id + 2) == "last").await;
    assert_eq!((before, follower.brand(id + 1).as_str()), (1, "kept"));
    assert_eq!(follower.brand(id), "before", "what was lost is still there");
    let report = follower.indexing.verify(false).await.unwrap();
    assert!(report.is_clean() && report.compared == 200, "{report:?}");
    let index = fs::read_to_string(dir.path().join("index/current")).unwrap();
    sqlx::raw_sql("checkpoint").execute(&replica).await.unwrap();
    sqlx::query(rename).bind("after").bind(id).execute(&replica).await.unwrap();
    until("the mirror goes on", SOON, async || follower.brand(id) == "after").await;
    assert_eq!(
        fs::read_to_string(dir.path().join("index/current")).unwrap(),
        index,
        "it is the same history"
    );
    follower.close().await;
    replica.close().await;
    drop(standby);
    shop.close().await;
}

/// A server that writes to the primary, and whose mirror reads a standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_mirror_reads_a_standby_writes_to_the_primary() {
    const MIRROR: &str = "DUKA_MIRROR_DATABASE_URL";
    // Nodes of one shop sign with one secret.
    let secret = ("DUKA_JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned());
    let shop = Shop::open_with(tempfile::tempdir().unwrap(), 200, vec![secret.clone()]).await;
    let Some(mut standby) = Standby::of(&shop).await else { return shop.close().await };
    let replica = connect(&standby.endpoint, "duka").await;
    let (dir, primary) = (tempfile::tempdir().unwrap(), shop.url("duka"));

    // What is not the same database is not taken for its mirror's source.
    for source in [standby.url("postgres"), shop.url("postgres")] {
        let said = refused(dir.path(), &[("DATABASE_URL", primary.clone()), (MIRROR, source)]);
        assert!(said.contains(MIRROR) && said.contains("nor a standby of it"), "{said}");
    }
    let said = refused(dir.path(), &[(MIRROR, standby.url("duka"))]);
    assert!(said.contains(MIRROR) && said.contains("DATABASE_URL"), "{said}");

    let settings = vec![(MIRROR, standby.url("duka")), secret];
    let mut node = Node::start_with(dir.path(), Some(primary), settings);
    let token = admin(&shop).await;
    let id: i64 = sqlx::query_scalar("select min(id) from product").fetch_one(&shop.db).await.unwrap();
    let write = async |node: &Node, brand: &str| {
        let url = format!("{}/api/product/{id}/", node.base);
        let sent = client().patch(url).bearer_auth(&token).json(&serde_json::json!({"brand": brand}));
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.status(), 200, "a write goes to the primary");
        answer.headers()["x-catalog-version"].to_str().unwrap().to_owned()
    };
    let reads = "select count(*) from pg_stat_activity where application_name = 'duka indexer'";
    let reading: i64 = sqlx::query_scalar(reads).fetch_one(&replica).await.unwrap();
    assert!(reading > 0, "nobody reads the standby");
    let asker = Asker::of(&node, 200);

    let version = write(&node, "first").await;
    let path = format!("/api/product/?brand=first&min_version={version}");
    let kept = until("a client reads its own write", SOON, async || node.status(&path).await == 200).await;
    node.finds("brand=first", 1).await;
    let known = "select count(*) from index_consumer where heartbeat_at > now() - interval '1 minute'";
    let known: i64 = sqlx::query_scalar(known).fetch_one(&shop.db).await.unwrap();
    assert_eq!(known, 2, "the log is kept for who reads it on a standby");

    // It falls behind: what is written there is not here yet, and nothing else is different.
    sqlx::raw_sql("select pg_wal_replay_pause()").execute(&replica).await.unwrap();
    until("the replay is paused", SOON, async || {
        let state = sqlx::query_scalar::<_, String>("select pg_get_wal_replay_pause_state()");
        state.fetch_one(&replica).await.unwrap() == "paused"
    })
    .await;
    let version = write(&node, "second").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(node.count("brand=second").await, Some(0));
    let path = format!("/api/product/?brand=second&min_version={version}");
    assert_eq!(node.status(&path).await, 503, "it says that it is behind");
    until("the delay is told", SOON, async || node.metric("duka_index_lag_seconds").await > 0.5).await;
    // Also when it is started anew meanwhile.
    let index = node.index();
    asker.done().await.tell_of_one_that_lived("a standby that is behind", kept);
    let restarting = tokio::spawn({
        let replica = replica.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            sqlx::raw_sql("select pg_wal_replay_resume()").execute(&replica).await.unwrap();
        }
    });
    node.restart();
    assert!(restarting.is_finished(), "it waits until the standby has the schema, which may be new");
    restarting.await.unwrap();
    node.finds("brand=second", 1).await;
    assert_eq!(node.index(), index, "it was built anew");
    let (level, report) = clean(&shop.db, &node, SOON).await;
    assert_eq!(report.compared, 200);

    // It is gone: the shop goes on with what the mirror holds.
    replica.close().await;
    let asker = Asker::of(&node, 200);
    standby.fall();
    write(&node, "third").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(node.count("brand=second").await, Some(1), "searches are answered from what there is");
    asker.done().await.tell_of_one_that_lived("a standby that is gone", level);
    println!("a mirror that reads a standby: a write is found after {kept:?}");
    drop(node);
    drop(standby);
    shop.close().await;
}
