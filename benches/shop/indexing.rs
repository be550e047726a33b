//! `indexing`: the engine alone, from documents to searchable.

use std::{hint::black_box, ops::ControlFlow};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use duka_index::{Document, Engine};

use super::stage::Stage;

/// Documents that an index is filled with.
const BULK: usize = 20_000;
const HEAP_BYTES: usize = 64 << 20;

pub(crate) fn bench(criterion: &mut Criterion, stage: &Stage) {
    let mut documents: Vec<Document> = Vec::new();
    let collect = |document| {
        documents.push(document);
        if documents.len() == BULK { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    stage.shop.app.indexing.engine().reader().for_each(collect).unwrap();
    let mut group = criterion.benchmark_group("indexing");
    group.sample_size(10);

    group.throughput(Throughput::Elements(documents.len() as u64));
    group.bench_function(BenchmarkId::new("bulk", stage.size), |bencher| {
        bencher.iter_batched(
            || tempfile::tempdir().unwrap(),
            |folder| {
                let bulk = Engine::open(folder.path()).unwrap().bulk(2, HEAP_BYTES).unwrap();
                documents.iter().for_each(|document| bulk.add(document).unwrap());
                bulk.commit("").unwrap();
                folder
            },
            BatchSize::PerIteration,
        );
    });

    let folder = tempfile::tempdir().unwrap();
    copy_index(&stage.index(), folder.path());
    let engine = Engine::open_existing(folder.path()).unwrap();
    let mut writer = engine.writer(HEAP_BYTES).unwrap();
    let mut turn = 0;
    for (name, count) in [("one change", 1_u32), ("100 changes", 100)] {
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::new(name, stage.size), |bencher| {
            bencher.iter(|| {
                for _ in 0..count {
                    turn = (turn + 7_919) % documents.len();
                    let stock = documents[turn].stock + 1;
                    writer.upsert(&Document { stock, ..documents[turn].clone() }).unwrap();
                }
                writer.commit("").unwrap()
            });
        });
    }
    drop(writer);
    drop(engine);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("reopen", stage.size), |bencher| {
        bencher.iter(|| black_box(Engine::open_existing(folder.path()).unwrap()));
    });
    group.finish();
}

/// An index, for changes that its shop does not see.
fn copy_index(index: &std::path::Path, to: &std::path::Path) {
    for file in std::fs::read_dir(index).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().ends_with(".lock") {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}
