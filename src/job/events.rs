//! A job's progress as server-sent events: the row is polled, so that any node can tell of any job.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::time::timeout;

use super::{
    Jobs,
    model::{Job, Kind},
    store,
};
use crate::{
    auth::Admin,
    error::{Error, Result},
};

/// How often the row is looked at.
const POLL: Duration = Duration::from_millis(300);
/// A comment so often keeps those between here and the client from closing a silent connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl Jobs {
    /// The job's JSON in `shape`, now and after every change, as events without a name; the final state is the last.
    /// Ends before that only when the shop closes.
    ///
    /// # Errors
    /// 404.
    pub async fn events<T: Serialize + 'static>(
        &self,
        admin: Admin,
        kind: Kind,
        id: i64,
        shape: impl Fn(Job) -> T + Send + 'static,
    ) -> Result<Response> {
        let job = self.one(admin, kind, id).await?;
        let changes = changes(self.clone(), kind, job, move |job| {
            serde_json::to_string(&shape(job)).map_err(Error::internal)
        });
        let events = Sse::new(changes).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
        // A proxy that gathers what it passes on would hold the events back.
        Ok(([("x-accel-buffering", "no")], events).into_response())
    }
}

struct Watched<S> {
    jobs: Jobs,
    kind: Kind,
    id: i64,
    next: Option<Job>,
    shape: S,
    sent: String,
    over: bool,
}

fn changes<S>(jobs: Jobs, kind: Kind, job: Job, shape: S) -> impl Stream<Item = Result<Event, Infallible>>
where
    S: Fn(Job) -> Result<String>,
{
    let (id, sent) = (job.id, String::new());
    let watched = Watched { jobs, kind, id, next: Some(job), shape, sent, over: false };
    stream::unfold(watched, |mut watched| async move {
        while !watched.over {
            if let Some(event) = watched.look().await {
                return Some((Ok(event), watched));
            }
        }
        None
    })
}

impl<S: Fn(Job) -> Result<String>> Watched<S> {
    /// The next event, if the job has changed by the next look.
    async fn look(&mut self) -> Option<Event> {
        let job = match self.next.take() {
            Some(job) => job,
            None => self.poll().await?,
        };
        self.over = job.status.is_final();
        let text = (self.shape)(job).ok().filter(|text| *text != self.sent)?;
        self.sent.clone_from(&text);
        Some(Event::default().data(text))
    }

    async fn poll(&mut self) -> Option<Job> {
        if timeout(POLL, self.jobs.0.stopping.cancelled()).await.is_ok() {
            self.over = true;
            return None;
        }
        match store::one(&self.jobs.0.pool, self.kind, self.id).await {
            Ok(Some(job)) => Some(job),
            Ok(None) => {
                self.over = true;
                None
            }
            Err(error) => {
                tracing::debug!(%error, "a job is looked at later");
                None
            }
        }
    }
}
