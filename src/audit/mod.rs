//! The audit: who changed what, from what to what, in which request.
//!
//! Nothing here is called for it. Triggers note what a transaction changes and write it down as the transaction
//! commits (`migrations/…_audit.sql`); who it was they know from `auth::begin`. Here the log is read; and an act
//! that is more than its rows, such as an import, is recorded as a whole.

pub mod actions;
pub mod http;
pub mod model;
mod store;
