//! A job in the hands of the one who does it.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    model::{Kind, Progress, RowError, Status},
    store,
};
use crate::error::{Error, Kind as ErrorKind, Result};

/// How often a job's row is written: its progress, its heartbeat, and whether somebody wants it to stop.
const TICK: Duration = Duration::from_millis(400);
/// How often, and after which pauses, the end of a job is tried to be written.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// A job that waits or runs in this process. Cheap to clone; the heartbeat ends with the last clone.
#[derive(Clone)]
pub struct Run(Arc<Inner>);

struct Inner {
    pool: PgPool,
    id: i64,
    kind: Kind,
    progress: Mutex<Progress>,
    stop: CancellationToken,
    cancel_wanted: AtomicBool,
}

impl Run {
    pub(super) fn begin(pool: PgPool, id: i64, kind: Kind, stopping: &CancellationToken) -> Self {
        let inner = Arc::new(Inner {
            pool,
            id,
            kind,
            progress: Mutex::default(),
            stop: stopping.child_token(),
            cancel_wanted: AtomicBool::new(false),
        });
        tokio::spawn(beat(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// The job's number.
    pub fn id(&self) -> i64 {
        self.0.id
    }

    pub(super) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Says how far the work is: costs nothing, and may be called from any thread as often as one likes; a few times
    /// a second it is written down. True when the work is to stop.
    pub fn progress(&self, progress: Progress) -> bool {
        *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        self.0.stop.is_cancelled()
    }

    /// Cancelled when the work is to stop: somebody asked for it, the shop closes, or another node took this one for
    /// dead. What is not finished by then is given up, with [`stopped`](Self::stopped).
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// The error of work that ends because it was told to.
    pub fn stopped(&self) -> Error {
        Error::unavailable("It was stopped before it was done.")
    }

    /// Keeps rows that the work refused, for clients to read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refuse(&self, errors: &[RowError]) -> Result<()> {
        store::insert_errors(&self.0.pool, self.0.id, errors).await
    }

    pub(super) async fn start(&self) -> Result<()> {
        let started = store::start(&self.0.pool, self.0.id).await?;
        started.then_some(()).ok_or_else(|| self.stopped())
    }

    /// Writes how it ended.
    pub(super) async fn finish(&self, ended: Result<()>, closing: bool) {
        let cancelled = self.0.cancel_wanted.load(Ordering::Acquire);
        if self.0.kind.begins_again() && closing && ended.is_err() && !cancelled {
            return self.leave().await;
        }
        let (status, error) = self.ending(ended, closing);
        let progress = self.0.snapshot();
        for _ in 0..TRIES {
            match store::finish(&self.0.pool, self.0.id, status, error.as_deref(), &progress).await {
                Ok(true) => return tracing::info!(job = self.0.id, ?status, "a job has ended"),
                Ok(false) => {
                    return tracing::warn!(job = self.0.id, ?status, "another node had ended the job");
                }
                Err(error) => {
                    tracing::warn!(job = self.0.id, %error, "the end of a job could not be written");
                }
            }
            sleep(PAUSE).await;
        }
        // Silent from now on: some node will fail it.
    }

    /// Leaves the job for the next process of this node.
    async fn leave(&self) {
        match store::leave(&self.0.pool, self.0.id).await {
            Ok(()) => tracing::info!(job = self.0.id, "the job begins again with the next start"),
            Err(error) => {
                tracing::warn!(job = self.0.id, %error, "the job could not be left for the next start");
            }
        }
    }

    fn ending(&self, ended: Result<()>, closing: bool) -> (Status, Option<String>) {
        let Err(error) = ended else { return (Status::Succeeded, None) };
        if self.0.cancel_wanted.load(Ordering::Acquire) {
            return (Status::Cancelled, None);
        }
        let why = if closing {
            "The server was shut down before this was done. Send it again.".to_owned()
        } else if error.kind() == ErrorKind::Internal {
            tracing::error!(job = self.0.id, %error, "a job failed");
            "Something broke on our side; it is logged under this job's number. Sending it again may help."
                .to_owned()
        } else {
            tracing::info!(job = self.0.id, %error, "a job failed");
            error.detail().to_owned()
        };
        (Status::Failed, Some(why))
    }
}

impl Inner {
    fn snapshot(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Keeps the row alive as long as somebody holds the job.
async fn beat(job: Weak<Inner>) {
    while let Some(job) = job.upgrade() {
        match store::beat(&job.pool, job.id, &job.snapshot()).await {
            Ok(Some(false)) => {}
            Ok(Some(true)) => {
                job.cancel_wanted.store(true, Ordering::Release);
                job.stop.cancel();
            }
            // Ended: here, or by a node that took this one for dead.
            Ok(None) => return job.stop.cancel(),
            Err(error) => tracing::debug!(job = job.id, %error, "a job's progress is written later"),
        }
        drop(job);
        sleep(TICK).await;
    }
}
