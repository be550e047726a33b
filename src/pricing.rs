//! The price that everybody sees: one family of functions for the search document, the detail, the variant, the
//! cart and the order.
//!
//! An automatic discount lowers the price of each variant of its products from its start on and until its end,
//! to the microsecond. The one that leaves the lowest price wins; they do not add up. [`of_offer`] prices a
//! variant at an instant, [`effective`] a product, and [`steps`] is the latter at all instants. What is asked
//! here depends on its arguments alone: the time is one of them, and where discounts are kept is not known.
//!
//! Money is in hundredths, instants are in microseconds since 1970.

use duka_index::PriceStep;
use serde::Deserialize;

/// What a price is made from: one variant's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The variant's price, in hundredths.
    pub price: i64,
    /// Pieces that nobody holds.
    pub stock: i64,
}

/// What a discount's value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscountType {
    /// So many per cent of the price.
    Percentage,
    /// An amount of money.
    Fixed,
}

impl DiscountType {
    /// The word that the database and clients use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percentage => "percentage",
            Self::Fixed => "fixed",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Percentage, Self::Fixed].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An active automatic discount of a product: a row of the view `automatic_discount`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Discount {
    /// Identifies the discount; the lower of two that come to the same price is shown.
    pub id: i64,
    /// Its code.
    pub code: String,
    /// What the value is of.
    pub discount_type: DiscountType,
    /// Hundredths of a per cent, or of the currency's unit.
    pub discount_value: i64,
    /// Offers below this price of their own stay as they are.
    pub minimum_purchase: Option<i64>,
    /// The most that it takes off.
    pub maximum_discount: Option<i64>,
    /// The first instant at which it holds.
    pub start_date: i64,
    /// The first instant at which it holds no more; `None`: it does not end.
    pub end_date: Option<i64>,
    /// The currency's smallest amount, in hundredths: 1, or 100 where it has no decimals.
    pub unit: i64,
}

impl Discount {
    /// Whether its window is open.
    pub fn runs(&self, at: i64) -> bool {
        self.start_date <= at && self.end_date.is_none_or(|end| at < end)
    }

    /// What it takes off `amount`: a percentage is rounded half-up to the currency's smallest amount, and neither
    /// more than `maximum_discount` nor more than there is goes off.
    pub fn reduction(&self, amount: i64) -> i64 {
        let wanted = match self.discount_type {
            DiscountType::Percentage => share(amount, self.discount_value, self.unit),
            DiscountType::Fixed => self.discount_value,
        };
        wanted.min(self.maximum_discount.unwrap_or(i64::MAX)).clamp(0, amount.max(0))
    }
}

/// So many hundredths of a per cent of `amount`, rounded half-up to whole `unit`s.
fn share(amount: i64, hundredths: i64, unit: i64) -> i64 {
    let (exact, step) = (i128::from(amount) * i128::from(hundredths), 10_000 * i128::from(unit.max(1)));
    let units = (exact + step / 2).div_euclid(step);
    // A part of an `i64`, but for the rounding.
    i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(unit.max(1))
}

/// What is paid, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price<'a> {
    /// Never negative where no own price is, and never above it.
    pub amount: i64,
    /// The discount that makes it so; `None` when none lowers it.
    pub discount: Option<&'a Discount>,
}

impl Price<'_> {
    /// Lowest first; of those the discounted, by the discount's id.
    fn rank(&self) -> (i64, i64) {
        (self.amount, self.discount.map_or(i64::MAX, |discount| discount.id))
    }
}

/// What an offer of its own price `price` costs at an instant.
pub fn of_offer(price: i64, discounts: &[Discount], at: i64) -> Price<'_> {
    let reached = |discount: &&Discount| discount.minimum_purchase.is_none_or(|least| price >= least);
    let lowered = discounts
        .iter()
        .filter(|discount| discount.runs(at))
        .filter(reached)
        .map(|discount| Price { amount: price - discount.reduction(price), discount: Some(discount) })
        .filter(|lowered| lowered.amount < price);
    lowered.min_by_key(Price::rank).unwrap_or(Price { amount: price, discount: None })
}

/// What a product costs at an instant: the lowest price over the offers in stock; over all of them when none is;
/// `None` without offers. Its discount is one that makes this price.
pub fn effective<'a>(offers: &[Offer], discounts: &'a [Discount], at: i64) -> Option<Price<'a>> {
    let sold_out = offers.iter().all(|offer| offer.stock <= 0);
    let counted = offers.iter().filter(|offer| sold_out || offer.stock > 0);
    counted.map(|offer| of_offer(offer.price, discounts, at)).min_by_key(Price::rank)
}

/// What a product costs at every instant: the steps at which [`effective`] changes, from the beginning of time
/// on, neighbours never equal. Empty without offers.
pub fn steps(offers: &[Offer], discounts: &[Discount]) -> Vec<PriceStep> {
    let bounds = discounts.iter().flat_map(|discount| [Some(discount.start_date), discount.end_date]);
    let mut instants: Vec<i64> = bounds.flatten().chain([i64::MIN]).collect();
    instants.sort_unstable();
    instants.dedup();
    let mut steps: Vec<PriceStep> = Vec::with_capacity(instants.len());
    for from in instants {
        let Some(price) = effective(offers, discounts, from) else { break };
        let step = PriceStep { from, effective_price: price.amount, discount: price.discount.map(shown) };
        let same = |last: &PriceStep| PriceStep { from, ..last.clone() } == step;
        if !steps.last().is_some_and(same) {
            steps.push(step);
        }
    }
    steps
}

/// As documents show it.
fn shown(discount: &Discount) -> duka_index::Discount {
    duka_index::Discount {
        id: discount.id,
        code: discount.code.clone(),
        discount_type: discount.discount_type.as_str().to_owned(),
        discount_value: discount.discount_value,
        end_date: discount.end_date,
    }
}

#[cfg(test)]
mod tests;
