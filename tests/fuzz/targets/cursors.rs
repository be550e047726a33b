//! Cursors: none is opened that was not sealed.
#![no_main]

#[allow(dead_code, reason = "each program is for one of them")]
#[path = "../targets.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::{Cursors, forged};

static CURSORS: LazyLock<Cursors> = LazyLock::new(Cursors::new);

fuzz_target!(|bytes: &[u8]| {
    CURSORS.read(bytes);
    CURSORS.read(&forged(&CURSORS.good, bytes));
});
