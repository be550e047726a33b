//! Discounts: what an administrator takes off prices, for everybody or for those who know a code.
//!
//! What a discount does to a price is `pricing`'s to say, and which ones lower a product's is the database
//! view `automatic_discount`'s; here they are written, and linked to products.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
