//! Who may import whom.

use crate::{
    Breach,
    source::{Reference, Source},
};

/// The ground: below every feature, above none.
const GROUND: [&str; 31] = [
    "app",
    "attributes",
    "auth",
    "body",
    "cache",
    "catalog",
    "client",
    "clock",
    "config",
    "database",
    "error",
    "extract",
    "gate",
    "idempotency",
    "indexing",
    "job",
    "money",
    "niceness",
    "node",
    "openapi",
    "outbound",
    "page",
    "params",
    "postgres",
    "pricing",
    "pulse",
    "reply",
    "resolver",
    "telemetry",
    "text",
    "throttle",
];

/// The lowest of the ground, and whom of it each may import. The others are free among themselves.
const LOWEST: [(&str, &[&str]); 8] = [
    ("clock", &[]),
    ("money", &[]),
    ("niceness", &[]),
    ("node", &[]),
    ("outbound", &[]),
    ("postgres", &["niceness"]),
    ("pricing", &[]),
    ("text", &[]),
];

/// The features, in the one line in which they stand: each looks only left.
const FEATURES: [&str; 17] = [
    "audit", "account", "address", "category", "product", "import", "export", "corpus", "discount", "review",
    "search", "wishlist", "cart", "order", "payment", "shipment", "user",
];

/// Those who see everybody and are seen by nobody.
const TOP: [&str; 10] =
    ["cli", "graphql", "health", "lifecycle", "load", "main", "router", "sandbox", "server", "storefront"];

/// The stand-in for somebody else's machine, which imports how HTTP is served and asked, and those who come to a shop
/// from outside, who import nobody.
const STRANGERS: [(&str, &[&str]); 2] = [("sandbox", &["server", "outbound"]), ("load", &[])];

/// What a file of a feature is for, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// `http.rs`, `graphql.rs`
    Edge,
    /// `actions.rs`, `worker.rs`, and `batch.rs`, which is a part of the import's actions.
    Actions,
    /// `store.rs`, `projection.rs`
    Store,
    /// `model.rs`, the door `mod.rs`, and every other word of the feature, such as the import's `row.rs`.
    Model,
}

/// A place in a feature.
struct Place<'a> {
    /// Its position in [`FEATURES`].
    feature: usize,
    /// The feature's folder, or that of the feature within it: `["product", "variant"]`.
    folder: &'a [String],
    layer: Layer,
}

impl<'a> Place<'a> {
    fn of(path: &'a [String]) -> Option<Self> {
        let feature = FEATURES.iter().position(|name| path.first().is_some_and(|first| first == name))?;
        let layer = |name: &String| match name.as_str() {
            "http" | "graphql" => Some(Layer::Edge),
            "actions" | "worker" | "batch" => Some(Layer::Actions),
            "store" | "projection" => Some(Layer::Store),
            "model" => Some(Layer::Model),
            _ => None,
        };
        let named = path.iter().enumerate().skip(1).find_map(|(at, name)| Some((at, layer(name)?)));
        let (depth, layer) = named.unwrap_or((1, Layer::Model));
        Some(Self { feature, folder: &path[..depth], layer })
    }
}

fn is_one_of(names: &[&str], path: &[String]) -> bool {
    path.first().is_some_and(|first| names.contains(&first.as_str()))
}

/// A breach for each reference of which `wrong` says what is wrong.
fn each(source: &Source, wrong: impl Fn(&[String], &Reference) -> Option<String>) -> Vec<Breach> {
    let module = source.module();
    let breach = |reference: &Reference| {
        let what = wrong(&module, reference)?;
        Some(source.breach(reference.line, format!("`{}`: {what}", reference.path.join("::"))))
    };
    source.references().iter().filter_map(breach).collect()
}

/// Every module of the root stands somewhere.
pub(crate) fn everybody_has_a_place(source: &Source) -> Vec<Breach> {
    let module = source.module();
    if module.is_empty()
        || is_one_of(&GROUND, &module)
        || is_one_of(&FEATURES, &module)
        || is_one_of(&TOP, &module)
    {
        return Vec::new();
    }
    let what =
        format!("nobody says where the module `{}` stands; add it to GROUND, FEATURES or TOP in", module[0]);
    vec![source.breach(1, format!("{what} tests/house/imports.rs, and in ARCHITECTURE.md"))]
}

