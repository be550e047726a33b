//! The SQL of jobs.

use sqlx::{PgExecutor, PgPool};

use super::model::{Job, Kind, New, Part, Progress, RowError, Status};
use crate::error::{Error, Result, violated};

/// Makes a job that waits for its turn.
pub(super) async fn insert(db: impl PgExecutor<'_>, new: &New, node: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "insert into job (kind, requested_by, parameters, node_id, heartbeat_at)
         values ($1, $2, $3, $4, now())
         returning id",
        new.kind.as_str(),
        new.author.user_id(),
        new.parameters,
        node,
    )
    .fetch_one(db)
    .await
}

/// Takes up a job of a node that nobody does: one that is marked as unclaimed or, after the start, any that has not
/// ended.
pub(super) async fn take_up(
    db: impl PgExecutor<'_>,
    kind: Kind,
    node: &str,
    after_start: bool,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "update job
         set status = 'queued', started_at = null, heartbeat_at = now(), parameters = parameters - 'unclaimed'
         where kind = $1 and node_id = $2
           and (status = 'queued' and parameters ? 'unclaimed' or $3 and status in ('queued', 'running'))
         returning id",
        kind.as_str(),
        node,
        after_start
    )
    .fetch_optional(db)
    .await
}

/// A job of the kind that has not ended.
pub(super) async fn live(db: impl PgExecutor<'_>, kind: Kind) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select id from job where kind = $1 and status in ('queued', 'running') order by id limit 1",
        kind.as_str()
    )
    .fetch_optional(db)
    .await
}

/// Whether this is what the index says to a second job of a kind that has one at a time.
pub(super) fn is_second(error: &sqlx::Error) -> bool {
    violated(error) == Some("job_reindex_key")
}

pub(super) async fn one(db: impl PgExecutor<'_>, kind: Kind, id: i64) -> Result<Option<Job>> {
    let job = sqlx::query_as!(
        Job,
        r#"select id, status as "status: Status", documents_done, documents_total, started_at, finished_at, error,
                  parameters, rows_created, rows_updated, rows_refused, catalog_version,
                  (select coalesce(json_agg(told), '[]')
                   from (select line, sku, reason from job_row_error
                         where job_id = job.id order by line limit 100) as told) as "row_errors!"
           from job where id = $1 and kind = $2"#,
        id,
        kind.as_str()
    );
    Ok(job.fetch_optional(db).await?)
}

/// Takes a waiting job up; false when it does not wait any more.
pub(super) async fn start(db: impl PgExecutor<'_>, id: i64) -> Result<bool> {
    let started = sqlx::query!(
        "update job set status = 'running', started_at = now(), heartbeat_at = now()
         where id = $1 and status = 'queued'",
        id
    );
    Ok(started.execute(db).await?.rows_affected() > 0)
}

/// Says how far the job is and that its process lives; whether somebody wants it to stop. `None`: it has been ended
/// by somebody else.
pub(super) async fn beat(db: &PgPool, id: i64, progress: &Progress) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        r#"update job
           set documents_done = $2, documents_total = $3, rows_created = $4, rows_updated = $5, rows_refused = $6,
               catalog_version = $7, heartbeat_at = now()
           where id = $1 and status in ('queued', 'running')
           returning cancel_requested_at is not null as "wanted!""#,
        id,
        progress.done.cast_signed(),
        progress.total.map(u64::cast_signed),
        progress.rows_created.cast_signed(),
        progress.rows_updated.cast_signed(),
        progress.rows_refused.cast_signed(),
        progress.catalog_version,
    )
    .fetch_optional(db)
    .await
}

/// Ends a job; false when somebody else has.
pub(super) async fn finish(
    db: &PgPool,
    id: i64,
    status: Status,
    error: Option<&str>,
    progress: &Progress,
) -> sqlx::Result<bool> {
    let finished = sqlx::query!(
        "update job
         set status = $2, error = left($3, 4000), documents_done = $4, documents_total = $5, rows_created = $6,
             rows_updated = $7, rows_refused = $8, catalog_version = $9, finished_at = now()
         where id = $1 and status in ('queued', 'running')",
        id,
        status as Status,
        error,
        progress.done.cast_signed(),
        progress.total.map(u64::cast_signed),
        progress.rows_created.cast_signed(),
        progress.rows_updated.cast_signed(),
        progress.rows_refused.cast_signed(),
        progress.catalog_version,
    );
    Ok(finished.execute(db).await?.rows_affected() > 0)
}

