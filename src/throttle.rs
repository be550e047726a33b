//! How often somebody may ask: meters by client address and by account.
//!
//! A meter is a leaky bucket (GCRA): a whole count may come at once, and leaks away evenly over the period. What is
//! counted is remembered in memory, by each process for itself, and only while it matters; of very many askers the
//! ones that ask most are remembered. What was counted can be taken back, which the libraries for this do not offer:
//! only wrong passwords count against an account.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    client::Client,
    config::{Limits, Rate},
    error::{Error, Kind, Result},
};

/// Askers that a meter remembers at most: some ten megabytes.
const MOST_ASKERS: u64 = 100_000;
/// As many times as many wrong passwords are taken for an account from everywhere as from one address: whoever is
/// kept from guessing should not keep the account's owner out as well.
const EVERYWHERE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// How long a password waits at most to be tried, while others are, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(10);

/// What is counted by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Signing in, and changing the password: both hash.
    Login,
    /// Making an account.
    Register,
    /// Exchanging a refresh token.
    Refresh,
    /// Searching.
    Search,
}

/// The meters of a shop.
pub struct Throttle {
    login: Option<Meter<[u8; 8]>>,
    register: Option<Meter<[u8; 8]>>,
    refresh: Option<Meter<[u8; 8]>>,
    search: Option<Meter<[u8; 8]>>,
    failures: Option<Failures>,
}

/// The hash of what an account was called: names may be long, and need not be kept.
type Account = [u8; 32];

impl Throttle {
    /// Meters for these limits, all at rest.
    pub fn new(limits: &Limits) -> Self {
        Self {
            login: limits.login.map(Meter::new),
            register: limits.register.map(Meter::new),
            refresh: limits.refresh.map(Meter::new),
            search: limits.search.map(Meter::new),
            failures: limits.login_failure.map(Failures::new),
        }
    }

    /// Counts the act.
    ///
    /// # Errors
    /// 429 when there have been too many from where the client is.
    pub fn count(&self, act: Act, client: Client) -> Result<()> {
        let (meter, name) = self.meter(act);
        let Some(meter) = meter else { return Ok(()) };
        meter.count(client.network()).map_err(|wait| too_many(name, wait, "from your address"))
    }

    /// As [`count`](Self::count), for who asks again where it is false: whoever is refused counts once, and is told then.
    pub fn lets(&self, act: Act, client: Client) -> bool {
        self.meter(act).0.as_ref().is_none_or(|meter| meter.count(client.network()).is_ok())
    }

    fn meter(&self, act: Act) -> (&Option<Meter<[u8; 8]>>, &'static str) {
        match act {
            Act::Login => (&self.login, "login"),
            Act::Register => (&self.register, "register"),
            Act::Refresh => (&self.refresh, "refresh"),
            Act::Search => (&self.search, "search"),
        }
    }

    /// Lets a password be tried for the account, which may be none that there is. It counts as a wrong one meanwhile, so that
    /// of many at once no more are tried than may be wrong; the others wait for a moment until it is known what became of
    /// those. An account has a name and an address, each of which is counted for itself: who is refused for both at once
    /// would know that they are one's.
    ///
    /// # Errors
    /// 429 when too many were wrong; 503 when too many are being tried.
    pub async fn attempt(&self, account: &str, client: Client) -> Result<Attempt<'_>> {
        let Some(failures) = &self.failures else { return Ok(Attempt(None)) };
        let keys = [account_at(account, client), account_of(account)];
        let begun = Instant::now();
        loop {
            match failures.begin(keys) {
                Begun::Yes => return Ok(Attempt(Some((failures, keys)))),
                Begun::TooMany(wait) => {
                    return Err(too_many("login-failure", wait, "with a wrong password for this account"));
                }
                Begun::NotYet if begun.elapsed() < PATIENCE => sleep(AGAIN).await,
                Begun::NotYet => {
                    return Err(Error::unavailable(
                        "Too many passwords of this account are being tried; try again in a moment.",
                    ));
                }
            }
        }
    }
}

/// Wrong passwords.
struct Failures {
    /// By account and address, and by account.
    meters: [Meter<Account>; 2],
    /// How many are being tried, by the same.
    trying: Mutex<HashMap<Account, u32>>,
}

/// Whether a password may be tried.
enum Begun {
    Yes,
    /// Not before it is known what becomes of others.
    NotYet,
    TooMany(Duration),
}

