//! Reviews: what users think of products.
//!
//! Triggers carry each rating into its product, and the change log carries that into the search: nothing here does
//! either. A write answers with the catalog's version, since the product changes with it.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
