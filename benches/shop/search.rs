//! `search`: each class, without a cache, each answer complete: the count, the page, its documents.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion};
use duka_index::{Engine, Lexicon};
use tokio::runtime::Runtime;

use super::{plain::Plain, postgres::Relational, questions::Question, stage::Stage};

pub(crate) fn bench(criterion: &mut Criterion, runtime: &Runtime, stage: &Stage, questions: &[Question]) {
    let reader = stage.shop.app.indexing.engine().reader();
    let plain = Plain::open(stage);
    let relational = runtime.block_on(Relational::open(stage));
    let (lexicon, index) = (Lexicon::default(), stage.index());
    for Question { class, queries, .. } in questions {
        let mut group = criterion.benchmark_group(format!("search {}", class.name()));
        // What a page costs with its documents, what finding it costs alone, and what others take for the former.
        group.bench_function(BenchmarkId::new("duka", stage.size), |bencher| {
            let mut queries = queries.iter().cycle();
            bencher.iter(|| black_box(reader.search(queries.next().unwrap(), &lexicon).unwrap()));
        });
        group.bench_function(BenchmarkId::new("duka, rows kept", stage.size), |bencher| {
            let mut queries = queries.iter().cycle();
            bencher.iter(|| black_box(reader.find(queries.next().unwrap(), &lexicon).unwrap()));
        });
        if queries.iter().any(|query| query.text.is_some()) {
            // Each search once, of an index that has just been opened: nothing is known of any word.
            group.bench_function(BenchmarkId::new("duka, rows kept, words new", stage.size), |bencher| {
                bencher.iter_custom(|times| {
                    let (mut took, mut left) = (Duration::ZERO, usize::try_from(times).unwrap());
                    while left > 0 {
                        let reader = Engine::open_existing(&index).unwrap().reader();
                        let asked = &queries[..left.min(queries.len())];
                        let begun = Instant::now();
                        asked.iter().for_each(|query| drop(black_box(reader.find(query, &lexicon).unwrap())));
                        took += begun.elapsed();
                        left -= asked.len();
                    }
                    took
                });
            });
        }
        group.bench_function(BenchmarkId::new("plain tantivy", stage.size), |bencher| {
            let mut queries = queries.iter().cycle();
            bencher.iter(|| black_box(plain.search(*class, queries.next().unwrap())));
        });
        group.bench_function(BenchmarkId::new("PostgreSQL", stage.size), |bencher| {
            let mut queries = queries.iter().cycle();
            bencher.iter(|| {
                black_box(runtime.block_on(relational.search(*class, queries.next().unwrap())));
            });
        });
        group.finish();
    }
}
