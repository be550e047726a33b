//! What has to be fast, beside what it is measured against, in one run. `benches/README.md` says how to read it.
//!
//! For each size, a shop is generated once and kept under `target/bench/`. The same searches go to the engine, to plain
//! tantivy collectors over the same products, and to PostgreSQL as it answers them best; then over HTTP to the program
//! itself, beside a bare handler that sends the same bytes.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "shop/cache.rs"]
mod cache;
#[path = "shop/http.rs"]
mod http;
#[path = "shop/indexing.rs"]
mod indexing;
#[path = "shop/plain.rs"]
mod plain;
#[path = "shop/postgres.rs"]
mod postgres;
#[path = "shop/pricing.rs"]
mod pricing;
#[path = "shop/questions.rs"]
mod questions;
#[path = "shop/search.rs"]
mod search;
#[path = "shop/stage.rs"]
mod stage;
#[path = "shop/summary.rs"]
mod summary;

use std::time::Duration;

use criterion::Criterion;

use self::{questions::Question, stage::Stage};

/// The program allocates by it, so what is measured here does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if let Some(body) = http::bare_body() {
        return http::serve_bare(&body);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    pricing::bench(&mut criterion);
    for size in stage::sizes() {
        let stage = runtime.block_on(Stage::open(size));
        let questions = runtime.block_on(Question::all(&stage));
        search::bench(&mut criterion, &runtime, &stage, &questions);
        cache::bench(&mut criterion, &runtime, &stage, &questions);
        indexing::bench(&mut criterion, &stage);
        runtime.block_on(stage.close());
        http::bench(&mut criterion, &runtime, size, &questions);
    }
    criterion.final_summary();
    summary::print();
}
