//! Searching products: `GET /api/product/`. Answered from the index alone; the database is never asked.

pub mod actions;
pub mod http;
pub mod model;
pub mod relevance;
pub mod settings;
