//! Settings: flags, else the environment, else defaults. Every wrong one is named at once.

use std::{fmt, path::PathBuf, str::FromStr};

use axum::http::HeaderValue;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::money::Currency;

mod limits;
mod payment;

pub use self::limits::{LimitSettings, Limits, Rate};
pub use self::payment::{Accounts, CardConfig, MpesaConfig, PaymentSettings};

/// The settings that every command takes, as given.
#[derive(Args, Clone, Default)]
pub struct Settings {
    /// Where the index, the secrets and the managed database live [default: .duka]
    #[arg(long, env = "DUKA_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL server [default: one that duka runs itself, in the data directory]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", global = true, hide_env_values = true)]
    pub database_url: Option<String>,
    /// A standby of that server, whose reading fills the search index in its stead [default: that server]
    #[arg(long, env = "DUKA_MIRROR_DATABASE_URL", value_name = "URL", global = true, hide_env_values = true)]
    pub mirror_database_url: Option<String>,
    /// The shop's currency [default: USD]
    #[arg(long, env = "DUKA_CURRENCY", value_name = "CODE", global = true)]
    pub currency: Option<String>,
    /// What clients call this server, for absolute links [default: links are relative]
    #[arg(long, env = "DUKA_PUBLIC_URL", value_name = "URL", global = true)]
    pub public_url: Option<String>,
    /// Origins whose pages may call the API, comma-separated [default: none]
    #[arg(long, env = "DUKA_CORS_ORIGINS", value_name = "ORIGINS", global = true)]
    pub cors_origins: Option<String>,
    /// Bytes that kept answers to searches may take; 0 keeps none [default: 67108864]
    #[arg(long, env = "DUKA_SEARCH_CACHE_BYTES", value_name = "BYTES", global = true)]
    pub search_cache_bytes: Option<String>,
    /// Bytes that products may take as answers show them, ready for searches that nobody has asked before; 0 keeps
    /// none [default: 134217728]
    #[arg(long, env = "DUKA_ROW_CACHE_BYTES", value_name = "BYTES", global = true)]
    pub row_cache_bytes: Option<String>,
    /// The hour of day (UTC, 0 to 23) at which the index is compared with the database and repaired, or `never`
    /// [default: 3]
    #[arg(long, env = "DUKA_VERIFY_HOUR", value_name = "HOUR", global = true)]
    pub verify_hour: Option<String>,
    /// Bytes of a catalog file that an import over HTTP takes [default: 268435456]
    #[arg(long, env = "DUKA_IMPORT_MAX_BYTES", value_name = "BYTES", global = true)]
    pub import_max_bytes: Option<String>,
    /// Bytes that such a file may unpack to [default: 2147483648]
    #[arg(long, env = "DUKA_IMPORT_MAX_UNPACKED_BYTES", value_name = "BYTES", global = true)]
    pub import_max_unpacked_bytes: Option<String>,
    /// Rows that such a file may have [default: 1000000]
    #[arg(long, env = "DUKA_IMPORT_MAX_ROWS", value_name = "ROWS", global = true)]
    pub import_max_rows: Option<String>,
    /// Minutes for which an unpaid order holds its stock [default: 30]
    #[arg(long, env = "DUKA_ORDER_EXPIRY_MINUTES", value_name = "MINUTES", global = true)]
    pub order_expiry_minutes: Option<String>,
    /// Whether the schema of /graphql/ may be asked for: true or false [default: true]
    #[arg(long, env = "DUKA_GRAPHQL_INTROSPECTION", value_name = "BOOL", global = true)]
    pub graphql_introspection: Option<String>,
    /// Whether GET /graphql/ shows an explorer: true or false [default: true]
    #[arg(long, env = "DUKA_GRAPHQL_EXPLORER", value_name = "BOOL", global = true)]
    pub graphql_explorer: Option<String>,
    /// Which log lines to write, as `level` or `target=level,…` [default: info]
    #[arg(long, env = "DUKA_LOG", value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// How to write them: text or json [default: text]
    #[arg(long, env = "DUKA_LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
    /// Where traces are sent, as OpenTelemetry's protocol over HTTP: a collector's base URL, such as
    /// http://localhost:4318; what DUKA_LOG leaves out is left out here too [default: nowhere]
    #[arg(long, env = "DUKA_OTLP_ENDPOINT", value_name = "URL", global = true)]
    pub otlp_endpoint: Option<String>,
    /// Signs access tokens, at least 32 characters [default: generated and kept in the data directory]
    #[arg(long, env = "DUKA_JWT_SECRET", value_name = "SECRET", global = true, hide_env_values = true)]
    pub jwt_secret: Option<String>,
    /// The secret before it, which still verifies tokens while a rotation lasts
    #[arg(
        long,
        env = "DUKA_JWT_SECRET_PREVIOUS",
        value_name = "SECRET",
        global = true,
        hide_env_values = true
    )]
    pub jwt_secret_previous: Option<String>,
    /// Those of payments
    #[command(flatten)]
    pub payment: PaymentSettings,
    /// Those of limits
    #[command(flatten)]
    pub limits: LimitSettings,
}

