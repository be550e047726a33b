//! A client that asks all the while, and counts what it is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use super::{Node, client};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(8);

/// Asks a node for products until it is told to stop.
pub struct Asker {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Asked>,
}

/// What it was told.
#[derive(Debug, Default)]
pub struct Asked {
    pub asked: u64,
    /// Statuses other than 200, and answers that are none.
    pub failed: u64,
    /// Answers with fewer products than there always were.
    pub short: u64,
    /// No connection: while a node is dead there is none.
    pub unreachable: u64,
    pub slowest: Duration,
    first_fault: Option<String>,
}

impl Asker {
    /// Begins to ask. Every answer must have at least so many products.
    pub fn of(node: &Node, least: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, base) = (Arc::clone(&stop), node.base.clone());
        let task = tokio::spawn(async move {
            let client = client();
            let mut asked = Asked::default();
            while !stopped.load(Ordering::Relaxed) {
                // Every other question is a new one, which no kept answer serves.
                let query = match asked.asked % 2 {
                    0 => String::new(),
                    _ => format!("?price_max={}&sort=price&facets=brand", 1_000_000 + asked.asked),
                };
                asked.ask(&client, &format!("{base}/api/product/{query}"), least).await;
                tokio::time::sleep(PAUSE).await;
            }
            asked
        });
        Self { stop, task }
    }

    pub async fn done(self) -> Asked {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

impl Asked {
    async fn ask(&mut self, client: &reqwest::Client, url: &str, least: u64) {
        self.asked += 1;
        let begun = Instant::now();
        let Ok(response) = client.get(url).send().await else {
            self.unreachable += 1;
            return;
        };
        let status = response.status().as_u16();
        let Ok(text) = response.text().await else {
            // It died in the middle of its answer.
            self.unreachable += 1;
            return;
        };
        self.slowest = self.slowest.max(begun.elapsed());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if status != 200 {
            self.failed += 1;
            self.first_fault.get_or_insert(format!("{status}: {text}"));
        } else if json["count"].as_u64().is_none_or(|count| count < least) || json["results"][0].is_null() {
            self.short += 1;
            self.first_fault.get_or_insert(format!("{url}: {}", json["count"]));
        }
    }

    /// Demands that nobody was refused or told too little, and prints the fault's figures.
    pub fn tell(&self, fault: &str, clean: Duration) {
        let Self { asked, failed, short, unreachable, slowest, first_fault } = self;
        println!(
            "{fault}: clean after {:.2} s; {asked} requests, {failed} failed, {short} too short, {unreachable} found no server, slowest {:.2} s",
            clean.as_secs_f64(),
            slowest.as_secs_f64(),
        );
        assert!(*failed == 0 && *short == 0, "{fault}: {first_fault:?}");
        assert!(*asked > *unreachable, "{fault}: nobody was asked");
    }

    /// As [`tell`](Self::tell), of a server that was there all the while.
    pub fn tell_of_one_that_lived(&self, fault: &str, clean: Duration) {
        self.tell(fault, clean);
        assert_eq!(self.unreachable, 0, "{fault}: the server was away");
    }
}
