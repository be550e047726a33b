//! Logs, metrics and traces. Logs go to standard error, metrics are read at `/metrics`, traces go to a collector.

use std::{io::IsTerminal, sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::Config;

mod trace;

pub use self::trace::{begin_request, end_request};

/// What has been started, until its end.
#[must_use = "what is left of the traces is sent at the end"]
pub struct Telemetry(Option<trace::Traces>);

/// Starts writing log lines, and sending traces where a collector is set. A second call in one process changes
/// nothing.
///
/// One filter serves both: spans and events that the log's leaves out are not in the traces either. (With a filter
/// for each, sqlx's asking whether a statement would be logged leaves a mark on the thread that hides the next span.)
pub fn start(config: &Config) -> Telemetry {
    // The filter was checked with the other settings.
    let filter = EnvFilter::try_new(&config.log).unwrap_or_default();
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if config.log_json {
        lines.json().flatten_event(true).with_current_span(true).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
    };
    let traces = config.otlp_endpoint.as_deref().map(trace::Traces::start).transpose();
    let layer = traces.as_ref().ok().and_then(Option::as_ref).map(trace::Traces::layer);
    if let Err(error) = tracing_subscriber::registry().with(filter).with(lines).with(layer).try_init() {
        tracing::debug!(%error, "logging has already started");
    }
    Telemetry(traces.unwrap_or_else(|error| {
        tracing::warn!(error, "traces are off");
        None
    }))
}

impl Telemetry {
    /// Sends what is left of the traces.
    pub fn end(self) {
        if let Some(traces) = self.0 {
            traces.end();
        }
    }
}

/// Whether more is told of each request than its figures: spans to a collector, or lines of a log.
pub fn is_detailed() -> bool {
    trace::is_on() || LevelFilter::current() >= LevelFilter::DEBUG
}

/// The process's metrics, in Prometheus' text format.
pub fn metrics() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(install).as_ref()
}

/// Sorts what histograms have gathered every few seconds, until `stop`: where nobody reads `/metrics`, it would
/// gather for ever.
pub async fn upkeep(stop: CancellationToken) {
    const EVERY: Duration = Duration::from_secs(5);
    while tokio::time::timeout(EVERY, stop.cancelled()).await.is_err() {
        if let Some(handle) = metrics() {
            handle.run_upkeep();
        }
    }
}

/// Counters that are there from the start: what has never happened is zero, and not unknown, so that whoever watches
/// them sees the first time too.
const COUNTERS: [(&str, &str); 14] = [
    ("duka_connections_refused_total", "Connections beyond the limit"),
    ("duka_index_changes_total", "Products that were indexed anew"),
    ("duka_index_damaged_total", "Indexes whose files were found to differ from their checksums, or gone"),
    ("duka_index_differences_total", "Documents that were found to differ from the database"),
    ("duka_index_errors_total", "Turns of the indexer that failed"),
    ("duka_index_rebuilds_total", "Indexes that took the place of another"),
    ("duka_index_refused_documents_total", "Products that cannot be found, since the index refuses them"),
    ("duka_index_repaired_total", "Documents that a comparison has written anew"),
    ("duka_orders_expired_total", "Orders that nobody paid in time"),
    ("duka_passwords_refused_total", "Passwords that were not looked at, since too many were waiting"),
    ("duka_search_cache_hits_total", "Answers to searches that were kept"),
    ("duka_search_cache_misses_total", "Answers to searches that had to be made"),
    ("duka_search_refused_total", "Searches that were turned away, since too many were waiting"),
    ("duka_search_settings_refused_total", "Search settings that could not be read"),
];

/// Those by something, from the start too.
const LABELLED: [(&str, &str, &[&str]); 2] = [
    ("duka_rate_limited_total", "limit", &["login", "login-failure", "register", "refresh", "search"]),
    ("duka_payments_flagged_total", "method", &["card", "mpesa"]),
];

/// What the other figures are.
const DESCRIBED: [(&str, &str); 27] = [
    ("duka_connections", "Open connections"),
    ("duka_gateway_request_seconds", "How long payment gateways take"),
    ("duka_gateway_requests_total", "What payment gateways were asked, by outcome"),
    ("duka_http_request_seconds", "How long requests take until their answer begins"),
    ("duka_http_responses_total", "Answers, by status"),
    ("duka_index_batch_changes", "Products in one commit of the index"),
    ("duka_index_batch_seconds", "How long it takes to read and index them"),
    ("duka_index_bytes", "The index on disk"),
    ("duka_index_commit_seconds", "How long a commit of the index takes"),
    ("duka_index_documents", "Products in the index"),
    ("duka_index_generation", "Commits that searches have seen"),
    ("duka_index_horizon_age_seconds", "The age of the oldest open transaction, which the index waits for"),
    ("duka_index_lag_seconds", "The age of the oldest change that the index does not hold"),
    ("duka_index_pending_changes", "Changes that the index does not hold"),
    ("duka_index_segments", "Segments of the index"),
    ("duka_payment_checks_total", "Attempts to pay that a gateway was asked about"),
    ("duka_payment_events_waiting", "Messages of gateways that are not processed"),
    ("duka_payment_webhooks_total", "Messages of gateways, by outcome"),
    ("duka_payments_attention", "Payments that wait for a person, now"),
    ("duka_payments_flagged_total", "Payments that wait for a person"),
    ("duka_payments_live", "Attempts to pay that have not ended"),
    ("duka_payments_total", "Attempts to pay that have ended, by outcome"),
    ("duka_rate_limited_total", "Requests that came too often"),
    ("duka_refunds_total", "Refunds, by outcome"),
    ("duka_search_cache_bytes", "Memory of kept answers"),
    ("duka_search_cache_entries", "Kept answers"),
    ("duka_search_seconds", "How long searches take"),
];

fn describe() {
    for (name, what) in DESCRIBED {
        // What kind it is makes no difference to the library's text.
        metrics::describe_counter!(name, what);
    }
    for (name, what) in COUNTERS {
        metrics::describe_counter!(name, what);
        metrics::counter!(name).increment(0);
    }
    for (name, label, values) in LABELLED {
        for value in values {
            metrics::counter!(name, label => *value).increment(0);
        }
    }
    metrics::gauge!("duka_connections").increment(0);
}

fn install() -> Option<PrometheusHandle> {
    // Searches take tens of microseconds, a sign-in tens of milliseconds.
    const SECONDS: &[f64] = &[
        0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
        10.0,
    ];
    // There is a series of these for each operation: few, and each read for every one of them.
    const OF_REQUESTS: &[f64] = &[0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("duka_http_request_seconds".to_owned()), OF_REQUESTS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS))
        .and_then(PrometheusBuilder::install_recorder);
    match builder {
        Ok(handle) => {
            describe();
            Some(handle)
        }
        Err(error) => {
            tracing::warn!(%error, "metrics are off");
            None
        }
    }
}
