//! Tokens: none is believed that was not issued.
#![no_main]

#[allow(dead_code, reason = "each program is for one of them")]
#[path = "../targets.rs"]
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::{Tokens, forged};

static TOKENS: LazyLock<Tokens> = LazyLock::new(Tokens::new);

fuzz_target!(|bytes: &[u8]| {
    TOKENS.read(bytes);
    TOKENS.read(&forged(&TOKENS.good, bytes));
});
