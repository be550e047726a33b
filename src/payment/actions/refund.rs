//! Money that goes back: kept for it first, then asked of the gateway, then booked.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;

use super::{HOLD, PATIENCE, gateways, insist, one, settle, token};
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
        gateway::{News, RefundNews, Word},
        model::{Payment, Refund, RefundStatus, Status, next_check, whole_shillings},
        request::NewRefund,
        store::{self, Record, Which, ledger::Entry, refund::RefundNames},
    },
};

pub(super) mod heard;

/// How long M-Pesa's result is waited for, and the receipt that a reversal needs, before it is a person's to look at: it
/// cannot be asked for either. Results come within seconds.
const RESULT: time::Duration = time::Duration::minutes(5);

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
    answer: impl Fn(&Refund, PaymentStatus) -> Result<Kept> + Send + Sync + 'static,
) -> Result<Answered> {
    let (claim, id) = match begin(app, admin, order_id, new, request).await {
        Ok(Opened::Begun(claim, id)) => (claim, id),
        Ok(Opened::Again(kept)) => return Ok(Answered::Again(kept)),
        Err(error) if error.kind() == Kind::KeyInUse => {
            return resume(app, admin, request, answer).await.ok_or(error);
        }
        Err(error) => return Err(error),
    };
    let own = app.clone();
    let sent = app.acts.spawn(async move {
        send(&own, id).await?;
        let written = || async {
            let mut transaction = auth::begin(&own.web, Author::SHOP).await?;
            let (refund, _) = one_refund(&mut transaction, id).await?;
            let paid = paying::payment_status(&mut transaction, order_id, None).await?;
            let kept = answer(&refund, paid)?;
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
    answer: impl Fn(&Refund, PaymentStatus) -> Result<Kept>,
) -> Option<Answered> {
    let resumed = async {
        let mut transaction = auth::begin(&app.web, admin).await?;
        let Some(request) = request else { return Ok(None) };
        let Some(claim) = idempotency::unanswered(&mut transaction, request).await? else { return Ok(None) };
        let Some(key_id) = claim.id() else { return Ok(None) };
        let Some(id) = store::refund::of_key(&mut transaction, key_id).await? else { return Ok(None) };
        let (refund, _) = one_refund(&mut transaction, id).await?;
        if is_being_sent(app, &refund) {
            return Ok(None);
        }
        let paid = paying::payment_status(&mut transaction, refund.order_id, None).await?;
        let kept = answer(&refund, paid)?;
        idempotency::finish(&mut transaction, &claim, &kept).await?;
        transaction.commit().await?;
        Ok::<_, Error>(Some(Answered::Again(kept)))
    };
    resumed.await.unwrap_or_default()
}

/// Whether the request for it is yet to be sent, or was so just now, and nobody has heard what became of it.
fn is_being_sent(app: &App, refund: &Refund) -> bool {
    let is_named = refund.gateway_refund_id.is_some() || refund.gateway_request_id.is_some();
    let since = refund.sent_at.map(|at| clock::from_micros(app.clock.micros()) - at);
    match refund.status {
        RefundStatus::Pending => true,
        RefundStatus::Processing => !is_named && since.is_some_and(|since| since < HOLD),
        _ => false,
    }
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
    let mut due = paying::lock(db, order_id, None).await?;
    let which = Which { order_id: Some(order_id), ..Which::default() };
    let mut paid = store::payments(&mut *db, which).await?;
    paid.retain(|payment| payment.got() > Amount::ZERO);
    // What has paid the order first, then what came in otherwise than it was asked for.
    let by_rank = |payment: &&Payment| {
        let left = payment.left();
        (left > Amount::ZERO, payment.status == Status::Succeeded, left)
    };
    let Some(payment) = paid.iter().rev().max_by_key(by_rank) else {
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
    if payment.received.is_some() && amount != left {
        // The rest would be nobody's: the attempt ends, and the order is paid by another.
        let detail = format!("must be all that came in, which is {left}: it was not what was asked for");
        return Err(Error::field("/amount", "range", detail));
    }
    if payment.method == PaymentMethod::Mpesa && whole_shillings(amount) != amount {
        return Err(Error::field("/amount", "range", "must have no cents: M-Pesa moves none"));
    }
    let id = reserve(db, &mut due, payment, amount, "Asked for by the shop.", Some(admin.user_id())).await?;
    store::refund::note_key(db, id, claim.id()).await?;
    Ok(Opened::Begun(claim, id))
}

/// Keeps so much of a payment of a locked order, and writes the refund down that the worker will send.
pub(super) async fn reserve(
    db: &mut PgConnection,
    due: &mut Due,
    payment: &Payment,
    amount: Amount,
    reason: &str,
    requested_by: Option<i64>,
) -> Result<i64> {
    if !store::refund::reserve(db, payment.id, amount).await? {
        return Err(Error::new(Kind::WrongState, "Not so much is left of the payment."));
    }
    if payment.received.is_some() {
        let is_new = !store::ledger::is_captured(db, payment.id).await?;
        if is_new {
            // It was nobody's until now: what came in is booked as what goes out.
            store::ledger::book(db, payment, Entry::Received).await?;
        }
        give_up(db, due, payment).await?;
    }
    // What an administrator asks for is sent by the request's own task.
    let wait = if requested_by.is_some() { HOLD } else { Duration::ZERO };
    let id = store::refund::insert(db, payment, amount, reason, requested_by, wait).await?;
    let detail = format!("{} {amount}: {reason}", payment.got_in());
    paying::tell(db, payment.order_id, "refund_requested", &detail, requested_by).await?;
    Ok(id)
}

/// Ends an attempt whose money goes back since it was not what was asked for: the order may be paid by another.
async fn give_up(db: &mut PgConnection, due: &mut Due, payment: &Payment) -> Result<()> {
    if !payment.status.is_live() {
        return Ok(());
    }
    let (got, asked) = (payment.got(), payment.amount);
    let said = format!(
        "{got} {} were paid, and {asked} {} were asked for. The money goes back.",
        payment.got_in(),
        payment.currency
    );
    let news = News::new(Word::Failed).because("amount".to_owned(), &said);
    let record = Record {
        status: Status::Failed,
        names: &news.names,
        client_secret: None,
        code: news.code.as_deref(),
        description: news.description.as_deref(),
        wait: HOLD,
    };
    store::record(db, payment.id, &record).await?;
    settle::came_to_nothing(db, due, &said).await
}

/// Says how a refund ended that no gateway has told the end of, by what a person has found out: the refund then, and what
/// is paid of its order.
///
/// # Errors
/// 404; 409 unless it waits for a person.
pub async fn close(
    app: &App,
    admin: Admin,
    order_id: i64,
    id: i64,
    has_gone: bool,
) -> Result<(Refund, PaymentStatus)> {
    let mut transaction = auth::begin(&app.web, admin).await?;
    paying::lock(&mut transaction, order_id, None).await?;
    let (refund, _) = one_refund(&mut transaction, id).await?;
    if refund.order_id != order_id {
        return Err(Error::not_found("refund"));
    }
    if refund.status != RefundStatus::Manual {
        let detail = "Only a refund that is `manual` waits for somebody to say how it ended.";
        return Err(Error::new(Kind::WrongState, detail));
    }
    let news = if has_gone {
        RefundNews::new(RefundStatus::Succeeded)
    } else {
        RefundNews::new(RefundStatus::Failed).because("an administrator has found that it did not.")
    };
    heard::apply(&mut transaction, id, &news).await?;
    let (refund, _) = one_refund(&mut transaction, id).await?;
    let paid = paying::payment_status(&mut transaction, order_id, None).await?;
    transaction.commit().await?;
    Ok((refund, paid))
}

/// Sends a refund that was not sent, or asks about one that was, and writes down what was heard.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn send(app: &App, id: i64) -> Result<()> {
    let gateways = gateways(app)?;
    let mut connection = app.web.acquire().await?;
    let (refund, payment) = one_refund(&mut connection, id).await?;
    let age = clock::from_micros(app.clock.micros()) - refund.sent_at.unwrap_or(refund.created_at);
    let waits =
        payment.method == PaymentMethod::Mpesa && payment.names.transaction_id.is_none() && age < RESULT;
    if refund.status == RefundStatus::Pending && waits {
        // A query confirmed the payment: the callback that tells its receipt may still come.
        let left = Duration::try_from(RESULT - age).unwrap_or_default();
        let wait = Some(next_check(refund.checks, false).min(left));
        let nameless = RefundNames::default();
        return store::refund::record(&mut connection, id, RefundStatus::Pending, nameless, None, wait).await;
    }
    let (token, token_hash) = token();
    // Said before it is sent: after a crash nobody can tell, and nobody sends it again to a gateway without keys.
    let is_mine = refund.status == RefundStatus::Pending
        && store::refund::sending(&mut *connection, id, &token_hash, HOLD).await?;
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
        heard::apply(&mut transaction, id, &news).await?;
        transaction.commit().await?;
        Ok(())
    };
    insist(|| Box::pin(written())).await
}

/// Begins to send back what the shop holds without a right to it; how many orders it was of.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn give_back_some(app: &App, most: i64) -> Result<usize> {
    let owing = store::refund::owing(&app.web, most).await?;
    let mut begun = 0;
    for order_id in &owing {
        match give_back(app, *order_id).await {
            Ok(()) => begun += 1,
            Err(error) => tracing::warn!(%error, order_id, "money that pays nothing goes back later"),
        }
    }
    Ok(begun)
}

async fn give_back(app: &App, order_id: i64) -> Result<()> {
    let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
    let mut due = paying::lock(&mut transaction, order_id, None).await?;
    settle::give_back_surplus(&mut transaction, &mut due).await?;
    transaction.commit().await?;
    Ok(())
}

/// Sends, or asks about, the refunds whose time has come; how many.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn look_after(app: &App, most: i64) -> Result<usize> {
    let ids = store::refund::lease(&app.web, most, HOLD).await?;
    let sent = futures_util::future::join_all(ids.iter().map(|id| send(app, *id))).await;
    for error in sent.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a refund is looked after later");
    }
    Ok(ids.len())
}

/// A refund, and the payment that it is of.
pub(super) async fn one_refund(db: &mut PgConnection, id: i64) -> Result<(Refund, Payment)> {
    let refund = store::refund::refunds(&mut *db, None, Some(id), None).await?.into_iter().next();
    let refund = refund.ok_or_else(|| Error::not_found("refund"))?;
    let payment = one(db, refund.payment_id).await?;
    Ok((refund, payment))
}
