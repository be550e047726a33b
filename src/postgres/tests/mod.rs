//! The managed PostgreSQL against the real one. Every test has a cluster of its own, without fsync; without
//! installed binaries they are skipped, and say so.

mod life;
mod shared;
mod trouble;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::layout::DATA;
use super::postmaster::{self, PidFile, Server};
use super::settings::Purpose;
use super::user::DbUser;
use super::{Cluster, Endpoint, Error, binaries};

/// A data directory that does not exist yet, in a temporary directory that the database user can pass.
struct Place {
    dir: TempDir,
}

impl Place {
    /// `None` where there is no server to test with.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        let user = DbUser::for_cluster(&dir.path().join("none"), dir.path()).unwrap();
        if binaries::installed(&user).is_none() {
            eprintln!("skipped: no PostgreSQL server binaries are installed");
            return None;
        }
        Some(Self { dir })
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    fn data(&self) -> PathBuf {
        self.data_dir().join(DATA)
    }

    fn user(&self) -> DbUser {
        DbUser::for_cluster(&self.data(), &self.data_dir()).unwrap()
    }

    fn try_start(&self) -> Result<Cluster, Error> {
        Cluster::start_for(Purpose::Tests, &self.data_dir())
    }

    fn start(&self) -> Cluster {
        self.try_start().unwrap()
    }

    /// The living server's `postmaster.pid`.
    fn server(&self) -> Option<PidFile> {
        match postmaster::probe(&self.data()).unwrap() {
            Server::Ready(file) | Server::Busy(file) => Some(file),
            Server::Absent => None,
        }
    }

    fn server_pid(&self) -> Pid {
        self.server().expect("a living server").pid
    }

    fn is_down(&self) -> bool {
        self.server().is_none()
    }

    /// Kills the server as a crash would, and waits until it is gone.
    fn crash_server(&self) -> Pid {
        let pid = self.server_pid();
        kill_process(pid, Signal::KILL).unwrap();
        wait_until("the killed server to end", || !postmaster::is_server_on(pid, &self.data()));
        pid
    }
}

impl Drop for Place {
    /// A failed test must not leave a server behind.
    fn drop(&mut self) {
        if let Ok(Server::Ready(file) | Server::Busy(file)) = postmaster::probe(&self.data()) {
            let _ = postmaster::signal(file.pid, &self.data(), Signal::QUIT);
        }
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited too long for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One session in PostgreSQL's protocol, as little of it as the tests need.
struct Session(UnixStream);

impl Session {
    fn open(endpoint: &Endpoint) -> Self {
        let socket = endpoint.socket_dir.join(format!(".s.PGSQL.{}", endpoint.port));
        let mut stream = UnixStream::connect(socket).unwrap();
        let words = format!("user\0{}\0database\0postgres\0\0", endpoint.user);
        let length = u32::try_from(8 + words.len()).unwrap();
        stream.write_all(&length.to_be_bytes()).unwrap();
        stream.write_all(&196_608_u32.to_be_bytes()).unwrap();
        stream.write_all(words.as_bytes()).unwrap();
        let mut session = Self(stream);
        session.read_answer();
        session
    }

    fn send(&mut self, sql: &str) {
        let length = u32::try_from(4 + sql.len() + 1).unwrap();
        self.0.write_all(b"Q").unwrap();
        self.0.write_all(&length.to_be_bytes()).unwrap();
        self.0.write_all(format!("{sql}\0").as_bytes()).unwrap();
    }

    /// The first column of the last row; panics at an error.
    fn ask(&mut self, sql: &str) -> String {
        self.send(sql);
        self.read_answer()
    }

    fn read_answer(&mut self) -> String {
        let mut answer = String::new();
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let mut body = vec![0; usize::try_from(length).unwrap() - 4];
            self.0.read_exact(&mut body).unwrap();
            match head[0] {
                b'Z' => return answer,
                b'E' => panic!("{}", String::from_utf8_lossy(&body)),
                // Two bytes count the columns, four the bytes of the first.
                b'D' => {
                    let bytes =
                        usize::try_from(u32::from_be_bytes([body[2], body[3], body[4], body[5]])).unwrap();
                    answer = String::from_utf8(body[6..6 + bytes].to_vec()).unwrap();
                }
                _ => {}
            }
        }
    }
}

fn ask(endpoint: &Endpoint, sql: &str) -> String {
    Session::open(endpoint).ask(sql)
}

/// Tells a part what to work on.
const PART_DIR: &str = "DUKA_TEST_PART_DIR";

/// Where this process is a part: another process of a test, which runs one ignored test function.
fn part_dir() -> Option<PathBuf> {
    std::env::var_os(PART_DIR).map(PathBuf::from)
}

fn part(name: &str, dir: &Path) -> Command {
    let path = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([path.as_str(), "--exact", "--ignored", "--nocapture"])
        .env(PART_DIR, dir)
        .stdin(Stdio::null());
    command
}

/// Starts a part and returns with the rest of the line in which it says `word`.
fn run_until(command: &mut Command, word: &str) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once(word) {
            return (child, rest.trim().to_owned());
        }
    }
    let status = child.wait().unwrap();
    panic!("the part ended ({status}) without saying {word:?}");
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
