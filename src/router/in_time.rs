//! How long a request may take, and what becomes of it when its client leaves. What reads ends there. What changes
//! something goes on for as long as it may take: what was committed a moment before would else have nobody who asks the
//! gateway, begins the job or writes the audit's line, and a place in a queue would be free before the work for which it
//! stands has ended. That is so for [`MOST_LEFT`] at a time: whoever sends and leaves as fast as he can would else have
//! everybody wait behind what he has left.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
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
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{AbortHandle, JoinHandle},
    time::timeout,
};
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

/// How many go on that nobody waits for any more: what a pool works off within its patience.
const MOST_LEFT: usize = 64;

/// The tasks of requests that change something.
#[derive(Clone)]
pub(super) struct Acts {
    tasks: TaskTracker,
    /// Places for those that were left.
    left: Arc<Semaphore>,
}

impl Acts {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { tasks, left: Arc::new(Semaphore::new(MOST_LEFT)) }
    }

    /// Begins one; also what is to be dropped when nobody waits for it any more.
    fn begin(&self, act: impl Future<Output = Response<Body>> + Send + 'static) -> (Acting, Waiting) {
        let place = Place::default();
        let own = Arc::clone(&place);
        let act = async move {
            let response = act.await;
            drop(own);
            response
        };
        let acting = self.tasks.spawn(act.in_current_span());
        let waiting = Waiting { act: acting.abort_handle(), place, left: Arc::clone(&self.left) };
        (acting, waiting)
    }
}

type Acting = JoinHandle<Response<Body>>;

/// The place of an act that was left, given back with the act.
type Place = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// Somebody who waits for an act.
struct Waiting {
    act: AbortHandle,
    place: Place,
    left: Arc<Semaphore>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.act.is_finished() {
            return;
        }
        match Arc::clone(&self.left).try_acquire_owned() {
            Ok(place) => *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place),
            Err(_) => self.act.abort(),
        }
    }
}

/// Gives a request its time, and what changes something a task of its own.
pub(super) async fn in_time(State(acts): State<Acts>, request: Request, next: Next) -> Response<Body> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return answered(request, next).await;
    }
    let (acting, _waiting) = acts.begin(answered(request, next));
    acting.await.unwrap_or_else(|error| Error::internal(error).into_response())
}

/// The answer, or what is said when its time is up. Then it is given up, also where it was left: what was told to have
/// failed must not be done after what was asked for later.
async fn answered(request: Request, next: Next) -> Response<Body> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if path.is_some_and(|path| UNTIMED.contains(&path)) && request.method() == Method::POST {
        return next.run(request).await;
    }
    let (request, waits) = watched(request);
    timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        let error = if waits.load(Ordering::Relaxed) {
            Error::new(Kind::RequestTimeout, "Send the whole request within the time allowed.")
        } else {
            late()
        };
        error.into_response()
    })
}

/// What is made of a request that has come, within the time that it has.
///
/// # Errors
/// 503 when its time is up.
pub(super) async fn made_in_time<T>(made: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(REQUEST_TIMEOUT, made).await.unwrap_or_else(|_| Err(late()))
}

/// The client has done its part: the database is silent, most likely.
fn late() -> Error {
    Error::unavailable("It took too long; whether it was done is not known.")
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use axum::{Router, middleware, routing::any};
    use futures_util::{FutureExt, future::join_all};
    use tokio::sync::Notify;
    use tower::ServiceExt;

    use super::*;

    /// How many of so many requests that are left in their midst are done.
    async fn done_of(count: usize, method: Method) -> usize {
        let (tasks, done, go) = (TaskTracker::new(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let act = {
            let (done, go) = (Arc::clone(&done), Arc::clone(&go));
            async move || {
                go.notified().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        let router = Router::new()
            .route("/", any(act))
            .layer(middleware::from_fn_with_state(Acts::new(tasks.clone()), in_time));
        let ask = || {
            let request = Request::builder().method(method.clone()).uri("/").body(Body::empty()).unwrap();
            router.clone().oneshot(request)
        };
        let mut asked = Box::pin(join_all((0..count).map(|_| ask())));
        for _ in 0..10 {
            assert!(asked.as_mut().now_or_never().is_none(), "they wait");
            tokio::task::yield_now().await;
        }
        drop(asked);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        go.notify_waiters();
        tasks.close();
        tasks.wait().await;
        done.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn what_changes_something_goes_on_when_it_is_left_and_what_reads_does_not() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(done_of(3, method).await, 3);
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(done_of(3, method).await, 0);
        }
    }

    #[tokio::test]
    async fn no_more_go_on_than_may() {
        assert_eq!(done_of(MOST_LEFT + 5, Method::POST).await, MOST_LEFT);
    }
}
