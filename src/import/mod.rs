//! Bringing a catalog in from a file.
//!
//! [`source`] reads rows one after the other, [`row`] says what a row is, [`actions`] writes them in batches.

pub mod actions;
mod batch;
pub mod row;
pub mod source;
mod store;
