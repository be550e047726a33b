//! The accept loop: connections in, requests to the router, and an end to both.
//!
//! `axum::serve` waits for ever for a client that sends nothing, half a header, or no second request. This loop
//! gives a header five seconds, the time between two requests included.

use std::{error::Error, io, pin::pin, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response},
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// How long a client may take to send a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest header: 16 KiB, as most servers have it.
const HEADER_BYTES: usize = 16 * 1024;
/// How long requests that have begun may go on after the stop: less than the ten seconds after which container
/// runtimes kill.
const DRAIN: Duration = Duration::from_secs(8);

/// Serves until `stop` is cancelled, then lets the requests that have begun come to their end. A service that
/// fails has its connection closed without an answer.
pub async fn serve<S>(listener: TcpListener, service: S, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
        };
        // An answer is written at once; waiting to fill a packet would only delay it.
        let _ = stream.set_nodelay(true);
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone()));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let mut drained = pin!(connections.shutdown());
    if tokio::time::timeout(DRAIN, &mut drained).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

/// Out of descriptors, most likely: the next try would fail as well, and at once.
async fn pause_after(error: &io::Error) {
    let of_one_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !of_one_client {
        tracing::error!(%error, "connections cannot be accepted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
