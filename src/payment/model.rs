//! What an attempt and a refund are, and which of their states follows which.

use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{money::Amount, order::model::PaymentMethod};

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = AttemptStatus)]
pub enum Status {
    /// Not known to be sent.
    Pending,
    /// The gateway waits for the buyer.
    Processing,
    /// Sent, and no answer tells what became of it.
    Unknown,
    /// Nothing was paid.
    Failed,
    /// Nothing was paid, because somebody wanted it so.
    Cancelled,
    /// The shop has the money.
    Succeeded,
}

impl Status {
    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Succeeded => "succeeded",
        }
    }

    /// Whether money may still come of it without anybody being surprised.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Processing | Self::Unknown)
    }

    /// The table. Ends only rise, so that news in any order end in the same state: a success beats everything, a
    /// cancellation beats a failure.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Pending, Self::Processing | Self::Unknown) | (Self::Unknown, Self::Processing) => true,
            (_, Self::Failed) => self.is_live(),
            (_, Self::Cancelled) => self.is_live() || matches!(self, Self::Failed),
            (_, Self::Succeeded) => !matches!(self, Self::Succeeded),
            _ => false,
        }
    }
}

/// The names under which a gateway knows an attempt; each is known once it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// A card payment's intent, M-Pesa's receipt.
    pub transaction_id: Option<String>,
    /// M-Pesa: the prompt on the phone.
    pub checkout_request_id: Option<String>,
    /// M-Pesa: the request that made it.
    pub merchant_request_id: Option<String>,
}

impl Names {
    /// Whether what both have is the same.
    pub fn agree(&self, other: &Self) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| {
            one.as_ref().zip(other.as_ref()).is_none_or(|(one, other)| one == other)
        };
        same(&self.transaction_id, &other.transaction_id)
            && same(&self.checkout_request_id, &other.checkout_request_id)
            && same(&self.merchant_request_id, &other.merchant_request_id)
    }
}

/// An attempt to pay an order.
#[derive(Clone, Debug)]
pub struct Payment {
    /// The row's id.
    pub id: i64,
    /// The order's.
    pub order_id: i64,
    /// What people say of the order on the phone.
    pub order_number: String,
    /// Whether the order still wants to be paid.
    pub is_wanted: bool,
    /// Card or M-Pesa.
    pub method: PaymentMethod,
    /// How far it has come.
    pub status: Status,
    /// What is charged.
    pub amount: Amount,
    /// What was paid, and in which currency, where that is not what was asked for. It pays nothing, and can go back.
    pub received: Option<(Amount, String)>,
    /// What has gone back of it, or is about to.
    pub refunded_amount: Amount,
    /// Three letters.
    pub currency: String,
    /// M-Pesa: whose phone is asked.
    pub phone_number: Option<String>,
    /// How the gateway calls it.
    pub names: Names,
    /// Under which name the gateway is asked again, without doing it again.
    pub gateway_key: String,
    /// Card: what the buyer's browser confirms it with, while it is live.
    pub client_secret: Option<String>,
    /// How it ended, in the gateway's code.
    pub result_code: Option<String>,
    /// The same for people.
    pub result_description: Option<String>,
    /// Why a person must look at it.
    pub attention: Option<String>,
    /// Nobody wants it any more: it is to be withdrawn at the gateway.
    pub is_abandoned: bool,
    /// How often the gateway was asked about it.
    pub checks: i32,
    /// When the money was there.
    pub paid_at: Option<OffsetDateTime>,
    /// When it was made.
    pub payment_date: OffsetDateTime,
}

impl Payment {
    /// What the shop has got for it, whether or not it was asked for.
    pub fn got(&self) -> Amount {
        match &self.received {
            Some((amount, _)) => *amount,
            None if self.status == Status::Succeeded => self.amount,
            None => Amount::ZERO,
        }
    }

    /// In which currency it has got that.
    pub fn got_in(&self) -> &str {
        self.received.as_ref().map_or(&self.currency, |(_, currency)| currency)
    }

    /// What can still go back.
    pub fn left(&self) -> Amount {
        Amount::from_hundredths(self.got().hundredths() - self.refunded_amount.hundredths())
    }

    /// Whether the gateway is to be asked about it, or told to withdraw it.
    pub fn needs_the_gateway(&self) -> bool {
        self.status.is_live() || self.is_abandoned && self.status == Status::Failed
    }
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum RefundStatus {
    /// Not sent yet.
    Pending,
    /// Sent; the gateway is at it.
    Processing,
    /// Sent, and no answer tells what became of it.
    Unknown,
    /// The buyer has the money.
    Succeeded,
    /// The shop keeps the money.
    Failed,
    /// No gateway can do it: a person must.
    Manual,
}

impl RefundStatus {
    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Unknown => "unknown",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Manual => "manual",
        }
    }

    /// The table. What has gone out has gone out, unless it comes back, which is another story; what failed may be told to
    /// have gone out after all.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Succeeded, _) | (_, Self::Pending) => false,
            (Self::Failed, next) => matches!(next, Self::Succeeded),
            (Self::Manual, next) => matches!(next, Self::Succeeded | Self::Failed),
            (Self::Processing, Self::Unknown) | (Self::Pending, Self::Unknown) => true,
            (from, next) => !matches!(
                (from, next),
                (Self::Pending, Self::Pending)
                    | (Self::Processing, Self::Processing)
                    | (Self::Unknown, Self::Unknown)
            ),
        }
    }
}

