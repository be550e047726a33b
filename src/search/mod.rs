//! Searching products: `GET /api/product/`, what is suggested while somebody types, what is like a product.
//! Answered from the index alone, and kept as long as it stays as it is; the database is never asked.

pub mod actions;
mod canonical;
pub mod graphql;
mod highlight;
pub mod http;
pub mod model;
pub mod relevance;
pub mod settings;
pub mod upkeep;
