//! Long work that a client asks for and looks after: reindexing, imports.
//!
//! A job is a row that every node can read: [`Jobs::create`] makes it, [`Jobs::spawn`] does it here, in its turn
//! and in the background, and writes how it ended. The one who does the work gets a [`Run`], says through it how
//! far the work is, and heeds its [`stop`](Run::stop). While a job waits or runs, its process renews its heartbeat;
//! where that falls silent, any node fails the job, so that a dead one blocks nobody.
//!
//! ```ignore
//! let run = app.jobs.create(New { kind: Kind::Reindex, author: admin.into(), parameters: json!({}) }).await?;
//! let id = run.id();
//! app.jobs.spawn(run, async move |run| {
//!     for done in 0..total {
//!         if run.progress(Progress { done, total: Some(total), ..Progress::default() }) {
//!             return Err(run.stopped()); // cancelled, shut down, or declared dead by another node
//!         }
//!     }
//!     Ok(())
//! });
//! ```

mod events;
pub mod model;
pub mod remote;
mod run;
mod store;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use sqlx::PgPool;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::run::Run;
use self::{
    model::{Job, Kind, New, Part, RowError},
    store::Died,
};
use crate::{
    auth::{self, Admin},
    error::{Error, Kind as ErrorKind, Result},
};

/// A job that nobody has said anything of for so long has died with its process.
const SILENCE: Duration = Duration::from_secs(30);
/// And one that waits for its node to be started.
const UNCLAIMED: Duration = Duration::from_secs(900);
/// How often each node looks for such jobs.
const SWEEP: Duration = Duration::from_secs(5);
/// How often it forgets what ended long ago.
const FORGET: Duration = Duration::from_secs(3600);
/// How long jobs that have ended can be read, in days.
const KEPT_DAYS: i32 = 30;
/// How long the jobs may take to stop when the shop closes.
const DRAIN: Duration = Duration::from_secs(8);
/// What is said of a job whose process has died.
const DIED: Died = Died {
    reindex: "Its server stopped answering before this was done. Ask for it again; the index that answered before is \
              as it was.",
    whole: "Its server stopped answering before this was done. Nothing of the file is kept unless all of it is: send \
            it again.",
    piecemeal: "Its server stopped answering before this was done. Send it again: what came in already is found in \
                place.",
};

/// The door: the jobs of this shop, and those that this process does. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    pool: PgPool,
    node: String,
    stopping: CancellationToken,
    tasks: TaskTracker,
    /// One a kind: in a process, jobs of a kind take turns.
    turns: [Mutex<()>; Kind::COUNT],
}

impl Jobs {
    /// Begins to look for jobs whose node has died. `pool` is for the rows of jobs, not for their work; `stopping` is
    /// cancelled when the shop closes, and all jobs with it.
    pub fn open(pool: PgPool, node: String, stopping: CancellationToken) -> Self {
        let turns = std::array::from_fn(|_| Mutex::new(()));
        let jobs = Self(Arc::new(Shared { pool, node, stopping, tasks: TaskTracker::new(), turns }));
        jobs.0.tasks.spawn(jobs.clone().sweep());
        jobs
    }

