//! Variants: what is put in a cart.

pub mod actions;
pub mod http;
pub mod model;
mod store;
