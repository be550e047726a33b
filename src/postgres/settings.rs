//! The server's settings, each with its reason. What must hold is given on the command line, where nothing
//! overrides it; the rest is in `duka.conf`, which the cluster's own `postgresql.conf` includes, so that a shop
//! can set anything below that line.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::layout::PORT;

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Orders and payments: nothing acknowledged is lost.
    Shop,
    /// Tests: survives a crash of the server, but not of the machine.
    Tests,
}

/// Appended to `postgresql.conf` when a cluster is made.
pub(super) const INCLUDE: &str = "\n# duka's settings, rewritten at every start. What stands below this line wins over them.\n\
     include_if_exists = '../duka.conf'\n";

/// Settings that keep the cluster private, as `-c` arguments.
pub(super) fn fixed(socket_dir: &Path) -> Vec<std::ffi::OsString> {
    let mut socket = std::ffi::OsString::from("unix_socket_directories=");
    socket.push(socket_dir);
    let port = format!("port={PORT}");
    // No TCP: nothing on the network, and no port to collide on. The socket only for the server's own user.
    let plain = ["listen_addresses=", "unix_socket_permissions=0700", port.as_str()];
    // One log, which duka keeps small, takes everything that the server says.
    let log = ["logging_collector=off", "log_destination=stderr"];
    let words = plain.into_iter().chain(log).map(Into::into).chain([socket]);
    words.flat_map(|word| ["-c".into(), word]).collect()
}

/// The text of `duka.conf` for a machine with `memory` MiB, and a server that compresses its log by this method.
pub(super) fn conf(purpose: Purpose, memory: u64, compression: &str) -> String {
    let mut text = String::from("# Written by duka at every start; set your own in data/postgresql.conf.\n");
    let own = match purpose {
        Purpose::Shop => SHOP,
        Purpose::Tests => TESTS,
    };
    let sized = [
        (
            "shared_buffers",
            format!("{}MB", (memory / 16).clamp(128, 256)),
            "searches never come here, so a small working set is all there is; the system's cache does the rest",
        ),
        (
            "effective_cache_size",
            format!("{}MB", (memory / 2).max(256)),
            "what the planner may assume to be in memory",
        ),
        (
            "wal_compression",
            compression.to_owned(),
            "full pages are most of the log; to halve them by PostgreSQL's own method takes a seventh of what writes take",
        ),
    ];
    let fixed = own.iter().chain(COMMON).map(|(name, value, reason)| (*name, (*value).to_owned(), *reason));
    for (name, value, reason) in fixed.chain(sized) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n# {reason}\n{name} = {value}");
    }
    text
}

type Setting = (&'static str, &'static str, &'static str);

const SHOP: &[Setting] = &[
    ("fsync", "on", "an acknowledged order survives a power cut"),
    ("synchronous_commit", "on", "an order is acknowledged only once it is on disk"),
    ("full_page_writes", "on", "a page torn by a power cut is repaired from the log"),
    ("max_connections", "100", "web, indexer and health pools of a few processes"),
    ("max_wal_size", "2GB", "an import is not interrupted by a checkpoint every few seconds"),
];

const TESTS: &[Setting] = &[
    ("fsync", "off", "a test's database is worth nothing after a power cut"),
    ("full_page_writes", "off", "nor is a torn page there worth repairing"),
    ("max_connections", "300", "many tests at once, each with its pools"),
    ("max_wal_size", "1GB", "no checkpoint in the middle of a run"),
    ("wal_level", "minimal", "nobody replicates it"),
    ("max_wal_senders", "0", "which wal_level = minimal demands"),
];

const COMMON: &[Setting] = &[
    ("cluster_name", "'duka'", "tells its processes from another server's in a process list"),
    ("checkpoint_timeout", "15min", "fewer full pages in the log; recovery still takes seconds"),
    ("random_page_cost", "1.1", "solid state: an index is nearly as cheap to read as a table"),
    ("jit", "off", "queries take milliseconds, compiling one takes a hundred"),
    (
        "idle_in_transaction_session_timeout",
        "60s",
        "a forgotten transaction holds back the indexer, which waits for whatever may still commit",
    ),
    ("timezone", "'UTC'", "instants do not depend on the machine"),
    ("log_timezone", "'UTC'", "one clock in all logs"),
    ("log_line_prefix", "'%m [%p] '", "when, and which process"),
    ("log_statement", "none", "statements carry people's data"),
    ("log_min_error_statement", "panic", "so do failed ones; duka logs its own failures"),
    ("log_error_verbosity", "terse", "and so do the details of a violated constraint"),
    ("log_checkpoints", "off", "routine"),
    ("log_autovacuum_min_duration", "-1", "routine"),
];

/// The memory of this machine, or of the container when that is less, in MiB; 2 GiB where it cannot be told.
pub(super) fn memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib >> 10)
    });
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok().map(|bytes| bytes >> 20));
    machine.into_iter().chain(container).min().unwrap_or(2048)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> String {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).to_owned()
    }

    #[test]
    fn a_shop_is_durable_on_any_machine_and_modest_on_a_small_one() {
        for (memory, buffers) in [(512, "128MB"), (3072, "192MB"), (65_536, "256MB")] {
            let text = conf(Purpose::Shop, memory, "lz4");
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                assert_eq!(value(&text, name), "on");
            }
            assert_eq!(value(&text, "shared_buffers"), buffers);
            assert_eq!(value(&text, "wal_compression"), "lz4");
        }
    }

    #[test]
    fn no_setting_is_given_twice() {
        for purpose in [Purpose::Shop, Purpose::Tests] {
            let text = conf(purpose, 4096, "on");
            let mut names: Vec<_> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
            names.retain(|(name, _)| !name.starts_with('#'));
            names.sort_unstable();
            let all = names.len();
            names.dedup_by_key(|(name, _)| *name);
            assert_eq!(names.len(), all);
        }
    }
}
