//! Where the cluster's things are, who owns them, and who holds them.
//!
//! In the data directory stands `postgres/`, which belongs to whoever owns the data directory, and in it
//! - `data/`: the cluster, and `socket/`: its socket; both belong to the database user and to nobody else;
//! - `duka.conf`, `postgres.log`: written by duka, so that root never writes where the database user rules;
//! - `start.lock`: held exclusively while a server is started or stopped; `holders.lock`: shared by every process
//!   that uses the server. The system lets go of both when a process dies, however it dies.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::{During, Error, last_lines};
use super::user::DbUser;

/// The cluster, seen from the data directory.
pub(super) const DATA: &str = "postgres/data";

/// Only part of the socket's name, since there is no TCP.
pub(super) const PORT: u16 = 5432;

/// What a socket's whole path may take (`sun_path` less its final zero).
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Beyond this, a log is moved aside; together with the one moved aside before, twice this is kept.
const LOG_MAX: u64 = 8 << 20;

/// The places of one cluster.
#[derive(Debug)]
pub(super) struct Layout {
    home: PathBuf,
    pub(super) data: PathBuf,
    pub(super) log: PathBuf,
    /// Settings that duka rewrites at every start.
    pub(super) conf: PathBuf,
    pub(super) user: DbUser,
    /// Owner of what duka itself writes.
    owner: (u32, u32),
}

impl Layout {
    /// Makes the directories that are missing and finds out whom the server runs as.
    pub(super) fn prepare(data_dir: &Path) -> Result<Self, Error> {
        let switching = rustix::process::geteuid().is_root();
        // The database user passes through, and need not read.
        let mode = if switching { 0o711 } else { 0o700 };
        create_missing(data_dir, mode)?;
        let data_dir = data_dir.canonicalize().during("find", data_dir)?;
        let landlord = fs::metadata(&data_dir).during("inspect", &data_dir)?;
        if !landlord.is_dir() {
            return Err(Error::NotADirectory(data_dir));
        }
        let user = DbUser::for_cluster(&data_dir.join(DATA), &data_dir)?;
        let home = data_dir.join("postgres");
        let owner = if switching { (landlord.uid(), landlord.gid()) } else { (user.uid, user.gid) };
        directory(&home, mode, owner, switching)?;
        user.must_reach(&home)?;
        let layout = Self {
            data: data_dir.join(DATA),
            log: home.join("postgres.log"),
            conf: home.join("duka.conf"),
            home,
            user,
            owner,
        };
        Ok(layout)
    }

    /// A directory in the cluster's home that only the database user may enter.
    pub(super) fn private_dir(&self, path: &Path) -> Result<(), Error> {
        directory(path, 0o700, (self.user.uid, self.user.gid), self.user.switch)
    }

    /// A name for a cluster in the making. Not one fixed name: an `initdb` whose duka was killed still runs on,
    /// and cleans up its own directory when it fails.
    pub(super) fn unborn(&self) -> PathBuf {
        self.home.join(format!("{UNBORN}{}", unpredictable_name()))
    }

