//! How the search is tuned: synonyms, stop words, weights. What is written here each node reads by itself, through
//! [`crate::indexing`]; a search never asks for it here.

pub mod actions;
pub mod http;
pub mod model;
mod store;
