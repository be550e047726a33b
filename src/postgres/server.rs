//! Brings the server of a cluster up and down. Every function here is called with the start lock held, so that
//! no other duka does the same at the same time.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::binaries::Binaries;
use super::error::{During, Error};
use super::initdb;
use super::layout::Layout;
use super::postmaster::{self, PidFile, Server};
use super::settings::{self, Purpose};

/// A server that recovers from a crash of the machine may replay gigabytes.
const START_PATIENCE: Duration = Duration::from_secs(300);
/// Stopping writes what the last checkpoint did not.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// Once it is told not to tidy up.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Backends of a server that was killed end by themselves when their statement does.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(30);
/// A warm start takes some 50 ms.
const POLL: Duration = Duration::from_millis(3);

/// What PostgreSQL logs when backends of a dead server still use its memory.
const ORPHANS: &str = "pre-existing shared memory block";

/// A server process that this process has started.
struct Launch {
    /// Gets how the process ended, once it has.
    ended: Receiver<ExitStatus>,
    /// Where the log of this start begins.
    log_start: u64,
}

/// Makes sure that a server runs on the cluster and takes connections: makes the cluster, starts the server, or
/// waits for one that is coming up, whoever started it.
pub(super) fn bring_up(layout: &Layout, purpose: Purpose) -> Result<PidFile, Error> {
    let mut begun = Instant::now();
    let mut launch: Option<Launch> = None;
    let mut next_word = Duration::from_secs(5);
    loop {
        // Looked at before the server: one that ended because another was faster leaves a living one behind.
        let ended = launch.as_ref().and_then(|launch| launch.ended.try_recv().ok());
        match postmaster::probe(&layout.data)? {
            Server::Ready(file) => return Ok(file),
            Server::Busy(_) => {}
            Server::Absent => match (&launch, ended) {
                (None, _) => {
                    launch = Some(begin(layout, purpose)?);
                    // Making the cluster is not the server's time.
                    begun = Instant::now();
                }
                (Some(_), None) => {}
                (Some(before), Some(status)) => {
                    let tail = layout.log_tail(before.log_start);
                    if !tail.contains(ORPHANS) || begun.elapsed() > ORPHAN_PATIENCE {
                        return Err(did_not_start(layout, status, tail));
                    }
                    tracing::info!(
                        "waiting for the last statements of the PostgreSQL server that was killed"
                    );
                    thread::sleep(Duration::from_millis(200));
                    launch = Some(start(layout, purpose)?);
                }
            },
        }
        if begun.elapsed() > START_PATIENCE {
            return Err(too_slow(layout, "starting", START_PATIENCE));
        }
        if begun.elapsed() > next_word {
            tracing::info!(seconds = begun.elapsed().as_secs(), "PostgreSQL is still starting or recovering");
            next_word *= 2;
        }
        thread::sleep(POLL);
    }
}

/// Makes the cluster when there is none, and starts its server.
fn begin(layout: &Layout, purpose: Purpose) -> Result<Launch, Error> {
    if purpose == Purpose::Tests {
        renew_after_reboot(layout)?;
    }
    if initdb::version(&layout.data)?.is_none() {
        let binaries = Binaries::find(None, &layout.data, &layout.user)?;
        initdb::create(layout, &binaries, purpose)?;
    }
    start(layout, purpose)
}