impl Failures {
    fn new(rate: Rate) -> Self {
        let everywhere = Rate { count: rate.count.saturating_mul(EVERYWHERE), ..rate };
        Self { meters: [Meter::new(rate), Meter::new(everywhere)], trying: Mutex::default() }
    }

    fn trying(&self) -> MutexGuard<'_, HashMap<Account, u32>> {
        self.trying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, keys: [Account; 2]) -> Begun {
        let mut trying = self.trying();
        let [here, everywhere] = &self.meters;
        let counted = here.count(keys[0]).map_err(|wait| (wait, keys[0])).and_then(|()| {
            let counted = everywhere.count(keys[1]).map_err(|wait| (wait, keys[1]));
            counted.inspect_err(|_| here.take_back(&keys[0]))
        });
        match counted {
            Ok(()) => {
                keys.into_iter().for_each(|key| *trying.entry(key).or_default() += 1);
                Begun::Yes
            }
            Err((_, key)) if trying.contains_key(&key) => Begun::NotYet,
            Err((wait, _)) => Begun::TooMany(wait),
        }
    }

    fn end(&self, keys: [Account; 2], was_wrong: bool) {
        let mut trying = self.trying();
        for (meter, key) in self.meters.iter().zip(keys) {
            if !was_wrong {
                meter.take_back(&key);
            }
            if let Entry::Occupied(mut count) = trying.entry(key) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// A password that is being tried. Dropped, it was none that counts.
#[must_use]
pub struct Attempt<'a>(Option<(&'a Failures, [Account; 2])>);

impl Attempt<'_> {
    /// Leaves it counted.
    pub fn was_wrong(mut self) {
        if let Some((failures, keys)) = self.0.take() {
            failures.end(keys, true);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some((failures, keys)) = self.0.take() {
            failures.end(keys, false);
        }
    }
}

/// Names are not case-sensitive. Those that the database may take for one are one here, and some more: it has its own ways to make them small, such as
/// `i` of `İ`.
fn account_of(account: &str) -> Account {
    let plain = account.nfkd().filter(|sign| !is_combining_mark(*sign)).flat_map(char::to_lowercase);
    let folded: String = plain
        .filter(|sign| !is_combining_mark(*sign))
        .map(|sign| match sign {
            'ı' => 'i',
            'ς' => 'σ',
            other => other,
        })
        .collect();
    Sha256::digest(folded.trim()).into()
}

fn account_at(account: &str, client: Client) -> Account {
    Sha256::new().chain_update(account_of(account)).chain_update(client.network()).finalize().into()
}

fn too_many(limit: &'static str, wait: Duration, what: &str) -> Error {
    metrics::counter!("duka_rate_limited_total", "limit" => limit).increment(1);
    // Rounded up: who comes back then is let in.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Error::new(Kind::TooManyRequests, format!("Too many {what}; try again in {seconds} seconds."))
        .with_member("retry_after", seconds)
}

/// Counts by key.
struct Meter<K> {
    /// When each one's bucket is empty, in nanoseconds after `begun`.
    empty: Cache<K, Arc<AtomicU64>>,
    begun: Instant,
    /// What one costs, and what fits, in nanoseconds.
    each: u64,
    whole: u64,
}

