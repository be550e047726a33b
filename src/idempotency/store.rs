//! The SQL of kept answers.

use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{Header, Kept, Request};
use crate::error::Result;

/// Takes the lock of this number until the transaction ends; false when another transaction has it.
pub(super) async fn hold(db: &mut PgConnection, lock: i64) -> Result<bool> {
    let is_held = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "is_held!""#, lock);
    Ok(is_held.fetch_one(db).await?)
}

/// Claims the key for this transaction, which holds its lock; `None` when it is known.
pub(super) async fn claim(db: &mut PgConnection, request: &Request) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "insert into idempotency_key (user_id, route, key, request_hash) values ($1, $2, $3, $4)
         on conflict do nothing
         returning id",
        request.user_id,
        request.route,
        request.key,
        &request.hash[..]
    );
    Ok(id.fetch_optional(db).await?)
}

/// What is known of a key.
pub(super) struct Known {
    pub(super) hash: Vec<u8>,
    /// `None` while the work goes on.
    pub(super) answer: Option<Kept>,
}

pub(super) async fn known(db: &mut PgConnection, request: &Request) -> Result<Option<Known>> {
    let row = sqlx::query!(
        r#"select request_hash, response_status, response_body,
                  response_headers->'list' as "headers: Json<Vec<Header>>"
           from idempotency_key where user_id = $1 and route = $2 and key = $3"#,
        request.user_id,
        request.route,
        request.key
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| {
        let status = row.response_status.and_then(|status| u16::try_from(status).ok());
        let headers = row.headers.map(|json| json.0).unwrap_or_default();
        let answer = status.zip(row.response_body).map(|(status, body)| Kept { status, headers, body });
        Known { hash: row.request_hash, answer }
    }))
}

pub(super) async fn unanswered(db: &mut PgConnection, request: &Request) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "select id from idempotency_key
         where user_id = $1 and route = $2 and key = $3 and request_hash = $4 and finished_at is null",
        request.user_id,
        request.route,
        request.key,
        &request.hash[..]
    );
    Ok(id.fetch_optional(db).await?)
}

pub(super) async fn keep(db: &mut PgConnection, id: i64, answer: &Kept) -> Result<()> {
    sqlx::query!(
        "update idempotency_key
         set response_status = $2, response_headers = jsonb_build_object('list', $3::jsonb), response_body = $4,
             finished_at = now()
         where id = $1",
        id,
        i16::try_from(answer.status).unwrap_or_default(),
        Json(&answer.headers) as _,
        &answer.body
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn forget_old(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!("delete from idempotency_key where created_at < now() - interval '7 days'")
        .execute(db)
        .await?;
    Ok(())
}
