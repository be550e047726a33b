//! Addresses: where a user gets things sent, each user's own book.
//!
//! An order copies the address that it goes to. What is changed or deleted here afterwards is not changed there.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
