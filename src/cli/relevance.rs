//! `duka relevance`

use std::{
    collections::HashSet,
    io::Read,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use duka_index::Engine;

use super::{
    Outcome,
    output::{bar, complain, say},
    unless_interrupted,
};
use crate::{
    clock::Clock,
    config::Config,
    database::{self, Database},
    indexing::{self, IndexingError, Tuning, verify},
    lifecycle::Interrupts,
    search::relevance::{
        self, Answer, Found, Report,
        judgments::{self, JudgedQuery},
    },
};

/// Faults of the file that are told.
const TOLD: usize = 20;

/// See the command's help.
#[derive(Args)]
pub(super) struct Relevance {
    /// Tab-separated query_id, query, external_id (a product's SKU) and grade (0 is wrong; 1 or more is relevant),
    /// under a line with these names; `-` is standard input
    #[arg(long, value_name = "FILE")]
    judgments: PathBuf,
    /// Print a line for each query too, the worst first: nDCG@10, how many were found, the names on top
    #[arg(long)]
    verbose: bool,
    /// Print everything as one JSON object
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
}

impl Relevance {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let file =
            read(&self.judgments).map_err(|e| format!("{} cannot be read: {e}", self.judgments.display()))?;
        let judged = match judgments::read(&file) {
            Ok(judged) => judged,
            Err(faults) => {
                faults.iter().take(TOLD).for_each(|fault| complain(&fault.to_string()));
                let more = faults.len().saturating_sub(TOLD);
                let more = if more > 0 { format!("; {more} more lines are at fault") } else { String::new() };
                return Err(format!("{} is no file of judgments{more}", self.judgments.display()).into());
            }
        };
        let database = Database::open(&config).await?;
        let pool = database.work_pool("duka relevance");
        let asking = async {
            let mut snapshot = database::begin_snapshot(&pool).await?;
            let tuning = indexing::tuning(&mut snapshot).await?;
            snapshot.rollback().await?;
            let engine = verify::open(&config.data_dir).await?;
            Ok(tokio::task::spawn_blocking(move || measure(&judged, &engine, &tuning)).await??)
        };
        let report = unless_interrupted(&mut Interrupts::listen()?, asking).await;
        pool.close().await;
        database.close().await;
        self.tell(&report?)
    }

    fn tell(&self, report: &Report) -> Outcome {
        if self.json {
            say(&serde_json::to_string(report)?);
        } else {
            say(&report.to_string());
        }
        if self.verbose {
            say("");
            report.details.iter().for_each(|query| say(&query.to_string()));
        }
        if report.unknown_judgments > 0 {
            let some = report.unknown.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
            let rest = if report.unknown.len() > TOLD { ", …" } else { "" };
            complain(&format!(
                "not in the index, or not active, and so in no figure: {some}{rest}; `duka verify` says whether the index is \
                 up to date"
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if path.as_os_str() != "-" {
        return std::fs::read_to_string(path);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Asks the index as shoppers do, now.
fn measure(judged: &[JudgedQuery], engine: &Engine, tuning: &Tuning) -> Result<Report, IndexingError> {
    let wanted: HashSet<&String> = judged.iter().flat_map(|query| query.grades.keys()).collect();
    let mut known = HashSet::new();
    engine.reader().for_each(|document| {
        if document.is_active && wanted.contains(&document.sku) {
            known.insert(document.sku);
        }
        ControlFlow::Continue(())
    })?;
    let (reader, at) = (engine.reader(), Clock::default().micros());
    let bar = bar(judged.len() as u64, "asking {wide_bar} {pos}/{len} ({eta} left)");
    let report = relevance::measure(
        judged,
        |sku| known.contains(sku),
        |query| {
            let found = reader.search(&relevance::query(&query.text, at), &tuning.lexicon)?;
            bar.inc(1);
            let hits = found.hits.into_iter().map(|hit| hit.document);
            let hits = hits.map(|document| Found { sku: document.sku, name: document.name }).collect();
            Ok::<_, IndexingError>(Answer { total: found.total, hits })
        },
    );
    bar.finish_and_clear();
    report
}
