//! What is to be paid for an order.

use super::model::State;
use crate::money::Amount;

/// What payments need of an order, under its lock.
#[derive(Clone, Debug)]
pub struct Due {
    /// The row's id.
    pub id: i64,
    /// What people say on the phone.
    pub order_number: String,
    /// How it stands.
    pub state: State,
    /// What is to be paid.
    pub total_amount: Amount,
    /// Three letters.
    pub currency: String,
    /// Whether its time to be paid is over.
    pub has_expired: bool,
}
