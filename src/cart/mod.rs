//! Carts: what somebody means to buy, priced whenever it is looked at.
//!
//! A cart holds no stock and no price: the price that it shows is the one of the moment, from `pricing` alone, and
//! an order is priced by the same functions.

pub mod actions;
pub mod discount;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
