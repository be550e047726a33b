//! What gateways tell by themselves: verified, kept, answered; and then, in peace, believed or not.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    HOLD, PATIENCE, gateways, hash, insist, one,
    refund::{self, heard},
    settle,
    settle::settle,
};
use crate::{
    app::App,
    auth::{self, Author},
    error::{Error, Kind, Result},
    payment::{
        gateway::{
            News, RefundNews, Word,
            card::event::{self, Forged, Subject},
            mpesa::callback::{self, Reversal, Told},
        },
        judge::{Believed, believe},
        model::{Payment, Refund, RefundStatus, Status},
        store::{
            self, Which,
            inbox::{Event, Kept},
        },
    },
};

/// How often an event is tried before it is left to a person.
const MOST_ATTEMPTS: i32 = 60;
/// How often the answer to a reversal is waited for, some half a minute in all, before its result is a person's.
const MOST_NAMELESS: i32 = 6;

/// Takes an event of the card gateway: its row in the inbox, `None` when it was told before.
///
/// # Errors
/// 400 when the gateway has not signed it, 404 where cards are not taken. Then nothing has changed.
pub async fn receive_card(app: &App, signature: Option<&str>, body: &[u8]) -> Result<Option<i64>> {
    let gateways = gateways(app)?;
    let card = gateways.card().ok_or_else(|| Error::not_found("gateway"))?;
    let verified = card.verify(signature.unwrap_or_default(), body);
    verified.map_err(|forged: Forged| refused("card", Kind::InvalidSignature, &forged.to_string()))?;
    let event: Value = serde_json::from_slice(body)
        .map_err(|_| refused("card", Kind::Malformed, "The body is not JSON."))?;
    let id = event::id(&event).ok_or_else(|| refused("card", Kind::Invalid, "The body is no event."))?;
    let event = Event { provider: "card", event_id: &id, payment_id: None, refund_id: None, body };
    receive(app, &event).await
}

/// Takes what M-Pesa sends to an address that it was given: its row in the inbox, `None` when it was told before.
///
/// # Errors
/// 404 for an address that nobody was given, 400 and 422 for what does not belong there. Then nothing has changed.
pub async fn receive_mpesa(app: &App, token: &str, body: &[u8]) -> Result<Option<i64>> {
    let which_hash = hash(token);
    let which = Which { token_hash: Some(&which_hash), ..Which::default() };
    let addressee = match store::payment(&app.web, which).await? {
        Some(payment) => Addressee::Attempt(Box::new(payment)),
        None => match heard::of_token(app, token).await? {
            Some(refund) => Addressee::Refund(Box::new(refund)),
            None => return Err(refused("mpesa", Kind::NotFound, "Nobody was given this address.")),
        },
    };
    let body_json: Value = serde_json::from_slice(body)
        .map_err(|_| refused("mpesa", Kind::Malformed, "The body is not JSON."))?;
    let (event_id, payment_id, refund_id) = match (callback::read(&body_json), &addressee) {
        (Some(Told::Push { news, event_id }), Addressee::Attempt(payment)) if has_names(payment, &news) => {
            (event_id, Some(payment.id), None)
        }
        (Some(Told::Reversal { reversal, event_id }), Addressee::Refund(whose))
            if believe(&whose.0, &whose.1, &reversal) != Believed::No =>
        {
            (event_id, Some(whose.0.payment_id), Some(whose.0.id))
        }
        _ => return Err(refused("mpesa", Kind::Invalid, "This is not what was asked for at this address.")),
    };
    let event = Event { provider: "mpesa", event_id: &event_id, payment_id, refund_id, body };
    receive(app, &event).await
}

/// Whose an address of M-Pesa's is.
enum Addressee {
    Attempt(Box<Payment>),
    /// And the payment that it is of.
    Refund(Box<(Refund, Payment)>),
}

/// Whether both request ids are those of the attempt, as far as they are known yet.
fn has_names(payment: &Payment, news: &News) -> bool {
    let (known, told) = (&payment.names, &news.names);
    (known.checkout_request_id.is_none() || known.checkout_request_id == told.checkout_request_id)
        && (known.merchant_request_id.is_none() || known.merchant_request_id == told.merchant_request_id)
}

