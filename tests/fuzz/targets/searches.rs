//! Searches: their parameters are read, and what they ask for is searched.
#![no_main]

#[allow(dead_code, reason = "each program is for one of them")]
#[path = "../targets.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::Searches;

static SEARCHES: LazyLock<Searches> = LazyLock::new(|| {
    // What is open stays readable without its name, and is gone with the program.
    let folder = tempfile::tempdir().unwrap();
    Searches::new(folder.path())
});

fuzz_target!(|bytes: &[u8]| SEARCHES.read(bytes));
