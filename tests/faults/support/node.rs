//! A server process.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{SOON, blocking, client, until};

/// One server on a data directory and an address of its own, which stay the same when it is started again.
pub struct Node {
    pub dir: PathBuf,
    pub base: String,
    database_url: Option<String>,
    settings: Vec<(&'static str, String)>,
    process: Option<Child>,
}

impl Node {
    /// Starts a server, on the managed database of the data directory unless another one is named.
    pub fn start(dir: &Path, database_url: Option<String>) -> Self {
        Self::start_with(dir, database_url, Vec::new())
    }

    /// [`start`](Self::start) with variables of the environment.
    pub fn start_with(
        dir: &Path,
        database_url: Option<String>,
        settings: Vec<(&'static str, String)>,
    ) -> Self {
        let base = format!("http://127.0.0.1:{}", free_port());
        let mut node = Self { dir: dir.to_owned(), base, database_url, settings, process: None };
        node.restart();
        node
    }

    /// Starts the server again, and says how long it took until it was ready.
    pub fn restart(&mut self) -> Duration {
        self.kill();
        let begun = Instant::now();
        let (child, line) = blocking(|| self.spawn());
        self.process = Some(child);
        if !line.starts_with("listening on") {
            self.tell();
            panic!("the server did not start: {line}");
        }
        begun.elapsed()
    }

    fn spawn(&self) -> (Child, String) {
        let listen = self.base.trim_start_matches("http://");
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_duka"));
        command.args(["serve", "--listen", listen]).env("DUKA_DATA_DIR", &self.dir).env("DUKA_LOG", "info");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        match &self.database_url {
            Some(url) => command.env("DATABASE_URL", url),
            None => command.env_remove("DATABASE_URL"),
        };
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (child, line)
    }

    fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The end of what the server has said, for a test that fails.
    pub fn tell(&self) {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.as_ref().unwrap().id()).unwrap()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGKILL, frozen or not.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = blocking(|| process.wait());
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some())
    }

    /// SIGTERM, and how it ended, which it must within half a minute.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut process = self.process.take().unwrap();
        let begun = Instant::now();
        blocking(|| {
            loop {
                if let Some(status) = process.try_wait().unwrap() {
                    return status;
                }
                assert!(begun.elapsed() < Duration::from_secs(30), "the server does not stop");
                std::thread::sleep(Duration::from_millis(10));
            }
        })
    }

    /// The folder of the index that answers.
    pub fn index(&self) -> PathBuf {
        let root = self.dir.join("index");
        let name = fs::read_to_string(root.join("current")).unwrap();
        root.join(name.trim())
    }

    pub async fn status(&self, path: &str) -> u16 {
        match client().get(format!("{}{path}", self.base)).send().await {
            Ok(response) => response.status().as_u16(),
            Err(_) => 0,
        }
    }

    /// How many products a search finds.
    pub async fn count(&self, query: &str) -> Option<u64> {
        let response = client().get(format!("{}/api/product/?{query}", self.base)).send().await.ok()?;
        response.json::<serde_json::Value>().await.ok()?["count"].as_u64()
    }

    /// Demands that a search finds so many products. What is committed is shown a moment later.
    pub async fn finds(&self, query: &str, products: u64) {
        let what = format!("{products} products are found by {query}");
        until(&what, SOON, async || self.count(query).await == Some(products)).await;
    }

    /// A figure of `/metrics`; 0 when it has not been counted yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = client().get(format!("{}/metrics", self.base)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Indexes that this process has built in place of one that answered.
    pub async fn rebuilds(&self) -> u64 {
        self.metric("duka_index_rebuilds_total").await.to_string().parse().unwrap()
    }

    /// What the process holds in memory, in MiB.
    pub fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.pid().as_raw_pid());
        let text = fs::read_to_string(status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) >> 10
    }
}

/// A port that stays free while its server is away: below those that systems give to connections.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(15_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
