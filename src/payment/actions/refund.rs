//! Money that goes back: kept for it first, then asked of the gateway, then booked.

use sqlx::PgConnection;
use tokio::time::timeout;

use super::{HOLD, PATIENCE, gateways, hash, insist, one, settle, token};
use crate::{
    app::App,
    auth::{self, Admin, Author},
    clock,
    error::{Error, Kind, Result},
    idempotency::{self, Answered, Begun, Claim, Kept, Request},
    money::Amount,
    order::{
        actions::paying,
        due::Due,
        model::{PaymentMethod, PaymentStatus},
    },
    payment::{
        gateway::RefundNews,
        model::{Payment, Refund, RefundStatus, Status, next_check, whole_shillings},
        request::NewRefund,
        store::{self, Entry, Which},
    },
};

/// How long M-Pesa's result is waited for; it cannot be asked for it.
const RESULT: time::Duration = time::Duration::hours(1);

/// Sends money of an order back, or answers as it did when the request came first. `answer` writes what is sent and
/// kept, of the refund and of what is paid of its order.
///
/// # Errors
/// 404, 409 when there is nothing to send back, 422 for more than is left; as [`idempotency::begin`] for a key.
pub async fn refund(
    app: &App,
    admin: Admin,
    order_id: i64,
    new: &NewRefund,
    request: Option<&Request>,
    answer: impl Fn(&Refund, &Payment, PaymentStatus) -> Result<Kept> + Send + Sync + 'static,
) -> Result<Answered> {
    let (claim, id) = match begin(app, admin, order_id, new, request).await {
        Ok(Opened::Begun(claim, id)) => (claim, id),
        Ok(Opened::Again(kept)) => return Ok(Answered::Again(kept)),
        Err(error) if error.kind() == Kind::KeyInUse => {
            return resume(app, admin, request, answer).await.ok_or(error);
        }
        Err(error) => return Err(error),
    };
    let app = app.clone();
    let sent = tokio::spawn(async move {
        send(&app, id).await?;
        let written = || async {
            let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
            let refund = one_refund(&mut transaction, id).await?;
            let payment = one(&mut transaction, refund.payment_id).await?;
            let paid = paying::payment_status(&mut transaction, order_id, None).await?;
            let kept = answer(&refund, &payment, paid)?;
            idempotency::finish(&mut transaction, &claim, &kept).await?;
            transaction.commit().await?;
            Ok(kept)
        };
        insist(|| Box::pin(written())).await
    });
    sent.await.map_err(Error::internal)?.map(Answered::First)
}

/// The answer to a request whose first process has died over it, once anything is known.
async fn resume(
    app: &App,
    admin: Admin,
    request: Option<&Request>,
    answer: impl Fn(&Refund, &Payment, PaymentStatus) -> Result<Kept>,
) -> Option<Answered> {
    let resumed = async {
        let mut transaction = auth::begin(&app.web, admin).await?;
        let Some(request) = request else { return Ok(None) };
        let Some(claim) = idempotency::unanswered(&mut transaction, request).await? else { return Ok(None) };
        let Some(key_id) = claim.id() else { return Ok(None) };
        let Some(id) = store::refund_of_key(&mut transaction, key_id).await? else { return Ok(None) };
        let refund = one_refund(&mut transaction, id).await?;
        if matches!(refund.status, RefundStatus::Pending) {
            return Ok(None);
        }
        let payment = one(&mut transaction, refund.payment_id).await?;
        let paid = paying::payment_status(&mut transaction, refund.order_id, None).await?;
        let kept = answer(&refund, &payment, paid)?;
        idempotency::finish(&mut transaction, &claim, &kept).await?;
        transaction.commit().await?;
        Ok::<_, Error>(Some(Answered::Again(kept)))
    };
    resumed.await.unwrap_or_default()
}

enum Opened {
    Begun(Claim, i64),
    Again(Kept),
}

/// Writes the refund down.
async fn begin(
    app: &App,
    admin: Admin,
    order_id: i64,
    new: &NewRefund,
    request: Option<&Request>,
) -> Result<Opened> {
    let mut transaction = auth::begin(&app.web, admin).await?;
    match opened(&mut transaction, admin, order_id, new, request).await {
        Ok(begun @ Opened::Begun(..)) => transaction.commit().await.map(|()| begun).map_err(Into::into),
        // Before it is answered: whoever sends the key again then is not told that it is still in use.
        other => transaction.rollback().await.map_err(Into::into).and(other),
    }
}

