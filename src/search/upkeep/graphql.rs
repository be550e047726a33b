//! The index of the node that answers, in the graph.

use async_graphql::{Context, Enum, Object, SimpleObject};
use serde::Deserialize;

use super::{actions, http};
use crate::{
    error::Result,
    job::model::Kind,
    resolver::{DateTime, Id, Long, admin, app, view},
};

/// The index of the node that answers.
#[derive(SimpleObject, Deserialize)]
pub struct IndexStatus {
    documents: Long,
    segments: Long,
    /// On disk.
    bytes: Long,
    /// Grows with every commit; begins anew with the process.
    generation: Long,
    /// The newest write of which the index holds everything, as `X-Catalog-Version`.
    version: String,
    /// For how long the oldest change that is not applied has waited; 0 when all are. Null while the database is away.
    lag_seconds: Option<f64>,
    /// Products that changed and are not applied. Null while the database is away.
    pending_changes: Option<Long>,
    /// For how long the oldest writing transaction has been open. Null while the database is away.
    horizon_seconds: Option<f64>,
    /// What the index is made for; another program with another fingerprint builds its own.
    schema_fingerprint: String,
    last_commit_at: Option<DateTime>,
    /// Whether the index before the last reindex is still there.
    can_roll_back: bool,
    cache: CacheStatus,
}

/// Kept answers.
#[derive(SimpleObject, Deserialize)]
pub struct CacheStatus {
    /// Since the process started.
    hits: Long,
    /// Since the process started.
    misses: Long,
    /// Bodies that are kept now.
    entries: Long,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Waits for its turn.
    Queued,
    /// At work.
    Running,
    /// Did what it was asked to do.
    Succeeded,
    /// Did not; `error` says why.
    Failed,
    /// Was stopped on somebody's request.
    Cancelled,
}

/// Work that goes on in the background; REST follows it.
#[derive(SimpleObject, Deserialize)]
pub struct Job {
    id: Id,
    status: JobStatus,
    documents_done: Long,
    /// Null as long as that is not known.
    documents_total: Option<Long>,
    /// Null while it waits for its turn.
    started_at: Option<DateTime>,
    /// Null until it has ended.
    finished_at: Option<DateTime>,
    /// Why it failed, and what to do; null unless it did.
    error: Option<String>,
}

/// What is read of the index.
#[derive(Default)]
pub struct Query;

#[Object(name = "IndexQuery")]
impl Query {
    /// How the index is. For admins.
    async fn index_status(&self, ctx: &Context<'_>) -> Result<IndexStatus> {
        let status = actions::status(app(ctx)?, admin(ctx).await?).await;
        view(&http::IndexStatus::from(status))
    }
}

/// What is done with the index.
#[derive(Default)]
pub struct Mutation;

#[Object(name = "IndexMutation")]
impl Mutation {
    /// Builds the index anew, beside the one that answers. One at a time. For admins.
    async fn reindex(&self, ctx: &Context<'_>) -> Result<Job> {
        let (app, admin) = (app(ctx)?, admin(ctx).await?);
        let id = actions::reindex(app, admin).await?;
        view(&app.jobs.one(admin, Kind::Reindex, id).await?)
    }
}