async fn receive(app: &App, event: &Event<'_>) -> Result<Option<i64>> {
    let id = store::inbox::receive(&app.web, event).await?;
    let outcome = if id.is_some() { "kept" } else { "repeated" };
    count(event.provider.to_owned(), outcome);
    Ok(id)
}

/// Notes that something was refused: that, and why, and nothing of what it said.
fn refused(provider: &'static str, kind: Kind, why: &str) -> Error {
    count(provider.to_owned(), "refused");
    tracing::warn!(provider, why, "a payment webhook was refused");
    Error::new(kind, why)
}

fn count(provider: String, outcome: &'static str) {
    metrics::counter!("duka_payment_webhooks_total", "provider" => provider, "outcome" => outcome)
        .increment(1);
}

/// Processes an event that has just been kept.
pub async fn digest_now(app: &App, id: i64) {
    if let Err(error) = digest_some(app, Some(id), 1).await {
        tracing::warn!(%error, "a payment event is processed later");
    }
}

/// Processes events that wait; how many.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn look_after(app: &App, most: i64) -> Result<usize> {
    digest_some(app, None, most).await
}

async fn digest_some(app: &App, id: Option<i64>, most: i64) -> Result<usize> {
    let events = store::inbox::lease(&app.web, id, most, HOLD).await?;
    let done = join_all(events.iter().map(|event| digest(app, event))).await;
    for error in done.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a payment event is processed later");
    }
    Ok(events.len())
}

