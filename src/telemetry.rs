//! Logs, metrics and traces. Logs go to standard error, metrics are read at `/metrics`, traces go to a collector.

use std::{io::IsTerminal, sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
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
