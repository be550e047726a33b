//! Categories: the tree that products hang in.

pub mod actions;
pub mod http;
pub mod model;
mod store;