    /// Removes what a killed `initdb` left.
    pub(super) fn remove_unborn(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.home).during("list", &self.home)?.flatten() {
            if entry.file_name().as_bytes().starts_with(UNBORN.as_bytes()) {
                fs::remove_dir_all(entry.path()).during("remove the unfinished", &entry.path())?;
            }
        }
        Ok(())
    }

    /// Gives a finished cluster its name, for good once this returns.
    pub(super) fn adopt_born(&self, unborn: &Path) -> Result<(), Error> {
        fs::rename(unborn, &self.data).during("put the new cluster at", &self.data)?;
        File::open(&self.home).and_then(|dir| dir.sync_all()).during("sync", &self.home)
    }

    /// Opens a file of duka's own in the cluster's home, never through a link.
    fn open(&self, path: &Path, mode: u32, options: &mut OpenOptions) -> Result<File, Error> {
        let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
        let file = options.create(true).mode(mode).custom_flags(nofollow).open(path).during("open", path)?;
        if self.user.switch {
            fchown(&file, Some(self.owner.0), Some(self.owner.1)).during("give away", path)?;
        }
        Ok(file)
    }

    /// Writes a small file whole.
    pub(super) fn write(&self, path: &Path, text: &[u8], mode: u32) -> Result<(), Error> {
        let mut file = self.open(path, mode, OpenOptions::new().write(true).truncate(true))?;
        file.write_all(text).during("write", path)?;
        // The mode at creation is subject to the umask, and the database user has to read the settings.
        file.set_permissions(fs::Permissions::from_mode(mode)).during("set the mode of", path)
    }

    /// The log, for appending.
    pub(super) fn open_log(&self) -> Result<File, Error> {
        self.open(&self.log, 0o600, OpenOptions::new().append(true))
    }

    /// Keeps the log small. Copied and emptied rather than renamed: a running server keeps writing to its file.
    pub(super) fn bound_log(&self) -> Result<(), Error> {
        if self.log_length() <= LOG_MAX {
            return Ok(());
        }
        let older = self.log.with_extension("log.1");
        let mut source = File::open(&self.log).during("read", &self.log)?;
        let mut target = self.open(&older, 0o600, OpenOptions::new().write(true).truncate(true))?;
        io::copy(&mut source, &mut target).during("write", &older)?;
        self.open_log()?.set_len(0).during("empty", &self.log)
    }

    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |found| found.len())
    }

    /// The last lines of the log after byte `since`.
    pub(super) fn log_tail(&self, since: u64) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let since = usize::try_from(since).unwrap_or(0).min(bytes.len());
        last_lines(&String::from_utf8_lossy(&bytes[since..]))
    }

    pub(super) fn start_lock(&self) -> Result<File, Error> {
        self.lock_file("start.lock")
    }

    pub(super) fn holders_lock(&self) -> Result<File, Error> {
        self.lock_file("holders.lock")
    }

    fn lock_file(&self, name: &str) -> Result<File, Error> {
        self.open(&self.home.join(name), 0o600, OpenOptions::new().read(true).append(true))
    }

    /// The directory of the server's socket, made when missing: beside the cluster, else, where that path is too
    /// long, a private one in a temporary directory, whose name `socket.path` remembers.
    pub(super) fn socket_dir(&self) -> Result<PathBuf, Error> {
        let beside = self.home.join("socket");
        if fits(&beside) {
            self.private_dir(&beside)?;
            return Ok(beside);
        }
        let record = self.home.join("socket.path");
        if let Ok(bytes) = fs::read(&record) {
            let known = PathBuf::from(std::ffi::OsStr::from_bytes(&bytes));
            if self.is_private(&known) {
                return Ok(known);
            }
        }
        let short = self.short_socket_dir()?;
        self.write(&record, short.as_os_str().as_bytes(), 0o600)?;
        Ok(short)
    }

    /// Forgets the directory in the temporary place, which nothing else would ever clean.
    pub(super) fn remove_short_socket_dir(&self) {
        let record = self.home.join("socket.path");
        if let Ok(bytes) = fs::read(&record) {
            // Neither matters: the next start checks what is left.
            let _ = fs::remove_dir(std::ffi::OsStr::from_bytes(&bytes));
            let _ = fs::remove_file(&record);
        }
    }

    fn short_socket_dir(&self) -> Result<PathBuf, Error> {
        let name = format!("duka-{}", unpredictable_name());
        let dir = [std::env::temp_dir(), PathBuf::from("/tmp")]
            .into_iter()
            .filter(|base| is_safe_base(base) && self.user.blocked_at(base).is_none())
            .map(|base| base.join(&name))
            .find(|dir| fits(dir))
            .ok_or_else(|| Error::NoSocketPlace(self.home.clone()))?;
        // Fails when the name is taken, and only this user can rename it afterwards.
        DirBuilder::new().mode(0o700).create(&dir).during("create the directory", &dir)?;
        self.private_dir(&dir)?;
        Ok(dir)
    }

    fn is_private(&self, dir: &Path) -> bool {
        fs::symlink_metadata(dir).is_ok_and(|found| {
            found.is_dir() && found.uid() == self.user.uid && found.mode() & 0o077 == 0 && fits(dir)
        })
    }

    /// Where the boot that the server runs in is noted, for a cluster that does not survive another.
    pub(super) fn boot_record(&self) -> PathBuf {
        self.home.join("boot")
    }
}

const UNBORN: &str = "data.init-";

/// Makes `path` and what is missing above it, with this mode whatever the umask: another user may have to pass.
pub(super) fn create_missing(path: &Path, mode: u32) -> Result<(), Error> {
    if path.as_os_str().is_empty() || path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_missing(parent, mode)?;
    }
    match fs::create_dir(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        outcome => outcome.during("create the directory", path)?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).during("set the mode of", path)
}

/// Makes `path` a real directory with exactly this mode and, as root, this owner.
fn directory(path: &Path, mode: u32, owner: (u32, u32), switching: bool) -> Result<(), Error> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        outcome => outcome.during("create the directory", path)?,
    }
    let found = fs::symlink_metadata(path).during("inspect", path)?;
    if !found.is_dir() {
        return Err(Error::NotADirectory(path.to_owned()));
    }
    if switching && (found.uid(), found.gid()) != owner {
        lchown(path, Some(owner.0), Some(owner.1)).during("give away", path)?;
    }
    if found.mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).during("set the mode of", path)?;
    }
    Ok(())
}

/// Whether a socket in `dir` has a path that the system and the server's list syntax take.
fn fits(dir: &Path) -> bool {
    let bytes = dir.as_os_str().as_bytes();
    let plain = !bytes.iter().any(|byte| matches!(byte, b',' | b'"' | b' ' | b'\'' | b'\\' | b'\n'));
    plain && bytes.len() + "/.s.PGSQL.".len() + PORT.to_string().len() <= SOCKET_PATH_MAX
}

/// Whether nobody else can rename what this process makes in `base`.
fn is_safe_base(base: &Path) -> bool {
    let sticky = 0o1000;
    base.is_absolute()
        && fs::metadata(base)
            .is_ok_and(|found| found.is_dir() && (found.mode() & 0o022 == 0 || found.mode() & sticky != 0))
}

/// Sixteen hexadecimal digits that nobody guesses: the standard library seeds its hashers from the system.
pub(super) fn unpredictable_name() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_is_limited_to_the_byte() {
        let longest = SOCKET_PATH_MAX - "/.s.PGSQL.5432".len();
        assert!(fits(Path::new(&format!("/{}", "d".repeat(longest - 1)))));
        assert!(!fits(Path::new(&format!("/{}", "d".repeat(longest)))));
        assert!(!fits(Path::new("/a,b")), "the server would read two directories");
    }

    #[test]
    fn a_base_that_others_can_rename_in_is_not_safe() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        mode(0o777);
        assert!(!is_safe_base(dir.path()));
        mode(0o1777);
        assert!(is_safe_base(dir.path()));
        mode(0o755);
        assert!(is_safe_base(dir.path()));
    }
}
