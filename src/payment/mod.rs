//! Payments: attempts to pay an order, what gateways say of them, and money that goes back.
//!
//! A gateway may answer late, twice, out of order or never. So an attempt is written down before anybody is asked,
//! whatever is heard of it is applied under its order's lock by one function ([`actions::settle`]), and what is not
//! heard is asked for by the [`worker`]. Nothing is sent a second time, but where the gateway promises that the same
//! key is the same payment. No gateway is asked within a transaction.

pub mod actions;
pub mod gateway;
pub mod graphql;
pub mod http;
mod judge;
pub mod model;
pub mod request;
mod store;
pub mod worker;
