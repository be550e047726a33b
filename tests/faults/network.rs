//! A network between a server and PostgreSQL that is slow, swallows everything, cuts everything off, or cuts a commit off
//! just before or just after it has happened.

use std::{path::PathBuf, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
    time::Instant,
};

use crate::support::{self, Asker, Node, Shop, client, until};

/// How long a shop may take to work again after the network does.
const RECOVERED: Duration = Duration::from_secs(30);

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Each piece is so late, there and back.
    Slow(Duration),
    /// Nothing arrives, and nobody is told.
    Hole,
    /// What is open is cut off; what is opened is cut off.
    Reset,
    /// The first commit does not arrive, and its connection is cut off.
    CutBeforeCommit,
    /// The first commit arrives, and its answer does not.
    CutAfterCommit,
}

/// A network of one's own.
struct Wire {
    mode: watch::Sender<Mode>,
    port: u16,
}

impl Wire {
    async fn to(socket: PathBuf) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = door.local_addr().unwrap().port();
        let (mode, modes) = watch::channel(Mode::Pass);
        let cutter = mode.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = door.accept().await {
                let (modes, cutter, socket) = (modes.clone(), cutter.clone(), socket.clone());
                tokio::spawn(async move {
                    let Ok(far) = UnixStream::connect(&socket).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    let mut cut = modes.clone();
                    let there = pump(near_in, far_out, modes.clone(), Some(cutter));
                    let back = pump(far_in, near_out, modes, None);
                    tokio::select! {
                        () = there => {}
                        () = back => {}
                        _ = cut.wait_for(|mode| *mode == Mode::Reset) => {}
                    }
                });
            }
        });
        Self { mode, port }
    }

    fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// Passes pieces on, as the network does at the time.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut modes: watch::Receiver<Mode>,
    cutter: Option<watch::Sender<Mode>>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let piece = &buffer[..read];
        let commits = cutter.is_some() && piece.windows(6).any(|word| word == b"COMMIT");
        let mode = *modes.borrow();
        match mode {
            Mode::Slow(late) => tokio::time::sleep(late).await,
            Mode::Hole => {
                let _ = modes.wait_for(|mode| *mode != Mode::Hole).await;
            }
            Mode::CutBeforeCommit | Mode::CutAfterCommit if commits => {
                // One alone: the next finds a network in order.
                if let Some(cutter) = &cutter {
                    cutter.send_replace(Mode::Pass);
                }
                if mode == Mode::CutAfterCommit {
                    let _ = to.write_all(piece).await;
                    // What the server did by then is done.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                return;
            }
            _ => {}
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// A server behind such a network, beside the shop's own, which is stopped.
struct Far {
    shop: Shop,
    node: Node,
    wire: Wire,
    admin: String,
    _dir: TempDir,
}

impl Far {
    async fn open(products: i32) -> Self {
        let mut shop = Shop::open(products).await;
        let admin = support::admin(&shop).await;
        let socket = shop.endpoint().socket_dir.join(format!(".s.PGSQL.{}", shop.endpoint().port));
        let wire = Wire::to(socket).await;
        // The far server knows the same tokens.
        let secret = std::fs::read_to_string(shop.dir.path().join("jwt-secret")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let url = format!("postgres://{}@127.0.0.1:{}/duka?sslmode=disable", shop.endpoint().user, wire.port);
        let node =
            Node::start_with(dir.path(), Some(url), vec![("DUKA_JWT_SECRET", secret.trim().to_owned())]);
        shop.node.kill();
        support::clean(&shop.db, &node, RECOVERED).await;
        Self { shop, node, wire, admin, _dir: dir }
    }

    /// Asks the far server: the status and what it says, and how long that took.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value, Duration) {
        let begun = Instant::now();
        let request =
            client().request(method, format!("{}{path}", self.node.base)).bearer_auth(&self.admin).json(body);
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default(), begun.elapsed())
    }

    /// Writes a product's brand.
    async fn write(&self, brand: &str) -> (u16, Value, Duration) {
        let id: i64 =
            sqlx::query_scalar("select min(id) from product").fetch_one(&self.shop.db).await.unwrap();
        self.ask(Method::PATCH, &format!("/api/product/{id}/"), None, &json!({"brand": brand})).await
    }

    /// The network works again: so does the shop, and its mirror is level.
    async fn recovers(&self, brand: &str) -> Duration {
        self.wire.set(Mode::Pass);
        let took = until("writes work again", RECOVERED, async || self.write(brand).await.0 == 200).await;
        support::clean(&self.shop.db, &self.node, RECOVERED).await;
        self.node.finds(&format!("brand={brand}"), 1).await;
        took
    }

    async fn close(self) {
        drop(self.node);
        self.shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_network_slows_writes_and_no_search() {
    let far = Far::open(100).await;
    far.wire.set(Mode::Slow(Duration::from_millis(40)));
    let asker = Asker::of(&far.node, 100);
    let (status, told, took) = far.write("slow").await;
    assert_eq!(status, 200, "{told}");
    far.node.finds("brand=slow", 1).await;
    println!("over a network of 80 ms there and back a write takes {took:?}");
    let recovered = far.recovers("fast").await;
    asker.done().await.tell_of_one_that_lived("a slow network to the database", recovered);
    far.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_refuses_writes_and_no_search() {
    let far = Far::open(100).await;
    far.wire.set(Mode::Hole);
    let asker = Asker::of(&far.node, 100);
    let (mut slowest, mut refused) = (Duration::ZERO, 0);
    let begun = Instant::now();
    // All at once, so that every connection of the pool hangs.
    let all = futures_util::future::join_all((0..40).map(|_| far.write("swallowed"))).await;
    for (status, told, took) in all {
        assert_eq!(status, 503, "{told}");
        slowest = slowest.max(took);
        refused += 1;
    }
    assert!(slowest < Duration::from_secs(17), "{slowest:?}");
    let (status, _, ready) = far.ask(Method::GET, "/readyz/", None, &json!({})).await;
    assert!(status == 503 && ready < Duration::from_secs(3), "{status} after {ready:?}");
    assert_eq!(far.node.status("/healthz/").await, 200);
    let (status, _, late) = far.write("swallowed").await;
    assert_eq!(status, 503);
    let held = begun.elapsed();
    let recovered = far.recovers("found").await;
    println!(
        "swallowed for {held:?}: {refused} writes refused, the slowest after {slowest:?}, a later one after {late:?}; works again after {recovered:?}"
    );
    asker.done().await.tell_of_one_that_lived("a network that swallows everything", recovered);
    far.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_off_are_made_anew() {
    let far = Far::open(100).await;
    let asker = Asker::of(&far.node, 100);
    let mut slowest = Duration::ZERO;
    for round in 0..3 {
        far.wire.set(Mode::Reset);
        let (status, told, took) = far.write("cut").await;
        assert!(status == 503 && took < Duration::from_secs(5), "{status} after {took:?}: {told}");
        slowest = slowest.max(far.recovers(&format!("again-{round}")).await);
    }
    asker.done().await.tell_of_one_that_lived("a network that cuts everything off", slowest);
    far.close().await;
}

/// Orders of one and the same key, whose commit is cut off: the buyer sends it again, and has one order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_commit_is_cut_off_is_made_once() {
    let far = Far::open(100).await;
    let db = &far.shop.db;
    let address = json!({"street": "S", "city": "C", "country": "K"});
    let (status, address, _) = far.ask(Method::POST, "/api/address/", None, &address).await;
    assert_eq!(status, 201, "{address}");
    let variant: i64 = sqlx::query_scalar("select min(id) from variant").fetch_one(db).await.unwrap();
    let stock = async || -> i32 {
        sqlx::query_scalar("select stock from variant where id = $1")
            .bind(variant)
            .fetch_one(db)
            .await
            .unwrap()
    };
    let orders =
        async || -> i64 { sqlx::query_scalar("select count(*) from orders").fetch_one(db).await.unwrap() };
    let before = stock().await;
    let mut made = 0;
    for (round, mode) in
        [Mode::CutBeforeCommit, Mode::CutAfterCommit, Mode::CutBeforeCommit, Mode::CutAfterCommit]
            .into_iter()
            .enumerate()
    {
        let add = json!({"variant_id": variant, "quantity": 1});
        assert_eq!(far.ask(Method::POST, "/api/cart/add/", None, &add).await.0, 201);
        let order = json!({"address_id": address["id"], "payment_method": "card"});
        let key = format!("cut-{round}");
        // Nobody else commits at this moment: the mirror only reads, and heartbeats are far between.
        far.wire.set(mode);
        let (first, told, _) = far.ask(Method::POST, "/api/order/", Some(&key), &order).await;
        let (happened, cut) = (orders().await, *far.wire.mode.borrow() == Mode::Pass);
        assert!(cut, "{mode:?}: no commit came by");
        if first == 201 {
            println!("{mode:?}: somebody else's commit was cut");
        } else {
            assert_eq!(first, 503, "{mode:?}: {told}");
            assert_eq!(happened, made + i64::from(mode == Mode::CutAfterCommit), "{mode:?}");
        }
        far.wire.set(Mode::Pass);
        let mut again = (0, Value::Null);
        until("it is answered", RECOVERED, async || {
            let (status, told, _) = far.ask(Method::POST, "/api/order/", Some(&key), &order).await;
            again = (status, told);
            again.0 == 201
        })
        .await;
        made += 1;
        assert_eq!(orders().await, made, "{mode:?}: {}", again.1);
        assert_eq!(i64::from(before - stock().await), made, "{mode:?}");
    }
    far.close().await;
}
