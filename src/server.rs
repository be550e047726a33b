//! The accept loop: connections in, requests to the router, and an end to both.
//!
//! `axum::serve` waits for ever for a client that sends nothing, half a header, or no second request. This loop
//! gives a header five seconds, the time between two requests included, and a client that does not read its answer
//! half a minute; it takes so many connections at a time and tells the others so. At the stop no request that has
//! reached it is lost.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, header},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// How many connections the system keeps for the accept loop while it is busy, where it allows as many. Beyond them it
/// lets a client try again, after a second.
const BACKLOG: u32 = 4096;
/// How long a client may take to send a request's header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest header: 16 KiB, as most servers have it.
const HEADER_BYTES: usize = 16 * 1024;
/// How long a client may leave unread what is sent to it.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections beyond the limit that are told so at a time; more are closed without a word.
const TURNED_AWAY: usize = 256;
/// How long such a one may take to hear it.
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(2);
/// For how long after the stop connections are still taken, and then requests over those that there are, at most, and
/// for how many turns nothing must come before that ends: whoever was on the way is answered, and told to come back on
/// another connection.
const LINGER: Duration = Duration::from_secs(1);
const QUIET: u32 = 20;
const TURN: Duration = Duration::from_millis(10);
/// How long requests that have begun may go on after that: in all less than the ten seconds after which container
/// runtimes kill. What is being merged in a large index may take some more.
const DRAIN: Duration = Duration::from_secs(7);

/// Listens at the first address that the text stands for and that can be had.
///
/// # Errors
/// Why the last one cannot.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "it stands for no address");
    for address in lookup_host(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Or a server that is started again would wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What answers requests, each from the address of a connection's other end. One that fails has its connection closed
/// without an answer.
pub trait Service: Clone + Send + Sync + 'static {
    /// The answer.
    fn answer(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Box<dyn Error + Send + Sync>>> + Send;
}

impl<F, A, E> Service for F
where
    F: Fn(SocketAddr, Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response<Body>, E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    async fn answer(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
        self(peer, request).await.map_err(Into::into)
    }
}

/// Serves until `stop` is cancelled, at most so many connections at a time, then lets the requests that have begun
/// come to their end.
pub async fn serve(
    listener: TcpListener,
    service: impl Service,
    connections: usize,
    stop: CancellationToken,
) {
    let door = Door::new(service, connections);
    tokio::select! {
        () = stop.cancelled() => {}
        () = door.take_all(&listener) => {}
    }
    door.life.is_ending.store(true, Ordering::Relaxed);
    let end = Instant::now() + LINGER;
    let _ = timeout_at(end, async {
        tokio::select! {
            () = door.take_all(&listener) => {}
            () = door.quiet() => {}
        }
    })
    .await;
    door.take_those_who_wait(listener);
    // A connection that is idle is closed in a moment, even if a request is on its way over it.
    let _ = timeout(LINGER, door.quiet()).await;
    let mut drained = pin!(door.open.shutdown());
    if timeout(DRAIN, &mut drained).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

/// So many of the connections as the system's descriptors allow, after asking it for all that it gives. Some are left
/// for files and the database.
pub fn affordable(connections: usize) -> usize {
    const LEFT: u64 = 512;
    let given = getrlimit(Resource::Nofile);
    let all = Rlimit { current: given.maximum, maximum: given.maximum };
    let given = if setrlimit(Resource::Nofile, all).is_ok() { all } else { given };
    let Some(most) = given.current else { return connections };
    let most = usize::try_from(most.saturating_sub(LEFT).max(LEFT)).unwrap_or(usize::MAX);
    if most < connections {
        tracing::warn!(most, wanted = connections, "the system's descriptors allow fewer connections");
    }
    connections.min(most)
}

/// What takes connections.
struct Door<S> {
    http: http1::Builder,
    service: S,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    unread: Duration,
    open: GracefulShutdown,
    life: Arc<Life>,
}

/// What all connections share.
#[derive(Default)]
struct Life {
    /// Connections and requests that have come.
    come: AtomicU64,
    is_ending: AtomicBool,
}

/// A connection's own share of it. Each request holds this and nothing that other connections hold too: a number that
/// all processors count up and down takes longer than looking up what is answered.
struct Connection<S> {
    service: S,
    peer: SocketAddr,
    life: Arc<Life>,
}

impl<S: Service> Connection<S> {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
        self.life.come.fetch_add(1, Ordering::Relaxed);
        let mut answer = self.service.answer(self.peer, request).await?;
        if self.life.is_ending.load(Ordering::Relaxed) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }
}

impl<S: Service> Door<S> {
    fn new(service: S, connections: usize) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
        let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
        let open = GracefulShutdown::new();
        let unread = UNREAD_TIMEOUT;
        Self { http, service, places, turned_away, unread, open, life: Arc::default() }
    }

    /// Takes whoever comes.
    async fn take_all(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => pause_after(&error).await,
            }
        }
    }

    /// Takes those alone who have come already.
    fn take_those_who_wait(&self, listener: TcpListener) {
        // The system is asked itself: the runtime may not have heard of the last ones yet.
        let Ok(listener) = listener.into_std() else { return };
        loop {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    stream.into_iter().for_each(|stream| self.take(stream, peer));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(_) => return,
            }
        }
    }

    /// Resolves when nothing has come for a moment: for so many turns of the runtime, since a process that was not let
    /// run has heard of nothing meanwhile.
    async fn quiet(&self) {
        let (mut before, mut turns) = (self.life.come.load(Ordering::Relaxed), 0);
        while turns < QUIET {
            sleep(TURN).await;
            let now = self.life.come.load(Ordering::Relaxed);
            turns = if now == before { turns + 1 } else { 0 };
            before = now;
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        self.life.come.fetch_add(1, Ordering::Relaxed);
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return self.turn_away(stream);
        };
        // An answer is written at once; waiting to fill a packet would only delay it.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.unread));
        let connection = Connection { service: self.service.clone(), peer, life: Arc::clone(&self.life) };
        let connection = Arc::new(connection);
        let answer = service_fn(move |request| Arc::clone(&connection).answer(request));
        let stream: Pin<Box<TimeoutStream<TcpStream>>> = Box::pin(stream);
        let connection = self.open.watch(self.http.serve_connection(TokioIo::new(stream), answer));
        metrics::gauge!("duka_connections").increment(1);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
            metrics::gauge!("duka_connections").decrement(1);
        });
    }

    /// Tells a client that there are as many connections as there may be.
    fn turn_away(&self, mut stream: TcpStream) {
        metrics::counter!("duka_connections_refused_total").increment(1);
        let Ok(place) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _place = place;
            let _ = timeout(TURNED_AWAY_TIMEOUT, async {
                // Clients do not listen before they have asked.
                let mut sent = [0; 1024];
                let _ = stream.read(&mut sent).await?;
                stream.write_all(FULL).await?;
                stream.shutdown().await?;
                // Closed with something unread, the answer would be taken back.
                while stream.read(&mut sent).await? > 0 {}
                io::Result::Ok(())
            })
            .await;
        });
    }
}

