//! A client that knows what is right: it asks for products all the while, and compares every answer with what the
//! database says.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::task::JoinHandle;

use super::{Node, client};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// What must be answered while nothing is written.
#[derive(Clone)]
pub struct Truth {
    /// How many products each search finds.
    counts: Vec<(&'static str, u64)>,
    /// By id, name and description.
    products: Arc<HashMap<i64, (String, String)>>,
}

impl Truth {
    /// Makes the products of [`fill`](super::fill) worth asking for, and notes what is right.
    pub async fn of(db: &PgPool) -> Self {
        sqlx::query(
            "update product
             set description = description || case when id % 3 = 0 then ' kikoy weaving' else ' plain' end,
                 attributes = jsonb_build_object('size', 'size ' || id % 5)",
        )
        .execute(db)
        .await
        .unwrap();
        // The search, and how the database counts the same.
        let questions = [
            ("", "select count(*) from product where deleted_at is null"),
            ("q=kikoy", "select count(*) from product where deleted_at is null and description ~ 'kikoy'"),
            (
                "q=%22kikoy+weaving%22",
                "select count(*) from product where deleted_at is null and description ~ 'kikoy weaving'",
            ),
            (
                "attr.size=size+3&facets=attr.size",
                "select count(*) from product where deleted_at is null and attributes->>'size' = 'size 3'",
            ),
            ("brand=Brand+4", "select count(*) from product where deleted_at is null and brand = 'Brand 4'"),
            (
                "q=kikoy&brand=Brand+4&sort=price",
                "select count(*) from product where deleted_at is null and brand = 'Brand 4' and description ~ 'kikoy'",
            ),
        ];
        let mut counts = Vec::new();
        for (question, statement) in questions {
            let count: i64 = sqlx::query_scalar(statement).fetch_one(db).await.unwrap();
            counts.push((question, count.unsigned_abs()));
        }
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("select id, name, description from product").fetch_all(db).await.unwrap();
        let products = rows.into_iter().map(|(id, name, description)| (id, (name, description)));
        Self { counts, products: Arc::new(products.collect()) }
    }

    /// What is wrong with an answer.
    fn fault(&self, expected: u64, answer: &serde_json::Value) -> Option<String> {
        if answer["count"].as_u64() != Some(expected) {
            return Some(format!("{} instead of {expected}", answer["count"]));
        }
        let results = answer["results"].as_array()?;
        results.iter().find_map(|product| {
            let (name, description) = self.products.get(&product["id"].as_i64()?)?;
            let is_right = product["name"] == name.as_str() && product["description"] == description.as_str();
            (!is_right).then(|| format!("{product} instead of {name}, {description}"))
        })
    }
}

/// Asks a node until it is told to stop.
pub struct Judge {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Verdict>,
}

/// What it was told.
#[derive(Debug, Default)]
pub struct Verdict {
    pub asked: u64,
    /// Statuses other than 200.
    pub failed: u64,
    pub unreachable: u64,
    pub slowest: Duration,
    wrong: Vec<String>,
}

impl Judge {
    pub fn of(node: &Node, truth: &Truth) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, base, truth) = (Arc::clone(&stop), node.base.clone(), truth.clone());
        let task = tokio::spawn(async move {
            let client = client();
            let mut verdict = Verdict::default();
            while !stopped.load(Ordering::Relaxed) {
                verdict.ask(&client, &base, &truth).await;
                tokio::time::sleep(PAUSE).await;
            }
            verdict
        });
        Self { stop, task }
    }

    pub async fn done(self) -> Verdict {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

impl Verdict {
    async fn ask(&mut self, client: &reqwest::Client, base: &str, truth: &Truth) {
        let turn = usize::try_from(self.asked).unwrap();
        let (question, expected) = truth.counts[turn % truth.counts.len()];
        // Everybody costs less than that, and no kept answer is the same.
        let url = format!("{base}/api/product/?{question}&price_max={}&page_size=50", 1_000_000 + turn);
        self.asked += 1;
        let begun = std::time::Instant::now();
        let answer = match client.get(&url).send().await {
            Ok(response) if response.status() == 200 => response.json::<serde_json::Value>().await,
            Ok(_) => {
                self.failed += 1;
                return;
            }
            Err(error) => Err(error),
        };
        let Ok(answer) = answer else {
            self.unreachable += 1;
            return;
        };
        self.slowest = self.slowest.max(begun.elapsed());
        if let Some(fault) = truth.fault(expected, &answer) {
            self.wrong.push(format!("{url}: {fault}"));
        }
    }

    /// Demands that no answer was wrong, and prints the fault's figures.
    pub fn tell(&self, fault: &str, clean: Duration) {
        let Self { asked, failed, unreachable, slowest, wrong } = self;
        println!(
            "{fault}: clean after {:.2} s; {asked} requests, {failed} failed, {unreachable} found no server, {} wrong, slowest {:.2} s",
            clean.as_secs_f64(),
            wrong.len(),
            slowest.as_secs_f64(),
        );
        assert!(wrong.is_empty(), "{fault}: {} wrong: {}", wrong.len(), wrong[0]);
        assert!(asked > &(failed + unreachable), "{fault}: nobody was answered");
    }
}
