//! What can be done with payments.
//!
//! An attempt is written down and committed; then the gateway is asked, by a task of its own that goes on when the
//! buyer has left; then what was heard is written down, together with the answer to the buyer.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};

use self::settle::apply;
use super::{
    gateway::{Gateway, Gateways, News, Start, Word},
    model::{Payment, Refund, Status},
    request::NewPayment,
    store::{self, Draft, Which},
};
use crate::{
    app::App,
    auth::{self, Author, Customer},
    database,
    error::{Error, Fault, Kind, Result},
    idempotency::{self, Answered, Begun, Claim, Kept, Request},
    order::{
        actions::{MOST, paying},
        due::Due,
        model::{PaymentMethod, PaymentStatus, Status as OrderStatus},
    },
};

pub mod inbox;
pub mod reconcile;
pub mod refund;
pub mod settle;

/// How long a gateway is listened to, all its requests together.
const PATIENCE: Duration = Duration::from_secs(12);
/// For how long somebody who asks a gateway keeps others from it: longer than that takes.
const HOLD: Duration = Duration::from_secs(30);
/// How often what a gateway has answered is tried to be written down, while the database is away.
const TRIES: u64 = 6;

/// Writes the answer that is sent, and kept.
pub trait Answer: Fn(&Payment) -> Result<Kept> + Send + Sync + 'static {}

impl<T: Fn(&Payment) -> Result<Kept> + Send + Sync + 'static> Answer for T {}

/// Begins to pay an order of the user's own, or answers as it did when the request came first.
///
/// # Errors
/// 404, 409 when nothing is to be paid, when another attempt is live or the shop does not take this method, 422 when
/// M-Pesa has no phone to ask, or what it rounds up to is more than can be written down; as [`idempotency::begin`] for a key. Then nothing has changed.
pub async fn initiate(
    app: &App,
    user: Customer,
    new: &NewPayment,
    request: Option<&Request>,
    answer: impl Answer,
) -> Result<Answered> {
    let begun = match begin(app, user, new, request).await {
        Ok(Opened::Begun(begun)) => *begun,
        Ok(Opened::Again(kept)) => return Ok(Answered::Again(kept)),
        Err(error) if error.kind() == Kind::KeyInUse => {
            return resume(app, user, request, answer).await.ok_or(error);
        }
        Err(error) => return Err(error),
    };
    let own = app.clone();
    // A gateway may take longer than a request.
    let asked = app.acts.spawn(async move { ask(&own, &begun, &answer).await });
    asked.await.map_err(Error::internal)?.map(Answered::First)
}

enum Opened {
    Begun(Box<Attempt>),
    Again(Kept),
}

/// An attempt that was written down.
struct Attempt {
    claim: Claim,
    start: Start,
    /// Older ones whose intents could still be paid.
    superseded: Vec<i64>,
}

/// Writes the attempt down.
async fn begin(app: &App, user: Customer, new: &NewPayment, request: Option<&Request>) -> Result<Opened> {
    let gateways = gateways(app)?;
    let mut transaction = auth::begin(&app.web, user).await?;
    let currency = app.config.currency.code();
    match opened(&mut transaction, &gateways, currency, user, new, request).await {
        Ok(begun @ Opened::Begun(..)) => transaction.commit().await.map(|()| begun).map_err(Into::into),
        // Before it is answered: whoever sends the key again then is not told that it is still in use.
        other => transaction.rollback().await.map_err(Into::into).and(other),
    }
}

async fn opened(
    transaction: &mut PgConnection,
    gateways: &Gateways,
    currency: &str,
    user: Customer,
    new: &NewPayment,
    request: Option<&Request>,
) -> Result<Opened> {
    let claim = match idempotency::begin(transaction, request).await? {
        Begun::First(claim) => claim,
        Begun::Again(kept) => return Ok(Opened::Again(kept)),
    };
    let mut due = paying::lock(transaction, new.order_id, Some(user.user_id())).await?;
    demand_payable(&due)?;
    let method = new.method.unwrap_or(due.state.payment_method);
    let gateway = offered(gateways, method)?;
    // A telephone is asked for a number of the account's currency, whatever the order's is.
    if method == PaymentMethod::Mpesa && due.currency != currency {
        return Err(Error::new(
            Kind::PaymentMethodUnavailable,
            format!("The order is in {}, which M-Pesa does not move; choose another way.", due.currency),
        ));
    }
    let phone_number = phone_of(method, new)?;
    let amount = gateway.charge(due.total_amount);
    if amount.hundredths() > MOST {
        return Err(Error::new(
            Kind::Invalid,
            format!("{amount} {} is more than any payment can be.", due.currency),
        ));
    }
    let rounded = (amount != due.total_amount).then(|| {
        format!("{amount} {} are asked for {}: M-Pesa moves no cents.", due.currency, due.total_amount)
    });
    let superseded = store::supersede(transaction, due.id, HOLD).await?;
    let (token, token_hash) = token();
    let draft = Draft {
        order_id: due.id,
        method,
        amount,
        currency: &due.currency,
        phone_number,
        token_hash: &token_hash,
        key_id: claim.id(),
        description: rounded.as_deref(),
        wait: HOLD,
    };
    let id = store::insert(transaction, &draft).await?;
    paying::move_paid(transaction, &mut due, PaymentStatus::Pending, "").await?;
    let payment = one(transaction, id).await?;
    Ok(Opened::Begun(Box::new(Attempt { claim, start: Start { payment, token }, superseded })))
}

