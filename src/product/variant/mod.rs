//! Variants: what is put in a cart.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
