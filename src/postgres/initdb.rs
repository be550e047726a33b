//! Makes a cluster. It appears under its name only when it is whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Output;

use rustix::fs::OFlags;

use super::binaries::Binaries;
use super::error::{During, Error, last_lines};
use super::layout::Layout;
use super::settings::{INCLUDE, Purpose};

/// The cluster's superuser, whoever runs the server.
pub(super) const ROLE: &str = "duka";

/// The major version of the cluster in `data`; `None` when there is no cluster yet.
pub(super) fn version(data: &Path) -> Result<Option<String>, Error> {
    match fs::symlink_metadata(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        outcome => outcome.during("inspect", data)?,
    };
    if !data.is_dir() {
        return Err(Error::NotADirectory(data.to_owned()));
    }
    let path = data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NotACluster(data.to_owned()))
        }
        Err(source) => Err(Error::Io { what: "read", path, source }),
    }
}

/// Makes the cluster of `layout`, which has none. Takes about a second.
pub(super) fn create(layout: &Layout, binaries: &Binaries, purpose: Purpose) -> Result<(), Error> {
    layout.remove_unborn()?;
    let unborn = layout.unborn();
    layout.private_dir(&unborn)?;
    let outcome = fill(layout, binaries, purpose, &unborn).and_then(|()| layout.adopt_born(&unborn));
    if outcome.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_dir_all(&unborn);
    }
    outcome
}

fn fill(layout: &Layout, binaries: &Binaries, purpose: Purpose, unborn: &Path) -> Result<(), Error> {
    tracing::info!(data = %layout.data.display(), version = binaries.major, "making a PostgreSQL cluster");
    let mut output = initdb(layout, binaries, purpose, unborn, "C.UTF-8")?;
    if !output.status.success() && said(&output).contains("invalid locale") {
        // Not every system has it; what is lost is the case of letters beyond ASCII in SQL.
        layout.private_dir(unborn)?;
        output = initdb(layout, binaries, purpose, unborn, "C")?;
    }
    if !output.status.success() {
        return Err(Error::Initdb { data: layout.data.clone(), output: last_lines(&said(&output)) });
    }
    let conf = unborn.join("postgresql.conf");
    let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
    let mut file =
        OpenOptions::new().append(true).custom_flags(nofollow).open(&conf).during("open", &conf)?;
    file.write_all(INCLUDE.as_bytes()).and_then(|()| file.sync_all()).during("write", &conf)
}

/// In duka's own process group, so that Ctrl-C ends it too: it then cleans up after itself.
fn initdb(
    layout: &Layout,
    binaries: &Binaries,
    purpose: Purpose,
    unborn: &Path,
    locale: &str,
) -> Result<Output, Error> {
    let mut command = layout.user.command(&binaries.initdb());
    command.arg("-D").arg(unborn).arg(format!("--username={ROLE}"));
    // Only the server's own user reaches the socket; over TCP nobody comes in, should it ever be opened.
    command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--data-checksums"]);
    if binaries.major >= 17 && locale != "C" {
        // PostgreSQL's own: no update of the system's library can reorder an index.
        command.args(["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    } else {
        command.arg(format!("--locale={locale}"));
    }
    if purpose == Purpose::Tests {
        command.arg("--no-sync");
    }
    command.arg("--no-instructions").output().during("run", &binaries.initdb())
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
