//! `cache`: a search that has been asked before, from its query string to its bytes, without HTTP.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use duka::{
    auth::Viewer,
    cache::encoding::Encoding,
    client::Client,
    params,
    search::{
        actions::{self, Demand},
        model::Search,
    },
};
use tokio::runtime::Runtime;

use super::{questions::Question, stage::Stage};

pub(crate) fn bench(criterion: &mut Criterion, runtime: &Runtime, stage: &Stage, questions: &[Question]) {
    let app = &stage.shop.app;
    let path = &questions[0].paths[0];
    let mut group = criterion.benchmark_group("cache");
    group.bench_function(BenchmarkId::new("what is kept", stage.size), |bencher| {
        let demand = Demand { client: Client::default(), versions: [None, None], encoding: Encoding::Plain };
        let ask = async || {
            let search: Search = params::read(path.query().unwrap()).unwrap();
            let query = search.query(Viewer { user: None }, &app.keys).unwrap();
            actions::search(app, demand, query, |_, _, _| Ok(vec![b' '; 12_000])).await.unwrap()
        };
        bencher.iter(|| black_box(runtime.block_on(ask())));
    });
    group.finish();
}
