//! Accounts: who somebody is, signing in, staying signed in, signing out.
//!
//! An access token is a JWT that lives minutes (`auth::token`); a refresh token is random, kept hashed, used
//! once and replaced. All tokens of one sign-in are a family: a used refresh token that comes back was copied,
//! and ends the family.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
