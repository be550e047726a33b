//! The sandbox: a stand-in for the payment gateways, for trying a shop without an account.
//!
//! It is somebody else's machine that happens to ship in the same binary. A shop knows it by its protocols
//! alone, M-Pesa Express as Daraja speaks it and cards by payment intents, and it knows nothing of a shop: it
//! imports no feature, no setting and no table. Its state is in memory and bounded; who stops it starts anew.
//!
//! `mpesa/` and `card/` are the two protocols, each with a table of outcomes that a number chooses. `ledger` is
//! what it holds for true about money, `courier` carries its callbacks, `fault` loses answers on demand, and
//! `http` is the page and the controls. No real money moves, and no real number is ever called.

mod card;
mod courier;
mod fault;
mod http;
mod kept;
mod ledger;
mod mpesa;
mod page;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{body::Body, http::Request};
use hyper::body::Incoming;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

pub use self::{card::CARDS, mpesa::NUMBERS};
use self::{courier::Courier, fault::Faults, ledger::Ledger};
use crate::server;

/// What a shop must know to be served. The defaults are public and worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user of Daraja's `Basic` authorisation.
    pub consumer_key: String,
    /// Its password.
    pub consumer_secret: String,
    /// The till or pay bill that is paid.
    pub shortcode: String,
    /// With the short code and the time it makes a push's `Password`.
    pub passkey: String,
    /// Who asks for reversals.
    pub initiator: String,
    /// Stands where the initiator's encrypted password would.
    pub security_credential: String,
    /// The card gateway's key of the shop.
    pub secret_key: String,
    /// Its key for browsers.
    pub publishable_key: String,
    /// Signs the events that it sends.
    pub webhook_secret: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            consumer_key: "duka-sandbox-consumer".to_owned(),
            consumer_secret: "duka-sandbox-consumer-secret".to_owned(),
            shortcode: "174379".to_owned(),
            passkey: "duka-sandbox-passkey".to_owned(),
            initiator: "duka-sandbox-initiator".to_owned(),
            security_credential: "ZHVrYS1zYW5kYm94LWNyZWRlbnRpYWw=".to_owned(),
            secret_key: "sk_test_duka_sandbox".to_owned(),
            publishable_key: "pk_test_duka_sandbox".to_owned(),
            webhook_secret: "whsec_duka_sandbox".to_owned(),
        }
    }
}

/// How fast things happen. The defaults are those of a patient person; tests hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a payer takes to answer a prompt, and a gateway to process.
    pub answer: Duration,
    /// How late a late callback is.
    pub late: Duration,
    /// How long a prompt waits for a person.
    pub ask: Duration,
    /// How long a request hangs before its connection is cut.
    pub hang: Duration,
    /// How many times a callback that was not taken is sent in all.
    pub tries: u32,
    /// The pause before the second time; each one after it is twice as long, up to a minute.
    pub retry: Duration,
    /// How long an access token is good for.
    pub token: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(2),
            late: Duration::from_secs(10),
            ask: Duration::from_secs(5 * 60),
            hang: Duration::from_secs(60),
            tries: 8,
            retry: Duration::from_millis(500),
            token: Duration::from_secs(3599),
        }
    }
}

/// How a sandbox is to be.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Who may use it.
    pub credentials: Credentials,
    /// Where events of cards go; none are sent without it. Callbacks may go to that machine, too.
    pub webhook_url: Option<Target>,
    /// Where callbacks may go, beside this machine.
    pub allowed: Vec<Target>,
    /// How fast it is.
    pub pace: Pace,
    /// What the M-Pesa account holds, three letters; shillings (`KES`) when absent, as every real one.
    pub mpesa_currency: Option<String>,
    /// How many prompts, intents, refunds and deliveries it remembers, each; 0 is the default of 10,000. The
    /// ledger remembers ten times as many.
    pub remember: usize,
}

/// An address that the sandbox may call: http or https, with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(reqwest::Url);

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.map(Self).ok_or_else(|| "must be a URL such as http://127.0.0.1:8000/".to_owned())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const REMEMBER: usize = 10_000;
/// Connections at a time: it has one shop, and those who try it.
const CONNECTIONS: usize = 1_024;

/// Serves on the listener until `stop` is cancelled. What is still to be called back then is not.
///
/// # Errors
/// When the listener has no address, or the system no means to call anybody.
pub async fn serve(listener: TcpListener, settings: Settings, stop: CancellationToken) -> io::Result<()> {
    let base = format!("http://{}", listener.local_addr()?);
    let desk = Arc::new(Desk::new(settings, base, stop.clone())?);
    let routes = http::routes(desk.clone());
    let service = move |_: SocketAddr, request: Request<Incoming>| {
        let routes = routes.clone();
        async move {
            match routes.oneshot(request.map(Body::new)).await {
                Ok(answer) if answer.extensions().get::<fault::Cut>().is_some() => Err(fault::Cut),
                Ok(answer) => Ok(answer),
                Err(never) => match never {},
            }
        }
    };
    server::serve(listener, service, CONNECTIONS, stop).await;
    desk.tasks.close();
    desk.tasks.wait().await;
    Ok(())
}

/// What every request reaches.
struct Desk {
    credentials: Credentials,
    pace: Pace,
    /// What the M-Pesa account holds.
    mpesa_currency: String,
    /// Where this sandbox is, for links to its own page.
    base: String,
    webhook_url: Option<Target>,
    courier: Arc<Courier>,
    faults: Faults,
    ledger: Mutex<Ledger>,
    mpesa: Mutex<mpesa::Book>,
    cards: Mutex<card::Book>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Desk {
    fn new(settings: Settings, base: String, stop: CancellationToken) -> io::Result<Self> {
        let remember = if settings.remember == 0 { REMEMBER } else { settings.remember };
        let tasks = TaskTracker::new();
        let allowed = settings.allowed.into_iter().chain(settings.webhook_url.clone()).collect();
        let courier = Courier::new(allowed, settings.pace, remember, tasks.clone(), stop.clone())?;
        Ok(Self {
            credentials: settings.credentials,
            pace: settings.pace,
            mpesa_currency: settings.mpesa_currency.unwrap_or_else(|| "KES".to_owned()),
            base,
            webhook_url: settings.webhook_url,
            courier: Arc::new(courier),
            faults: Faults::default(),
            ledger: Mutex::new(Ledger::new(remember.saturating_mul(10))),
            mpesa: Mutex::new(mpesa::Book::new(remember)),
            cards: Mutex::new(card::Book::new(remember)),
            tasks,
            stop,
        })
    }

    /// Does the work in the background, until the sandbox stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => {}
            }
        })
    }
}

/// Locks. Nothing panics while it holds one of these; if something did, what it left is still the truth.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The system's time, as RFC 3339.
fn timestamp() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// Characters of the alphabet, at random.
fn random_text(alphabet: &[u8], length: usize) -> String {
    let one = |_| char::from(alphabet[usize::from(rand::random::<u16>()) % alphabet.len()]);
    (0..length).map(one).collect()
}
