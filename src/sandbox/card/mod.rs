//! Cards by payment intents, in the shapes that Stripe gave them.
//!
//! `outcome` is the table of cards, `form` reads requests, `intent` is the life of an intent and of its charges,
//! `book` what is kept of all of them, `event` what the shop is told and how that is signed, `http` the wire.

mod book;
mod event;
mod form;
pub(super) mod http;
mod intent;
mod outcome;
mod refund;
mod refusal;

pub use self::outcome::CARDS;
pub(super) use self::{book::Book, event::signature, http::decide};
