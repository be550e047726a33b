//! Shipments: the parcels of an order, and how they move it along.

pub mod actions;
pub mod http;
pub mod model;
mod store;
