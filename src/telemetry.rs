//! Logs and metrics. Logs go to standard error; metrics are read at `/metrics`.

use std::{io::IsTerminal, sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::Config;

/// Starts writing log lines. A second call in one process changes nothing.
pub fn start_logging(config: &Config) {
    // The filter was checked with the other settings.
    let filter = EnvFilter::try_new(&config.log).unwrap_or_default();
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let done = if config.log_json {
        builder.json().flatten_event(true).with_current_span(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    };
    if let Err(error) = done {
        tracing::debug!(%error, "logging has already started");
    }
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

fn install() -> Option<PrometheusHandle> {
    // Searches take tens of microseconds, a sign-in tens of milliseconds.
    const SECONDS: &[f64] = &[
        0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
        10.0,
    ];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(PrometheusBuilder::install_recorder);
    match builder {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "metrics are off");
            None
        }
    }
}
