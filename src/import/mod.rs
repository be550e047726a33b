//! Bringing a catalog in from a file.
//!
//! [`source`] reads rows one after the other, [`row`] says what a row is, [`actions`] writes them in batches. Over HTTP,
//! [`upload`] takes a file in, and [`worker`] brings it in as a job.

pub mod actions;
mod batch;
pub mod http;
pub mod row;
pub mod source;
mod store;
pub mod upload;
pub mod worker;
