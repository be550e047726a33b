//! Categories: the tree that products hang in.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
