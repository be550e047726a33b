//! The SQL of refunds.
//!
//! Statements that move one expect its order to be locked.

use std::time::Duration;

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::interval;
use crate::{
    error::Result,
    money::Amount,
    payment::model::{Payment, Refund, RefundStatus},
};

struct RefundRow {
    id: i64,
    payment_id: i64,
    order_id: i64,
    amount: Decimal,
    currency: String,
    status: RefundStatus,
    reason: String,
    gateway_key: String,
    gateway_refund_id: Option<String>,
    gateway_request_id: Option<String>,
    error: Option<String>,
    checks: i32,
    created_at: OffsetDateTime,
    sent_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
}

impl From<RefundRow> for Refund {
    fn from(row: RefundRow) -> Self {
        Self {
            id: row.id,
            payment_id: row.payment_id,
            order_id: row.order_id,
            amount: Amount::from_decimal(row.amount),
            currency: row.currency,
            status: row.status,
            reason: row.reason,
            gateway_key: row.gateway_key,
            gateway_refund_id: row.gateway_refund_id,
            gateway_request_id: row.gateway_request_id,
            error: row.error,
            checks: row.checks,
            created_at: row.created_at,
            sent_at: row.sent_at,
            finished_at: row.finished_at,
        }
    }
}

/// The refunds of an order, or the one with the id, or with the token, oldest first. One plan serves all.
pub(in crate::payment) async fn refunds(
    db: impl PgExecutor<'_>,
    order_id: Option<i64>,
    id: Option<i64>,
    token_hash: Option<&[u8]>,
) -> Result<Vec<Refund>> {
    let rows = sqlx::query_as!(
        RefundRow,
        r#"select r.id, r.payment_id, r.order_id, r.amount, coalesce(p.received_currency, p.currency) as "currency!",
                  r.status as "status: RefundStatus", r.reason, r.gateway_key, r.gateway_refund_id,
                  r.gateway_request_id, r.error, r.checks, r.created_at, r.sent_at, r.finished_at
           from refund r join payment p on p.id = r.payment_id
           where r.id in (
               select id from refund where order_id = $1
               union all select $2::bigint
               union all select id from refund where callback_token_hash = $3)
           order by r.id"#,
        order_id,
        id,
        token_hash
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

/// Keeps so much of a payment for a refund, if so much is left.
pub(in crate::payment) async fn reserve(
    db: &mut PgConnection,
    payment_id: i64,
    amount: Amount,
) -> Result<bool> {
    let done = sqlx::query!(
        "update payment set refunded_amount = refunded_amount + $2
         where id = $1 and (payment_status = 'succeeded' or received_amount is not null)
           and refunded_amount + $2::numeric <= coalesce(received_amount, amount)",
        payment_id,
        amount.decimal()
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// Gives back what was kept for a refund that failed.
pub(in crate::payment) async fn release(
    db: &mut PgConnection,
    payment_id: i64,
    amount: Amount,
) -> Result<()> {
    sqlx::query!(
        "update payment set refunded_amount = refunded_amount - $2 where id = $1",
        payment_id,
        amount.decimal()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes a refund down; whoever sends it has so long until the worker does.
pub(in crate::payment) async fn insert(
    db: &mut PgConnection,
    payment: &Payment,
    amount: Amount,
    reason: &str,
    requested_by: Option<i64>,
    wait: Duration,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into refund (payment_id, order_id, amount, reason, requested_by, next_check_at)
         values ($1, $2, $3, $4, $5, now() + $6)
         returning id",
        payment.id,
        payment.order_id,
        amount.decimal(),
        reason,
        requested_by,
        interval(wait)
    );
    Ok(id.fetch_one(db).await?)
}

/// Keeps by whose key a refund was asked for.
pub(in crate::payment) async fn note_key(db: &mut PgConnection, id: i64, key_id: Option<i64>) -> Result<()> {
    sqlx::query!("update refund set idempotency_key_id = $2 where id = $1", id, key_id).execute(db).await?;
    Ok(())
}

/// The refund that was asked for by this key.
pub(in crate::payment) async fn of_key(db: &mut PgConnection, key_id: i64) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!("select id from refund where idempotency_key_id = $1", key_id);
    Ok(id.fetch_optional(db).await?)
}

/// Says that a refund is about to be sent, once: false when that was said before.
pub(in crate::payment) async fn sending(
    db: impl PgExecutor<'_>,
    id: i64,
    token_hash: &[u8],
    hold: Duration,
) -> Result<bool> {
    let done = sqlx::query!(
        "update refund set status = 'processing', callback_token_hash = $2, sent_at = now(), next_check_at = now() + $3
         where id = $1 and status = 'pending'",
        id,
        token_hash,
        interval(hold)
    );
    Ok(done.execute(db).await?.rows_affected() > 0)
}

/// How a gateway calls a refund, and M-Pesa the request for it, as far as it told.
#[derive(Clone, Copy, Default)]
pub(in crate::payment) struct RefundNames<'a> {
    pub(in crate::payment) refund: Option<&'a str>,
    pub(in crate::payment) request: Option<&'a str>,
}

/// Moves a refund; one that has not ended is looked after again after a while, if ever.
pub(in crate::payment) async fn record(
    db: &mut PgConnection,
    id: i64,
    status: RefundStatus,
    names: RefundNames<'_>,
    error: Option<&str>,
    wait: Option<Duration>,
) -> Result<()> {
    sqlx::query!(
        "update refund
         set status = $2, gateway_refund_id = coalesce(gateway_refund_id, $3),
             gateway_request_id = coalesce(gateway_request_id, $6), error = $4,
             callback_token_hash = case when $2 <> 'pending' then callback_token_hash end,
             finished_at = case when $2 in ('succeeded', 'failed') then coalesce(finished_at, now()) end,
             next_check_at = case when $2 in ('pending', 'processing', 'unknown') then now() + $5::interval end
         where id = $1",
        id,
        status.as_str(),
        names.refund,
        error,
        wait.map(interval),
        names.request
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes refunds that are to be sent or asked about, and holds them for so long against everybody else.
pub(in crate::payment) async fn lease(
    db: impl PgExecutor<'_>,
    most: i64,
    hold: Duration,
) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        "update refund set checks = checks + 1, next_check_at = now() + $2
         where id in (select id from refund where next_check_at <= now()
                      order by next_check_at limit $1 for update skip locked)
         returning id",
        most,
        interval(hold)
    );
    Ok(ids.fetch_all(db).await?)
}

/// Looks after the open refunds of a payment at once.
pub(in crate::payment) async fn hasten(
    db: &mut PgConnection,
    payment_id: i64,
    returned: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update refund set next_check_at = now()
         where payment_id = $1
           and (status in ('pending', 'processing', 'unknown')
                or status = 'succeeded' and gateway_refund_id = $2)",
        payment_id,
        returned
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Orders that the shop holds money for that nobody has begun to send back: those that were given up, and those that
/// money came in for which pays nothing, once they do not wait for theirs.
pub(in crate::payment) async fn owing(db: impl PgExecutor<'_>, most: i64) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        r#"select o.id as "id!" from orders o
         where o.status = 'cancelled' and o.payment_status in ('paid', 'partially_refunded')
           and exists (select from payment p
                       where p.order_id = o.id and p.payment_status = 'succeeded' and p.refunded_amount < p.amount
                         and p.attention is null)
         union
         select p.order_id from payment p join orders o on o.id = p.order_id
         where p.received_amount is not null
           and not exists (select from refund r where r.payment_id = p.id)
           and (o.status = 'cancelled' or o.payment_status not in ('pending', 'failed'))
         limit $1"#,
        most
    );
    Ok(ids.fetch_all(db).await?)
}
