//! What is to be paid for an order.

use super::model::{PaymentStatus, State};
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

impl PaymentStatus {
    /// Whether what is paid may be that again, since what had gone back came back. New money never does this.
    pub const fn may_return_to(self, before: Self) -> bool {
        matches!(
            (self, before),
            (Self::Refunded, Self::PartiallyRefunded | Self::Paid) | (Self::PartiallyRefunded, Self::Paid)
        )
    }

    /// What is paid of an order for which the shop holds so much of what was paid.
    pub fn of_held(held: Amount, total: Amount) -> Self {
        if held == Amount::ZERO {
            Self::Refunded
        } else if held < total {
            Self::PartiallyRefunded
        } else {
            Self::Paid
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_had_gone_back_may_be_there_again() {
        use PaymentStatus::{Failed, Paid, PartiallyRefunded, Pending, Refunded};
        let back = |from: PaymentStatus| {
            PaymentStatus::ALL.into_iter().filter(|to| from.may_return_to(*to)).collect::<Vec<_>>()
        };
        assert_eq!((back(Refunded), back(PartiallyRefunded)), (vec![Paid, PartiallyRefunded], vec![Paid]));
        assert!([Pending, Failed, Paid].into_iter().all(|from| back(from).is_empty()));
        let held =
            |held| PaymentStatus::of_held(Amount::from_hundredths(held), Amount::from_hundredths(1250));
        assert_eq!(
            [0, 1, 1249, 1250, 1300].map(held),
            [Refunded, PartiallyRefunded, PartiallyRefunded, Paid, Paid]
        );
    }
}
