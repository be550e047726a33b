//! Lets the server's processes stand back behind duka's own, where there are more who want a processor than there are.
//!
//! Linux deals processors out to sessions first, and only then to the processes in them (autogroups, see sched(7)).
//! Each of PostgreSQL's processes is a session of its own: eight that write are given eight times what all searches
//! together are, and a search that takes a third of a millisecond waits for ten. So each of their groups has a smaller
//! weight, as each process has within its group, which is what counts where there are no autogroups. Nobody is kept
//! from a processor that nobody else wants.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use rustix::process::{Pid, getpriority_process, setpriority_process};

use super::postmaster;
use crate::niceness::take_slices;

/// How far they stand back: each gets a thirty-fifth of what duka does. Beside as many searches as two cores answer a
/// change of stock takes 60 ms then (20 with a step of 10); beside 500 changes a second the slowest hundredth of searches
/// takes a seventh less.
const STEPS: i32 = 16;
/// Behind it nobody can stand.
const LAST: i32 = 19;
/// And for how long each has a processor before it makes way. Linux lets whoever has one keep it for some milliseconds,
/// however little its weight, and a search takes a third of one.
const SLICE: Duration = Duration::from_micros(200);
/// How often new ones are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// Linux lets ordinary users move a group ten times a second, all of them together.
const AGAIN: Duration = Duration::from_millis(120);

/// Sees to it as long as it is there.
#[derive(Debug)]
pub(super) struct Deference {
    _there: Sender<()>,
}

impl Deference {
    /// Of the server on the cluster in `data`, also of a later one.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub(super) fn of(data: PathBuf) -> io::Result<Self> {
        let (there, gone) = mpsc::channel();
        let look = move || {
            let mut next = AGAIN;
            while gone.recv_timeout(next) == Err(RecvTimeoutError::Timeout) {
                next = if all_stand_back(&data) { LOOK } else { AGAIN };
            }
        };
        thread::Builder::new().name("postgres-nice".to_owned()).spawn(look)?;
        Ok(Self { _there: there })
    }
}

/// Whether all do that can; the others are to be asked again.
fn all_stand_back(data: &Path) -> bool {
    let Some(server) = postmaster::named_pid(data).filter(|pid| postmaster::is_server_on(*pid, data)) else {
        return true;
    };
    let own = group(server);
    let mut all = true;
    for process in children(server) {
        // Without a session of its own yet it still shares the server's, which is whoever's has started that.
        let is_ready = own.is_none() || group(process) != own;
        match if is_ready { stand_back(process, server) } else { Err(ErrorKind::WouldBlock.into()) } {
            Err(error) if error.kind() == ErrorKind::WouldBlock => all = false,
            // It may have ended meanwhile.
            Err(error) => tracing::trace!(%error, "a process of PostgreSQL does not stand back"),
            Ok(()) => {}
        }
    }
    all
}

/// Processes that another one has started.
fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_pid();
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// The name of the group that a process is in, where there are any.
fn group(pid: Pid) -> Option<String> {
    let told = fs::read_to_string(group_file(pid)).ok()?;
    Some(told.split_whitespace().next()?.to_owned())
}

fn group_file(pid: Pid) -> String {
    format!("/proc/{}/autogroup", pid.as_raw_pid())
}

/// Lets a process stand back behind the one that has started it, and its group; where somebody has already decided
/// otherwise, it is left so. The slices it takes are ours to say.
fn stand_back(process: Pid, server: Pid) -> io::Result<()> {
    let alone = || -> io::Result<()> {
        let (own, first) = (getpriority_process(Some(process))?, getpriority_process(Some(server))?);
        if own == first {
            setpriority_process(Some(process), (first + STEPS).min(LAST))?;
        }
        Ok(())
    };
    let together = || match fs::read_to_string(group_file(process)) {
        Ok(told) if told.trim_end().ends_with(" nice 0") => fs::write(group_file(process), STEPS.to_string()),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // One may be allowed without the other.
    let (together, alone, slices) = (together(), alone(), take_slices(Some(process), SLICE));
    together.and(alone).and(slices.map(drop))
}