fn start(layout: &Layout, purpose: Purpose) -> Result<Launch, Error> {
    let version = initdb::version(&layout.data)?.ok_or_else(|| Error::NotACluster(layout.data.clone()))?;
    let Ok(major) = version.parse() else { return Err(Error::NotACluster(layout.data.clone())) };
    let binaries = Binaries::find(Some(major), &layout.data, &layout.user)?;
    // PostgreSQL refuses a directory that others can read.
    fs::set_permissions(&layout.data, Permissions::from_mode(0o700))
        .during("set the mode of", &layout.data)?;
    // PostgreSQL's own method every server has.
    let has_lz4 = binaries.take("wal_compression=lz4", &layout.data, &layout.user);
    let conf = settings::conf(purpose, settings::memory(), if has_lz4 { "lz4" } else { "on" });
    layout.write(&layout.conf, conf.as_bytes(), 0o644)?;
    layout.bound_log()?;
    let log = layout.open_log()?;
    let log_start = layout.log_length();
    let mut command = layout.user.command(&binaries.postgres());
    command.arg("-D").arg(&layout.data).args(settings::fixed(&layout.socket_dir()?));
    if let Some(pid) = postmaster::named_pid(&layout.data) {
        tracing::info!("PostgreSQL did not end cleanly; it will recover");
        // PostgreSQL would refuse wherever that pid lives on in a zombie or another program of the same user, but
        // never takes its grandparent for a rival. Deleting the file instead would also delete the only sure
        // trace of the dead server's memory, by which PostgreSQL sees that no orphaned backend still uses it.
        command.env("PG_GRANDPARENT_PID", pid.as_raw_pid().to_string());
    }
    command.stdout(log.try_clone().during("open", &layout.log)?).stderr(log);
    // Its own process group: Ctrl-C on duka's terminal must not stop the database first.
    let mut child = command.process_group(0).spawn().during("run", &binaries.postgres())?;
    tracing::debug!(pid = child.id(), dir = %binaries.dir.display(), "started PostgreSQL");
    let (tell, ended) = mpsc::channel();
    // Nobody else would collect it, and PostgreSQL takes a zombie for a living server. Ends with the server.
    let waiting = thread::Builder::new().name("postgres-wait".to_owned()).spawn(move || {
        if let Ok(status) = child.wait() {
            // Nobody listens any more once the server is up.
            let _ = tell.send(status);
        }
    });
    waiting.during("wait for the server on", &layout.data)?;
    Ok(Launch { ended, log_start })
}

/// Stops the server, if there is one, as soon as what it has acknowledged is safe: sessions are ended, their
/// open transactions rolled back.
pub(super) fn shut_down(layout: &Layout) -> Result<(), Error> {
    let (Server::Ready(file) | Server::Busy(file)) = postmaster::probe(&layout.data)? else { return Ok(()) };
    if !postmaster::signal(file.pid, &layout.data, Signal::INT)? {
        tracing::warn!(data = %layout.data.display(), "PostgreSQL runs in another container; leaving it running");
        return Ok(());
    }
    if !ends_within(layout, &file, STOP_PATIENCE) {
        tracing::warn!("PostgreSQL does not stop; ending it without a checkpoint (it will recover)");
        postmaster::signal(file.pid, &layout.data, Signal::QUIT)?;
        if !ends_within(layout, &file, KILL_PATIENCE) {
            return Err(too_slow(layout, "stopping", STOP_PATIENCE + KILL_PATIENCE));
        }
    }
    layout.remove_short_socket_dir();
    Ok(())
}

fn ends_within(layout: &Layout, file: &PidFile, patience: Duration) -> bool {
    let begun = Instant::now();
    while postmaster::is_server_on(file.pid, &layout.data) {
        if begun.elapsed() > patience {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// A cluster without fsync may be torn after a crash of the machine, even one that was stopped cleanly just before:
/// it is thrown away when it was last started in another boot. A cluster without a note of its boot is a shop's,
/// and is not to be run without fsync, let alone thrown away.
fn renew_after_reboot(layout: &Layout) -> Result<(), Error> {
    let record = layout.boot_record();
    if initdb::version(&layout.data)?.is_some() {
        match fs::read_to_string(&record) {
            Ok(before) if before == boot() => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err(Error::NotForTests(layout.data.clone())),
        }
        tracing::info!(data = %layout.data.display(), "discarding a test cluster of another boot of the machine");
        fs::remove_dir_all(&layout.data).during("remove", &layout.data)?;
    }
    layout.write(&record, boot().as_bytes(), 0o600)
}

/// Tells one boot of the machine from another; empty where it cannot be told.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn did_not_start(layout: &Layout, status: ExitStatus, tail: String) -> Error {
    Error::DidNotStart {
        data: layout.data.clone(),
        status: status.to_string(),
        log: layout.log.clone(),
        tail,
    }
}

fn too_slow(layout: &Layout, doing: &'static str, patience: Duration) -> Error {
    let tail = layout.log_tail(layout.log_length().saturating_sub(4096));
    Error::TooSlow {
        data: layout.data.clone(),
        doing,
        seconds: patience.as_secs(),
        log: layout.log.clone(),
        tail,
    }
}
