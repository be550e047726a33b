//! Traces, as a collector receives them.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{net::TcpListener, task::spawn_blocking};

use crate::support::{http_client, with_shop};

type Received = Arc<Mutex<Vec<u8>>>;

/// A collector that keeps what it is sent, and where it listens.
async fn collector() -> (Received, String) {
    async fn keep(State(received): State<Received>, headers: HeaderMap, body: Bytes) {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        received.lock().unwrap().extend_from_slice(&body);
    }
    let received = Received::default();
    let router = Router::new().route("/v1/traces", post(keep)).with_state(Arc::clone(&received));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (received, address)
}

fn holds(received: &[u8], part: &[u8]) -> bool {
    received.windows(part.len()).any(|window| window == part)
}

/// A node of its own, killed when it is dropped.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        // It fails when it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts another node that sends its traces there, asks it for products as a part of a trace, stops it, and says
/// how long that took.
async fn ask_and_stop(database_url: &str, collector: &str) -> Duration {
    let data_dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
    command.env_clear().args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir.path());
    command.env("DATABASE_URL", database_url).env("DUKA_OTLP_ENDPOINT", collector);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let started = spawn_blocking(move || {
        let mut node = Node(command.spawn().unwrap());
        let lines = BufReader::new(node.0.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.contains("http://")).expect("it serves");
        (node, line)
    });
    let (mut node, line) = started.await.unwrap();
    let base = line[line.find("http://").unwrap()..].trim_end_matches('/');
    let request = http_client().build().unwrap().get(format!("{base}/api/product/?q=kettle"));
    let request = request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let asked = Instant::now();
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "a request waits for no collector: {:?}",
        asked.elapsed()
    );
    let begun = Instant::now();
    kill_process(Pid::from_child(&node.0), Signal::TERM).unwrap();
    let ended = spawn_blocking(move || node.0.wait().unwrap());
    assert!(tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends").unwrap().success());
    begun.elapsed()
}

#[tokio::test]
async fn a_collector_receives_the_spans_of_a_request_as_a_part_of_the_caller_s_trace() {
    with_shop(async |shop| {
        let (received, address) = collector().await;
        ask_and_stop(&shop.database_url, &format!("{address}/")).await;
        let received = received.lock().unwrap();
        assert!(holds(&received, b"GET /api/product/"), "the request's span");
        assert!(holds(&received, b"*\x06search"), "the index's part of it");
        assert!(holds(&received, b"http.response.status_code") && holds(&received, b"duka"));
        let caller =
            [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];
        assert!(holds(&received, &caller), "the caller's trace");
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_three_seconds_at_the_end_and_nothing_before() {
    with_shop(async |shop| {
        // It takes connections and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", silent.local_addr().unwrap());
        let took = ask_and_stop(&shop.database_url, &address).await;
        assert!(took < Duration::from_secs(12), "{took:?}");
    })
    .await;
}
