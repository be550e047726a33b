//! Traces: a span for each request and for each search that the index answers, sent to a collector.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::http::{HeaderMap, Method};
use opentelemetry::{
    KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Status, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, registry::LookupSpan};

use crate::outbound;

/// How long an export may take, and the last one at the end of the process.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Whether anybody looks at spans: most shops have no collector, and their requests do nothing for one.
static ON: AtomicBool = AtomicBool::new(false);

/// What sends spans until the process ends.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send to the collector at this base URL. Spans gather in memory and leave it from a thread of their
    /// own; those that a slow collector leaves no room for are dropped.
    pub(super) fn start(endpoint: &str) -> Result<Self, String> {
        outbound::provide_cryptography();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| error.to_string())?;
        let resource = Resource::builder()
            .with_service_name("duka")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        ON.store(true, Ordering::Relaxed);
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Self(provider))
    }

    /// The layer that makes spans of `tracing`'s.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_tracer(self.0.tracer("duka"))
    }

    /// Sends what is left, for three seconds at the most.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Whether there is a collector.
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Makes a request's span the continuation of what its `traceparent` header names (W3C Trace Context), and names it
/// as OpenTelemetry's conventions for HTTP servers have it. Without a collector nothing happens.
pub fn begin_request(span: &Span, method: &Method, route: &str, headers: &HeaderMap) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    span.record("otel.kind", "server").record("otel.name", format!("{method} {route}"));
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&Headers(headers));
        // It fails where the log's filter has no requests, and then there is no span either.
        let _ = span.set_parent(context);
    }
    span.set_attribute("http.request.method", method.as_str().to_owned());
    span.set_attribute("http.route", route.to_owned());
}

/// Adds the answer's status; what the server is to blame for is an error.
pub fn end_request(span: &Span, status: u16) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    span.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.set_status(Status::error(""));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