fn demand_payable(due: &Due) -> Result<()> {
    let refused = |detail: &str| Err(Error::new(Kind::WrongState, detail));
    match due.state.payment_status {
        _ if due.state.status == OrderStatus::Cancelled => refused("The order has been cancelled."),
        PaymentStatus::Paid => refused("The order has been paid already."),
        PaymentStatus::Refunded | PaymentStatus::PartiallyRefunded => {
            refused("The order was paid and refunded; place a new one.")
        }
        PaymentStatus::Pending | PaymentStatus::Failed if due.has_expired => {
            refused("The order was not paid in time; place a new one.")
        }
        PaymentStatus::Pending | PaymentStatus::Failed => Ok(()),
    }
}

fn offered(gateways: &Gateways, method: PaymentMethod) -> Result<&dyn Gateway> {
    gateways.of(method).ok_or_else(|| match method {
        PaymentMethod::CashOnDelivery => Error::new(
            Kind::WrongState,
            "The order is paid to whoever brings it; name `payment_method` to pay it now instead.",
        ),
        method => Error::new(
            Kind::PaymentMethodUnavailable,
            format!("This shop is not set up to be paid by {}; choose another way.", method.as_str()),
        ),
    })
}

/// The phone that is asked, which M-Pesa needs and nothing else takes.
fn phone_of(method: PaymentMethod, new: &NewPayment) -> Result<Option<&str>> {
    let fault = |code, detail: &str| Err(Error::invalid(vec![Fault::field("/phone_number", code, detail)]));
    match (method, new.phone_number.as_deref()) {
        (PaymentMethod::Mpesa, None) => fault("required", "is required for M-Pesa"),
        (PaymentMethod::Mpesa, phone) => Ok(phone),
        (_, None) => Ok(None),
        (_, Some(_)) => fault("unknown", "is for M-Pesa only"),
    }
}

/// Asks the gateway for the money, once, and writes down what it said.
async fn ask(app: &App, attempt: &Attempt, answer: &impl Answer) -> Result<Kept> {
    let Attempt { claim, start, superseded } = attempt;
    let mut news = if is_still_wanted(app, start, superseded).await? {
        let gateways = gateways(app)?;
        let gateway = offered(&gateways, start.payment.method)?;
        let asked = timeout(PATIENCE, gateway.start(start)).await;
        asked.unwrap_or_else(|_| {
            News::new(Word::Unknown).because(None, "The payment service has not answered yet.")
        })
    } else {
        let said =
            "The order was paid by an earlier attempt, or cancelled, meanwhile; nothing was asked for.";
        News::new(Word::Cancelled).because("not-needed".to_owned(), said)
    };
    // What the amount is rounded to stays said while it may be charged.
    let may_be_charged = matches!(news.word, Word::Processing | Word::Unknown);
    if let (Some(rounded), Some(said), true) =
        (&start.payment.result_description, &news.description, may_be_charged)
    {
        news.description = Some(format!("{rounded} {said}"));
    }
    let written = || async {
        let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
        let payment = apply(&mut transaction, start.payment.id, &news).await?;
        let kept = answer(&payment)?;
        idempotency::finish(&mut transaction, claim, &kept).await?;
        transaction.commit().await?;
        Ok(kept)
    };
    insist(|| Box::pin(written())).await
}

