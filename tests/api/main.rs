//! The API from outside: every test opens a shop of its own on a database of its own, and speaks HTTP to it.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod support;

mod account;
mod address;
mod attacks;
mod audit;
mod cart;
mod category;
mod clock;
mod command_line;
mod discount;
mod export;
mod fuzz;
mod graphql;
mod import;
mod import_jobs;
mod job;
mod leaving;
mod limits;
mod list_cost;
mod lists;
mod mirror;
mod operations;
mod order;
mod payment;
mod product;
mod protocol;
mod readme;
mod real_catalogs;
mod reindex;
mod review;
mod rights;
mod sandbox;
mod schema;
mod search;
mod search_aids;
mod search_attributes;
mod search_cache;
mod search_depth;
mod search_links;
mod search_settings;
mod search_short;
mod shipment;
mod storefront;
mod trace;
mod turns;
mod user;
mod variant;
mod wishlist;
