//! The SQL of payments: attempts here, and below what follows from them.
//!
//! Statements that move an attempt or a refund expect its order to be locked.

pub(super) mod inbox;
pub(super) mod ledger;
pub(super) mod refund;

use std::time::Duration;

use rust_decimal::Decimal;
use sqlx::{PgConnection, PgExecutor, postgres::types::PgInterval};
use time::OffsetDateTime;

use super::model::{Names, Payment, Status};
use crate::{
    error::{Error, Kind, Result, violated},
    money::Amount,
    order::model::PaymentMethod,
};

fn interval(wait: Duration) -> PgInterval {
    let microseconds = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

struct PaymentRow {
    id: i64,
    order_id: i64,
    order_number: String,
    is_wanted: bool,
    payment_method: PaymentMethod,
    payment_status: Status,
    amount: Decimal,
    received_amount: Option<Decimal>,
    received_currency: Option<String>,
    refunded_amount: Decimal,
    currency: String,
    phone_number: Option<String>,
    transaction_id: Option<String>,
    checkout_request_id: Option<String>,
    merchant_request_id: Option<String>,
    gateway_key: String,
    client_secret: Option<String>,
    result_code: Option<String>,
    result_description: Option<String>,
    attention: Option<String>,
    is_abandoned: bool,
    checks: i32,
    paid_at: Option<OffsetDateTime>,
    payment_date: OffsetDateTime,
}

impl From<PaymentRow> for Payment {
    fn from(row: PaymentRow) -> Self {
        Self {
            id: row.id,
            order_id: row.order_id,
            order_number: row.order_number,
            is_wanted: row.is_wanted,
            method: row.payment_method,
            status: row.payment_status,
            amount: Amount::from_decimal(row.amount),
            received: row.received_amount.map(Amount::from_decimal).zip(row.received_currency),
            refunded_amount: Amount::from_decimal(row.refunded_amount),
            currency: row.currency,
            phone_number: row.phone_number,
            names: Names {
                transaction_id: row.transaction_id,
                checkout_request_id: row.checkout_request_id,
                merchant_request_id: row.merchant_request_id,
            },
            gateway_key: row.gateway_key,
            client_secret: row.client_secret,
            result_code: row.result_code,
            result_description: row.result_description,
            attention: row.attention,
            is_abandoned: row.is_abandoned,
            checks: row.checks,
            paid_at: row.paid_at,
            payment_date: row.payment_date,
        }
    }
}

/// Which attempts are read: those that one of these names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Which<'a> {
    pub(super) id: Option<i64>,
    pub(super) order_id: Option<i64>,
    /// Made by the request with this key.
    pub(super) key_id: Option<i64>,
    pub(super) token_hash: Option<&'a [u8]>,
    /// A card payment's.
    pub(super) intent: Option<&'a str>,
    pub(super) gateway_key: Option<&'a str>,
}