/// What is told to a connection too many.
const FULL: &[u8] = concat!(
    "HTTP/1.1 503 Service Unavailable\r\n",
    "content-type: application/problem+json\r\n",
    "content-length: 147\r\n",
    "retry-after: 1\r\n",
    "cache-control: no-store\r\n",
    "connection: close\r\n",
    "\r\n",
    r#"{"type":"/problems/unavailable","title":"Try again shortly","status":503,"detail":"The server has as many connections as it takes.","instance":"-"}"#
)
.as_bytes();

/// Out of descriptors, most likely: the next try would fail as well, and at once.
async fn pause_after(error: &io::Error) {
    let of_one_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !of_one_client {
        tracing::error!(%error, "connections cannot be accepted");
        sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_does_not_read_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let large = |_: SocketAddr, _: Request<Incoming>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(vec![0; 64 << 20])))
        };
        let door = Door::new(large, 2);
        let door = Door { unread: Duration::from_millis(300), ..door };
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        door.take(stream, peer);
        assert_eq!(door.places.available_permits(), 1);
        let begun = Instant::now();
        while door.places.available_permits() < 2 {
            assert!(begun.elapsed() < HEADER_TIMEOUT, "it is waited for");
            sleep(Duration::from_millis(20)).await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_rush_of_connections_is_kept_until_it_is_taken() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody takes them: beyond the system's queue the next one would wait for a second at least.
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").map_or(128, |text| {
            let most: usize = text.trim().parse().unwrap();
            most.min(BACKLOG as usize)
        });
        let mut kept = Vec::new();
        for number in 0..most.min(512) {
            let opening = timeout(Duration::from_millis(900), TcpStream::connect(address)).await;
            kept.push(opening.unwrap_or_else(|_| panic!("the {number}th has to wait")).unwrap());
        }
    }

    #[test]
    fn what_a_connection_too_many_is_told_is_whole() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let told: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (told["status"].as_u64(), told["type"].as_str()),
            (Some(503), Some("/problems/unavailable"))
        );
    }
}
