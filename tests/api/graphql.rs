//! The graph at `/graphql/`: the same things as through REST, in one round trip.

mod bombs;
mod searching;
mod shopping;
