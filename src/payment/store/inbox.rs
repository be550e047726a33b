//! The SQL of what gateways have told, each thing once.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use super::interval;
use crate::error::Result;

/// What a gateway has told.
pub(in crate::payment) struct Event<'a> {
    pub(in crate::payment) provider: &'a str,
    pub(in crate::payment) event_id: &'a str,
    pub(in crate::payment) payment_id: Option<i64>,
    pub(in crate::payment) refund_id: Option<i64>,
    pub(in crate::payment) body: &'a [u8],
}

/// Keeps what a gateway has told; `None` when it was told before.
pub(in crate::payment) async fn receive(db: impl PgExecutor<'_>, event: &Event<'_>) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "insert into payment_inbox (provider, event_id, payment_id, refund_id, body) values ($1, $2, $3, $4, $5)
         on conflict do nothing
         returning id",
        event.provider,
        event.event_id,
        event.payment_id,
        event.refund_id,
        event.body
    );
    Ok(id.fetch_optional(db).await?)
}

/// A kept event that somebody is at.
pub(in crate::payment) struct Kept {
    pub(in crate::payment) id: i64,
    pub(in crate::payment) provider: String,
    pub(in crate::payment) payment_id: Option<i64>,
    pub(in crate::payment) refund_id: Option<i64>,
    pub(in crate::payment) body: Vec<u8>,
    pub(in crate::payment) attempts: i32,
}

/// Takes events that are to be processed (this one, or the oldest) and holds them for so long.
pub(in crate::payment) async fn lease(
    db: impl PgExecutor<'_>,
    id: Option<i64>,
    most: i64,
    hold: Duration,
) -> Result<Vec<Kept>> {
    let rows = sqlx::query_as!(
        Kept,
        "update payment_inbox set attempts = attempts + 1, next_attempt_at = now() + $3
         where id in (select id from payment_inbox
                      where processed_at is null and next_attempt_at <= now() and ($1::bigint is null or id = $1)
                      order by next_attempt_at limit $2 for update skip locked)
         returning id, provider, payment_id, refund_id, body, attempts",
        id,
        most,
        interval(hold)
    );
    Ok(rows.fetch_all(db).await?)
}

/// Ends an event, or puts it off for so long.
pub(in crate::payment) async fn leave(
    db: impl PgExecutor<'_>,
    id: i64,
    payment_id: Option<i64>,
    error: Option<&str>,
    wait: Option<Duration>,
) -> Result<()> {
    sqlx::query!(
        "update payment_inbox
         set payment_id = coalesce(payment_id, $2), error = left($3, 1000),
             processed_at = case when $4::interval is null then now() end,
             next_attempt_at = now() + coalesce($4, interval '0')
         where id = $1",
        id,
        payment_id,
        error,
        wait.map(interval)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets events that were of no attempt of this shop, after a month: no gateway tells them so long.
pub(in crate::payment) async fn forget_strangers(db: impl PgExecutor<'_>) -> Result<u64> {
    let done = sqlx::query!(
        "delete from payment_inbox
         where payment_id is null and processed_at < now() - interval '30 days'"
    );
    Ok(done.execute(db).await?.rows_affected())
}

/// How many attempts are live, how many need a person, and how many events wait.
pub(in crate::payment) async fn counts(db: impl PgExecutor<'_>) -> Result<(i64, i64, i64)> {
    let row = sqlx::query!(
        r#"select (select count(*) from payment where payment_status in ('pending', 'processing', 'unknown')) as "live!",
                  (select count(*) from payment where attention is not null) as "attention!",
                  (select count(*) from payment_inbox where processed_at is null) as "waiting!""#
    );
    let row = row.fetch_one(db).await?;
    Ok((row.live, row.attention, row.waiting))
}

/// Empties what gateways have told of a user's attempts, where it has been processed.
pub(in crate::payment) async fn forget(db: &mut PgConnection, user_id: i64) -> Result<()> {
    sqlx::query!(
        "update payment_inbox i set body = ''
         from payment p join orders o on o.id = p.order_id
         where p.id = i.payment_id and o.user_id = $1 and i.processed_at is not null",
        user_id
    )
    .execute(db)
    .await?;
    Ok(())
}
