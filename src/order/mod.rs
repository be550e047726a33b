//! Orders: what was agreed, the stock that it took, and what became of it.
//!
//! A checkout is one transaction. Whatever moves stock locks in one order, so that nobody waits in a ring: a key,
//! then a cart or an order, then variants by id, then a discount.

pub mod actions;
pub mod due;
pub mod graphql;
pub mod http;
pub mod model;
pub mod request;
mod store;
pub mod worker;