async fn opened(
    db: &mut PgConnection,
    admin: Admin,
    order_id: i64,
    new: &NewRefund,
    request: Option<&Request>,
) -> Result<Opened> {
    let claim = match idempotency::begin(db, request).await? {
        Begun::First(claim) => claim,
        Begun::Again(kept) => return Ok(Opened::Again(kept)),
    };
    paying::lock(db, order_id, None).await?;
    let which = Which { order_id: Some(order_id), ..Which::default() };
    let mut paid = store::payments(&mut *db, which).await?;
    paid.retain(|payment| payment.status == Status::Succeeded);
    let Some(payment) = paid.iter().rev().max_by_key(|payment| payment.left()) else {
        return Err(Error::new(Kind::WrongState, "Nothing has been paid for this order."));
    };
    let left = payment.left();
    if left == Amount::ZERO {
        return Err(Error::new(Kind::WrongState, "All of it has gone back already, or is about to."));
    }
    let amount = new.amount.unwrap_or(left);
    if amount > left {
        return Err(Error::field(
            "/amount",
            "range",
            format!("is more than the {left} that can still go back"),
        ));
    }
    if payment.method == PaymentMethod::Mpesa && whole_shillings(amount) != amount {
        return Err(Error::field("/amount", "range", "must be whole shillings: M-Pesa moves nothing else"));
    }
    let id = reserve(db, payment, amount, "Asked for by the shop.", Some(admin.user_id())).await?;
    store::note_key(db, id, claim.id()).await?;
    Ok(Opened::Begun(claim, id))
}

/// Keeps so much of a payment, whose order is locked, and writes the refund down that the worker will send.
pub(super) async fn reserve(
    db: &mut PgConnection,
    payment: &Payment,
    amount: Amount,
    reason: &str,
    requested_by: Option<i64>,
) -> Result<i64> {
    if !store::reserve(db, payment.id, amount).await? {
        return Err(Error::new(Kind::WrongState, "Not so much is left of the payment."));
    }
    let id = store::insert_refund(db, payment, amount, reason, requested_by).await?;
    let detail = format!("{} {amount}: {reason}", payment.currency);
    paying::tell(db, payment.order_id, "refund_requested", &detail, requested_by).await?;
    Ok(id)
}

/// Sends a refund that was not sent, or asks about one that was, and writes down what was heard.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn send(app: &App, id: i64) -> Result<()> {
    let gateways = gateways(app)?;
    let mut connection = app.web.acquire().await?;
    let refund = one_refund(&mut connection, id).await?;
    let payment = one(&mut connection, refund.payment_id).await?;
    let age = clock::from_micros(app.clock.micros()) - refund.created_at;
    let waits =
        payment.method == PaymentMethod::Mpesa && payment.names.transaction_id.is_none() && age < RESULT;
    if refund.status == RefundStatus::Pending && waits {
        // A query confirmed the payment: the callback that tells its receipt may still come.
        let wait = Some(next_check(refund.checks, false));
        return store::record_refund(&mut connection, id, RefundStatus::Pending, None, None, wait).await;
    }
    let (token, token_hash) = token();
    // Said before it is sent: after a crash nobody can tell, and nobody sends it again to a gateway without keys.
    let is_mine = refund.status == RefundStatus::Pending
        && store::sending(&mut *connection, id, &token_hash, HOLD).await?;
    drop(connection);
    let news = match gateways.of(payment.method) {
        None => RefundNews::new(RefundStatus::Manual).because("This way of paying is not set up any more."),
        Some(gateway) => {
            let asked = async {
                if is_mine {
                    gateway.refund(&refund, &payment, &token).await
                } else {
                    let news = gateway.look_at_refund(&refund, &payment).await;
                    if !gateway.knows_keys() && news.status == RefundStatus::Unknown && age > RESULT {
                        let why = "M-Pesa never sent its result; look there whether the money went back.";
                        RefundNews::new(RefundStatus::Manual).because(why)
                    } else {
                        news
                    }
                }
            };
            let silent =
                |_| RefundNews::new(RefundStatus::Unknown).because("The gateway has not answered yet.");
            timeout(PATIENCE, asked).await.unwrap_or_else(silent)
        }
    };
    let written = || async {
        let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
        apply(&mut transaction, id, &news).await?;
        transaction.commit().await?;
        Ok(())
    };
    insist(|| Box::pin(written())).await
}