impl<K: Hash + Eq + Send + Sync + 'static> Meter<K> {
    fn new(rate: Rate) -> Self {
        let whole = u64::try_from(rate.period.as_nanos()).unwrap_or(u64::MAX);
        // After a whole period without an asking the bucket is empty anyway.
        let empty = Cache::builder().max_capacity(MOST_ASKERS).time_to_idle(rate.period).build();
        Self { empty, begun: Instant::now(), each: (whole / u64::from(rate.count.get())).max(1), whole }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Counts one, or says how long to wait for it.
    fn count(&self, key: K) -> Result<(), Duration> {
        self.count_at(key, self.now())
    }

    fn count_at(&self, key: K, now: u64) -> Result<(), Duration> {
        let empty = self.empty.get_with(key, Arc::default);
        let counted = |empty| self.room(empty, now).ok();
        let update = empty.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
        update.map(|_| ()).or_else(|empty| self.room(empty, now).map(|_| ()))
    }

    /// Counts one less.
    fn take_back(&self, key: &K) {
        if let Some(empty) = self.empty.get(key) {
            let less = |empty: u64| Some(empty.saturating_sub(self.each));
            let _ = empty.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// When the bucket will be empty with one more in it, or how long until one more fits.
    fn room(&self, empty: u64, now: u64) -> Result<u64, Duration> {
        let then = empty.max(now).saturating_add(self.each);
        match then.saturating_sub(now).checked_sub(self.whole) {
            None | Some(0) => Ok(then),
            Some(over) => Err(Duration::from_nanos(over)),
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::config::{Config, Settings};

    const SECOND: u64 = 1_000_000_000;

    fn meter(count: u32, seconds: u64) -> Meter<u8> {
        Meter::new(Rate { count: count.try_into().unwrap(), period: Duration::from_secs(seconds) })
    }

    #[test]
    fn a_whole_count_comes_at_once_and_then_one_by_one() {
        let meter = meter(3, 30);
        for _ in 0..3 {
            assert_eq!(meter.count_at(1, 0), Ok(()));
        }
        assert_eq!(meter.count_at(1, 0), Err(Duration::from_secs(10)));
        assert_eq!(meter.count_at(2, 0), Ok(()), "everybody has one of their own");
        assert_eq!(meter.count_at(1, 4 * SECOND), Err(Duration::from_secs(6)), "refusals are not counted");
        assert_eq!(meter.count_at(1, 10 * SECOND), Ok(()));
        assert!(meter.count_at(1, 10 * SECOND).is_err());
        for _ in 0..3 {
            assert_eq!(meter.count_at(1, 1000 * SECOND), Ok(()), "no more is saved up than the whole count");
        }
        assert!(meter.count_at(1, 1000 * SECOND).is_err());
    }

    #[test]
    fn what_is_taken_back_was_not_counted() {
        let meter = meter(2, 3600);
        assert_eq!([meter.count(1), meter.count(1)], [Ok(()), Ok(())]);
        assert!(meter.count(1).is_err());
        meter.take_back(&1);
        assert_eq!(meter.count(1), Ok(()));
        assert!(meter.count(1).is_err());
        meter.take_back(&2);
    }

    #[test]
    fn of_many_at_once_no_more_get_in() {
        let meter = meter(50, 3600);
        let admitted = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..40).filter(|_| meter.count(1).is_ok()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(admitted, 50);
    }

    #[test]
    fn whoever_asks_again_is_counted_as_refused_once() {
        let mut settings = Settings::default();
        settings.limits.search_rate = Some("2/h".into());
        let throttle = Throttle::new(&Config::new(&settings).unwrap().limits);
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let client = Client::default();
            assert!(throttle.lets(Act::Search, client));
            throttle.count(Act::Search, client).unwrap();
            assert!(!throttle.lets(Act::Search, client));
            throttle.count(Act::Search, client).unwrap_err();
        });
        let figures = recorder.handle().render();
        assert!(figures.contains("duka_rate_limited_total{limit=\"search\"} 1\n"), "{figures}");
    }

    #[test]
    fn spellings_of_a_name_are_one_account() {
        for spelling in ["IIDA", " iida ", "İida", "iİDA", "ııda", "ｉｉｄａ", "ⅱda", "i\u{307}ida"]
        {
            assert_eq!(account_of(spelling), account_of("iida"), "{spelling}");
        }
        assert_eq!(account_of("ΣΑΣ"), account_of("σας"));
        assert_ne!(account_of("iida"), account_of("ida"));
    }

    #[tokio::test]
    async fn wrong_passwords_count_by_account_whatever_its_case() {
        let mut settings = Settings::default();
        settings.limits.login_failure_rate = Some("2/h".into());
        let throttle = Throttle::new(&Config::new(&settings).unwrap().limits);
        let client = Client::default();
        throttle.attempt("Ada ", client).await.unwrap().was_wrong();
        drop(throttle.attempt("ada", client).await.unwrap());
        let under_way = throttle.attempt("ada", client).await.unwrap();
        // Nobody knows yet whether that was one too many.
        let refused = throttle.attempt("ADA", client).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable);
        assert!(throttle.attempt("bob", client).await.is_ok());
        let (waiting, ()) = tokio::join!(throttle.attempt("ADA", client), async { drop(under_way) });
        waiting.unwrap().was_wrong();
        let refused = throttle.attempt("ada", client).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyRequests);
    }
}
