//! What survives: servers and PostgreSQL are killed, disks are full, files are damaged, databases are put back, and
//! clients ask all the while.
//!
//! After each fault the index equals the database within a stated time, in every field, and as long as an old index
//! could be served nobody was refused or told less. Each test prints its figures (`cargo test --test faults -- --nocapture`).
//! Together they take about three minutes in a debug build; `DUKA_FAULT_SECONDS` and `DUKA_SOAK_SECONDS` make those
//! longer that have no end of their own, and `DUKA_PAYMENT_KILLS` says how often a server is killed over payments (50 in full).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unreachable_pub)]

mod damage;
mod disk;
mod kills;
mod network;
mod nodes;
mod order;
mod payments;
mod restored;
mod soak;
mod standby;
mod stop;
mod support;
mod tampering;
mod wire;
mod writers;
