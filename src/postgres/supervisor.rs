//! One cluster for a whole test run, whose processes come and go.
//!
//! Each test process shares the lock `tests.lock`. A supervisor, a detached process that the first of them spawns,
//! holds `supervisor.lock`, runs the cluster, writes where it is into `endpoint`, and ends two seconds after the
//! last share of `tests.lock` is gone, also when that is because the run was killed. It decides to end while it
//! holds `tests.lock` exclusively: so whoever gets a share later finds it either staying or gone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::error::{During, Error};
use super::settings::Purpose;
use super::{Cluster, Endpoint, layout, postmaster};

/// How long the cluster outlives its last user: the next test process of a run is there sooner.
const LINGER: Duration = Duration::from_secs(2);
/// How often the supervisor looks, and so how long a joining test may at most wait for it.
const LOOK: Duration = Duration::from_millis(100);
/// A supervisor that is started while another test merely looks at the lock tries again for this long.
const CLAIM_PATIENCE: Duration = Duration::from_millis(500);
/// From a cold machine to a cluster; fetching the binaries included.
const JOIN_PATIENCE: Duration = Duration::from_secs(180);

/// A share in the tests' cluster, given back when it is dropped or the process ends.
#[derive(Debug)]
pub struct TestLock(File);

impl Drop for TestLock {
    fn drop(&mut self) {
        // Closing would not do while a child between fork and exec has the file open too.
        let _ = self.0.unlock();
    }
}

/// Runs the tests' cluster of `dir` until two seconds after the last [`TestLock`] on it is gone; the body of the
/// hidden subcommand `duka supervise`. Returns at once when another supervisor runs. The cluster does not sync to
/// disk, and is made anew after a crash of the machine.
///
/// # Errors
/// When the cluster cannot be started or stopped. The reason is also left in `dir`, for those who wait.
pub fn supervise(dir: &Path) -> Result<(), Error> {
    let files = Files::prepare(dir)?;
    let claim = files.open(&files.supervisor)?;
    let begun = Instant::now();
    while let Err(error) = claim.try_lock() {
        match error {
            TryLockError::WouldBlock if begun.elapsed() < CLAIM_PATIENCE => thread::sleep(LOOK / 10),
            TryLockError::WouldBlock => return Ok(()),
            TryLockError::Error(source) => return Err(source).during("lock", &files.supervisor),
        }
    }
    let outcome = files.serve();
    if let Err(error) = &outcome {
        // The caller reports it; for the waiting tests this is the only word.
        let _ = fs::write(&files.failure, error.to_string());
    }
    let _ = fs::remove_file(&files.endpoint);
    let _ = claim.unlock();
    outcome.map(drop)
}

/// Takes a share in the tests' cluster of `dir` and returns once the cluster accepts connections. When no
/// supervisor runs, `spawn_supervisor` is called to start `duka supervise --dir <dir>` as a detached process: in a
/// process group of its own, and with its three standard streams at `/dev/null`, for a test runner waits until
/// nobody holds its pipes.
///
/// # Errors
/// When the supervisor cannot be spawned, fails, or has no cluster after three minutes; when `dir` belongs to
/// another user.
pub fn join_test_cluster(
    dir: &Path,
    spawn_supervisor: impl FnOnce() -> io::Result<()>,
) -> Result<(TestLock, Endpoint), Error> {
    let files = Files::prepare(dir)?;
    let lock = files.open(&files.tests)?;
    lock.lock_shared().during("lock", &files.tests)?;
    let lock = TestLock(lock);
    let mut spawn = Some(spawn_supervisor);
    let begun = Instant::now();
    while begun.elapsed() < JOIN_PATIENCE {
        if files.is_supervised(spawn.is_some())? {
            if let Some(endpoint) = files.read_endpoint() {
                return Ok((lock, endpoint));
            }
        } else if let Some(spawn) = spawn.take() {
            spawn().during("spawn a supervisor for", &files.dir)?;
        } else if let Ok(reason) = fs::read_to_string(&files.failure) {
            return Err(Error::Supervisor { dir: files.dir, reason });
        }
        thread::sleep(LOOK / 10);
    }
    let reason = format!("no cluster after {} s", JOIN_PATIENCE.as_secs());
    Err(Error::Supervisor { dir: files.dir, reason })
}

