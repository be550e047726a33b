//! `duka reindex`

use std::{error::Error, io, process::ExitCode, time::Duration};

use clap::Args;
use indicatif::ProgressBar;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{
    Outcome,
    output::{bar, complain, say},
};
use crate::{
    config::Config,
    database::Database,
    indexing::{Indexing, IndexingError},
    job::{
        model::{Kind, Status},
        remote,
    },
    lifecycle::Interrupts,
    node,
};

/// How often a job that a server does is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// See the command's help.
#[derive(Args)]
pub(super) struct Reindex {
    /// Go back to the index from before the last reindex instead
    #[arg(long)]
    rollback: bool,
}

impl Reindex {
    pub(super) async fn run(self, config: Config) -> Outcome {
        let mut interrupts = Interrupts::listen()?;
        let database = Database::open(&config).await?;
        let pool = database.work_pool("duka reindex");
        let done = self.work(&config, &database, &pool, &mut interrupts).await;
        pool.close().await;
        database.close().await;
        done
    }

    async fn work(
        &self,
        config: &Config,
        database: &Database,
        pool: &PgPool,
        interrupts: &mut Interrupts,
    ) -> Outcome {
        database.migrate().await?;
        let stop = CancellationToken::new();
        let bar = bar(0, "indexing {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        let starting = Indexing::start(pool.clone(), config.data_dir.clone(), stop.clone());
        let started = tokio::select! {
            started = starting => started,
            () = interrupts.heard() => return Err("interrupted; the index is as it was".into()),
        };
        let outcome = match started {
            Ok((indexing, worker)) => {
                let done = self.here(&indexing, &bar, interrupts).await;
                stop.cancel();
                worker.await?;
                done
            }
            Err(IndexingError::Folder(error)) if error.kind() == io::ErrorKind::AddrInUse => {
                self.there(config, pool, &bar, interrupts).await
            }
            Err(error) => Err(error.into()),
        };
        bar.finish_and_clear();
        outcome
    }

    /// No server runs on the data directory: this process does it.
    async fn here(&self, indexing: &Indexing, bar: &ProgressBar, interrupts: &mut Interrupts) -> Outcome {
        let stop = CancellationToken::new();
        let progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let working = async {
            match self.rollback {
                true => indexing.go_back(&stop).await,
                false => indexing.rebuild(&stop, progress).await,
            }
        };
        tokio::pin!(working);
        tokio::select! {
            done = &mut working => done?,
            () = interrupts.heard() => {
                stop.cancel();
                // Removes what it has begun.
                working.await?;
            }
        }
        bar.finish_and_clear();
        say(&format!("{} products indexed", indexing.engine().len()));
        Ok(ExitCode::SUCCESS)
    }

    /// A server runs on it: it is asked, by way of the database.
    async fn there(
        &self,
        config: &Config,
        pool: &PgPool,
        bar: &ProgressBar,
        interrupts: &mut Interrupts,
    ) -> Outcome {
        if self.rollback {
            return Err("a server runs on this data directory; POST /api/admin/index/rollback/ there".into());
        }
        let id = remote::ask(pool, &node::name(&config.data_dir), Kind::Reindex).await.map_err(plain)?;
        let mut asked_to_stop = false;
        loop {
            let job = remote::look(pool, Kind::Reindex, id).await.map_err(plain)?;
            bar.set_length(job.documents_total.unwrap_or(0).unsigned_abs());
            bar.set_position(job.documents_done.unsigned_abs());
            match job.status {
                Status::Succeeded => {
                    bar.finish_and_clear();
                    say(&format!("{} products indexed by the server", job.documents_done));
                    return Ok(ExitCode::SUCCESS);
                }
                Status::Failed => return Err(job.error.unwrap_or_default().into()),
                Status::Cancelled => return Err("cancelled; the index is as it was".into()),
                Status::Queued | Status::Running => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = interrupts.heard(), if !asked_to_stop => {
                    asked_to_stop = true;
                    complain("asking the server to stop …");
                    remote::cancel(pool, Kind::Reindex, id).await.map_err(plain)?;
                }
            }
        }
    }
}

/// Without the slug that clients read.
fn plain(error: crate::error::Error) -> Box<dyn Error> {
    error.detail().to_owned().into()
}
