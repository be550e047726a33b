//! duka: a search-first e-commerce backend.
//!
//! PostgreSQL is the only truth; an embedded index mirrors the catalog and answers every search. The modules,
//! in reading order: the ground that everything stands on, the mirror, the features from left to right, and
//! what sees them all. `ARCHITECTURE.md` is the tour, and `tests/house.rs` keeps its rules.

// The ground: words, settings, and what a request is made of.
pub mod attributes;
pub mod body;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
pub mod extract;
pub mod gate;
pub mod money;
pub mod node;
pub mod openapi;
pub mod outbound;
pub mod page;
pub mod params;
pub mod pricing;
pub mod pulse;
pub mod reply;
pub mod resolver;
pub mod telemetry;
pub mod text;
pub mod throttle;

// What runs below the features.
pub mod app;
pub mod auth;
pub mod cache;
pub mod catalog;
pub mod database;
pub mod idempotency;
pub mod indexing;
pub mod job;
pub mod postgres;

// The features: each looks only left, at models and actions.
pub mod account;
pub mod address;
pub mod audit;
pub mod cart;
pub mod category;
pub mod corpus;
pub mod discount;
pub mod export;
pub mod import;
pub mod order;
pub mod payment;
pub mod product;
pub mod review;
pub mod search;
pub mod shipment;
pub mod user;
pub mod wishlist;

// Those who see everybody.
pub mod cli;
pub mod graphql;
pub mod health;
pub mod lifecycle;
pub mod router;
pub mod server;
pub mod storefront;

// Somebody else's machine, and those who come to a shop from outside.
pub mod load;
pub mod sandbox;
