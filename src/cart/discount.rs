//! What a code takes off a cart, and off each of its lines: arithmetic, no IO.
//!
//! A code is for the lines of its linked products, or for all lines where it has no links. What it takes off in
//! all is worked out on the sum of those lines, and is then divided among them: each gets its part, rounded
//! half-up, and the largest line takes what rounding left over. The shares sum to the whole, exactly.
//!
//! Money is in hundredths, instants are in microseconds since 1970.

use std::cmp::Reverse;

use crate::pricing::Discount;

/// A line, as far as a code is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Whose product it is of.
    pub product_id: i64,
    /// What it costs without the code; never negative.
    pub subtotal: i64,
}

/// A code, as one user finds it at one moment.
#[derive(Clone, Debug)]
pub struct Code {
    /// What it takes off, when, and from which subtotal on.
    pub terms: Discount,
    /// Whether it holds at all.
    pub is_active: bool,
    /// Orders that may use it.
    pub usage_limit: Option<i64>,
    /// Orders of one user that may.
    pub usage_limit_per_user: Option<i64>,
    /// Orders that use it.
    pub times_used: i64,
    /// Those of this user.
    pub used_by_user: i64,
    /// Whether it is for some products alone.
    pub is_linked: bool,
    /// Those of them that are in the cart.
    pub product_ids: Vec<i64>,
}

/// Why a code does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No code reads so.
    Unknown,
    /// It has been switched off.
    Inactive,
    /// Its first day is still to come.
    NotStarted,
    /// Its last day has passed.
    Ended,
    /// As many orders use it as may.
    UsedUp,
    /// As many orders of this user use it as may.
    UsedByYou,
    /// The cart's subtotal is too low.
    MinimumNotReached,
    /// It is for other products.
    NoProduct,
}

impl Refusal {
    /// The stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Inactive => "inactive",
            Self::NotStarted => "not-started",
            Self::Ended => "ended",
            Self::UsedUp => "used-up",
            Self::UsedByYou => "used-by-you",
            Self::MinimumNotReached => "minimum-not-reached",
            Self::NoProduct => "no-product",
        }
    }

    /// The sentence for people.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Unknown => "There is no such code; check its spelling.",
            Self::Inactive => "This code is not in use at present.",
            Self::NotStarted => "This code does not hold yet.",
            Self::Ended => "This code has ended.",
            Self::UsedUp => "This code has been used as often as it may be.",
            Self::UsedByYou => "You have used this code as often as you may.",
            Self::MinimumNotReached => "The cart's subtotal is below the code's minimum purchase.",
            Self::NoProduct => "This code is for other products than those in the cart.",
        }
    }
}

impl Code {
    /// What it takes off each line at an instant, in their order.
    ///
    /// # Errors
    /// The first reason for which it does not apply.
    pub fn shares(&self, parts: &[Part], at: i64) -> Result<Vec<i64>, Refusal> {
        self.holds(at)?;
        let subtotal = parts.iter().fold(0_i64, |sum, part| sum.saturating_add(part.subtotal));
        if self.terms.minimum_purchase.is_some_and(|least| subtotal < least) {
            return Err(Refusal::MinimumNotReached);
        }
        let mine = |part: &Part| !self.is_linked || self.product_ids.contains(&part.product_id);
        if self.is_linked && !parts.iter().any(mine) {
            return Err(Refusal::NoProduct);
        }
        let bases: Vec<i64> =
            parts.iter().map(|part| if mine(part) { part.subtotal.max(0) } else { 0 }).collect();
        let base = bases.iter().fold(0_i64, |sum, base| sum.saturating_add(*base));
        Ok(divided(self.terms.reduction(base), &bases, self.terms.unit))
    }

    fn holds(&self, at: i64) -> Result<(), Refusal> {
        if !self.is_active {
            Err(Refusal::Inactive)
        } else if at < self.terms.start_date {
            Err(Refusal::NotStarted)
        } else if !self.terms.runs(at) {
            Err(Refusal::Ended)
        } else if self.usage_limit.is_some_and(|most| self.times_used >= most) {
            Err(Refusal::UsedUp)
        } else if self.usage_limit_per_user.is_some_and(|most| self.used_by_user >= most) {
            Err(Refusal::UsedByYou)
        } else {
            Ok(())
        }
    }
}

/// Divides `whole` among lines in proportion to what each costs, in whole `unit`s; none gets more than it costs.
fn divided(whole: i64, bases: &[i64], unit: i64) -> Vec<i64> {
    let sum: i128 = bases.iter().map(|base| i128::from(*base)).sum();
    if whole <= 0 || sum <= 0 {
        return vec![0; bases.len()];
    }
    let step = sum * i128::from(unit.max(1));
    let part = |base: &i64| {
        let units = (i128::from(whole) * i128::from(*base) + step / 2).div_euclid(step);
        i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(unit.max(1)).min(*base)
    };
    let mut shares: Vec<i64> = bases.iter().map(part).collect();
    let mut left = i128::from(whole) - shares.iter().map(|share| i128::from(*share)).sum::<i128>();
    // A cart of many tiny lines leaves more over than its largest can take: the next one takes the rest.
    let mut largest: Vec<usize> = (0..bases.len()).collect();
    largest.sort_by_key(|place| (Reverse(bases[*place]), *place));
    for place in largest {
        let taken = (i128::from(shares[place]) + left).clamp(0, i128::from(bases[place]));
        left -= taken - i128::from(shares[place]);
        shares[place] = i64::try_from(taken).unwrap_or(shares[place]);
    }
    shares
}

#[cfg(test)]
mod tests;