/// The files of a tests' directory.
struct Files {
    dir: PathBuf,
    tests: PathBuf,
    supervisor: PathBuf,
    endpoint: PathBuf,
    failure: PathBuf,
}

impl Files {
    fn prepare(dir: &Path) -> Result<Self, Error> {
        // The names of temporary directories can be guessed: one that somebody else has made is theirs.
        drop(layout::Layout::prepare(dir)?);
        let dir = dir.canonicalize().during("find", dir)?;
        let owner = fs::metadata(&dir).during("inspect", &dir)?.uid();
        let uid = rustix::process::geteuid().as_raw();
        if owner != uid {
            let advice = "Remove it or set another directory for the tests".to_owned();
            return Err(Error::OwnedByAnother { path: dir, owner, uid, advice });
        }
        Ok(Self {
            tests: dir.join("tests.lock"),
            supervisor: dir.join("supervisor.lock"),
            endpoint: dir.join("endpoint"),
            failure: dir.join("supervisor.failure"),
            dir,
        })
    }

    fn open(&self, path: &Path) -> Result<File, Error> {
        let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(nofollow);
        options.open(path).during("open", path)
    }

    /// Runs the cluster until it is not needed. Returns the exclusive lock on `tests.lock`, to be kept until this
    /// supervisor is gone for everybody.
    fn serve(&self) -> Result<File, Error> {
        let tests = self.open(&self.tests)?;
        let cluster = Cluster::start_for(Purpose::Tests, &self.dir)?;
        self.write_endpoint(cluster.endpoint())?;
        let (mut needed, mut looked) = (Instant::now(), Instant::now());
        loop {
            match tests.try_lock() {
                Ok(()) if needed.elapsed() >= LINGER => break,
                Ok(()) => tests.unlock().during("unlock", &self.tests)?,
                Err(TryLockError::WouldBlock) => needed = Instant::now(),
                Err(TryLockError::Error(source)) => return Err(source).during("lock", &self.tests),
            }
            if looked.elapsed() >= LOOK * 10 {
                looked = Instant::now();
                if let Err(error) = cluster.ensure_running() {
                    tracing::error!(%error, "the tests' cluster is down");
                }
            }
            thread::sleep(LOOK);
        }
        cluster.stop()?;
        Ok(tests)
    }

    /// Whether a supervisor lives. When `clear` is set and none does, what a killed one left is removed, so that it
    /// is not taken for the next one's.
    fn is_supervised(&self, clear: bool) -> Result<bool, Error> {
        let file = self.open(&self.supervisor)?;
        // Shared: those who only look must not get in each other's way.
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Ok(true),
            outcome => outcome.during("lock", &self.supervisor)?,
        }
        if clear {
            let _ = fs::remove_file(&self.endpoint);
            let _ = fs::remove_file(&self.failure);
        }
        file.unlock().during("unlock", &self.supervisor)?;
        Ok(false)
    }

    /// One line each, the directory last since its name may hold anything.
    fn write_endpoint(&self, endpoint: &Endpoint) -> Result<(), Error> {
        let mut text = format!("{}\n{}\n", endpoint.port, endpoint.user).into_bytes();
        text.extend_from_slice(endpoint.socket_dir.as_os_str().as_bytes());
        let unborn = self.endpoint.with_extension("new");
        fs::write(&unborn, text).during("write", &unborn)?;
        fs::rename(&unborn, &self.endpoint).during("write", &self.endpoint)
    }

    /// The endpoint, if it has been written and a server answers there.
    fn read_endpoint(&self) -> Option<Endpoint> {
        let bytes = fs::read(&self.endpoint).ok()?;
        let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
        let mut word = || std::str::from_utf8(lines.next()?).ok();
        let (port, user) = (word()?.parse().ok()?, word()?.to_owned());
        let socket_dir = PathBuf::from(std::ffi::OsString::from_vec(lines.next()?.to_vec()));
        postmaster::answers(&socket_dir, port).then_some(Endpoint { socket_dir, port, user })
    }
}
