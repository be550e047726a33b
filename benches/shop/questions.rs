//! The searches, learnt from the shop, for everybody who is asked.

use axum::http::uri::PathAndQuery;
use duka::{
    auth::Viewer,
    load::{
        mix::{Catalog, Class, Mix},
        wire::Wire,
    },
    params,
    search::model::Search,
};
use duka_index::Query;

use super::stage::Stage;

/// How many searches there are of each class.
const EACH: usize = 500;

/// The searches of one class.
pub(crate) struct Question {
    pub(crate) class: Class,
    /// As a client asks.
    pub(crate) paths: Vec<PathAndQuery>,
    /// As the engine is asked.
    pub(crate) queries: Vec<Query>,
}

impl Question {
    /// Those of every class.
    pub(crate) async fn all(stage: &Stage) -> Vec<Self> {
        let target = format!("http://{}", stage.shop.address).parse().unwrap();
        let catalog = Catalog::learn(&mut Wire::open(&target).await.unwrap()).await.unwrap();
        Class::ALL.into_iter().map(|(class, ..)| Self::of(class, &catalog, stage)).collect()
    }

    fn of(class: Class, catalog: &Catalog, stage: &Stage) -> Self {
        let mix = Mix::new(catalog, Some(class), EACH, 0.0, 1).unwrap();
        let paths = mix.searches().to_vec();
        let app = &stage.shop.app;
        let query = |path: &PathAndQuery| {
            let search: Search = params::read(path.query().unwrap()).unwrap();
            let query = search.query(Viewer { user: None }, &app.keys).unwrap();
            Query { at: app.clock.micros(), ..query }
        };
        Self { class, queries: paths.iter().map(query).collect(), paths }
    }
}
