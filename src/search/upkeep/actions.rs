//! What can be done with the index.

use serde_json::{Value, json};

use super::model::{Comparison, Status};
use crate::{
    app::App,
    audit::{self, model::Act},
    auth::{self, Admin},
    error::{Error, Kind as ErrorKind, Result},
    indexing::{IndexingError, verify::Report},
    job::{
        Run,
        model::{Kind, New, Progress},
    },
    node,
};

/// How the index is. Answers also while the database is away.
pub async fn status(app: &App, _: Admin) -> Status {
    let engine = app.indexing.engine();
    let held = engine.status();
    let lag = app.indexing.lag().await;
    Status {
        documents: held.documents,
        segments: held.segments,
        bytes: held.bytes,
        generation: engine.generation(),
        version: app.indexing.applied().version(),
        lag: lag.inspect_err(|error| tracing::debug!(%error, "the lag is not known")).ok(),
        last_commit_at: engine.last_commit_at().map(Into::into),
        can_go_back: app.indexing.can_go_back(),
        cache: app.cache.statistics(),
    }
}

/// Compares every file with its checksum, and every document with the database.
///
/// # Errors
/// 503 when they cannot be read, or a damaged index could not be replaced.
pub async fn verify(app: &App, admin: Admin, comparison: Comparison) -> Result<Report> {
    let report = app.indexing.verify(comparison.repair).await.map_err(refusal)?;
    if comparison.repair {
        let found = json!({
            "missing": report.missing,
            "stale": report.stale,
            "surplus": report.surplus,
            "damaged_files": report.damaged_files,
        });
        told(app, admin, "index.repair", found).await?;
    }
    Ok(report)
}

/// Starts to build the index of this node anew, and returns the job's number.
///
/// # Errors
/// 409 while another one is being built, on whatever node.
pub async fn reindex(app: &App, admin: Admin) -> Result<i64> {
    let new = New { kind: Kind::Reindex, author: admin.into(), parameters: json!({}) };
    let run = app.jobs.create(new).await?;
    let id = run.id();
    start(app, run);
    Ok(id)
}

/// Does a reindex in the background.
pub(super) fn start(app: &App, run: Run) {
    let indexing = app.indexing.clone();
    app.jobs.spawn(run, async move |run: Run| {
        let progress = |done, total| {
            run.progress(Progress { done, total: Some(total), ..Progress::default() });
        };
        match indexing.rebuild(run.stop(), progress).await {
            Err(IndexingError::Cancelled) => Err(run.stopped()),
            done => done.map_err(refusal),
        }
    });
}

/// Lets the index from before the last reindex answer again.
///
/// # Errors
/// 409 when there is none, it cannot be brought up to date, or an index is being built.
pub async fn go_back(app: &App, admin: Admin) -> Result<()> {
    app.indexing.go_back(&app.stopping).await.map_err(refusal)?;
    told(app, admin, "index.rollback", json!({})).await
}

/// Tells the audit what was done to this node's index. Afterwards: it is files that have changed, and a transaction would
/// have waited for them.
async fn told(app: &App, admin: Admin, action: &'static str, mut what: Value) -> Result<()> {
    what["node"] = node::name(&app.config.data_dir).into();
    let mut transaction = auth::begin(&app.web, admin).await?;
    let act = Act { action, entity: "index", entity_id: None, before: None, after: Some(what) };
    audit::actions::record(&mut transaction, &act).await?;
    Ok(transaction.commit().await?)
}

/// What an administrator is told: all of it, since it is about files and snapshots and holds no secrets.
fn refusal(error: IndexingError) -> Error {
    let detail = |error: &IndexingError| format!("Nothing has changed: {error}.");
    match error {
        IndexingError::Busy => {
            let detail = "An index is being built already; wait for it, or cancel that job.";
            Error::new(ErrorKind::AlreadyRunning, detail)
        }
        IndexingError::NoPrevious | IndexingError::Outlived(_) => Error::in_use(detail(&error)),
        IndexingError::Database(error) => error.into(),
        IndexingError::Panicked | IndexingError::Task(_) | IndexingError::Payload(_) => {
            Error::internal(error)
        }
        error => Error::unavailable(detail(&error)),
    }
}
