//! `duka migrate`, `duka verify`, `duka openapi`

use std::{
    io::ErrorKind,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{
    Outcome,
    output::{bar, complain, say},
    unless_interrupted,
};
use crate::{
    config::Config,
    database::Database,
    indexing::{Indexing, IndexingError, verify},
    lifecycle::Interrupts,
    router,
};

/// See the command's help.
#[derive(Args)]
pub(super) struct Migrate {}

impl Migrate {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let database = Database::open(&config).await?;
        let migrated = database.migrate().await;
        database.close().await;
        migrated?;
        say("the schema is up to date");
        Ok(ExitCode::SUCCESS)
    }
}

/// How long changes that the index does not hold yet are waited for.
const CATCH_UP: Duration = Duration::from_secs(5);

/// See the command's help.
#[derive(Args)]
pub(super) struct Verify {
    /// Index products that differ anew; no server may run on the data directory
    #[arg(long)]
    repair: bool,
}

impl Verify {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let database = Database::open(&config).await?;
        let pool = database.work_pool("duka verify");
        if self.repair {
            let repaired = repair(&config, &pool).await;
            pool.close().await;
            database.close().await;
            return repaired;
        }
        let bar = bar(0, "comparing {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        let comparing = async {
            let begun = Instant::now();
            loop {
                // What is damaged may not open.
                let damaged = verify::damage(&config.data_dir).await?;
                if !damaged.is_clean() {
                    return Ok(damaged);
                }
                let engine = verify::open(&config.data_dir).await?;
                bar.set_length(engine.len());
                let report = verify::verify(&pool, engine, |done, _| bar.set_position(done)).await?;
                // A server that runs applies what is pending in a moment.
                if report.pending == 0 || begun.elapsed() > CATCH_UP {
                    return Ok(report);
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        let report = unless_interrupted(&mut Interrupts::listen()?, comparing).await;
        bar.finish_and_clear();
        pool.close().await;
        database.close().await;
        let report = report?;
        say(&serde_json::to_string(&report)?);
        if !report.damaged_files.is_empty() {
            complain(
                "the index is damaged; `duka verify --repair`, `duka reindex` or `duka serve` builds it anew",
            );
        } else if !report.is_clean() {
            complain("the index differs from the database");
        } else if report.pending > 0 {
            complain(&format!(
                "{} products changed since the index's last commit; `duka serve` applies them",
                report.pending
            ));
        } else {
            return Ok(ExitCode::SUCCESS);
        }
        Ok(ExitCode::FAILURE)
    }
}

async fn repair(config: &Config, pool: &PgPool) -> Outcome {
    let stop = CancellationToken::new();
    // Whoever opens it replaces what is damaged.
    let damaged = verify::damage(&config.data_dir).await.unwrap_or_default();
    let started = Indexing::start(pool.clone(), config.data_dir.clone(), stop.clone()).await;
    let (indexing, worker) = started.map_err(|error| match error {
        IndexingError::Folder(error) if error.kind() == ErrorKind::AddrInUse => {
            "a server runs on this data directory; POST /api/admin/index/verify/?repair=true there".into()
        }
        error => Box::<dyn std::error::Error>::from(error),
    })?;
    let compared = async {
        let found = indexing.verify(true).await?;
        let left = if found.is_clean() { found.clone() } else { indexing.verify(false).await? };
        Ok::<_, IndexingError>((found, left))
    };
    let compared = compared.await;
    stop.cancel();
    worker.await?;
    let (found, left) = compared?;
    say(&serde_json::to_string(if damaged.is_clean() { &found } else { &damaged })?);
    if left.is_clean() {
        return Ok(ExitCode::SUCCESS);
    }
    complain("the index still differs from the database; `duka reindex` builds it anew");
    Ok(ExitCode::FAILURE)
}

/// See the command's help.
#[derive(Args)]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> Outcome {
        say(&router::openapi().to_pretty_json()?);
        Ok(ExitCode::SUCCESS)
    }
}
