//! The administration of users: who there is, what they may do, and how somebody leaves.
//!
//! Signing in and one's own account are `account`'s. Whoever leaves is not deleted but made nobody: orders and
//! reviews point at the row for ever, so each feature that keeps something personal forgets it in one transaction.
//! That is why this feature stands right of them all.

pub mod actions;
pub mod graphql;
pub mod http;
pub mod model;
mod store;
