//! What is heard of an attempt is applied here, and nowhere else: under its order's lock, whoever brings it.

use sqlx::PgConnection;

use super::{one, refund};
use crate::{
    app::App,
    auth::{self, Author},
    error::Result,
    money::Amount,
    order::{
        actions::paying,
        due::Due,
        model::{PaymentMethod, PaymentStatus, Status as OrderStatus},
    },
    payment::{
        gateway::{News, Word},
        judge::{Verdict, judge},
        model::{Payment, Status, next_check},
        store::{self, Record, ledger::Entry},
    },
};

/// Applies news to an attempt, in a transaction of its own: how it stands then.
///
/// # Errors
/// When the database does not answer.
pub async fn settle(app: &App, id: i64, news: &News) -> Result<Payment> {
    let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
    let payment = apply(&mut transaction, id, news).await?;
    transaction.commit().await?;
    Ok(payment)
}

/// Applies news to an attempt: how it stands then. The same news again change nothing.
///
/// # Errors
/// 404, or when the database does not answer.
pub(super) async fn apply(db: &mut PgConnection, id: i64, news: &News) -> Result<Payment> {
    let order_id = one(db, id).await?.order_id;
    let mut due = paying::lock(db, order_id, None).await?;
    // Again, now that nobody else moves it.
    let payment = one(db, id).await?;
    match judge(&payment, news) {
        Verdict::Become(status) => advance(db, &mut due, &payment, status, news).await?,
        Verdict::Keep => {
            // What there is to say of an attempt that goes on; an end has said its own.
            let is_going_on = payment.status.is_live() && news.word == Word::Processing;
            let said = news.description.as_deref().filter(|_| is_going_on);
            let wait = next_check(payment.checks, news.word == Word::Unknown);
            store::keep(db, id, &news.names, said, wait).await?;
        }
        Verdict::Flag(why, received) => {
            if received.is_some() {
                // By these it goes back.
                let wait = next_check(payment.checks, false);
                store::keep(db, id, &news.names, None, wait).await?;
            }
            flag_received(db, &payment, &why, received).await?;
        }
        Verdict::Ignore => {
            tracing::warn!(payment_id = id, word = ?news.word, "a gateway told of an attempt under another name");
        }
    }
    one(db, id).await
}

/// Says why a person must look at it.
pub(super) async fn flag(db: &mut PgConnection, payment: &Payment, why: &str) -> Result<()> {
    flag_received(db, payment, why, None).await
}

/// The same of money that came in and was not asked for: it pays nothing, and can go back.
async fn flag_received(
    db: &mut PgConnection,
    payment: &Payment,
    why: &str,
    received: Option<(Amount, String)>,
) -> Result<()> {
    if payment.attention.as_deref() == Some(why) {
        return Ok(());
    }
    tracing::warn!(payment_id = payment.id, order_id = payment.order_id, why, "a payment needs a person");
    metrics::counter!("duka_payments_flagged_total", "method" => payment.method.as_str()).increment(1);
    let received = received.as_ref().map(|(amount, currency)| (*amount, currency.as_str()));
    store::flag(db, payment.id, why, received).await
}

async fn advance(
    db: &mut PgConnection,
    due: &mut Due,
    payment: &Payment,
    status: Status,
    news: &News,
) -> Result<()> {
    let record = Record {
        status,
        names: &news.names,
        client_secret: news.client_secret.as_deref(),
        code: news.code.as_deref(),
        description: news.description.as_deref(),
        wait: next_check(payment.checks, news.word == Word::Unknown),
    };
    store::record(db, payment.id, &record).await?;
    if !status.is_live() {
        let labels = [("method", payment.method.as_str()), ("status", status.as_str())];
        metrics::counter!("duka_payments_total", &labels).increment(1);
    }
    match status {
        Status::Succeeded => {
            store::ledger::book(db, payment, Entry::Capture).await?;
            let detail = format!("{} {} by {}.", payment.currency, payment.amount, payment.method.as_str());
            let was_paid = due.state.payment_status == PaymentStatus::Paid;
            if due.state.payment_status.may_become(PaymentStatus::Paid) {
                paying::move_paid(db, due, PaymentStatus::Paid, &detail).await?;
            } else {
                paying::tell(db, due.id, "paid_again", &detail, None).await?;
            }
            // Another attempt is not needed any more.
            store::hasten(db, due.id).await?;
            if was_paid && due.state.payment_method == PaymentMethod::CashOnDelivery {
                flag_beside_cash(db, due, payment).await?;
            }
            give_back_surplus(db, due).await
        }
        Status::Failed | Status::Cancelled if payment.status.is_live() => {
            if news.word == Word::Nameless && payment.method == PaymentMethod::Mpesa {
                let why = "The push was never answered; should money have come in for it, M-Pesa's statement tells.";
                flag(db, payment, why).await?;
            }
            came_to_nothing(db, due, news.description.as_deref().unwrap_or_default()).await
        }
        _ => Ok(()),
    }
}

/// The order was not paid by its attempt. One that was given up does not care: it was not for want of money.
pub(super) async fn came_to_nothing(db: &mut PgConnection, due: &mut Due, detail: &str) -> Result<()> {
    if due.state.status == OrderStatus::Cancelled {
        return Ok(());
    }
    paying::move_paid(db, due, PaymentStatus::Failed, detail).await
}

/// Tells a person of a payment for an order that had been paid already, when there is no other payment: then it was in
/// cash, which no gateway knows of and no ledger holds.
async fn flag_beside_cash(db: &mut PgConnection, due: &Due, payment: &Payment) -> Result<()> {
    let which = store::Which { order_id: Some(due.id), ..Default::default() };
    let all = store::payments(&mut *db, which).await?;
    if all.iter().any(|other| other.id != payment.id && other.status == Status::Succeeded) {
        return Ok(());
    }
    flag(db, payment, "The order had been paid in cash, on delivery; send this back.").await
}

/// Sends back what the shop has no right to: all that was paid for an order that was given up, whatever was paid after
/// the first payment, and what came in otherwise than it was asked for, once the order does not wait for its money. What
/// a person must look at for another reason is left, and so is what once failed to go back.
pub(super) async fn give_back_surplus(db: &mut PgConnection, due: &mut Due) -> Result<()> {
    let all =
        store::payments(&mut *db, store::Which { order_id: Some(due.id), ..Default::default() }).await?;
    let (strange, mut paid): (Vec<Payment>, Vec<Payment>) =
        all.into_iter().partition(|payment| payment.received.is_some());
    paid.retain(|payment| payment.status == Status::Succeeded);
    paid.sort_by_key(|payment| (payment.paid_at, payment.id));
    let is_over = due.state.status == OrderStatus::Cancelled;
    let reason = if is_over { "The order was cancelled." } else { "The order had been paid already." };
    for payment in paid.iter().skip(usize::from(!is_over)) {
        let left = payment.left();
        if left.hundredths() > 0 && payment.attention.is_none() {
            refund::reserve(db, due, payment, left, reason, None).await?;
        }
    }
    let waits =
        !is_over && matches!(due.state.payment_status, PaymentStatus::Pending | PaymentStatus::Failed);
    if waits || strange.is_empty() {
        return Ok(());
    }
    let refunds = store::refund::refunds(&mut *db, Some(due.id), None, None).await?;
    for payment in strange {
        if refunds.iter().all(|refund| refund.payment_id != payment.id) {
            refund::reserve(db, due, &payment, payment.left(), reason, None).await?;
        }
    }
    Ok(())
}
