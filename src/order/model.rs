//! What an order is, and which of its states follows which.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::money::Amount;

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = OrderStatus)]
pub enum Status {
    /// Holds its stock and waits for its payment.
    Pending,
    /// To be packed.
    Confirmed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Given up; its stock went back.
    Cancelled,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Confirmed, Self::Shipped, Self::Delivered, Self::Cancelled];

    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The table: whether an order may go on from this state to that.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Confirmed | Self::Cancelled)
                | (Self::Confirmed, Self::Shipped | Self::Cancelled)
                | (Self::Shipped, Self::Delivered)
        )
    }
}

/// What has been paid of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Nothing.
    Pending,
    /// All.
    Paid,
    /// Nothing, and the last attempt came to nothing.
    Failed,
    /// All, and all went back.
    Refunded,
    /// All, and some went back.
    PartiallyRefunded,
}

impl PaymentStatus {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Paid, Self::Failed, Self::Refunded, Self::PartiallyRefunded];

    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::PartiallyRefunded => "partially_refunded",
        }
    }

    /// The table: whether what is paid may go on from this state to that. A success after a failure wins, and a
    /// failure never overrides a success.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Paid | Self::Failed)
                | (Self::Failed, Self::Pending | Self::Paid)
                | (Self::Paid, Self::PartiallyRefunded | Self::Refunded)
                | (Self::PartiallyRefunded, Self::Refunded)
        )
    }

    /// Whether the shop holds money for it.
    pub const fn holds_money(self) -> bool {
        matches!(self, Self::Paid | Self::PartiallyRefunded)
    }
}

/// How it is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PaymentMethod {
    /// A card.
    Card,
    /// M-Pesa.
    Mpesa,
    /// To whoever brings it.
    CashOnDelivery,
}

impl PaymentMethod {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Card, Self::Mpesa, Self::CashOnDelivery];

    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Mpesa => "mpesa",
            Self::CashOnDelivery => "cash_on_delivery",
        }
    }
}

/// Who gave an order up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Whose it is.
    Customer,
    /// An administrator.
    Admin,
    /// Nobody paid in time.
    Expired,
}

impl CancelReason {
    /// The word that the database uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::Expired => "expired",
        }
    }

    /// What the timeline says.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Customer => "Cancelled by the customer.",
            Self::Admin => "Cancelled by the shop.",
            Self::Expired => "It was not paid in time.",
        }
    }
}

/// What an order's moves are decided by, under its lock.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// How far it has come.
    pub status: Status,
    /// What has been paid.
    pub payment_status: PaymentStatus,
    /// How.
    pub payment_method: PaymentMethod,
}

impl State {
    /// Whether parcels of it may be made and sent.
    pub fn may_ship(&self) -> bool {
        // What was paid in advance and sent back is not paid on delivery any more.
        let is_cash = self.payment_method == PaymentMethod::CashOnDelivery
            && self.payment_status != PaymentStatus::Refunded;
        let covered = self.payment_status.holds_money() || is_cash;
        covered && matches!(self.status, Status::Confirmed | Status::Shipped)
    }

    /// Whether it has arrived and was to be paid then.
    pub fn is_paid_by_arriving(&self) -> bool {
        self.status == Status::Delivered
            && self.payment_method == PaymentMethod::CashOnDelivery
            && self.payment_status.may_become(PaymentStatus::Paid)
    }
}

/// Where it goes: a copy, which later changes of the address leave alone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShippingAddress {
    /// With the house's number.
    pub street: String,
    /// The town.
    pub city: String,
    /// May be empty.
    pub region: String,
    /// As people write it, or a code.
    pub country: String,
    /// May be empty.
    pub postal_code: String,
    /// `home` or `work`.
    pub address_type: String,
}

/// A line: copies as of the purchase.
#[derive(Clone, Debug)]
pub struct Item {
    /// The row's id.
    pub id: i64,
    /// The order's.
    pub order_id: i64,
    /// What was bought.
    pub variant_id: i64,
    /// What it is a variant of.
    pub product_id: i64,
    /// The product's name then.
    pub product_name: String,
    /// The variant's name then.
    pub variant_name: String,
    /// Its SKU then.
    pub sku: String,
    /// How many.
    pub quantity: i32,
    /// What one cost.
    pub price: Amount,
    /// `quantity` times `price`.
    pub subtotal: Amount,
    /// Its share of what the code took off.
    pub discount_total: Amount,
}

/// How far a parcel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ShipmentStatus {
    /// Being packed.
    Pending,
    /// Handed over.
    Shipped,
    /// On its way.
    InTransit,
    /// Arrived.
    Delivered,
    /// Came back.
    Returned,
}

