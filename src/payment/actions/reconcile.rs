//! Attempts that nothing is heard of, or that nobody wants any more: the gateway is asked, or told.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{HOLD, PATIENCE, gateways, one, settle::settle};
use crate::{
    app::App,
    clock,
    error::Result,
    payment::{
        gateway::{Gateway, News, Word},
        model::Payment,
        store,
    },
};

/// How long a prompt waits on a phone: after that a push that nobody has answered for comes to nothing.
const PROMPT: time::Duration = time::Duration::seconds(55);
/// How long M-Pesa may take to say how a prompt ended, before the buyer is told that it does not.
const VERDICT: time::Duration = time::Duration::minutes(3);
/// How long a buyer waits for older intents to be withdrawn; after that the worker goes on with it.
const WITHDRAWAL: Duration = Duration::from_secs(6);
/// How long an intent may go unnamed: nobody has its secret, so that nothing is lost by a new one.
const UNNAMED: time::Duration = time::Duration::minutes(5);

/// Asks about the attempts whose time has come, those that have just become unwanted among them; how many.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn look_after(app: &App, most: i64) -> Result<usize> {
    store::abandon_unwanted(&app.web).await?;
    let ids = store::lease(&app.web, most, HOLD).await?;
    let asked = join_all(ids.iter().map(|id| look(app, *id))).await;
    for error in asked.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a payment is looked after later");
    }
    Ok(ids.len())
}

/// Withdraws attempts that a newer one takes the place of, so that no buyer pays both. Those that cannot be withdrawn
/// now will be.
pub(super) async fn withdraw(app: &App, superseded: &[i64]) {
    let told = superseded.iter().map(|id| timeout(WITHDRAWAL, look(app, *id)));
    for error in join_all(told).await.into_iter().flatten().filter_map(Result::err) {
        tracing::warn!(%error, "an intent is withdrawn later");
    }
}

async fn look(app: &App, id: i64) -> Result<()> {
    let gateways = gateways(app)?;
    let payment = one(&mut *app.web.acquire().await?, id).await?;
    let news = match gateways.of(payment.method) {
        Some(gateway) if payment.needs_the_gateway() => {
            metrics::counter!("duka_payment_checks_total", "method" => payment.method.as_str()).increment(1);
            asked(app, gateway, &payment).await
        }
        // Whoever has configured the method again finds it asked about then.
        _ => News::new(Word::Unknown),
    };
    settle(app, id, &news).await?;
    Ok(())
}

async fn asked(app: &App, gateway: &dyn Gateway, payment: &Payment) -> News {
    let is_wanted = payment.is_wanted && !payment.is_abandoned;
    let question = if is_wanted { gateway.look(payment) } else { gateway.abandon(payment) };
    let silent = |_| News::new(Word::Unknown);
    let news = timeout(PATIENCE, question).await.unwrap_or_else(silent);
    let age = clock::from_micros(app.clock.micros()) - payment.payment_date;
    if news.word == Word::Processing && !gateway.knows_keys() && age > VERDICT {
        // No second push: the first may still be paid.
        let said = "M-Pesa has not said yet how the request on the phone ended, and is asked until it does. Nothing \
                    else can be charged for the order meanwhile; if it is not paid in time, it is cancelled, and money \
                    that comes later goes back.";
        return news.because(None, said);
    }
    if news.word != Word::Nameless {
        return news;
    }
    let (most, said) = if gateway.knows_keys() {
        (UNNAMED, "The payment service did not take the payment; nothing was charged. Try again.")
    } else {
        (PROMPT, "M-Pesa did not take the request. If you have paid, that will be noticed; else try again.")
    };
    if age > most { news.because("unanswered".to_owned(), said) } else { News::new(Word::Unknown) }
}
