//! The SQL of the ledger: what came in and what went back, as of its entries.

use sqlx::PgConnection;

use crate::{error::Result, money::Amount, payment::model::Payment};

/// What moved.
#[derive(Clone, Copy)]
pub(in crate::payment) enum Entry {
    /// The whole payment came in.
    Capture,
    /// What came in in its place.
    Received,
    /// So much of it went out by this refund.
    Refund(i64, Amount),
    /// And came back.
    Return(i64, Amount),
}

/// Books an entry: both lines of it.
pub(in crate::payment) async fn book(db: &mut PgConnection, payment: &Payment, entry: Entry) -> Result<()> {
    let (refund_id, debit, is_return) = match entry {
        Entry::Capture => (None, payment.amount.decimal(), false),
        Entry::Received => (None, payment.got().decimal(), false),
        Entry::Refund(id, amount) => (Some(id), -amount.decimal(), false),
        Entry::Return(id, amount) => (Some(id), amount.decimal(), true),
    };
    let currency = if matches!(entry, Entry::Capture) { &payment.currency } else { payment.got_in() };
    sqlx::query!(
        "insert into payment_ledger (payment_id, refund_id, account, amount, currency, is_return)
         values ($1, $2, $3, $4, $5, $6), ($1, $2, 'orders', -($4::numeric), $5, $6)",
        payment.id,
        refund_id,
        payment.method.as_str(),
        debit,
        currency,
        is_return
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether what came in for a payment is booked.
pub(in crate::payment) async fn is_captured(db: &mut PgConnection, payment_id: i64) -> Result<bool> {
    let is_captured = sqlx::query_scalar!(
        r#"select exists (select from payment_ledger where payment_id = $1 and refund_id is null) as "is!""#,
        payment_id
    );
    Ok(is_captured.fetch_one(db).await?)
}

/// What the shop holds of what an order was paid, by the ledger. What came in otherwise than it was asked for is no
/// part of it.
pub(in crate::payment) async fn held(db: &mut PgConnection, order_id: i64) -> Result<Amount> {
    let held = sqlx::query_scalar!(
        r#"select coalesce(sum(l.amount), 0) as "held!"
           from payment_ledger l join payment p on p.id = l.payment_id
           where p.order_id = $1 and p.payment_status = 'succeeded' and l.account <> 'orders'"#,
        order_id
    );
    Ok(Amount::from_decimal(held.fetch_one(db).await?))
}
