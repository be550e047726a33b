//! The courier: carries callbacks and events to the shop, to this machine only unless told otherwise.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{Client, Url, redirect::Policy};
use serde::Serialize;
use time::OffsetDateTime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Pace, Target, card::signature, locked};
use crate::outbound;

/// How long the shop may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Something to be delivered.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) url: Url,
    /// What it is about, for the list of deliveries: a request's id, or an event's.
    pub(super) about: String,
    /// JSON.
    pub(super) body: String,
    /// Signs it anew at each try, as events of cards are.
    pub(super) secret: Option<String>,
}

/// A try, as it went.
#[derive(Clone, Serialize)]
pub(super) struct Delivery {
    at: String,
    about: String,
    url: String,
    /// From 1.
    attempt: u32,
    /// What the shop answered.
    status: Option<u16>,
    /// Why it did not.
    error: Option<String>,
    body: String,
}

impl Delivery {
    fn taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

pub(super) struct Courier {
    client: Client,
    allowed: Vec<Target>,
    pace: Pace,
    deliveries: Mutex<VecDeque<Delivery>>,
    remember: usize,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Courier {
    pub(super) fn new(
        allowed: Vec<Target>,
        pace: Pace,
        remember: usize,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        // `localhost` is this machine, whatever a hosts file or a resolver says.
        let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        let client = outbound::client()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .resolve_to_addrs("localhost", &here)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { client, allowed, pace, deliveries: Mutex::default(), remember, tasks, stop })
    }

    /// Whether it goes there: to this machine, or to an origin that was allowed.
    pub(super) fn goes_to(&self, url: &Url) -> bool {
        let same = |allowed: &Target| allowed.0.origin() == url.origin();
        matches!(url.scheme(), "http" | "https") && (is_here(url) || self.allowed.iter().any(same))
    }

    /// Delivers: returns after the first try. If that failed, the others go on in the background.
    pub(super) async fn deliver(self: &Arc<Self>, letter: Letter) {
        if self.attempt(&letter, 1).await {
            return;
        }
        let (courier, stop) = (self.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = courier.insist(&letter) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    async fn insist(&self, letter: &Letter) {
        let mut pause = self.pace.retry;
        for attempt in 2..=self.pace.tries {
            tokio::time::sleep(pause).await;
            if self.attempt(letter, attempt).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        tracing::warn!(about = letter.about, tries = self.pace.tries, "nobody took this callback");
    }

    /// One try. True when the shop took it.
    async fn attempt(&self, letter: &Letter, attempt: u32) -> bool {
        let (status, error) = if self.goes_to(&letter.url) {
            match self.post(letter).await {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error.without_url().to_string())),
            }
        } else {
            (None, Some("this address is not on this machine and was not allowed".to_owned()))
        };
        let delivery = Delivery {
            at: super::timestamp(),
            about: letter.about.clone(),
            url: letter.url.to_string(),
            attempt,
            status,
            error,
            body: letter.body.clone(),
        };
        // The path has the shop's token in it: the list of deliveries shows it, a log must not.
        tracing::debug!(about = delivery.about, attempt, status, error = delivery.error, "called back");
        let taken = delivery.taken();
        let mut deliveries = locked(&self.deliveries);
        deliveries.push_back(delivery);
        if deliveries.len() > self.remember {
            deliveries.pop_front();
        }
        taken
    }

    async fn post(&self, letter: &Letter) -> reqwest::Result<u16> {
        let mut request = self.client.post(letter.url.clone());
        request = request.header("content-type", "application/json").body(letter.body.clone());
        if let Some(secret) = &letter.secret {
            let at = OffsetDateTime::now_utc().unix_timestamp();
            request = request.header("stripe-signature", signature(secret, at, &letter.body));
        }
        Ok(request.send().await?.status().as_u16())
    }

    /// The tries, the oldest first.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        locked(&self.deliveries).iter().cloned().collect()
    }
}

/// By name or by address. A shop that listens on all addresses may say `0.0.0.0`, which leads here as well.
fn is_here(url: &Url) -> bool {
    use std::net::IpAddr;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_no_further_than_it_may() {
        let allowed = vec!["http://shop:8000/anything".parse().unwrap()];
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let courier = Courier::new(allowed, Pace::default(), 1, tasks, stop).unwrap();
        let goes = |url: &str| courier.goes_to(&Url::parse(url).unwrap());
        for url in [
            "http://127.0.0.1:8000/x",
            "https://localhost/x",
            "http://[::1]:1/",
            "http://0.0.0.0:8000/",
            "http://shop:8000/y",
        ] {
            assert!(goes(url), "{url}");
        }
        for url in [
            "http://192.168.1.1/",
            "http://shop/",
            "https://shop:8000/",
            "http://localhost.example/",
            "http://127.0.0.1.example/",
            "http://localhost@example.com/",
            "ftp://127.0.0.1/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(!goes(url), "{url}");
        }
    }

    #[tokio::test]
    async fn what_may_not_be_called_is_not_called() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let pace = Pace { tries: 1, ..Pace::default() };
        let courier = Arc::new(Courier::new(Vec::new(), pace, 1, tasks, stop).unwrap());
        let url = Url::parse("http://shop.invalid/").unwrap();
        let letter = Letter { url, about: "evt_1".to_owned(), body: "{}".to_owned(), secret: None };
        courier.deliver(letter).await;
        let error = courier.deliveries()[0].error.clone().unwrap();
        assert!(error.contains("not allowed"), "{error}");
    }
}