/// Ground imports neither features nor the top, and its lowest nobody.
pub(crate) fn ground_looks_at_ground(source: &Source) -> Vec<Breach> {
    each(source, |module, reference| {
        if !is_one_of(&GROUND, module) {
            return None;
        }
        if is_one_of(&FEATURES, &reference.path) {
            return Some(
                "a feature is above the ground; move the shared word down into a root file of its own"
                    .to_owned(),
            );
        }
        let (_, allowed) = LOWEST.iter().find(|(name, _)| *name == module[0])?;
        let other = reference.path.first().filter(|first| **first != module[0])?;
        (!allowed.contains(&other.as_str())).then(|| {
            format!(
                "`{}` is the lowest ground and may import {allowed:?} alone; let the caller pass it in",
                module[0]
            )
        })
    })
}

/// Nobody below the top imports it.
pub(crate) fn nobody_looks_at_the_top(source: &Source) -> Vec<Breach> {
    each(source, |module, reference| {
        let below = !module.is_empty() && !is_one_of(&TOP, module);
        (below && is_one_of(&TOP, &reference.path)).then(|| {
            "the top is seen by nobody; take what is needed as an argument, or move it down".to_owned()
        })
    })
}

/// Features look left, at models and actions.
pub(crate) fn features_look_left(source: &Source) -> Vec<Breach> {
    each(source, |module, reference| {
        let (from, to) = (Place::of(module)?, Place::of(&reference.path)?);
        if from.feature == to.feature || are_of_the_graph(module, &reference.path) {
            return None;
        }
        if to.feature > from.feature {
            let (own, other) = (FEATURES[from.feature], FEATURES[to.feature]);
            return Some(format!(
                "`{other}` stands right of `{own}`; let `{other}` call `{own}`, or move the word to the ground"
            ));
        }
        if FEATURES[from.feature] == "corpus" && !reference.path.join("::").starts_with("import::row") {
            return Some(
                "the corpus makes rows and knows `import::row` alone; let its caller do the rest".to_owned(),
            );
        }
        match to.layer {
            Layer::Model | Layer::Actions => None,
            layer => Some(format!(
                "of another feature only the model and the actions may be seen, not its {layer:?}"
            )),
        }
    })
}

/// Whether both are resolvers. The types of a graph point at each other, to the right too: a product has reviews.
/// What their resolvers call is nevertheless their own feature's, or left of it.
fn are_of_the_graph(module: &[String], path: &[String]) -> bool {
    let resolves = |path: &[String]| path.iter().skip(1).any(|name| name == "graphql");
    resolves(module) && resolves(path)
}

/// Within a feature: `http, graphql → actions → store → model`, of a feature to the left also its actions only
/// from actions and the edge.
pub(crate) fn layers_look_down(source: &Source) -> Vec<Breach> {
    each(source, |module, reference| {
        let (from, to) = (Place::of(module)?, Place::of(&reference.path)?);
        if from.folder == to.folder && from.layer == to.layer || to.layer == Layer::Edge {
            return None;
        }
        let (rule, kept) = match from.layer {
            Layer::Edge => ("the edge calls actions and shows models", to.layer != Layer::Store),
            Layer::Actions => {
                ("actions use their own store alone", to.layer != Layer::Store || from.folder == to.folder)
            }
            Layer::Store => ("a store knows models alone", to.layer == Layer::Model),
            Layer::Model => ("a model is true without anybody else", to.layer == Layer::Model),
        };
        let outward = from.feature == to.feature
            && from.folder.len() > to.folder.len()
            && reference.path.len() > to.folder.len();
        if !kept {
            return Some(format!(
                "{rule}: http, graphql → actions → store → model; put the step into the actions"
            ));
        }
        outward.then(|| {
            let outer = to.folder.join("/");
            format!("a feature within another does not look out at `{outer}`; let `{outer}` call it instead")
        })
    })
}

