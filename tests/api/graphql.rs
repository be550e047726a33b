//! The graph at `/graphql/`: the same things as through REST, in one round trip.

mod bombs;
mod client;
mod paying;
mod rights;
mod schema;
mod searching;
mod selling;
mod shopping;
mod storefront;
