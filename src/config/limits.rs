//! The settings of limits: connections, how often somebody may ask, and whom to believe about where somebody is.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use clap::Args;
use ipnet::IpNet;

/// Enough for ten thousand browsers that keep theirs open, on a machine whose descriptors allow it.
const CONNECTIONS: usize = 16_384;

/// The settings of limits, as given. A rate is `COUNT/PERIOD`: so many at once, and so many again in each period
/// (`s`, `m`, `h`, or several of them, such as `10m`), or `off`.
#[derive(Args, Clone, Default)]
pub struct LimitSettings {
    /// Proxies whose X-Forwarded-For is believed: addresses or networks, comma-separated [default: none]
    #[arg(long, env = "DUKA_TRUSTED_PROXIES", value_name = "NETWORKS", global = true)]
    pub trusted_proxies: Option<String>,
    /// Connections at a time; more are answered 503 [default: 16384, or what the system's descriptors allow]
    #[arg(long, env = "DUKA_MAX_CONNECTIONS", value_name = "NUMBER", global = true)]
    pub max_connections: Option<String>,
    /// Sign-ins and changes of passwords from one address [default: 6000/10m]
    #[arg(long, env = "DUKA_LOGIN_RATE", value_name = "RATE", global = true)]
    pub login_rate: Option<String>,
    /// Wrong passwords for one account from one address; ten times as many from all addresses [default: 50/10m]
    #[arg(long, env = "DUKA_LOGIN_FAILURE_RATE", value_name = "RATE", global = true)]
    pub login_failure_rate: Option<String>,
    /// Registrations from one address [default: 3000/h]
    #[arg(long, env = "DUKA_REGISTER_RATE", value_name = "RATE", global = true)]
    pub register_rate: Option<String>,
    /// Exchanges of refresh tokens from one address [default: 6000/10m]
    #[arg(long, env = "DUKA_REFRESH_RATE", value_name = "RATE", global = true)]
    pub refresh_rate: Option<String>,
    /// Searches from one address [default: off]
    #[arg(long, env = "DUKA_SEARCH_RATE", value_name = "RATE", global = true)]
    pub search_rate: Option<String>,
}

/// So many at once, and so many again in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In what time.
    pub period: Duration,
}

/// The limits, checked. A rate that is `None` is off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Who may say where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at a time.
    pub connections: usize,
    /// Sign-ins from one address.
    pub login: Option<Rate>,
    /// Wrong passwords for one account from one address.
    pub login_failure: Option<Rate>,
    /// Registrations from one address.
    pub register: Option<Rate>,
    /// Exchanges of refresh tokens from one address.
    pub refresh: Option<Rate>,
    /// Searches from one address.
    pub search: Option<Rate>,
}

impl LimitSettings {
    /// Checks what was given; `fault` is told of what is wrong.
    pub(super) fn check(&self, fault: &mut impl FnMut(&str, String)) -> Limits {
        let mut trusted_proxies = Vec::new();
        for text in super::list(self.trusted_proxies.as_deref()) {
            match network(text) {
                Some(network) => trusted_proxies.push(network),
                None => fault(
                    "--trusted-proxies (DUKA_TRUSTED_PROXIES)",
                    format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"),
                ),
            }
        }
        let connections = match given(&self.max_connections) {
            None => CONNECTIONS,
            Some(text) => text.parse().ok().filter(|most| *most > 0).unwrap_or_else(|| {
                let what = format!("`{text}` is not a whole number from 1");
                fault("--max-connections (DUKA_MAX_CONNECTIONS)", what);
                CONNECTIONS
            }),
        };
        let mut rate = |name: &str, setting: &Option<String>, default: &str| {
            let text = given(setting).unwrap_or(default);
            rate(text).unwrap_or_else(|| {
                fault(name, format!("`{text}` is neither a rate such as 100/m or 50/10m, nor `off`"));
                None
            })
        };
        Limits {
            login: rate("--login-rate (DUKA_LOGIN_RATE)", &self.login_rate, "6000/10m"),
            login_failure: rate(
                "--login-failure-rate (DUKA_LOGIN_FAILURE_RATE)",
                &self.login_failure_rate,
                "50/10m",
            ),
            register: rate("--register-rate (DUKA_REGISTER_RATE)", &self.register_rate, "3000/h"),
            refresh: rate("--refresh-rate (DUKA_REFRESH_RATE)", &self.refresh_rate, "6000/10m"),
            search: rate("--search-rate (DUKA_SEARCH_RATE)", &self.search_rate, "off"),
            trusted_proxies,
            connections,
        }
    }
}

/// An empty variable counts as not set: that is how a compose file leaves one out.
fn given(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// `None` is no rate; `Some(None)` is none that is wanted.
fn rate(text: &str) -> Option<Option<Rate>> {
    if text == "off" {
        return Some(None);
    }
    let (count, period) = text.split_once('/')?;
    let unit = period.chars().next_back()?;
    let number = period.strip_suffix(unit)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let number: u64 = if number.is_empty() { 1 } else { number.parse().ok()? };
    // A day: whatever is longer is a mistake.
    let seconds = number.checked_mul(seconds).filter(|seconds| (1..=86_400).contains(seconds))?;
    Some(Some(Rate { count: count.parse().ok()?, period: Duration::from_secs(seconds) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &LimitSettings) -> (Limits, Vec<String>) {
        let mut faults = Vec::new();
        let limits = settings.check(&mut |name, what| faults.push(format!("{name}: {what}")));
        (limits, faults)
    }

    #[test]
    fn rates_are_read() {
        let rate_of = |count, seconds| Rate {
            count: NonZeroU32::new(count).unwrap(),
            period: Duration::from_secs(seconds),
        };
        for (text, read) in [
            ("off", Some(None)),
            ("5/s", Some(Some(rate_of(5, 1)))),
            ("100/m", Some(Some(rate_of(100, 60)))),
            ("50/10m", Some(Some(rate_of(50, 600)))),
            ("1/24h", Some(Some(rate_of(1, 86_400)))),
            ("0/m", None),
            ("-1/m", None),
            ("5/0m", None),
            ("5/25h", None),
            ("5/", None),
            ("5", None),
            ("5/é", None),
            ("4294967296/m", None),
            ("5/99999999999999999999h", None),
        ] {
            assert_eq!(rate(text), read, "{text}");
        }
    }

    #[test]
    fn every_wrong_limit_is_named() {
        let settings = LimitSettings {
            trusted_proxies: Some("10.0.0.0/8, ::1, proxy.example".into()),
            max_connections: Some("0".into()),
            search_rate: Some("many".into()),
            ..LimitSettings::default()
        };
        let (limits, faults) = check(&settings);
        assert_eq!(limits.trusted_proxies.len(), 2);
        assert_eq!(faults.len(), 3, "{faults:?}");
        let empty = Some(String::new());
        let (limits, faults) = check(&LimitSettings { login_rate: empty, ..LimitSettings::default() });
        assert!(faults.is_empty() && limits.login.is_some() && limits.search.is_none(), "{faults:?}");
    }
}
