//! Looking after the index: how it is, building it anew, comparing it with the database. What is asked for here is
//! done by [`crate::indexing`], each node's own.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
pub mod worker;