/// Money on its way back.
#[derive(Clone, Debug)]
pub struct Refund {
    /// The row's id.
    pub id: i64,
    /// Of which payment.
    pub payment_id: i64,
    /// Of which order.
    pub order_id: i64,
    /// How much.
    pub amount: Amount,
    /// Three letters.
    pub currency: String,
    /// How far it has come.
    pub status: RefundStatus,
    /// For people.
    pub reason: String,
    /// Under which name the gateway is asked again, without doing it again.
    pub gateway_key: String,
    /// How the gateway calls it.
    pub gateway_refund_id: Option<String>,
    /// M-Pesa: how it calls the request for it.
    pub gateway_request_id: Option<String>,
    /// Why it failed, or waits for a person.
    pub error: Option<String>,
    /// How often the gateway was asked.
    pub checks: i32,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it was sent.
    pub sent_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// What M-Pesa moves of an amount: whole shillings, rounded up.
pub fn whole_shillings(amount: Amount) -> Amount {
    Amount::from_decimal(amount.decimal().ceil())
}

/// How long to wait before the gateway is asked about an attempt once more: ten seconds, then longer, at most three
/// quarters of a minute while the buyer may be at it, and up to a quarter of an hour after that. A gateway that did not
/// answer, or could not tell, is asked every three quarters of a minute for a day, so that what it knows is known soon
/// after it is back. Not all at the same instant.
pub fn next_check(checks: i32, was_silent: bool) -> Duration {
    let slow = if was_silent { 2_000 } else { 20 };
    let seconds = if checks < slow {
        (10.0 * 1.5_f64.powi(checks.max(0))).min(45.0)
    } else {
        (45.0 * 1.5_f64.powi(checks - slow)).min(900.0)
    };
    Duration::from_secs_f64(seconds * rand::rng().random_range(0.8..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 6] = [
        Status::Pending,
        Status::Processing,
        Status::Unknown,
        Status::Failed,
        Status::Cancelled,
        Status::Succeeded,
    ];

    #[test]
    fn news_in_any_order_end_in_the_same_state() {
        let ends = [Status::Failed, Status::Cancelled, Status::Succeeded];
        for start in ALL.into_iter().filter(|status| status.is_live()) {
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                for most in 1..=3 {
                    let heard: Vec<Status> =
                        order.iter().filter(|end| **end < most).map(|end| ends[*end]).collect();
                    let end =
                        heard.iter().fold(start, |now, next| if now.may_become(*next) { *next } else { now });
                    assert_eq!(end, ends[most - 1], "{heard:?}");
                }
            }
        }
        for status in ALL {
            assert!(!Status::Succeeded.may_become(status), "nothing follows a success");
            assert!(!status.may_become(status) && !status.may_become(Status::Pending));
        }
    }

    #[test]
    fn what_was_paid_back_stays_paid_back() {
        use RefundStatus::{Failed, Manual, Pending, Processing, Succeeded, Unknown};
        let all = [Pending, Processing, Unknown, Succeeded, Failed, Manual];
        let of = |from: RefundStatus| all.into_iter().filter(|to| from.may_become(*to)).collect::<Vec<_>>();
        assert_eq!(of(Pending), [Processing, Unknown, Succeeded, Failed, Manual]);
        assert_eq!(of(Processing), [Unknown, Succeeded, Failed, Manual]);
        assert_eq!(of(Unknown), [Processing, Succeeded, Failed, Manual]);
        assert_eq!(of(Succeeded), []);
        assert_eq!(of(Failed), [Succeeded]);
        assert_eq!(of(Manual), [Succeeded, Failed]);
    }

    #[test]
    fn silence_is_broken_within_a_minute_and_never_for_long() {
        for checks in (0..200).chain([i32::MAX]) {
            let (wait, silent) = (next_check(checks, false), next_check(checks, true));
            assert!(wait >= Duration::from_secs(8) && wait <= Duration::from_secs(900), "{checks}: {wait:?}");
            assert!(checks > 20 || wait <= Duration::from_secs(45), "{checks}: {wait:?}");
            assert!(checks > 200 || silent <= Duration::from_secs(45), "{checks}: {silent:?}");
            assert!(
                silent >= Duration::from_secs(8) && silent <= Duration::from_secs(900),
                "{checks}: {silent:?}"
            );
        }
    }

    #[test]
    fn shillings_are_whole() {
        for (amount, whole) in [(1, 100), (100, 100), (1620, 1700), (999_999, 1_000_000)] {
            assert_eq!(whole_shillings(Amount::from_hundredths(amount)).hundredths(), whole);
        }
    }
}
