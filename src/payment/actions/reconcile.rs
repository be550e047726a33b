//! Attempts that nothing is heard of: the gateway is asked.

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
/// How long an intent may go unnamed: nobody has its secret, so that nothing is lost by a new one.
const UNNAMED: time::Duration = time::Duration::minutes(5);

/// Asks about the attempts whose time has come; how many.
///
/// # Errors
/// When the database does not answer.
pub(in crate::payment) async fn look_after(app: &App, most: i64) -> Result<usize> {
    let ids = store::lease(&app.web, most, HOLD).await?;
    let asked = join_all(ids.iter().map(|id| look(app, *id))).await;
    for error in asked.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a payment is looked after later");
    }
    Ok(ids.len())
}

async fn look(app: &App, id: i64) -> Result<()> {
    let gateways = gateways(app)?;
    let payment = one(&mut *app.web.acquire().await?, id).await?;
    let news = match gateways.of(payment.method) {
        Some(gateway) if payment.status.is_live() => {
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
    let question = if payment.is_wanted { gateway.look(payment) } else { gateway.abandon(payment) };
    let silent = |_| News::new(Word::Unknown);
    let news = timeout(PATIENCE, question).await.unwrap_or_else(silent);
    if news.word != Word::Nameless {
        return news;
    }
    let age = clock::from_micros(app.clock.micros()) - payment.payment_date;
    let (most, said) = if gateway.knows_keys() {
        (UNNAMED, "The payment service did not take the payment; nothing was charged. Try again.")
    } else {
        (PROMPT, "M-Pesa did not take the request. If you have paid, that will be noticed; else try again.")
    };
    if age > most { news.because("unanswered".to_owned(), said) } else { News::new(Word::Unknown) }
}
