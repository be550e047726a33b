//! `http`: the program itself over loopback, and what its process takes for each request.
//!
//! Three servers are asked in the same way, each a process of its own: duka with its cache, duka without one (what it
//! keeps of products it keeps), and a bare handler of the same framework that sends the bytes of an answer. So the
//! ratio between the first and the last is what a kept answer costs beside HTTP itself.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, http::header, routing::get};
use criterion::{BenchmarkId, Criterion};
use duka::load::{
    self, Plan, Progress,
    mix::{Catalog, Mix},
    pace::Pace,
    process,
    report::Report,
    wire::{Target, Wire},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{
    questions::Question,
    stage,
    summary::{Row, rate},
};

/// Where the bare server finds what it sends.
const BARE: &str = "DUKA_BENCH_BARE";
/// Those who ask at once.
const CONNECTIONS: usize = 16;
/// Searches that are different; those of a class without a cache.
const DISTINCT: usize = 2_000;
/// How often the kept answer and the bare handler are asked in turn: a machine's quicker and slower seconds fall on both.
const TURNS: usize = 9;

/// How long each class is asked.
fn length() -> Duration {
    let given = std::env::var("DUKA_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(given.unwrap_or(3))
}

/// A server that is stopped with this.
struct Server {
    child: Child,
    target: Target,
}

impl Server {
    /// Starts a command, and waits until it says where it listens.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
        Self { target: address.parse().unwrap(), child }
    }

    fn duka(size: u64, cache_bytes: u64) -> Self {
        let mut command = stage::duka();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(stage::data_dir(size));
        Self::start(command.env("DUKA_SEARCH_CACHE_BYTES", cache_bytes.to_string()))
    }

    fn bare(file: &std::path::Path) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).env(BARE, file))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// What the bare server is to send, in a process that is one.
pub(crate) fn bare_body() -> Option<Vec<u8>> {
    std::env::var_os(BARE).map(|file| std::fs::read(file).unwrap())
}

/// Sends the same bytes whatever is asked, until it is stopped.
pub(crate) fn serve_bare(body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    let handler = move || async move { ([(header::CONTENT_TYPE, "application/json")], body) };
    let router = Router::new().fallback(get(handler));
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

pub(crate) fn bench(criterion: &mut Criterion, runtime: &Runtime, size: u64, questions: &[Question]) {
    let mut rows = Vec::new();
    let newest = Mix::of(vec![questions[0].paths[0].clone()]).unwrap();
    {
        let begun = Instant::now();
        let server = Server::duka(size, 64 << 20);
        let ready = begun.elapsed();
        latency(criterion, runtime, "duka, kept", size, &server, &newest);
        let file = stage::data_dir(size).join("answer.json");
        std::fs::write(&file, runtime.block_on(one(&server, &newest))).unwrap();
        rows.push(Row::told("start to ready", format!("{:.2} s", ready.as_secs_f64())));
        let bare = Server::bare(&file);
        latency(criterion, runtime, "bare handler", size, &bare, &newest);
        rows.extend(in_turn(runtime, [("kept", &server), ("the same bytes, bare", &bare)], &newest));
    }
    let server = Server::duka(size, 0);
    let catalog = async { Catalog::learn(&mut Wire::open(&server.target).await.unwrap()).await.unwrap() };
    let catalog = runtime.block_on(catalog);
    for question in questions {
        let mix = Mix::new(&catalog, Some(question.class), DISTINCT, 0.0, 1).unwrap();
        latency(criterion, runtime, question.class.name(), size, &server, &mix);
        rows.push(ask(runtime, question.class.name(), &server, &mix));
    }
    if let Ok((now, most)) = process::memory(server.child.id()) {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        rows.push(Row::told("memory", format!("{} MB, at most {} MB", megabytes(now), megabytes(most))));
    }
    super::summary::over_http(size, &rows);
}

/// The body of an answer.
async fn one(server: &Server, mix: &Mix) -> Bytes {
    Wire::open(&server.target).await.unwrap().get(&mix.searches()[0]).await.unwrap().body
}

/// From asking to the last byte, one at a time.
fn latency(criterion: &mut Criterion, runtime: &Runtime, name: &str, size: u64, server: &Server, mix: &Mix) {
    let mut wire = runtime.block_on(Wire::open(&server.target)).unwrap();
    let mut mix = mix.shuffled(1);
    let mut group = criterion.benchmark_group("http");
    group.bench_function(BenchmarkId::new(name, size), |bencher| {
        bencher.iter(|| assert!(runtime.block_on(wire.get(mix.draw())).unwrap().is_success()));
    });
    group.finish();
}

/// As many as each can answer: of each the run in the middle, and the first's share of the second's, turn by turn.
fn in_turn(runtime: &Runtime, servers: [(&str, &Server); 2], mix: &Mix) -> Vec<Row> {
    let mut turns: Vec<[Report; 2]> = (0..TURNS)
        .map(|_| servers.map(|(name, server)| answered(runtime, name, server, mix, length() / 2)))
        .collect();
    let mut shares: Vec<f64> = turns.iter().map(|[first, second]| rate(first) / rate(second)).collect();
    shares.sort_by(f64::total_cmp);
    let mut rows: Vec<Row> = (0..2)
        .map(|which| {
            turns.sort_by(|one, other| rate(&one[which]).total_cmp(&rate(&other[which])));
            Row::of(servers[which].0, &turns[TURNS / 2][which])
        })
        .collect();
    let [low, middle, high] = [0, TURNS / 2, TURNS - 1].map(|place| shares[place] * 100.0);
    rows.push(Row::told(
        "kept of bare",
        format!("{middle:.0} % of the requests a second ({low:.0} to {high:.0})"),
    ));
    rows
}

/// As many as it can answer.
fn ask(runtime: &Runtime, name: &str, server: &Server, mix: &Mix) -> Row {
    Row::of(name, &answered(runtime, name, server, mix, length()))
}

fn answered(runtime: &Runtime, name: &str, server: &Server, mix: &Mix, length: Duration) -> Report {
    let plan =
        |length| Plan { target: server.target.clone(), pace: Pace::Closed, connections: CONNECTIONS, length };
    let run = |length| {
        let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
        runtime.block_on(load::run(&plan(length), mix, &progress, &stop)).unwrap()
    };
    // What is new to it is not what is measured.
    run(Duration::from_secs(1).min(length));
    let before = process::cpu(server.child.id());
    let mut report = run(length);
    report.cpu = before.and_then(|before| Ok(process::cpu(server.child.id())? - before)).ok();
    assert_eq!(report.searches.faults(), 0, "{name}: {report}");
    report
}