/// The attempts, newest first. Each name has its index, which one plan for all of them can use.
pub(super) async fn payments(db: impl PgExecutor<'_>, which: Which<'_>) -> Result<Vec<Payment>> {
    let rows = sqlx::query_as!(
        PaymentRow,
        r#"select p.id, p.order_id, o.order_number,
                  o.status <> 'cancelled' and o.payment_status in ('pending', 'failed') as "is_wanted!",
                  p.payment_method as "payment_method: PaymentMethod", p.payment_status as "payment_status: Status",
                  p.amount, p.received_amount, p.received_currency, p.refunded_amount, p.currency, p.phone_number, p.transaction_id, p.checkout_request_id,
                  p.merchant_request_id, p.gateway_key, p.client_secret, p.result_code, p.result_description,
                  p.attention, p.abandoned_at is not null as "is_abandoned!", p.checks, p.paid_at, p.payment_date
           from payment p join orders o on o.id = p.order_id
           where p.id in (
               select $1::bigint
               union all select id from payment where order_id = $2
               union all select id from payment where idempotency_key_id = $3
               union all select id from payment where callback_token_hash = $4
               union all select id from payment where payment_method = 'card' and transaction_id = $5
               union all select id from payment where gateway_key = $6)
           order by p.id desc"#,
        which.id,
        which.order_id,
        which.key_id,
        which.token_hash,
        which.intent,
        which.gateway_key
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

/// One attempt.
pub(super) async fn payment(db: impl PgExecutor<'_>, which: Which<'_>) -> Result<Option<Payment>> {
    Ok(payments(db, which).await?.into_iter().next())
}

/// An attempt's row to be.
pub(super) struct Draft<'a> {
    pub(super) order_id: i64,
    pub(super) method: PaymentMethod,
    pub(super) amount: Amount,
    pub(super) currency: &'a str,
    pub(super) phone_number: Option<&'a str>,
    pub(super) token_hash: &'a [u8],
    pub(super) key_id: Option<i64>,
    pub(super) description: Option<&'a str>,
    /// When to look after it, should nobody be heard of.
    pub(super) wait: Duration,
}

/// Makes an attempt; 409 when another one of the order is live.
pub(super) async fn insert(db: &mut PgConnection, draft: &Draft<'_>) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into payment
             (order_id, payment_method, amount, currency, phone_number, callback_token_hash, idempotency_key_id,
              result_description, next_check_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9)
         returning id",
        draft.order_id,
        draft.method.as_str(),
        draft.amount.decimal(),
        draft.currency,
        draft.phone_number,
        draft.token_hash,
        draft.key_id,
        draft.description,
        interval(draft.wait)
    );
    id.fetch_one(db).await.map_err(|error| match violated(&error) {
        Some("payment_live_key") => Error::new(
            Kind::PaymentInProgress,
            "The order is being paid already; look at its status, and wait for the end of that attempt.",
        ),
        _ => error.into(),
    })
}

/// What is written down of an attempt.
pub(super) struct Record<'a> {
    pub(super) status: Status,
    pub(super) names: &'a Names,
    pub(super) client_secret: Option<&'a str>,
    pub(super) code: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    /// Until the gateway is asked, while it is live.
    pub(super) wait: Duration,
}