/// Only the router merges routes; a feature's `http` may merge those of a feature within it. Resolvers likewise
/// are the root `graphql`'s, but for their types, which other resolvers name.
pub(crate) fn the_edge_is_the_routers(source: &Source) -> Vec<Breach> {
    each(source, |module, reference| {
        let to = Place::of(&reference.path).filter(|to| to.layer == Layer::Edge)?;
        let edge = &reference.path[to.folder.len()];
        let owner = if edge == "http" { "router" } else { "graphql" };
        let from = Place::of(module);
        let own =
            from.as_ref().is_some_and(|from| from.layer == Layer::Edge && to.folder.starts_with(from.folder));
        let is_type = are_of_the_graph(module, &reference.path);
        (module.first().is_none_or(|first| first != owner) && !own && !is_type).then(|| {
            format!("`{edge}` is seen by the {owner} alone; call the action, and take shapes from the model")
        })
    })
}

/// Strangers know a shop by its protocols alone, and a shop no stranger.
pub(crate) fn strangers_stay_strangers(source: &Source) -> Vec<Breach> {
    let of = |(stranger, allowed): (&'static str, &'static [&str])| {
        each(source, move |module, reference| {
            let (inside, to) =
                (module.first().is_some_and(|first| first == stranger), reference.path.first()?);
            let wrong = if inside {
                to != stranger && !allowed.contains(&to.as_str())
            } else {
                to == stranger && module.first()? != "cli"
            };
            wrong.then(|| {
                format!(
                    "`{stranger}` stands outside of a shop: of this crate it imports {allowed:?} alone, and only `cli` \
                     starts it"
                )
            })
        })
    };
    STRANGERS.into_iter().flat_map(of).collect()
}

// Made-up houses that are refused ------------------------------------------------------------------------------

#[test]
fn a_module_without_a_place_is_refused() {
    let refused = |path: &str| everybody_has_a_place(&Source::new(path, "//! x")).len();
    assert_eq!([refused("src/frobnicate.rs"), refused("src/frobnicate/store.rs")], [1, 1]);
    assert_eq!([refused("src/lib.rs"), refused("src/main.rs"), refused("src/cart/http.rs")], [0, 0, 0]);
}

#[test]
fn ground_that_looks_up_is_refused() {
    let refused = |path: &str, text: &str| ground_looks_at_ground(&Source::new(path, text)).len();
    assert_eq!(refused("src/app.rs", "use crate::{\n    clock::Clock,\n    product::model::Product,\n};"), 1);
    assert_eq!(refused("src/indexing/worker.rs", "fn f() { crate::search::actions::search() }"), 1);
    assert_eq!(refused("src/text.rs", "use crate::error::Error;"), 1);
    assert_eq!(refused("src/postgres/server.rs", "use crate::config::Config;"), 1);
    assert_eq!(
        refused("src/postgres/server.rs", "use super::layout::Layout;\nuse crate::postgres::Error;"),
        0
    );
    assert_eq!(refused("src/page.rs", "use crate::params::Params;"), 0);
}

#[test]
fn looking_at_the_top_is_refused() {
    let refused = |path: &str, text: &str| nobody_looks_at_the_top(&Source::new(path, text)).len();
    assert_eq!(refused("src/product/actions.rs", "use crate::{lifecycle, cli::main};"), 2);
    assert_eq!(refused("src/app.rs", "use crate::router::service;"), 1);
    assert_eq!(refused("src/cli/serve.rs", "use crate::lifecycle::Shop;"), 0);
}