/// Withdraws the older attempts, and says whether the order waits for its money still: one of them may have been paid.
async fn is_still_wanted(app: &App, start: &Start, superseded: &[i64]) -> Result<bool> {
    if superseded.is_empty() {
        return Ok(true);
    }
    reconcile::withdraw(app, superseded).await;
    let payment = one(&mut *app.web.acquire().await?, start.payment.id).await?;
    Ok(payment.is_wanted)
}

/// Does what writes down a gateway's answer, again while the database is away: nobody else knows it.
async fn insist<'a, T>(work: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
    let mut tried = 0;
    loop {
        match work().await {
            Err(error) if tried < TRIES && error.kind() == Kind::Unavailable => {
                tried += 1;
                tracing::warn!(%error, "what a payment gateway answered is written down later");
                sleep(Duration::from_millis(250 * tried)).await;
            }
            done => return done,
        }
    }
}

/// The answer to a request whose first process has died over it: as the attempt stands, once anything is known.
async fn resume(
    app: &App,
    user: Customer,
    request: Option<&Request>,
    answer: impl Answer,
) -> Option<Answered> {
    let resumed = async {
        let mut transaction = auth::begin(&app.web, user).await?;
        let Some(request) = request else { return Ok(None) };
        let Some(claim) = idempotency::unanswered(&mut transaction, request).await? else { return Ok(None) };
        let which = Which { key_id: claim.id(), ..Which::default() };
        let payment = store::payment(&mut *transaction, which).await?;
        let Some(payment) = payment.filter(|payment| payment.status != Status::Pending) else {
            return Ok(None);
        };
        let kept = answer(&payment)?;
        idempotency::finish(&mut transaction, &claim, &kept).await?;
        transaction.commit().await?;
        Ok::<_, Error>(Some(Answered::Again(kept)))
    };
    resumed.await.unwrap_or_default()
}

/// How an order stands.
#[derive(Debug)]
pub struct Standing {
    /// What is paid of it.
    pub payment_status: PaymentStatus,
    /// The latest attempt.
    pub latest: Option<Payment>,
    /// What went back, or is about to.
    pub refunds: Vec<Refund>,
    /// The attempts that a person must look at; none that an administrator does not ask for.
    pub flagged: Vec<Payment>,
}

/// How an order of the user's own stands (for an administrator any).
///
/// # Errors
/// 404.
pub async fn status(app: &App, user: Customer, order_id: i64) -> Result<Standing> {
    let is_admin = user.admin().is_some();
    let owner = if is_admin { None } else { Some(user.user_id()) };
    // The attempt and the order, as they stood at one moment: never the one after a step and the other before it.
    let mut snapshot = database::begin_snapshot(&app.web).await?;
    let payment_status = paying::payment_status(&mut snapshot, order_id, owner).await?;
    let which = Which { order_id: Some(order_id), ..Which::default() };
    let attempts = store::payments(&mut *snapshot, which).await?;
    let refunds = store::refund::refunds(&mut *snapshot, Some(order_id), None, None).await?;
    snapshot.commit().await?;
    let latest = attempts.first().cloned();
    let flagged = attempts.into_iter().filter(|payment| is_admin && payment.attention.is_some()).collect();
    Ok(Standing { payment_status, latest, refunds, flagged })
}

/// Counts, for the figures, the attempts that are live, those that need a person, and the events that wait.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn count(app: &App) -> Result<()> {
    let (live, attention, waiting) = store::inbox::counts(&app.web).await?;
    let gauges = [
        ("duka_payments_live", live),
        ("duka_payments_attention", attention),
        ("duka_payment_events_waiting", waiting),
    ];
    for (name, count) in gauges {
        metrics::gauge!(name).set(f64::from(i32::try_from(count).unwrap_or(i32::MAX)));
    }
    Ok(())
}

/// Forgets the phones that a user who leaves has paid with, in the transaction that makes the user nobody. What was
/// paid stays.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(db: &mut PgConnection, user_id: i64) -> Result<()> {
    store::forget_phones(db, user_id).await?;
    store::inbox::forget(db, user_id).await
}

/// The shop's gateways.
fn gateways(app: &App) -> Result<Gateways> {
    let gateways = app.kept.get::<Gateways>().cloned();
    gateways.ok_or_else(|| Error::internal("the shop was opened without its payment gateways"))
}

async fn one(db: &mut PgConnection, id: i64) -> Result<Payment> {
    let payment = store::payment(&mut *db, Which { id: Some(id), ..Which::default() }).await?;
    payment.ok_or_else(|| Error::not_found("payment"))
}

/// An unguessable word for an address, and what is kept of it.
fn token() -> (String, [u8; 32]) {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash(&token);
    (token, hash)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
