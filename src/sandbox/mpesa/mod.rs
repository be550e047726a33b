//! M-Pesa Express, as Daraja speaks it: tokens, prompts on telephones, queries and reversals.
//!
//! `outcome` is the table of telephone numbers, `request` what a shop may ask for, `book` what is known of each
//! prompt, `play` how prompts and reversals take their course, and `http` the wire.

mod book;
pub(super) mod http;
mod outcome;
mod play;
mod request;

use time::{OffsetDateTime, UtcOffset, macros::offset};

pub use self::outcome::NUMBERS;
pub(super) use self::{book::Book, play::decide};

/// Kenya has no other time and has never moved its clocks since.
const NAIROBI: UtcOffset = offset!(+3);

fn nairobi() -> OffsetDateTime {
    OffsetDateTime::now_utc().to_offset(NAIROBI)
}
