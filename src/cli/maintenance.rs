//! `duka migrate`, `duka verify`, `duka openapi`

use std::process::ExitCode;

use clap::Args;

use super::{
    Outcome,
    output::{bar, complain, say},
    unless_interrupted,
};
use crate::{config::Config, database::Database, indexing::verify, router};

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

/// See the command's help.
#[derive(Args)]
pub(super) struct Verify {}

impl Verify {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let engine = verify::open(&config.data_dir).await?;
        let database = Database::open(&config).await?;
        let pool = database.work_pool("duka verify");
        let bar = bar(engine.len(), "comparing {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        let comparing = async { Ok(verify::verify(&pool, engine, |done, _| bar.set_position(done)).await?) };
        let report = unless_interrupted(comparing).await;
        bar.finish_and_clear();
        pool.close().await;
        database.close().await;
        let report = report?;
        say(&serde_json::to_string(&report)?);
        if report.is_clean() {
            return Ok(ExitCode::SUCCESS);
        }
        complain("the index differs from the database");
        Ok(ExitCode::FAILURE)
    }
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
