//! `search`: each class, without a cache, each answer complete: the count, the page, its documents.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use duka_index::Lexicon;
use tokio::runtime::Runtime;

use super::{plain::Plain, postgres::Relational, questions::Question, stage::Stage};

pub(crate) fn bench(criterion: &mut Criterion, runtime: &Runtime, stage: &Stage, questions: &[Question]) {
    let reader = stage.shop.app.indexing.engine().reader();
    let plain = Plain::open(stage);
    let relational = runtime.block_on(Relational::open(stage));
    let lexicon = Lexicon::default();
    for Question { class, queries, .. } in questions {
        let mut group = criterion.benchmark_group(format!("search {}", class.name()));
        // Three: what a page costs with its documents, what finding it costs alone, and what others take for the former.
        group.bench_function(BenchmarkId::new("duka", stage.size), |bencher| {
            let mut queries = queries.iter().cycle();
            bencher.iter(|| black_box(reader.search(queries.next().unwrap(), &lexicon).unwrap()));
        });
        group.bench_function(BenchmarkId::new("duka, rows kept", stage.size), |bencher| {
            let mut queries = queries.iter().cycle();
            bencher.iter(|| black_box(reader.find(queries.next().unwrap(), &lexicon).unwrap()));
        });
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
