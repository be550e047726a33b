//! The pages, used as people use them: in headless Chromium, against a shop with a catalog and a sandbox to pay at.
//!
//! `cargo test --test browser -- --nocapture` prints what is measured; pictures of the pages are in
//! `target/screenshots`. Where there is no Chromium with its chromedriver (Debian: `apt-get install chromium-driver`),
//! each test says so and passes. Whatever a page writes to the console as an error fails its test. One browser runs at
//! a time, and reaches this machine alone.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../api/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "these tests need less of it")]
mod support;

mod browser;
mod driver;
mod stage;

mod buying;
mod console;
mod console_catalog;
mod console_looks;
mod console_sales;
mod keyboard;
mod looks;
mod searching;
mod trouble;
mod weight;
