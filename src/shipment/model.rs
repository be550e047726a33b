//! Which of a parcel's states follows which, and what they make of their order.

use serde_json::Value;

use crate::{
    body::{Fields, Form, Refusal, line},
    order::model::{ShipmentStatus, Status},
};

/// The most parcels of an order.
pub const MOST: usize = 100;

/// Every state, in the order of a parcel's way.
const ALL: [ShipmentStatus; 5] = [
    ShipmentStatus::Pending,
    ShipmentStatus::Shipped,
    ShipmentStatus::InTransit,
    ShipmentStatus::Delivered,
    ShipmentStatus::Returned,
];

/// The word that the database and clients use.
pub const fn word(status: ShipmentStatus) -> &'static str {
    match status {
        ShipmentStatus::Pending => "pending",
        ShipmentStatus::Shipped => "shipped",
        ShipmentStatus::InTransit => "in_transit",
        ShipmentStatus::Delivered => "delivered",
        ShipmentStatus::Returned => "returned",
    }
}

/// The table: whether a parcel may go on from one state to the other. News may be missed, so steps may be left out;
/// what stays as it is may be said again.
pub fn may_become(from: ShipmentStatus, to: ShipmentStatus) -> bool {
    use ShipmentStatus::{Delivered, InTransit, Pending, Returned, Shipped};
    from == to
        || matches!(
            (from, to),
            (Pending, Shipped | InTransit | Delivered)
                | (Shipped, InTransit | Delivered | Returned)
                | (InTransit, Delivered | Returned)
                | (Delivered, Returned)
        )
}

/// Whether the parcel has been handed over.
pub fn has_left(status: ShipmentStatus) -> bool {
    status != ShipmentStatus::Pending
}

/// How far the order has come whose parcels stand so: it has left with the first of them, and has arrived when none
/// is still to come and one is there. `None` while none has left.
pub fn reached(parcels: &[ShipmentStatus]) -> Option<Status> {
    let is_open = |status: &ShipmentStatus| {
        matches!(status, ShipmentStatus::Pending | ShipmentStatus::Shipped | ShipmentStatus::InTransit)
    };
    let arrived = parcels.contains(&ShipmentStatus::Delivered) && !parcels.iter().any(is_open);
    let left = parcels.iter().copied().any(has_left);
    match (arrived, left) {
        (true, _) => Some(Status::Delivered),
        (false, true) => Some(Status::Shipped),
        (false, false) => None,
    }
}

/// What is said of a parcel; `None` stays as it is, of a new one it is empty or `pending`.
#[derive(Debug)]
pub struct Said {
    /// See [`Shipment`](crate::order::model::Shipment).
    pub tracking_number: Option<String>,
    /// See [`Shipment`](crate::order::model::Shipment).
    pub carrier: Option<String>,
    /// See [`Shipment`](crate::order::model::Shipment).
    pub status: Option<ShipmentStatus>,
}

impl Form for Said {
    fn read(fields: &mut Fields) -> Self {
        Self {
            tracking_number: fields.optional("tracking_number", line(0..=100)),
            carrier: fields.optional("carrier", line(0..=100)),
            status: fields.optional("status", status),
        }
    }
}

fn status(value: Value) -> Result<ShipmentStatus, Refusal> {
    let known = ALL.into_iter().find(|status| value.as_str() == Some(word(*status)));
    known.ok_or_else(|| ("value", format!("must be one of {}", ALL.map(word).join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ShipmentStatus::{Delivered, InTransit, Pending, Returned, Shipped};

    #[test]
    fn parcels_go_on_and_never_back() {
        for (place, from) in ALL.into_iter().enumerate() {
            for (later, to) in ALL.into_iter().enumerate() {
                let expected = place == later || place < later && (from, to) != (Pending, Returned);
                assert_eq!(may_become(from, to), expected, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn an_order_is_where_its_parcels_are() {
        for (parcels, expected) in [
            (vec![], None),
            (vec![Pending, Pending], None),
            (vec![Pending, Shipped], Some(Status::Shipped)),
            (vec![Pending, Delivered], Some(Status::Shipped)),
            (vec![InTransit, Delivered], Some(Status::Shipped)),
            (vec![Delivered, Delivered], Some(Status::Delivered)),
            (vec![Delivered, Returned], Some(Status::Delivered)),
            (vec![Returned], Some(Status::Shipped)),
        ] {
            assert_eq!(reached(&parcels), expected, "{parcels:?}");
        }
    }
}