    /// Makes a job that waits for its turn, to be handed to [`spawn`](Self::spawn).
    ///
    /// # Errors
    /// 409 when there is one already of a kind that allows one at a time, on whatever node.
    pub async fn create(&self, new: New) -> Result<Run> {
        self.fail_silent().await?;
        let kind = new.kind;
        let mut transaction = auth::begin(&self.0.pool, new.author).await?;
        match store::insert(&mut *transaction, &new, &self.0.node).await {
            Ok(id) => {
                transaction.commit().await?;
                Ok(Run::begin(self.0.pool.clone(), id, kind, &self.0.stopping))
            }
            Err(error) if store::is_second(&error) => {
                transaction.rollback().await?;
                let other = store::live(&self.0.pool, kind).await?;
                let other = other.map(|id| format!(": see {}", kind.path(id))).unwrap_or_default();
                let detail = format!("A {} waits or runs already{other}.", kind.as_str());
                Err(Error::new(ErrorKind::AlreadyRunning, detail))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Does the work in the background, in its kind's turn, and writes how it ended: with `Ok` it has succeeded; with
    /// an error it was cancelled if somebody asked for that, and else failed, in the error's words.
    pub fn spawn<F>(&self, run: Run, work: impl FnOnce(Run) -> F + Send + 'static)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let jobs = self.clone();
        self.0.tasks.spawn(async move {
            let worked = AssertUnwindSafe(jobs.work(run.clone(), work)).catch_unwind().await;
            let ended = worked.unwrap_or_else(|_| Err(Error::internal("a job panicked")));
            run.finish(ended, jobs.0.stopping.is_cancelled()).await;
        });
    }

    async fn work<F>(&self, run: Run, work: impl FnOnce(Run) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let _turn = tokio::select! {
            turn = self.0.turns[run.kind() as usize].lock() => turn,
            () = run.stop().cancelled() => return Err(run.stopped()),
        };
        run.start().await?;
        work(run).await
    }

    /// Takes up a job of this node that waits for whoever serves it: one that was asked for at a prompt, or, right
    /// after the start, one that an earlier process of this node did not bring to its end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_up(&self, kind: Kind, after_start: bool) -> Result<Option<Run>> {
        let id = store::take_up(&self.0.pool, kind, &self.0.node, after_start).await?;
        Ok(id.map(|id| Run::begin(self.0.pool.clone(), id, kind, &self.0.stopping)))
    }

    /// One job.
    ///
    /// # Errors
    /// 404.
    pub async fn one(&self, _: Admin, kind: Kind, id: i64) -> Result<Job> {
        self.find(kind, id).await
    }

    /// Asks a job to stop, which it does at the next opportunity, on whatever node: as it stands now. One that has
    /// been cancelled may be asked again.
    ///
    /// # Errors
    /// 404, 409 when it has succeeded or failed.
    pub async fn cancel(&self, admin: Admin, kind: Kind, id: i64) -> Result<Job> {
        let mut transaction = auth::begin(&self.0.pool, admin).await?;
        let asked = store::request_cancel(&mut *transaction, kind, id).await?;
        transaction.commit().await?;
        let job = self.find(kind, id).await?;
        if asked || job.status == model::Status::Cancelled {
            return Ok(job);
        }
        Err(Error::new(ErrorKind::AlreadyFinished, "It has come to its end; there is nothing to cancel."))
    }

    /// A part of the rows that the job refused, by line, and how many are kept in all.
    ///
    /// # Errors
    /// 404.
    pub async fn row_errors(
        &self,
        _: Admin,
        kind: Kind,
        id: i64,
        part: Part,
    ) -> Result<(Vec<RowError>, i64)> {
        self.find(kind, id).await?;
        let rows = store::errors(&self.0.pool, id, part).await?;
        Ok((rows, store::count_errors(&self.0.pool, id).await?))
    }

    async fn find(&self, kind: Kind, id: i64) -> Result<Job> {
        store::one(&self.0.pool, kind, id).await?.ok_or_else(|| Error::not_found(kind.as_str()))
    }

    async fn fail_silent(&self) -> Result<()> {
        let failed =
            store::fail_silent(&self.0.pool, SILENCE.as_secs_f64(), UNCLAIMED.as_secs_f64(), DIED).await?;
        if failed > 0 {
            tracing::warn!(failed, "jobs whose node fell silent have failed");
        }
        Ok(())
    }

    async fn sweep(self) {
        let mut forgot_at: Option<Instant> = None;
        // Not at once: this node may just be taking up what it left.
        while timeout(SWEEP, self.0.stopping.cancelled()).await.is_err() {
            if let Err(error) = self.fail_silent().await {
                tracing::debug!(%error, "jobs of dead nodes are looked for later");
            }
            if forgot_at.is_none_or(|at| at.elapsed() >= FORGET) {
                forgot_at = Some(Instant::now());
                if let Err(error) = store::forget(&self.0.pool, KEPT_DAYS).await {
                    tracing::debug!(%error, "old jobs are forgotten later");
                }
            }
        }
    }

    /// Stops all jobs of this process and waits until that is written.
    pub async fn close(&self) {
        self.0.stopping.cancel();
        self.0.tasks.close();
        if timeout(DRAIN, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("some jobs did not stop in time; other nodes will fail them");
        }
    }
}
