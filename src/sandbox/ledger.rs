//! The ledger: every capture and every refund, as this side of the wire holds them for true.
//!
//! A test compares it with the shop's. Entries are only ever added.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Value, json};

/// Money that moved.
#[derive(Clone, Serialize)]
pub(super) struct Entry {
    /// From 1, in the order in which it moved.
    seq: u64,
    at: String,
    #[serde(flatten)]
    pub(super) movement: Movement,
}

/// What moved.
#[derive(Clone, Serialize)]
pub(super) struct Movement {
    /// `mpesa` or `card`.
    pub(super) gateway: &'static str,
    /// `capture` or `refund`.
    pub(super) kind: &'static str,
    /// The receipt, the charge or the refund.
    pub(super) id: String,
    /// The `CheckoutRequestID` or the payment intent that it belongs to.
    pub(super) request: String,
    /// The `AccountReference`; of cards nothing.
    pub(super) reference: String,
    /// What the shop attached to the intent; of M-Pesa nothing.
    pub(super) metadata: Value,
    /// In the currency's smallest unit, cents of M-Pesa's whole amounts too. Never negative.
    pub(super) amount_minor: u64,
    /// In upper case.
    pub(super) currency: String,
}

/// The newest entries, in order.
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    written: u64,
    limit: usize,
}

impl Ledger {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), written: 0, limit }
    }

    pub(super) fn write(&mut self, movement: Movement) {
        self.written += 1;
        self.entries.push_back(Entry { seq: self.written, at: super::timestamp(), movement });
        if self.entries.len() > self.limit {
            self.entries.pop_front();
        }
    }

    /// The entries, and how many were made before the oldest of them and are forgotten.
    pub(super) fn as_json(&self) -> Value {
        let forgotten = self.written.saturating_sub(self.entries.len() as u64);
        json!({"entries": self.entries, "forgotten": forgotten})
    }
}
