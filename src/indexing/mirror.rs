//! The mirror's folder: which index in it is the current one, and who writes it.
//!
//! ```text
//! index/lock        held by the one process that writes
//! index/current     the name of the folder that is served
//! index/previous    the name of the one that was served before it
//! index/1763800000/ an index
//! ```
//!
//! An index is only ever built beside the current one, and becomes it by the rename of one small file.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use duka_index::Engine;
use serde::{Deserialize, Serialize};

use super::{projection, store::Present};

/// Which rows an index equals: kept in its commit, so that index and cursor move together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    fingerprint: String,
    projection: u32,
    pub(super) epoch: i64,
    system_identifier: i64,
    database: i64,
    timeline: i32,
    pub(super) snapshot: String,
}

impl Payload {
    pub(super) fn new(present: &Present) -> Self {
        Self {
            fingerprint: duka_index::fingerprint().to_owned(),
            projection: projection::REVISION,
            epoch: present.epoch,
            system_identifier: present.system_identifier,
            database: present.database,
            timeline: present.timeline,
            snapshot: present.snapshot.clone(),
        }
    }

    pub(super) fn of(engine: &Engine) -> Option<Self> {
        Self::in_commit(engine.payload())
    }

    pub(super) fn in_commit(payload: Option<String>) -> Option<Self> {
        serde_json::from_str(&payload?).ok()
    }

    /// Whether the log of the present database leads from here to there.
    pub(super) fn same_history(&self, present: &Present) -> bool {
        *self == Self { snapshot: self.snapshot.clone(), ..Self::new(present) }
    }

    pub(super) fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Keeps other processes, and others in this one, from writing to a mirror's folder as long as it is there.
pub(super) struct Lock {
    _file: File,
}

/// The mirror's folder.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written.
    pub(super) fn take(data_dir: &Path) -> io::Result<(Self, Lock)> {
        let root = data_dir.join("index");
        fs::create_dir_all(&root)?;
        let lock = File::options().create(true).truncate(false).write(true).open(root.join("lock"))?;
        lock.try_lock().map_err(|_| {
            let who =
                "another duka already serves from this data directory; stop it, or give this one its own";
            io::Error::new(io::ErrorKind::AddrInUse, format!("{}: {who} (--data-dir)", root.display()))
        })?;
        Ok((Self { root }, Lock { _file: lock }))
    }

    /// The folder of the current index, if there is one.
    pub(super) fn current(&self) -> Option<PathBuf> {
        named(&self.root, "current")
    }

    /// A new folder's path beside the others, for an index to be built in.
    pub(super) fn fresh(&self) -> io::Result<PathBuf> {
        let begun = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let path = self.root.join(begun.to_string());
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// The folder of the index that was current before, if it is still there.
    pub(super) fn previous(&self) -> Option<PathBuf> {
        named(&self.root, "previous")
    }

    /// Makes `path` the current index. The one that was stays beside it, all others go.
    pub(super) fn promote(&self, path: &Path) -> io::Result<()> {
        // First: a crash between the two leaves one folder under both names, and nothing lost.
        if let Some(before) = self.current().filter(|before| before != path) {
            self.name("previous", &before)?;
        }
        self.name("current", path)?;
        self.sweep();
        Ok(())
    }

    /// Makes `path` the current index, in place of one that is of no use: then there is none before it.
    pub(super) fn fall_back(&self, path: &Path) -> io::Result<()> {
        self.name("current", path)?;
        match fs::remove_file(self.root.join("previous")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn name(&self, name: &str, path: &Path) -> io::Result<()> {
        let next = self.root.join(format!("{name}.next"));
        let mut file = File::create(&next)?;
        file.write_all(path.file_name().unwrap_or_default().as_encoded_bytes())?;
        file.sync_all()?;
        fs::rename(&next, self.root.join(name))?;
        File::open(&self.root)?.sync_all()
    }

    /// Removes every folder but the current index and the previous one: what builds that were cut short left behind.
    pub(super) fn sweep(&self) {
        let kept = [self.current(), self.previous()];
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
            if !kept.contains(&Some(path.clone())) {
                self.remove(&path);
            }
        }
    }

    /// Removes a folder.
    pub(super) fn remove(&self, path: &Path) {
        if let Err(error) = fs::remove_dir_all(path) {
            tracing::warn!(path = %path.display(), %error, "an old index could not be removed");
        }
    }
}

fn named(root: &Path, name: &str) -> Option<PathBuf> {
    let name = fs::read_to_string(root.join(name)).ok()?;
    let path = root.join(name.trim());
    (path.parent() == Some(root) && path.is_dir()).then_some(path)
}

/// The current index of a data directory, to be read beside whoever writes it.
pub(super) fn current_of(data_dir: &Path) -> Option<PathBuf> {
    named(&data_dir.join("index"), "current")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_writes() {
        let dir = tempfile::tempdir().unwrap();
        let (_first, lock) = Folder::take(dir.path()).unwrap();
        assert!(Folder::take(dir.path()).is_err());
        drop(lock);
        assert!(Folder::take(dir.path()).is_ok());
    }

    #[test]
    fn promoting_keeps_the_one_before_and_sweeps_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, _lock) = Folder::take(dir.path()).unwrap();
        assert_eq!(folder.current(), None);
        let abandoned = dir.path().join("index/1");
        fs::create_dir(&abandoned).unwrap();
        let built = folder.fresh().unwrap();
        folder.promote(&built).unwrap();
        assert_eq!(folder.current(), Some(built.clone()));
        assert_eq!(current_of(dir.path()), Some(built.clone()));
        assert!(!abandoned.exists());

        let second = dir.path().join("index/2");
        fs::create_dir(&second).unwrap();
        folder.promote(&second).unwrap();
        assert_eq!((folder.current(), folder.previous()), (Some(second.clone()), Some(built.clone())));
        // And back, as a rollback does.
        folder.promote(&built).unwrap();
        assert_eq!((folder.current(), folder.previous()), (Some(built.clone()), Some(second.clone())));
        let third = dir.path().join("index/3");
        fs::create_dir(&third).unwrap();
        folder.promote(&third).unwrap();
        assert_eq!((folder.current(), folder.previous()), (Some(third), Some(built)));
        assert!(!second.exists());
    }
}
