//! What is heard of a refund is applied here, under its order's lock, whoever brings it.

use sqlx::PgConnection;

use super::{
    super::{hash, one, settle},
    one_refund,
};
use crate::{
    app::App,
    error::Result,
    money::Amount,
    order::{
        actions::paying,
        due::Due,
        model::{PaymentMethod, PaymentStatus},
    },
    payment::{
        gateway::RefundNews,
        model::{Payment, Refund, RefundStatus, next_check},
        store::{self, ledger::Entry, refund::RefundNames},
    },
};

/// Applies what was heard of a refund; the same again changes nothing.
///
/// # Errors
/// 404, or when the database does not answer.
pub(in crate::payment::actions) async fn apply(
    db: &mut PgConnection,
    id: i64,
    news: &RefundNews,
) -> Result<()> {
    let order_id = one_refund(db, id).await?.0.order_id;
    let mut due = paying::lock(db, order_id, None).await?;
    let (refund, payment) = one_refund(db, id).await?;
    let names = (refund.gateway_refund_id.as_deref(), news.gateway_refund_id.as_deref());
    if matches!(names, (Some(known), Some(told)) if known != told) {
        tracing::warn!(refund_id = id, "a gateway told of a refund under another name");
        return Ok(());
    }
    if refund.status == RefundStatus::Succeeded {
        return gone_out(db, &mut due, &refund, &payment, news).await;
    }
    let was_silent = matches!(news.status, RefundStatus::Pending | RefundStatus::Unknown);
    let wait = Some(next_check(refund.checks, was_silent));
    let error = news.error.as_deref();
    let named = RefundNames {
        refund: news.gateway_refund_id.as_deref(),
        request: news.gateway_request_id.as_deref(),
    };
    // It was not sent after all: that is how it began.
    if news.status == RefundStatus::Pending && refund.status == RefundStatus::Processing {
        return store::refund::record(db, id, RefundStatus::Pending, RefundNames::default(), error, wait)
            .await;
    }
    if !refund.status.may_become(news.status) {
        return store::refund::record(db, id, refund.status, named, error, wait).await;
    }
    let labels = [("method", payment.method.as_str()), ("status", news.status.as_str())];
    metrics::counter!("duka_refunds_total", &labels).increment(1);
    match news.status {
        RefundStatus::Succeeded => {
            if refund.status == RefundStatus::Failed
                && !store::refund::reserve(db, payment.id, refund.amount).await?
            {
                let why = "A refund that had failed went out after all, after the money had been sent back otherwise.";
                return settle::flag(db, &payment, why).await;
            }
            store::refund::record(db, id, news.status, named, None, None).await?;
            store::ledger::book(db, &payment, Entry::Refund(id, refund.amount)).await?;
            went_back(db, &mut due, &payment, refund.amount).await
        }
        RefundStatus::Failed | RefundStatus::Manual => {
            store::refund::record(db, id, news.status, named, error, None).await?;
            if news.status == RefundStatus::Failed {
                store::refund::release(db, payment.id, refund.amount).await?;
            }
            let why = error.unwrap_or("The gateway does not say why.");
            let what = match news.status {
                RefundStatus::Manual => "may not have gone out",
                _ => "did not go out",
            };
            settle::flag(db, &payment, &format!("A refund of {} {what}: {why}", refund.amount)).await?;
            paying::tell(
                db,
                due.id,
                "refund_delayed",
                "It could not be sent yet; the shop looks after it.",
                None,
            )
            .await
        }
        status => store::refund::record(db, id, status, named, error, wait).await,
    }
}

/// Hears once more of a refund that has gone out: it stays so, unless a card gateway says that it came back.
async fn gone_out(
    db: &mut PgConnection,
    due: &mut Due,
    refund: &Refund,
    payment: &Payment,
    news: &RefundNews,
) -> Result<()> {
    let nameless = RefundNames::default();
    match news.status {
        RefundStatus::Succeeded => {
            store::refund::record(db, refund.id, RefundStatus::Succeeded, nameless, None, None).await
        }
        RefundStatus::Failed if payment.method == PaymentMethod::Card => {
            let why = news.error.as_deref().unwrap_or("the gateway does not say why");
            store::refund::record(db, refund.id, RefundStatus::Failed, nameless, Some(why), None).await?;
            store::refund::release(db, payment.id, refund.amount).await?;
            store::ledger::book(db, payment, Entry::Return(refund.id, refund.amount)).await?;
            let why =
                format!("A refund of {} came back, so that the shop has the money: {why}", refund.amount);
            settle::flag(db, payment, &why).await?;
            let detail = "It came back from the bank; the shop looks after it.";
            if payment.received.is_some() {
                return paying::tell(db, due.id, "refund_returned", detail, None).await;
            }
            let to = paid_of(db, due).await?;
            paying::take_back(db, due, to, detail).await
        }
        RefundStatus::Failed => {
            let why = "M-Pesa says that a refund failed which somebody, or M-Pesa itself, had said to have gone out.";
            settle::flag(db, payment, why).await
        }
        // Not an answer; it is asked again.
        _ => Ok(()),
    }
}

/// Moves the order on to what the shop still holds of what it was paid. Nobody needs to look at a payment of which all
/// has gone back.
async fn went_back(db: &mut PgConnection, due: &mut Due, payment: &Payment, amount: Amount) -> Result<()> {
    let detail = format!("{} {amount} by {}.", payment.got_in(), payment.method.as_str());
    if one(db, payment.id).await?.left() == Amount::ZERO {
        store::unflag(db, payment.id).await?;
    }
    if payment.received.is_some() {
        return paying::tell(db, due.id, "wrong_amount_refunded", &detail, None).await;
    }
    let to = paid_of(db, due).await?;
    if to == PaymentStatus::Paid {
        // What was paid too often.
        return paying::tell(db, due.id, "surplus_refunded", &detail, None).await;
    }
    if due.state.payment_status.may_become(to) {
        paying::move_paid(db, due, to, &detail).await
    } else {
        paying::tell(db, due.id, to.as_str(), &detail, None).await
    }
}

/// What an order has been paid by what the shop holds.
async fn paid_of(db: &mut PgConnection, due: &Due) -> Result<PaymentStatus> {
    if paying::was_paid_in_cash(db, due.id).await? {
        return Ok(PaymentStatus::Paid);
    }
    Ok(PaymentStatus::of_held(store::ledger::held(db, due.id).await?, due.total_amount))
}

/// The refund that an M-Pesa address is of, and its payment.
pub(in crate::payment::actions) async fn of_token(
    app: &App,
    token: &str,
) -> Result<Option<(Refund, Payment)>> {
    let mut connection = app.web.acquire().await?;
    let refund =
        store::refund::refunds(&mut *connection, None, None, Some(&hash(token))).await?.into_iter().next();
    match refund {
        Some(refund) => one_refund(&mut connection, refund.id).await.map(Some),
        None => Ok(None),
    }
}
