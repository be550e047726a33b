//! The PostgreSQL that duka runs for itself when no database is configured: found, made, started, shared with
//! other duka processes on the same data directory, and stopped by the last of them.
//!
//! Here live binaries, directories, locks and processes, in blocking code on the standard library alone: callers
//! in an async runtime move it to a blocking thread. SQL, connections and migrations never live here; whoever
//! connects makes its own database (the cluster comes with `postgres`).
//!
//! What survives what: the server runs on when duka is killed, and the next start adopts it; a server that was
//! killed recovers at the next start, or at [`Cluster::ensure_running`]; the locks of a dead process go with it.

mod binaries;
mod deference;
mod error;
mod initdb;
mod layout;
mod postmaster;
mod server;
mod settings;
mod supervisor;
#[cfg(test)]
mod tests;
mod user;
mod wheel;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

pub use error::Error;
pub use supervisor::{TestLock, join_test_cluster, supervise};
pub use user::default_data_dir;

use deference::Deference;
use error::During;
use layout::Layout;
use settings::Purpose;

/// Where and how to reach the cluster: a Unix socket, no password, no TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The directory of the socket, absolute.
    pub socket_dir: PathBuf,
    /// The port, which only names the socket: there is no TCP.
    pub port: u16,
    /// The role to connect as, a superuser.
    pub user: String,
}

/// A share in the managed server. While any process holds one, the server is kept; the last one to go stops it,
/// by [`stop`](Self::stop) or by being dropped; one that exits without either leaves it to the next start. All
/// functions block.
#[derive(Debug)]
pub struct Cluster {
    share: Share,
    purpose: Purpose,
    endpoint: Endpoint,
    /// Nothing where it cannot be had: then searches wait longer beside many writes.
    _deference: Option<Deference>,
}

impl Cluster {
    /// Returns when the server of `data_dir` accepts connections: makes the cluster at the first use (about 1.5 s),
    /// starts its server (about 0.1 s), or joins one that is running. Creates `data_dir` when it is missing.
    ///
    /// # Errors
    /// When there are no usable binaries, `data_dir` cannot be used, or the server does not start; the error says
    /// what to do.
    pub fn start(data_dir: &Path) -> Result<Self, Error> {
        Self::start_for(Purpose::Shop, data_dir)
    }

    fn start_for(purpose: Purpose, data_dir: &Path) -> Result<Self, Error> {
        let layout = Layout::prepare(data_dir)?;
        // Before the gate, which has to be open again when a failure gives the share back.
        let mut share = Share { holders: layout.holders_lock()?, layout, held: false };
        let _gate = Gate::enter(&share.layout)?;
        share.take()?;
        let file = server::bring_up(&share.layout, purpose)?;
        let socket_dir = match file.socket_dir {
            Some(dir) => dir,
            None => share.layout.socket_dir()?,
        };
        let endpoint = Endpoint { socket_dir, port: file.port, user: initdb::ROLE.to_owned() };
        // Elsewhere processors are not dealt out so.
        let deference = cfg!(target_os = "linux").then(|| Deference::of(share.layout.data.clone()));
        let deference = deference
            .transpose()
            .inspect_err(|error| tracing::warn!(%error, "PostgreSQL does not stand back"));
        Ok(Self { share, purpose, endpoint, _deference: deference.ok().flatten() })
    }

    /// Where to connect. It stays the same for as long as the share is held.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Starts the server again if it has died, and returns when it accepts connections. Cheap when it lives (a
    /// millisecond or two), so a caller may ask whenever it cannot connect, and now and then to keep the server's
    /// log small.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn ensure_running(&self) -> Result<(), Error> {
        let layout = &self.share.layout;
        let _gate = Gate::enter(layout)?;
        layout.bound_log()?;
        server::bring_up(layout, self.purpose).map(drop)
    }

    /// Gives the share back. The last one out stops the server, after its sessions have been ended.
    ///
    /// # Errors
    /// When the server cannot be told to stop, or does not within about a minute.
    pub fn stop(mut self) -> Result<(), Error> {
        self.share.give_back()
    }
}

/// A shared lock on the cluster's holders.
#[derive(Debug)]
struct Share {
    layout: Layout,
    holders: File,
    held: bool,
}

impl Share {
    /// Only within the gate, where nobody is testing whether they are the last.
    fn take(&mut self) -> Result<(), Error> {
        self.holders.lock_shared().during("lock the holders of", &self.layout.data)?;
        self.held = true;
        Ok(())
    }

    fn give_back(&mut self) -> Result<(), Error> {
        if !self.held {
            return Ok(());
        }
        let _gate = Gate::enter(&self.layout)?;
        self.held = false;
        let data = &self.layout.data;
        // Unlocked in so many words: closing would not do while a child of another thread, not yet replaced by
        // its program, has the file open too.
        self.holders.unlock().during("unlock the holders of", data)?;
        match self.holders.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(()),
            outcome => outcome.during("lock the holders of", data)?,
        }
        let outcome = server::shut_down(&self.layout);
        self.holders.unlock().during("unlock the holders of", data)?;
        outcome
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            tracing::error!(%error, "the managed PostgreSQL was left running");
        }
    }
}

/// The start lock: whoever is inside starts or stops, and everybody else waits.
struct Gate(File);

impl Gate {
    fn enter(layout: &Layout) -> Result<Self, Error> {
        let file = layout.start_lock()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                tracing::info!(data = %layout.data.display(), "another process starts or stops PostgreSQL; waiting");
                file.lock().during("lock", &layout.data)?;
            }
            outcome => outcome.during("lock", &layout.data)?,
        }
        Ok(Self(file))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Closing does it too, but for the children of other threads (see `give_back`).
        let _ = self.0.unlock();
    }
}
