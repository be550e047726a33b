//! The wishlist: which products a user would like to have, each user's own.
//!
//! A product that is not on offer is not shown, and shown again when it comes back. A list that is full lets go of
//! such a wish first.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