/// Long enough for a payment, short enough for whoever wants the stock next.
const ORDER_EXPIRY_MINUTES: i32 = 30;
/// Most shops sleep then.
const VERIFY_HOUR: u8 = 3;
/// What kept answers to searches may take by default: about two thousand pages of two dozen products.
const SEARCH_CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// The rows of a hundred thousand products.
const ROW_CACHE_BYTES: u64 = 128 * 1024 * 1024;
/// What an import over HTTP may be by default: some ten times the largest catalog that it was tried with.
const IMPORT: ImportLimits =
    ImportLimits { bytes: 256 * 1024 * 1024, unpacked_bytes: 2 * 1024 * 1024 * 1024, rows: 1_000_000 };

/// How large an import over HTTP may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportLimits {
    /// Bytes that arrive.
    pub bytes: u64,
    /// Bytes that they unpack to.
    pub unpacked_bytes: u64,
    /// Rows of the file.
    pub rows: u64,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything that is not in PostgreSQL lives.
    pub data_dir: PathBuf,
    /// The PostgreSQL to use; `None` is the managed one.
    pub database_url: Option<SecretString>,
    /// What the mirror reads in its stead: the same database on a standby.
    pub mirror_database_url: Option<SecretString>,
    /// The shop's one currency.
    pub currency: Currency,
    /// Prefix of links, without a slash at its end; empty for relative ones.
    pub public_url: String,
    /// Origins that CORS allows.
    pub cors_origins: Vec<HeaderValue>,
    /// How much memory kept answers to searches may take; 0 keeps none.
    pub search_cache_bytes: u64,
    /// How much memory products may take as answers show them; 0 keeps none.
    pub row_cache_bytes: u64,
    /// When the index is compared with the database each night, in UTC.
    pub verify_hour: Option<u8>,
    /// How large an import over HTTP may be.
    pub import: ImportLimits,
    /// For how many minutes an unpaid order holds its stock.
    pub order_expiry_minutes: i32,
    /// Whether the schema of `/graphql/` may be asked for.
    pub graphql_introspection: bool,
    /// Whether `GET /graphql/` shows an explorer.
    pub graphql_explorer: bool,
    /// A filter in `tracing_subscriber`'s syntax.
    pub log: String,
    /// Log lines as JSON objects.
    pub log_json: bool,
    /// The base URL of the collector that takes traces, without a slash at its end.
    pub otlp_endpoint: Option<String>,
    /// The configured secret of access tokens.
    pub jwt_secret: Option<SecretString>,
    /// The one before it.
    pub jwt_secret_previous: Option<SecretString>,
    /// How buyers can pay.
    pub accounts: Accounts,
    /// How much at once, and how often.
    pub limits: Limits,
}

