//! Products and their variants: what the shop offers, and what is put in a cart.
//!
//! Everything sold is a variant. A product made without any gets one named `Default` with its own SKU, price
//! and stock; as long as that is its only variant, the product's SKU, price and stock are that variant's.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
pub mod variant;