/// A parcel of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Shipment {
    /// The row's id.
    pub id: i64,
    /// The order's.
    pub order_id: i64,
    /// The carrier's; may be empty.
    pub tracking_number: String,
    /// Who carries it; may be empty.
    pub carrier: String,
    /// How far it has come.
    pub status: ShipmentStatus,
    /// When it was handed over.
    #[serde(with = "time::serde::rfc3339::option")]
    pub shipped_at: Option<OffsetDateTime>,
    /// When it arrived.
    #[serde(with = "time::serde::rfc3339::option")]
    pub delivered_at: Option<OffsetDateTime>,
}

/// Something that happened to an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// The order's.
    #[serde(skip)]
    pub order_id: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// A stable word: `placed`, `confirmed`, `shipped`, `delivered`, `cancelled`, …
    pub event: String,
    /// For people; may be empty.
    pub detail: String,
}

/// The row of an order.
#[derive(Clone, Debug)]
pub struct Head {
    /// The row's id.
    pub id: i64,
    /// What people say on the phone.
    pub order_number: String,
    /// Whose it is.
    pub user_id: i64,
    /// How far it has come.
    pub status: Status,
    /// What has been paid.
    pub payment_status: PaymentStatus,
    /// How it is to be paid.
    pub payment_method: PaymentMethod,
    /// Three letters.
    pub currency: String,
    /// What the lines cost.
    pub subtotal: Amount,
    /// What the code takes off.
    pub discount_total: Amount,
    /// What is to be paid.
    pub total_amount: Amount,
    /// The code.
    pub discount_code: Option<String>,
    /// When it was placed.
    pub order_date: OffsetDateTime,
    /// When the first parcel left.
    pub shipped_at: Option<OffsetDateTime>,
    /// When it gives its stock back, unless it is paid.
    pub expires_at: Option<OffsetDateTime>,
    /// Where it goes.
    pub address: ShippingAddress,
}

/// An order, with all that belongs to it and the reader may see.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its row.
    pub head: Head,
    /// Its lines.
    pub items: Vec<Item>,
    /// Its parcels.
    pub shipments: Vec<Shipment>,
    /// What happened to it.
    pub timeline: Vec<Event>,
}

impl Order {
    /// The order as a vendor sees it, whose lines these are: its sums are theirs, the code is told if it lowered them, and of
    /// what was paid for the others nothing is.
    pub fn of_these_lines(mut self) -> Self {
        let sum = |part: fn(&Item) -> Amount| {
            Amount::from_hundredths(self.items.iter().map(|item| part(item).hundredths()).sum())
        };
        let (subtotal, discount) = (sum(|item| item.subtotal), sum(|item| item.discount_total));
        let total = Amount::from_hundredths(subtotal.hundredths() - discount.hundredths());
        (self.head.subtotal, self.head.discount_total, self.head.total_amount) = (subtotal, discount, total);
        if discount == Amount::ZERO {
            self.head.discount_code = None;
        }
        let is_of_all = |event: &&mut Event| Status::ALL.iter().any(|status| status.as_str() == event.event);
        self.timeline.iter_mut().filter(|event| !is_of_all(event)).for_each(|event| event.detail.clear());
        self
    }
}

/// Ten characters of Crockford's base 32 that nobody can guess: no letter of them is read as a digit.
pub fn order_number() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits: u64 = rand::random();
    (0..10).map(|place| char::from(ALPHABET[(bits >> (place * 5) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn states_follow_the_table() {
        let follows = |from: Status| Status::ALL.into_iter().filter(move |to| from.may_become(*to));
        let of = |from| follows(from).collect::<Vec<_>>();
        assert_eq!(of(Status::Pending), [Status::Confirmed, Status::Cancelled]);
        assert_eq!(of(Status::Confirmed), [Status::Shipped, Status::Cancelled]);
        assert_eq!(of(Status::Shipped), [Status::Delivered]);
        assert_eq!(of(Status::Delivered), []);
        assert_eq!(of(Status::Cancelled), []);
    }

    #[test]
    fn a_failure_never_overrides_a_success() {
        use PaymentStatus::{Failed, Paid, PartiallyRefunded, Pending, Refunded};
        let of = |from: PaymentStatus| {
            PaymentStatus::ALL.into_iter().filter(|to| from.may_become(*to)).collect::<Vec<_>>()
        };
        assert_eq!(of(Pending), [Paid, Failed]);
        assert_eq!(of(Failed), [Pending, Paid]);
        assert_eq!(of(Paid), [Refunded, PartiallyRefunded]);
        assert_eq!(of(PartiallyRefunded), [Refunded]);
        assert_eq!(of(Refunded), []);
    }

    #[test]
    fn numbers_are_short_and_differ() {
        let numbers: HashSet<String> = (0..10_000).map(|_| order_number()).collect();
        assert_eq!(numbers.len(), 10_000);
        let plain = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() && !"ILOU".contains(c);
        assert!(numbers.iter().all(|number| number.len() == 10 && number.chars().all(plain)));
    }
}