/// What becomes of an event.
enum Outcome {
    /// Done; of this attempt.
    Done(Option<i64>),
    /// Nothing to do with it, and why.
    Pointless(&'static str),
    /// Of somebody else's payment, who uses the same account. An attempt is written down before its gateway is asked, so
    /// that none will turn up; the event is kept for a month.
    Stranger,
    /// To be tried again, and why.
    Later(&'static str),
}

async fn digest(app: &App, event: &Kept) -> Result<()> {
    let body: Value = serde_json::from_slice(&event.body).unwrap_or_default();
    let done = match event.provider.as_str() {
        "card" => digest_card(app, &body).await,
        _ => digest_mpesa(app, event, &body).await,
    };
    let outcome = done.unwrap_or_else(|error| {
        tracing::warn!(%error, event_id = event.id, "a payment event is processed later");
        Outcome::Later("it could not be written down")
    });
    let (payment_id, error, wait) = match outcome {
        Outcome::Done(payment_id) => (payment_id, None, None),
        Outcome::Stranger => {
            count(event.provider.clone(), "stranger");
            tracing::warn!(
                provider = event.provider,
                event_id = event.id,
                "an event is of no attempt of this shop"
            );
            (None, Some("no attempt of this shop"), None)
        }
        Outcome::Pointless(why) => (None, Some(why), None),
        Outcome::Later(why) if event.attempts >= MOST_ATTEMPTS => (None, Some(why), None),
        Outcome::Later(why) => (None, Some(why), Some(patience(event.attempts))),
    };
    // Or its lease keeps it for half a minute.
    insist(|| Box::pin(store::inbox::leave(&app.web, event.id, payment_id, error, wait))).await
}

/// Two seconds, then longer, up to five minutes.
fn patience(attempts: i32) -> Duration {
    Duration::from_secs_f64((2.0 * 1.4_f64.powi(attempts.clamp(1, 40) - 1)).min(300.0))
}

async fn digest_card(app: &App, body: &Value) -> Result<Outcome> {
    match event::subject(body) {
        Subject::Intent { id, key, news } => {
            let by_name = Which { intent: Some(&id), ..Which::default() };
            let mut payment = store::payment(&app.web, by_name).await?;
            if let (None, Some(key)) = (&payment, &key) {
                // The event has overtaken the answer that would have told its name.
                let by_key = Which { gateway_key: Some(key), ..Which::default() };
                payment = store::payment(&app.web, by_key).await?;
            }
            let Some(payment) = payment else { return Ok(Outcome::Stranger) };
            settle(app, payment.id, &news).await?;
            Ok(Outcome::Done(Some(payment.id)))
        }
        Subject::Refunds { intent, refunded, returned } => {
            let which = Which { intent: Some(&intent), ..Which::default() };
            let Some(payment) = store::payment(&app.web, which).await? else { return Ok(Outcome::Stranger) };
            let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
            store::refund::hasten(&mut transaction, payment.id, returned.as_deref()).await?;
            if refunded.is_some_and(|refunded| refunded > payment.refunded_amount) {
                settle::flag(
                    &mut transaction,
                    &payment,
                    "Money was sent back at the gateway, not by this shop.",
                )
                .await?;
            }
            transaction.commit().await?;
            Ok(Outcome::Done(Some(payment.id)))
        }
        Subject::Other => Ok(Outcome::Pointless("of no interest")),
    }
}

async fn digest_mpesa(app: &App, event: &Kept, body: &Value) -> Result<Outcome> {
    match (callback::read(body), event.payment_id, event.refund_id) {
        (Some(Told::Push { news, .. }), Some(id), None) => digest_push(app, id, *news).await,
        (Some(Told::Reversal { reversal, .. }), _, Some(id)) => {
            digest_reversal(app, id, *reversal, event.attempts).await
        }
        _ => Ok(Outcome::Pointless("not readable any more")),
    }
}

/// Believes a result that is the refund's. One that could be anybody's, since M-Pesa never said how it calls the refund,
/// is a person's to look at.
async fn digest_reversal(app: &App, id: i64, told: Reversal, attempts: i32) -> Result<Outcome> {
    let mut transaction = auth::begin(&app.web, Author::SHOP).await?;
    let (refund, payment) = refund::one_refund(&mut transaction, id).await?;
    let news = match believe(&refund, &payment, &told) {
        Believed::No => return Ok(Outcome::Pointless("not the result of this refund")),
        Believed::NotYet if refund.status == RefundStatus::Processing && attempts < MOST_NAMELESS => {
            return Ok(Outcome::Later("the reversal itself has not been answered yet"));
        }
        Believed::NotYet => RefundNews::new(RefundStatus::Manual).because(
            "M-Pesa sent a result and never answered the request; look there whether the money went back.",
        ),
        Believed::Yes => told.news,
    };
    heard::apply(&mut transaction, id, &news).await?;
    if told.had_been && refund.amount < payment.amount {
        let why = "M-Pesa says that the whole payment had been reversed before a part of it was to go back.";
        settle::flag(&mut transaction, &payment, why).await?;
    }
    transaction.commit().await?;
    Ok(Outcome::Done(Some(payment.id)))
}

/// Forgets what nobody needs to know any more.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn tidy(app: &App) -> Result<()> {
    let gone = store::inbox::forget_strangers(&app.web).await?;
    tracing::debug!(gone, "events of nobody's payments were forgotten");
    Ok(())
}

/// Asks M-Pesa whether a callback is true; the query's word counts, the callback adds what a query does not tell.
async fn digest_push(app: &App, id: i64, told: News) -> Result<Outcome> {
    let payment = one(&mut *app.web.acquire().await?, id).await?;
    if payment.status == Status::Succeeded {
        // Only the receipt may still be news.
        if told.word == Word::Succeeded {
            settle(app, id, &told).await?;
        }
        return Ok(Outcome::Done(Some(id)));
    }
    let gateways = gateways(app)?;
    let Some(gateway) = gateways.of(payment.method) else {
        return Ok(Outcome::Later("M-Pesa is not set up any more"));
    };
    let mut named = payment.clone();
    named.names.checkout_request_id.clone_from(&told.names.checkout_request_id);
    named.names.merchant_request_id.clone_from(&told.names.merchant_request_id);
    let silent = |_| News::new(Word::Unknown);
    let mut news = timeout(PATIENCE, gateway.look(&named)).await.unwrap_or_else(silent);
    match news.word {
        Word::Unknown | Word::Nameless => return Ok(Outcome::Later("M-Pesa has not confirmed it yet")),
        Word::Processing => return Ok(Outcome::Later("M-Pesa says that it has not ended")),
        Word::Failed | Word::Cancelled | Word::Succeeded => {}
    }
    news.names = told.names;
    if news.word == Word::Succeeded && told.word == Word::Succeeded {
        news.paid = told.paid;
    } else {
        news.names.transaction_id = None;
    }
    settle(app, id, &news).await?;
    Ok(Outcome::Done(Some(id)))
}
