//! How long a request may take, and what becomes of it when its time is up or its client leaves. What reads ends there.
//! What changes something is done to its end: what was committed a moment before would else have nobody who asks the
//! gateway, begins the job or writes the audit's line, and a place in a queue would be free before the work for which it
//! stands has ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{Method, Response},
    middleware::Next,
    response::IntoResponse,
};
use futures_util::StreamExt;
use hyper::body::Body as _;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    error::{Error, Kind},
    import,
};

/// How long a request may take, its body's arrival included, until its answer begins.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Requests that take their own time: a file that is sent, by whether it keeps arriving; a comparison of the whole
/// index, and one that takes over again, by how large it is.
const UNTIMED: [&str; 3] =
    [import::http::UPLOAD_PATH, "/api/admin/index/verify/", "/api/admin/index/rollback/"];

/// Gives a request its time, and what changes something a task of its own.
pub(super) async fn in_time(State(acts): State<TaskTracker>, request: Request, next: Next) -> Response<Body> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let takes_its_own = path.is_some_and(|path| UNTIMED.contains(&path)) && request.method() == Method::POST;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let (request, waits) = watched(request);
    if reads {
        let answered = timeout(REQUEST_TIMEOUT, next.run(request)).await;
        return answered.unwrap_or_else(|_| out_of_time(&waits));
    }
    let mut acting = acts.spawn(next.run(request).in_current_span());
    let acted =
        if takes_its_own { Ok((&mut acting).await) } else { timeout(REQUEST_TIMEOUT, &mut acting).await };
    match acted {
        Ok(acted) => acted.unwrap_or_else(|error| Error::internal(error).into_response()),
        Err(_) => {
            if waits.load(Ordering::Relaxed) {
                // It has not begun, and as long as somebody reads, the connection stays.
                acting.abort();
            }
            out_of_time(&waits)
        }
    }
}

fn out_of_time(waits: &AtomicBool) -> Response<Body> {
    let error = if waits.load(Ordering::Relaxed) {
        Error::new(Kind::RequestTimeout, "Send the whole request within the time allowed.")
    } else {
        // The client has done its part: the database is silent, most likely.
        Error::unavailable("It took too long; whether it was done is not known.")
    };
    error.into_response()
}

/// The same request, and whether it is its client that is waited for.
fn watched(request: Request) -> (Request, Arc<AtomicBool>) {
    let waits = Arc::new(AtomicBool::new(false));
    if request.body().is_end_stream() {
        return (request, waits);
    }
    let waiting = Arc::clone(&waits);
    let request = request.map(|body| {
        let mut pieces = body.into_data_stream();
        Body::from_stream(futures_util::stream::poll_fn(move |context| {
            let piece = pieces.poll_next_unpin(context);
            waiting.store(piece.is_pending(), Ordering::Relaxed);
            piece
        }))
    });
    (request, waits)
}