/// Makes a job wait for the next process of its node.
pub(super) async fn leave(db: &PgPool, id: i64) -> sqlx::Result<()> {
    let left = sqlx::query!(
        r#"update job
           set status = 'queued', started_at = null, heartbeat_at = now(),
               parameters = parameters || '{"unclaimed": true}'
           where id = $1 and status in ('queued', 'running')"#,
        id
    );
    left.execute(db).await.map(drop)
}

/// What is said of a job whose process has died, by what may be left of its work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Died {
    /// Of one that builds an index.
    pub(super) reindex: &'static str,
    /// Of an import that is kept whole or not at all.
    pub(super) whole: &'static str,
    /// Of one that is kept as far as it came.
    pub(super) piecemeal: &'static str,
}

/// Fails the jobs that nobody has said anything of for so many seconds, or that have waited for their node for so
/// many; how many there were. Rows that went with their process are not counted any more.
pub(super) async fn fail_silent(db: &PgPool, seconds: f64, unclaimed: f64, died: Died) -> sqlx::Result<u64> {
    let failed = sqlx::query!(
        r#"with silent as (
               select id, parameters @> '{"on_error": "reject"}' or parameters @> '{"dry_run": true}' as is_whole
               from job
               where status in ('queued', 'running')
                 and heartbeat_at < now() - make_interval(secs => case when parameters ? 'unclaimed' then $2::float8 else $1::float8 end)
               for update
           )
           update job
           set status = 'failed', finished_at = now(),
               error = case when kind = 'reindex' then $3::text when is_whole then $4::text else $5::text end,
               rows_created = case when is_whole and catalog_version is null then 0 else rows_created end,
               rows_updated = case when is_whole and catalog_version is null then 0 else rows_updated end
           from silent
           where silent.id = job.id"#,
        seconds,
        unclaimed,
        died.reindex,
        died.whole,
        died.piecemeal
    );
    Ok(failed.execute(db).await?.rows_affected())
}

/// Asks a job to stop; false when it has ended, or is none.
pub(super) async fn request_cancel(db: impl PgExecutor<'_>, kind: Kind, id: i64) -> Result<bool> {
    let asked = sqlx::query!(
        "update job set cancel_requested_at = coalesce(cancel_requested_at, now())
         where id = $1 and kind = $2 and status in ('queued', 'running')",
        id,
        kind.as_str()
    );
    Ok(asked.execute(db).await?.rows_affected() > 0)
}

/// Forgets jobs that ended so many days ago, their row errors with them.
pub(super) async fn forget(db: &PgPool, days: i32) -> sqlx::Result<u64> {
    let gone = sqlx::query!("delete from job where finished_at < now() - make_interval(days => $1)", days);
    Ok(gone.execute(db).await?.rows_affected())
}

/// Keeps rows that were refused, each once.
pub(super) async fn insert_errors(db: &PgPool, id: i64, errors: &[RowError]) -> Result<()> {
    let lines: Vec<i64> = errors.iter().map(|error| error.line).collect();
    let skus: Vec<Option<String>> = errors.iter().map(|error| error.sku.clone()).collect();
    let reasons: Vec<String> = errors.iter().map(|error| error.reason.clone()).collect();
    sqlx::query!(
        "insert into job_row_error (job_id, line, sku, reason)
         select $1, line, sku, left(reason, 1000)
         from unnest($2::bigint[], $3::text[], $4::text[]) as r (line, sku, reason)
         on conflict do nothing",
        id,
        &lines,
        &skus as &[Option<String>],
        &reasons
    )
    .execute(db)
    .await
    .map(drop)
    .map_err(Error::from)
}

pub(super) async fn errors(db: impl PgExecutor<'_>, id: i64, part: Part) -> Result<Vec<RowError>> {
    let rows = sqlx::query_as!(
        RowError,
        "select line, sku, reason from job_row_error
         where job_id = $1 and line > $2
         order by line offset $3 limit $4",
        id,
        part.after_line,
        part.offset,
        part.limit
    );
    Ok(rows.fetch_all(db).await?)
}

pub(super) async fn count_errors(db: impl PgExecutor<'_>, id: i64) -> Result<i64> {
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from job_row_error where job_id = $1"#, id);
    Ok(count.fetch_one(db).await?)
}
