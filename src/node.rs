//! What a process is called among those that share a database.

use std::{fs, path::Path};

/// The host and the data directory; at most a hundred characters.
pub fn name(data_dir: &Path) -> String {
    let host = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let folder = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let name = format!("{}:{}", host.trim(), folder.display());
    // The columns hold a hundred characters; the end tells folders apart.
    let skip = name.chars().count().saturating_sub(100);
    name.chars().skip(skip).collect()
}
