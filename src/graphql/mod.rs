//! The graph: one schema over the actions that REST calls, and the two routes of `/graphql/`.
//!
//! Each feature has its own `graphql.rs`; here they are merged, a request is held against its limits, and errors
//! get the words that REST has for them. Rights are the actions', as everywhere: there are none here.

mod answer;
mod explorer;
mod limits;

use async_graphql::{EmptySubscription, MergedObject, Schema};
use axum::{Router, routing::post};

use crate::{
    account, address, app::App, cart, category, discount, order, payment, product, review, search, user,
    wishlist,
};

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    search::graphql::Query,
    product::graphql::Query,
    category::graphql::Query,
    review::graphql::Query,
    account::graphql::Query,
    cart::graphql::Query,
    order::graphql::Query,
    payment::graphql::Query,
    wishlist::graphql::Query,
    address::graphql::Query,
    user::graphql::Query,
    discount::graphql::Query,
    search::upkeep::graphql::Query,
);

/// Everything that can be done. A mutation's steps are taken one after the other, each for itself.
#[derive(MergedObject, Default)]
pub struct Mutation(
    account::graphql::Mutation,
    address::graphql::Mutation,
    cart::graphql::Mutation,
    wishlist::graphql::Mutation,
    review::graphql::Mutation,
    order::graphql::Mutation,
    payment::graphql::Mutation,
    product::graphql::Mutation,
    product::variant::graphql::Mutation,
    category::graphql::Mutation,
    discount::graphql::Mutation,
    search::upkeep::graphql::Mutation,
);

/// The schema of a shop.
pub type Graph = Schema<Query, Mutation, EmptySubscription>;

/// The schema in GraphQL's own language.
pub fn sdl() -> String {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish().sdl()
}

fn graph(app: &App) -> Graph {
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription).data(app.clone());
    let schema = schema.disable_suggestions();
    if app.config.graphql_introspection { schema } else { schema.disable_introspection() }.finish()
}

/// The routes: `POST /graphql/`, and with `GET` an explorer, if the shop shows one.
pub fn routes(app: &App) -> Router<App> {
    let graph = graph(app);
    let answer =
        post(move |state, client, headers, body| answer::answer(graph, state, client, headers, body));
    let routes = Router::new().route("/graphql/", answer);
    if app.config.graphql_explorer { routes.merge(explorer::routes()) } else { routes }
}
