//! Rows of imports, in each format.
#![no_main]

#[allow(dead_code, reason = "each program is for one of them")]
#[path = "../targets.rs"]
mod targets;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| targets::rows(bytes));
