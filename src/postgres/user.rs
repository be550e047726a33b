//! Whom the server runs as, and where that user can go.
//!
//! PostgreSQL refuses root. As root, duka therefore starts it as somebody else; as anybody else, as itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{getegid, geteuid};

use super::error::Error;

/// Where root's shop lives when the database user cannot reach the working directory.
const SYSTEM_DATA_DIR: &str = "/var/lib/duka";

/// The environment that the server gets. The rest stays here: it holds duka's secrets, and `PG…` variables
/// would redirect the server.
const PASSED_ON: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ"];

/// The user whom the server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DbUser {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether a process must change its user to become this one, which only root does.
    pub(super) switch: bool,
}

impl DbUser {
    /// Whoever should own the cluster `data`, whether it exists or not, below `data_dir`.
    ///
    /// Root lends the cluster to its present owner, else to the data directory's owner (so that the same person
    /// can go on without root), else to `postgres`, else to `nobody`.
    pub(super) fn for_cluster(data: &Path, data_dir: &Path) -> Result<Self, Error> {
        let me = Self::of_this_process();
        let cluster = fs::metadata(data).ok();
        if !geteuid().is_root() {
            return match cluster.map(|found| found.uid()) {
                Some(owner) if owner != me.uid => Err(Error::OwnedByAnother {
                    path: data.to_owned(),
                    owner,
                    uid: me.uid,
                    advice: "Run duka as that user or as root, or choose another data directory".to_owned(),
                }),
                _ => Ok(me),
            };
        }
        let known = password_file();
        if let Some(found) = cluster {
            return Self::present_owner(data, &found, &known);
        }
        let landlord = fs::metadata(data_dir).map_or(0, |found| found.uid());
        let by_name = |name: &str| known.iter().find(|user| user.name == name && user.uid != 0);
        known
            .iter()
            .find(|user| landlord != 0 && user.uid == landlord)
            .or_else(|| by_name("postgres"))
            .or_else(|| by_name("_postgres"))
            .or_else(|| by_name("nobody"))
            .cloned()
            .ok_or(Error::NoUnprivilegedUser)
    }

    fn present_owner(data: &Path, found: &fs::Metadata, known: &[Self]) -> Result<Self, Error> {
        if found.uid() == 0 {
            return Err(Error::OwnedByAnother {
                path: data.to_owned(),
                owner: 0,
                uid: 0,
                advice: format!(
                    "PostgreSQL refuses root: give it to an unprivileged user (`chown -R postgres {}`)",
                    data.display()
                ),
            });
        }
        let unnamed =
            Self { name: format!("uid {}", found.uid()), uid: found.uid(), gid: found.gid(), switch: true };
        Ok(known.iter().find(|user| user.uid == found.uid()).cloned().unwrap_or(unnamed))
    }

    pub(super) fn of_this_process() -> Self {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        Self { name: format!("uid {uid}"), uid, gid, switch: false }
    }

    /// The first directory on the way to `target` that this user may not pass; `None` when the way is free.
    /// What does not exist yet is not in the way.
    pub(super) fn blocked_at(&self, target: &Path) -> Option<PathBuf> {
        if !self.switch {
            return None;
        }
        let absolute = std::path::absolute(target).ok()?;
        let real = absolute.ancestors().find_map(|part| part.canonicalize().ok())?;
        let mut way: Vec<&Path> = real.ancestors().collect();
        way.reverse();
        way.into_iter()
            .find(|part| fs::metadata(part).is_ok_and(|found| found.is_dir() && !self.may_search(&found)))
            .map(Path::to_owned)
    }

    fn may_search(&self, dir: &fs::Metadata) -> bool {
        // Supplementary groups are gone once the user has changed, so three classes are all there are.
        let bit = match () {
            () if dir.uid() == self.uid => 0o100,
            () if dir.gid() == self.gid => 0o010,
            () => 0o001,
        };
        dir.mode() & bit != 0
    }

    /// As [`blocked_at`](Self::blocked_at), as an error.
    pub(super) fn must_reach(&self, target: &Path) -> Result<(), Error> {
        match self.blocked_at(target) {
            None => Ok(()),
            Some(blocked) => {
                Err(Error::Unreachable { user: self.name.clone(), blocked, target: target.to_owned() })
            }
        }
    }

    /// `binary` as a command that will run as this user, with nothing of duka's environment, terminal or
    /// working directory (which the user may not even be able to enter).
    pub(super) fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // Messages that this module reads must be English, and macOS needs some valid locale.
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        if self.switch {
            // Setting the uid from root makes the standard library drop the supplementary groups, too.
            command.gid(self.gid).uid(self.uid);
        }
        command
    }
}

/// The users of the password file; directory services are not asked. A damaged line is skipped.
fn password_file() -> Vec<DbUser> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines().filter_map(passwd_line).collect()
}

fn passwd_line(line: &str) -> Option<DbUser> {
    let fields: Vec<&str> = line.split(':').collect();
    // macOS writes `nobody` as -2, which is the same number in 32 unsigned bits.
    let id = |field: &str| field.parse().or_else(|_| field.parse::<i32>().map(i32::cast_unsigned)).ok();
    Some(DbUser {
        name: (*fields.first()?).to_owned(),
        uid: id(fields.get(2)?)?,
        gid: id(fields.get(3)?)?,
        switch: true,
    })
}

/// The data directory when none is configured: `.duka` in the working directory; as root, `/var/lib/duka` where
/// the unprivileged database user could not reach the former. Creates nothing.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    let local = PathBuf::from(".duka");
    let reachable = DbUser::for_cluster(&local.join(super::layout::DATA), &local)
        .is_ok_and(|user| user.blocked_at(&local).is_none());
    // As an ordinary user there is no choice, and a problem with it is better told when it is used.
    if reachable || !geteuid().is_root() { local } else { PathBuf::from(SYSTEM_DATA_DIR) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_lines_are_read_and_damaged_ones_are_not() {
        let user = passwd_line("nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false").unwrap();
        assert_eq!((user.name.as_str(), user.uid, user.gid), ("nobody", u32::MAX - 1, u32::MAX - 1));
        assert_eq!(passwd_line("postgres:x:101:104::/var/lib/postgresql:/bin/bash").unwrap().gid, 104);
        assert_eq!(passwd_line("## comment"), None);
        assert_eq!(passwd_line("a:x:b:c"), None);
    }

    #[test]
    fn a_private_parent_is_in_the_way_of_others_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let private = dir.path().canonicalize().unwrap();
        let stranger = DbUser { name: "stranger".into(), uid: 4_000_001, gid: 4_000_001, switch: true };
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(stranger.blocked_at(&private.join("not/yet/there")), Some(private.clone()));
        assert_eq!(DbUser::of_this_process().blocked_at(&private), None);
        fs::set_permissions(&private, fs::Permissions::from_mode(0o701)).unwrap();
        assert_eq!(stranger.blocked_at(&private.join("not/yet/there")), None);
    }
}
