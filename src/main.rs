//! The one binary.

use std::process::ExitCode;

/// Searches allocate in short bursts on many threads: twice as many answers a second as with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    duka::cli::main()
}
