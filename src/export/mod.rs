//! Taking the catalog out, so that an import brings the same one in.

pub mod actions;
pub mod http;
mod store;