/// Moves an attempt. A name stays as it was first told; the secret goes with the end. Only an attempt that is live is
/// looked after, and an intent that was declined and is to be withdrawn.
pub(super) async fn record(db: &mut PgConnection, id: i64, record: &Record<'_>) -> Result<()> {
    sqlx::query!(
        "update payment
         set payment_status = $2,
             transaction_id = coalesce(transaction_id, $3),
             checkout_request_id = coalesce(checkout_request_id, $4),
             merchant_request_id = coalesce(merchant_request_id, $5),
             client_secret = case when $9 then coalesce($6, client_secret) end,
             result_code = $7,
             result_description = coalesce($8, result_description),
             paid_at = case when $2 = 'succeeded' then coalesce(paid_at, now()) end,
             attention = case when $2 <> 'succeeded' then attention end,
             received_amount = case when $2 <> 'succeeded' then received_amount end,
             received_currency = case when $2 <> 'succeeded' then received_currency end,
             next_check_at = case
                 when $9 or $2 = 'failed' and abandoned_at is not null and payment_method = 'card'
                                          and coalesce(transaction_id, $3) is not null
                 then now() + $10::interval end
         where id = $1",
        id,
        record.status.as_str(),
        record.names.transaction_id,
        record.names.checkout_request_id,
        record.names.merchant_request_id,
        record.client_secret,
        record.code,
        record.description,
        record.status.is_live(),
        interval(record.wait)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps names that were told of an attempt that stays as it is, and what there is to say of it; it is looked after
/// later as after [`record`].
pub(super) async fn keep(
    db: &mut PgConnection,
    id: i64,
    names: &Names,
    description: Option<&str>,
    wait: Duration,
) -> Result<()> {
    sqlx::query!(
        "update payment
         set transaction_id = coalesce(transaction_id, $2),
             checkout_request_id = coalesce(checkout_request_id, $3),
             merchant_request_id = coalesce(merchant_request_id, $4),
             result_description = coalesce($6, result_description),
             next_check_at = case
                 when next_check_at is not null
                      and (payment_status in ('pending', 'processing', 'unknown')
                           or payment_status = 'failed' and abandoned_at is not null)
                 then now() + $5::interval end
         where id = $1",
        id,
        names.transaction_id,
        names.checkout_request_id,
        names.merchant_request_id,
        interval(wait),
        description
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Says why a person must look at an attempt, and what was received for it unless that is on its way back. One that is
/// live is not asked about any more.
pub(super) async fn flag(
    db: &mut PgConnection,
    id: i64,
    why: &str,
    received: Option<(Amount, &str)>,
) -> Result<()> {
    sqlx::query!(
        "update payment
         set attention = left($2, 500), next_check_at = null,
             payment_status = case when payment_status in ('pending', 'processing') then 'unknown' else payment_status end,
             received_amount = case
                 when payment_status <> 'succeeded' and refunded_amount = 0
                 then coalesce($3, received_amount) else received_amount end,
             received_currency = case
                 when payment_status <> 'succeeded' and refunded_amount = 0
                 then coalesce($4, received_currency) else received_currency end
         where id = $1",
        id,
        why,
        received.map(|(amount, _)| amount.decimal()),
        received.map(|(_, currency)| currency)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Says that nobody needs to look at an attempt any more.
pub(super) async fn unflag(db: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("update payment set attention = null where id = $1", id).execute(db).await?;
    Ok(())
}

/// Looks after the live attempts of an order at once.
pub(super) async fn hasten(db: &mut PgConnection, order_id: i64) -> Result<()> {
    sqlx::query!(
        "update payment set next_check_at = now() where order_id = $1 and next_check_at is not null",
        order_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Abandons the attempts of an order that a newer one takes the place of and whose intents could still be paid: which
/// those are. Whoever withdraws them has so long until the worker does.
pub(super) async fn supersede(db: &mut PgConnection, order_id: i64, hold: Duration) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        "update payment set abandoned_at = coalesce(abandoned_at, now()), next_check_at = now() + $2
         where order_id = $1 and payment_status = 'failed' and payment_method = 'card' and transaction_id is not null
           and received_amount is null
         returning id",
        order_id,
        interval(hold)
    );
    Ok(ids.fetch_all(db).await?)
}

/// Abandons what could still be paid of orders that are paid otherwise, or given up: their time comes at once.
pub(super) async fn abandon_unwanted(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(
        "update payment set abandoned_at = now(), next_check_at = now()
         where id in (
             select p.id from payment p join orders o on o.id = p.order_id
             where p.abandoned_at is null
               and (p.payment_status in ('pending', 'processing', 'unknown')
                    or p.payment_status = 'failed' and p.payment_method = 'card' and p.transaction_id is not null)
               and (p.payment_status = 'failed' or p.next_check_at is not null)
               and p.received_amount is null
               and (o.status = 'cancelled' or o.payment_status not in ('pending', 'failed'))
             for update of p skip locked)"
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes attempts that have been silent for too long, and holds them for so long against everybody else.
pub(super) async fn lease(db: impl PgExecutor<'_>, most: i64, hold: Duration) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        "update payment set checks = checks + 1, next_check_at = now() + $2
         where id in (select id from payment where next_check_at <= now()
                      order by next_check_at limit $1 for update skip locked)
         returning id",
        most,
        interval(hold)
    );
    Ok(ids.fetch_all(db).await?)
}

/// Overwrites the phones of a user's attempts; none is asked again.
pub(super) async fn forget_phones(db: &mut PgConnection, user_id: i64) -> Result<()> {
    sqlx::query!(
        "update payment p set phone_number = '254700000000'
         from orders o where o.id = p.order_id and o.user_id = $1 and p.phone_number is not null",
        user_id
    )
    .execute(db)
    .await?;
    Ok(())
}