/// Every setting that is wrong, a line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong settings:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl Config {
    /// Checks what was given.
    ///
    /// # Errors
    /// Names every wrong setting and what would be right; secrets are not repeated.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let mut fault = |name: &str, what: String| faults.push(format!("{name}: {what}"));

        let currency = read(settings.currency.as_deref().unwrap_or("USD")).unwrap_or_else(|error: String| {
            fault("--currency (DUKA_CURRENCY)", error);
            None
        });
        let public_url = settings.public_url.as_deref().unwrap_or_default().trim_end_matches('/');
        if !public_url.is_empty() && !is_web_origin(public_url) {
            fault("--public-url (DUKA_PUBLIC_URL)", format!("`{public_url}` is not an http or https URL"));
        }
        let mut cors_origins = Vec::new();
        for origin in list(settings.cors_origins.as_deref()) {
            match HeaderValue::from_str(origin) {
                Ok(value) if is_web_origin(origin) && origin.matches('/').count() == 2 => {
                    cors_origins.push(value);
                }
                _ => fault(
                    "--cors-origins (DUKA_CORS_ORIGINS)",
                    format!("`{origin}` is not an origin such as https://shop.example"),
                ),
            }
        }
        let verify_hour = match settings.verify_hour.as_deref() {
            None => Some(VERIFY_HOUR),
            Some("never") => None,
            Some(given) => given.parse().ok().filter(|hour| *hour < 24).or_else(|| {
                fault(
                    "--verify-hour (DUKA_VERIFY_HOUR)",
                    format!("`{given}` is neither 0 to 23 nor `never`"),
                );
                None
            }),
        };
        let order_expiry_minutes = match settings.order_expiry_minutes.as_deref() {
            None => ORDER_EXPIRY_MINUTES,
            // A year: whatever is longer is a mistake.
            Some(given) => {
                given.parse().ok().filter(|minutes| (1..=525_600).contains(minutes)).unwrap_or_else(|| {
                    let what = format!("`{given}` is not a number of minutes from 1 to 525600");
                    fault("--order-expiry-minutes (DUKA_ORDER_EXPIRY_MINUTES)", what);
                    ORDER_EXPIRY_MINUTES
                })
            }
        };
        let mut switch = |name: &str, given: &Option<String>| match given.as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(given) => {
                fault(name, format!("`{given}` is neither true nor false"));
                true
            }
        };
        let graphql_introspection =
            switch("--graphql-introspection (DUKA_GRAPHQL_INTROSPECTION)", &settings.graphql_introspection);
        let graphql_explorer =
            switch("--graphql-explorer (DUKA_GRAPHQL_EXPLORER)", &settings.graphql_explorer);
        let mut number = |name: &str, given: &Option<String>, default: u64| match given.as_deref() {
            None => default,
            Some(given) => given.parse().unwrap_or_else(|_| {
                fault(name, format!("`{given}` is not a whole number"));
                0
            }),
        };
        let search_cache_bytes = number(
            "--search-cache-bytes (DUKA_SEARCH_CACHE_BYTES)",
            &settings.search_cache_bytes,
            SEARCH_CACHE_BYTES,
        );
        let row_cache_bytes =
            number("--row-cache-bytes (DUKA_ROW_CACHE_BYTES)", &settings.row_cache_bytes, ROW_CACHE_BYTES);
        let import = ImportLimits {
            bytes: number(
                "--import-max-bytes (DUKA_IMPORT_MAX_BYTES)",
                &settings.import_max_bytes,
                IMPORT.bytes,
            ),
            unpacked_bytes: number(
                "--import-max-unpacked-bytes (DUKA_IMPORT_MAX_UNPACKED_BYTES)",
                &settings.import_max_unpacked_bytes,
                IMPORT.unpacked_bytes,
            ),
            rows: number("--import-max-rows (DUKA_IMPORT_MAX_ROWS)", &settings.import_max_rows, IMPORT.rows),
        };
        // The libraries warn of what is no operator's concern, such as "already exists, skipping" at each start.
        let log = settings
            .log
            .clone()
            .unwrap_or_else(|| "info,sqlx::postgres::notice=error,tantivy=error".to_owned());
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&log) {
            fault("--log (DUKA_LOG)", format!("`{log}` is not a filter: {error}"));
        }
        let log_json = match settings.log_format.as_deref().unwrap_or("text") {
            "text" => false,
            "json" => true,
            other => {
                fault("--log-format (DUKA_LOG_FORMAT)", format!("`{other}` is neither text nor json"));
                false
            }
        };
        let otlp_endpoint = settings.otlp_endpoint.as_deref().map(|url| url.trim_end_matches('/'));
        let otlp_endpoint = otlp_endpoint.filter(|url| !url.is_empty()).map(ToOwned::to_owned);
        if let Some(url) = otlp_endpoint.as_deref().filter(|url| !is_web_origin(url)) {
            // It may hold a password, and is not repeated.
            let hint = if url.contains('@') { "it" } else { url };
            let what = format!("`{hint}` is not an http or https URL such as http://localhost:4318");
            fault("--otlp-endpoint (DUKA_OTLP_ENDPOINT)", what);
        }
        let mut database = |name, given: Option<&str>| {
            secret(given).inspect(|url| {
                let url = url.expose_secret();
                if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
                    fault(name, "does not begin with postgres://".to_owned());
                } else if let Err(error) = PgConnectOptions::from_str(url) {
                    fault(name, format!("is not a PostgreSQL URL: {error}"));
                }
            })
        };
        let database_url = database("--database-url (DATABASE_URL)", settings.database_url.as_deref());
        let mirror = "--mirror-database-url (DUKA_MIRROR_DATABASE_URL)";
        let mirror_database_url = database(mirror, settings.mirror_database_url.as_deref());
        if mirror_database_url.is_some() && database_url.is_none() {
            fault(mirror, "is a standby of --database-url (DATABASE_URL), which must be set too".to_owned());
        }
        let mut jwt = |name, given: Option<&str>| {
            secret(given).filter(|secret| {
                let long = secret.expose_secret().len() >= 32;
                if !long {
                    fault(name, "has fewer than 32 characters".to_owned());
                }
                long
            })
        };
        let jwt_secret = jwt("DUKA_JWT_SECRET", settings.jwt_secret.as_deref());
        let jwt_secret_previous = jwt("DUKA_JWT_SECRET_PREVIOUS", settings.jwt_secret_previous.as_deref());

        let accounts = settings
            .payment
            .check(currency, public_url, &mut |name, what| faults.push(format!("{name}: {what}")));

        let limits = settings.limits.check(&mut |name, what| faults.push(format!("{name}: {what}")));
        let data_dir = settings.data_dir.clone().unwrap_or_else(crate::postgres::default_data_dir);
        match currency {
            Some(currency) if faults.is_empty() => Ok(Self {
                data_dir,
                database_url,
                mirror_database_url,
                currency,
                public_url: public_url.to_owned(),
                cors_origins,
                search_cache_bytes,
                row_cache_bytes,
                verify_hour,
                import,
                order_expiry_minutes,
                graphql_introspection,
                graphql_explorer,
                log,
                log_json,
                otlp_endpoint,
                jwt_secret,
                jwt_secret_previous,
                accounts,
                limits,
            }),
            _ => Err(ConfigError(faults)),
        }
    }
}

fn read(code: &str) -> Result<Option<Currency>, String> {
    code.parse().map(Some)
}

fn list(given: Option<&str>) -> impl Iterator<Item = &str> {
    given.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// An empty variable counts as not set: that is how a compose file leaves one out.
fn secret(given: Option<&str>) -> Option<SecretString> {
    given.filter(|text| !text.is_empty()).map(SecretString::from)
}

fn is_web_origin(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty())
    })
}

/// The `DUKA_…` variables that nothing reads: most likely misspelt.
pub fn unknown_variables(known: &[String]) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("DUKA_") && !known.contains(name)).collect()
}

#[cfg(test)]
mod tests;
