//! Is a server running on this cluster? Answered from outside, since the one who started it may be long dead.
//!
//! `postmaster.pid` alone proves nothing: after a crash its pid may be a zombie's or another program's. The file
//! is believed when the pid really is a server on this directory, or when the socket that it names answers, which
//! is how a server in another container is seen.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::error::{During, Error};
use super::layout::PORT;

/// How long a busy machine may take to start the process that answers.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// What `postmaster.pid` says (line 1 the pid, 4 the port, 5 the socket's directory, 8 the state). A server writes
/// it line by line as it comes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: Pid,
    pub(super) socket_dir: Option<PathBuf>,
    pub(super) port: u16,
    ready: bool,
}

/// The state of the server on a cluster.
#[derive(Debug)]
pub(super) enum Server {
    /// Takes connections.
    Ready(PidFile),
    /// Lives, but is starting, recovering or stopping.
    Busy(PidFile),
    /// There is none. A `postmaster.pid` may be left over.
    Absent,
}

/// Looks at the cluster in `data`. Takes a millisecond or two.
pub(super) fn probe(data: &Path) -> Result<Server, Error> {
    let path = data.join("postmaster.pid");
    let text = match fs::read(&path) {
        // A cluster that is no directory at all is the starter's to complain about.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Server::Absent);
        }
        outcome => outcome.during("read", &path)?,
    };
    let Some(file) = PidFile::parse(&text) else { return Ok(Server::Absent) };
    let lives = is_server_on(file.pid, data);
    // Knocking makes a server fork, so one that is known to be coming up is left in peace.
    let answers = (file.ready || !lives) && file.answers();
    Ok(match (lives, answers) {
        (false, false) => Server::Absent,
        (_, true) if file.ready => Server::Ready(file),
        _ => Server::Busy(file),
    })
}

impl PidFile {
    fn parse(text: &[u8]) -> Option<Self> {
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
        let number = |line: usize| std::str::from_utf8(lines.get(line)?).ok()?.parse::<i32>().ok();
        Some(Self {
            pid: Pid::from_raw(number(0)?.checked_abs()?)?,
            port: number(3).and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT),
            socket_dir: lines
                .get(4)
                .filter(|line| !line.is_empty())
                .map(|line| PathBuf::from(OsStr::from_bytes(line))),
            ready: lines.get(7).is_some_and(|state| *state == b"ready"),
        })
    }

    fn answers(&self) -> bool {
        self.socket_dir.as_ref().is_some_and(|dir| answers(dir, self.port))
    }
}

/// Whether a server answers on the socket in `dir`. Connecting alone proves nothing: for a moment, the system still
/// takes connections for a process that has been killed. So it is asked for TLS, which it declines with one byte.
pub(super) fn answers(dir: &Path, port: u16) -> bool {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let ask = || -> io::Result<()> {
        let mut stream = UnixStream::connect(dir.join(format!(".s.PGSQL.{port}")))?;
        stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
        stream.write_all(&SSL_REQUEST)?;
        stream.read_exact(&mut [0])
    };
    ask().is_ok()
}

/// The pid in the cluster's lock file: that of its server, or, while it is [`Absent`](Server::Absent), of one that did
/// not end cleanly.
pub(super) fn named_pid(data: &Path) -> Option<Pid> {
    PidFile::parse(&fs::read(data.join("postmaster.pid")).ok()?).map(|file| file.pid)
}

/// Asks the server to end. `false` when it is not in this process's sight (another container's).
pub(super) fn signal(pid: Pid, data: &Path, signal: Signal) -> Result<bool, Error> {
    if !is_server_on(pid, data) {
        return Ok(false);
    }
    kill_process(pid, signal).during("signal the server on", data)?;
    Ok(true)
}

/// Whether `pid` is a living PostgreSQL server, and on exactly this directory.
pub(super) fn is_server_on(pid: Pid, data: &Path) -> bool {
    let words = command_words(pid);
    let is_server = words
        .first()
        .and_then(|word| Path::new(OsStr::from_bytes(word)).file_name())
        .is_some_and(|name| name == "postgres" || name == "postmaster");
    if !is_server {
        return false;
    }
    let Ok(data) = data.canonicalize() else { return false };
    let same = |path: &Path| path.canonicalize().is_ok_and(|real| real == data);
    let named = words[1..].iter().any(|word| {
        let word = word.strip_prefix(b"-D").filter(|rest| !rest.is_empty()).unwrap_or(word);
        word.starts_with(b"/") && same(Path::new(OsStr::from_bytes(word)))
    });
    // A server started by hand may name its directory otherwise; all of them work in it.
    named || fs::read_link(format!("/proc/{}/cwd", pid.as_raw_pid())).is_ok_and(|cwd| same(&cwd))
}

/// The words of a process's command line; none for a zombie or where there is no such process.
#[cfg(target_os = "linux")]
fn command_words(pid: Pid) -> Vec<Vec<u8>> {
    let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
    line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
}

/// As on Linux, by `ps`, which loses where words end: a directory with a blank in its name is put together again
/// from what follows `-D`.
#[cfg(not(target_os = "linux"))]
fn command_words(pid: Pid) -> Vec<Vec<u8>> {
    let pid = pid.as_raw_pid().to_string();
    let output = std::process::Command::new("ps").args(["-ww", "-o", "stat=,command=", "-p", &pid]).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let line = text.trim_ascii();
    let mut words: Vec<Vec<u8>> =
        line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect();
    if words.is_empty() || words.remove(0).starts_with(b"Z") {
        return Vec::new();
    }
    let whole = String::from_utf8_lossy(line).into_owned();
    if let Some(dir) = whole.split_once(" -D ").map(|(_, rest)| rest.split(" -c ").next().unwrap_or(rest)) {
        words.push(dir.as_bytes().to_vec());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_at_every_stage() {
        let whole = b"77\n/d\n1700000000\n5432\n/d/socket\n\n  123 456\nready   \n";
        let file = PidFile::parse(whole).unwrap();
        assert_eq!((file.pid.as_raw_pid(), file.port, file.ready), (77, 5432, true));
        assert_eq!(file.socket_dir.as_deref(), Some(Path::new("/d/socket")));
        let early = PidFile::parse(b"77\n/d\n1700000000\n5432\n").unwrap();
        assert_eq!((early.socket_dir, early.ready), (None, false));
        assert!(!PidFile::parse(b"77\n/d\n1\n5432\n/s\n\n1 2\nstopping\n").unwrap().ready);
        assert_eq!(PidFile::parse(b""), None);
        assert_eq!(PidFile::parse(b"0\n"), None);
        assert_eq!(PidFile::parse(b"-77\n").unwrap().pid.as_raw_pid(), 77, "a single-user server");
    }

    #[test]
    fn another_program_is_no_server_even_when_it_names_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().canonicalize().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").current_dir(&data).spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(!is_server_on(pid, &data));
        assert!(!signal(pid, &data, Signal::KILL).unwrap());
        assert!(child.try_wait().unwrap().is_none(), "it must not have been signalled");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