#[test]
fn a_stranger_that_knows_its_shop_is_refused() {
    let refused = |path: &str, text: &str| strangers_stay_strangers(&Source::new(path, text)).len();
    assert_eq!(refused("src/sandbox/card/book.rs", "use crate::money::Currency;"), 1);
    assert_eq!(refused("src/sandbox/mod.rs", "use crate::{payment::model::State, config::Config};"), 2);
    assert_eq!(refused("src/sandbox/mod.rs", "use crate::server;\nuse self::card::CARDS;\nmod card;"), 0);
    assert_eq!(refused("src/lifecycle.rs", "use crate::sandbox::Settings;"), 1);
    assert_eq!(refused("src/cli/demo.rs", "use crate::sandbox::Settings;"), 0);
    assert_eq!(refused("src/load/mix.rs", "use crate::{search::model::Search, outbound};"), 2);
    assert_eq!(refused("src/load/mix.rs", "use super::wire::Wire;"), 0);
    assert_eq!(refused("src/search/actions.rs", "use crate::load::Plan;"), 1);
    assert_eq!(refused("src/cli/load.rs", "use crate::load::Plan;"), 0);
}

#[test]
fn looking_right_is_refused() {
    let refused = |path: &str, text: &str| features_look_left(&Source::new(path, text)).len();
    assert_eq!(refused("src/category/actions.rs", "use crate::product::model::Product;"), 1);
    assert_eq!(refused("src/product/variant/model.rs", "use crate::cart::model::Line;"), 1);
    assert_eq!(
        refused("src/import/actions.rs", "use crate::category;\nfn f() { category::store::insert() }"),
        1
    );
    assert_eq!(refused("src/search/http.rs", "use crate::product::http::ProductDetail;"), 1);
    assert_eq!(refused("src/product/graphql.rs", "use crate::review::graphql::Review;"), 0);
    assert_eq!(refused("src/product/graphql.rs", "use crate::review::{actions, model::Review};"), 2);
    assert_eq!(refused("src/product/http.rs", "use crate::review::graphql::Review;"), 1);
    assert_eq!(refused("src/corpus/mod.rs", "use crate::import::actions::run;"), 1);
    assert_eq!(refused("src/corpus/mod.rs", "use crate::import::row::Row;"), 0);
    assert_eq!(
        refused("src/import/actions.rs", "use crate::category;\nfn f() { category::actions::ensure() }"),
        0
    );
}

#[test]
fn layers_that_look_up_are_refused() {
    let refused = |path: &str, text: &str| layers_look_down(&Source::new(path, text)).len();
    assert_eq!(refused("src/product/store.rs", "use super::actions::Detail;"), 1);
    assert_eq!(refused("src/product/model.rs", "use super::{store, actions};"), 2);
    assert_eq!(refused("src/product/http.rs", "use super::{actions, store};"), 1);
    assert_eq!(
        refused("src/product/actions.rs", "use super::variant;\nfn f() { variant::store::insert() }"),
        1
    );
    assert_eq!(refused("src/product/variant/actions.rs", "use crate::product::actions::one;"), 1);
    assert_eq!(refused("src/import/row/cells.rs", "use crate::import::store::known;"), 1);
    assert_eq!(refused("src/review/store.rs", "use crate::product::actions::one;"), 1);
    assert_eq!(
        refused("src/product/actions.rs", "use super::{store, model::Product, variant::actions::insert};"),
        0
    );
    assert_eq!(refused("src/import/batch.rs", "use super::{row::Row, store};"), 0);
}

#[test]
fn a_handler_in_strange_hands_is_refused() {
    let refused = |path: &str, text: &str| the_edge_is_the_routers(&Source::new(path, text)).len();
    assert_eq!(refused("src/product/actions.rs", "use super::http::ProductDetail;"), 1);
    assert_eq!(refused("src/cli/demo.rs", "use crate::account;\nfn f() { account::http::routes() }"), 1);
    assert_eq!(refused("src/router.rs", "use crate::product::graphql::Query;"), 1);
    assert_eq!(refused("src/search/http.rs", "use crate::product::graphql::Product;"), 1);
    assert_eq!(refused("src/search/graphql.rs", "use crate::product::graphql::Product;"), 0);
    assert_eq!(refused("src/product/variant/http.rs", "use crate::product::http::routes;"), 1);
    assert_eq!(refused("src/product/http.rs", "fn f() { super::variant::http::routes() }"), 0);
    assert_eq!(refused("src/router.rs", "use crate::account;\nfn f() { account::http::routes() }"), 0);
}