/// Applies what was heard of a refund; the same again changes nothing.
pub(super) async fn apply(db: &mut PgConnection, id: i64, news: &RefundNews) -> Result<()> {
    let order_id = one_refund(db, id).await?.order_id;
    let mut due = paying::lock(db, order_id, None).await?;
    let refund = one_refund(db, id).await?;
    let payment = one(db, refund.payment_id).await?;
    let names = (refund.gateway_refund_id.as_deref(), news.gateway_refund_id.as_deref());
    if matches!(names, (Some(known), Some(told)) if known != told) {
        tracing::warn!(refund_id = id, "a gateway told of a refund under another name");
        return Ok(());
    }
    if refund.status == RefundStatus::Succeeded {
        return gone_out(db, &refund, &payment, news).await;
    }
    let was_silent = matches!(news.status, RefundStatus::Pending | RefundStatus::Unknown);
    let wait = Some(next_check(refund.checks, was_silent));
    let (named, error) = (news.gateway_refund_id.as_deref(), news.error.as_deref());
    // It was not sent after all: that is how it began.
    if news.status == RefundStatus::Pending && refund.status == RefundStatus::Processing {
        return store::record_refund(db, id, RefundStatus::Pending, None, error, wait).await;
    }
    if !refund.status.may_become(news.status) {
        return store::record_refund(db, id, refund.status, named, error, wait).await;
    }
    let labels = [("method", payment.method.as_str()), ("status", news.status.as_str())];
    metrics::counter!("duka_refunds_total", &labels).increment(1);
    match news.status {
        RefundStatus::Succeeded => {
            if refund.status == RefundStatus::Failed && !store::reserve(db, payment.id, refund.amount).await?
            {
                let why = "A refund that had failed went out after all, after the money had been sent back otherwise.";
                return settle::flag(db, &payment, why).await;
            }
            store::record_refund(db, id, news.status, named, None, None).await?;
            store::book(db, &payment, Entry::Refund(id, refund.amount)).await?;
            went_back(db, &mut due, &payment, refund.amount).await
        }
        RefundStatus::Failed | RefundStatus::Manual => {
            store::record_refund(db, id, news.status, named, error, None).await?;
            if news.status == RefundStatus::Failed {
                store::release(db, payment.id, refund.amount).await?;
            }
            let why = error.unwrap_or("The gateway does not say why.");
            settle::flag(db, &payment, &format!("A refund of {} did not go out: {why}", refund.amount))
                .await?;
            paying::tell(
                db,
                due.id,
                "refund_delayed",
                "It could not be sent yet; the shop looks after it.",
                None,
            )
            .await
        }
        status => store::record_refund(db, id, status, named, error, wait).await,
    }
}

/// Hears once more of a refund that has gone out: it stays so, unless a card gateway says that it came back.
async fn gone_out(
    db: &mut PgConnection,
    refund: &Refund,
    payment: &Payment,
    news: &RefundNews,
) -> Result<()> {
    match news.status {
        RefundStatus::Succeeded => {
            store::record_refund(db, refund.id, RefundStatus::Succeeded, None, None, None).await
        }
        RefundStatus::Failed if payment.method == PaymentMethod::Card => {
            let why = news.error.as_deref().unwrap_or("the gateway does not say why");
            store::record_refund(db, refund.id, RefundStatus::Failed, None, Some(why), None).await?;
            store::release(db, payment.id, refund.amount).await?;
            store::book(db, payment, Entry::Return(refund.id, refund.amount)).await?;
            let why =
                format!("A refund of {} came back, so that the shop has the money: {why}", refund.amount);
            settle::flag(db, payment, &why).await?;
            let detail = "It came back from the bank; the shop looks after it.";
            paying::tell(db, payment.order_id, "refund_returned", detail, None).await
        }
        // Not an answer; it is asked again.
        _ => Ok(()),
    }
}

/// Moves the order on to what the shop still holds for it.
async fn went_back(db: &mut PgConnection, due: &mut Due, payment: &Payment, amount: Amount) -> Result<()> {
    let held = store::held(db, due.id).await?;
    let detail = format!("{} {amount} by {}.", payment.currency, payment.method.as_str());
    let to = if held == Amount::ZERO {
        PaymentStatus::Refunded
    } else if held < due.total_amount {
        PaymentStatus::PartiallyRefunded
    } else {
        // What was paid too often.
        return paying::tell(db, due.id, "surplus_refunded", &detail, None).await;
    };
    if due.state.payment_status.may_become(to) {
        paying::move_paid(db, due, to, &detail).await
    } else {
        paying::tell(db, due.id, to.as_str(), &detail, None).await
    }
}

/// Begins to send back what was paid for orders that were given up; how many.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn give_back_some(app: &App, most: i64) -> Result<usize> {
    let owing = store::owing(&app.web, most).await?;
    let mut begun = 0;
    for order_id in &owing {
        match give_back(app, *order_id).await {
            Ok(()) => begun += 1,
            Err(error) => tracing::warn!(%error, order_id, "money for a cancelled order goes back later"),
        }
    }
    Ok(begun)
}

async fn give_back(app: &App, order_id: i64) -> Result<()> {
    let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
    let due = paying::lock(&mut transaction, order_id, None).await?;
    settle::give_back_surplus(&mut transaction, &due).await?;
    transaction.commit().await?;
    Ok(())
}

/// Sends, or asks about, the refunds whose time has come; how many.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn look_after(app: &App, most: i64) -> Result<usize> {
    let ids = store::lease_refunds(&app.web, most, HOLD).await?;
    let sent = futures_util::future::join_all(ids.iter().map(|id| send(app, *id))).await;
    for error in sent.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a refund is looked after later");
    }
    Ok(ids.len())
}

/// The refund that an M-Pesa address is of.
pub(super) async fn of_token(app: &App, token: &str) -> Result<Option<Refund>> {
    Ok(store::refunds(&app.web, None, None, Some(&hash(token))).await?.into_iter().next())
}

async fn one_refund(db: &mut PgConnection, id: i64) -> Result<Refund> {
    let refund = store::refunds(&mut *db, None, Some(id), None).await?.into_iter().next();
    refund.ok_or_else(|| Error::not_found("refund"))
}
