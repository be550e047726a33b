//! Prices worked out by hand, and what must hold for any.

use duka_index::Document;
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use super::*;

fn offer(price: i64, stock: i64) -> Offer {
    Offer { price, stock }
}

fn discount(id: i64, discount_type: DiscountType, discount_value: i64) -> Discount {
    Discount {
        id,
        code: format!("D{id}"),
        discount_type,
        discount_value,
        minimum_purchase: None,
        maximum_discount: None,
        start_date: 0,
        end_date: None,
        unit: 1,
    }
}

fn percent(id: i64, hundredths: i64) -> Discount {
    discount(id, DiscountType::Percentage, hundredths)
}

fn fixed(id: i64, amount: i64) -> Discount {
    discount(id, DiscountType::Fixed, amount)
}

/// The price and the id of the discount shown, at 0.
fn paid(price: i64, discounts: &[Discount]) -> (i64, Option<i64>) {
    let price = of_offer(price, discounts, 0);
    (price.amount, price.discount.map(|discount| discount.id))
}

#[test]
fn what_is_sold_out_does_not_set_the_price() {
    let price = |offers: &[Offer]| effective(offers, &[], 0).map(|price| price.amount);
    assert_eq!(price(&[offer(500, 0), offer(700, 2), offer(900, 1)]), Some(700));
    assert_eq!(price(&[offer(500, 0), offer(300, 0)]), Some(300));
    assert_eq!(price(&[]), None);
    assert_eq!(steps(&[], &[percent(1, 1_000)]), []);
}

#[test]
fn the_lowest_price_wins_and_discounts_do_not_add_up() {
    let both = [percent(1, 1_000), fixed(2, 500)];
    assert_eq!(paid(3_000, &both), (2_500, Some(2)));
    assert_eq!(paid(10_000, &both), (9_000, Some(1)));
    assert_eq!(paid(5_000, &both), (4_500, Some(1)), "equal ones: the lower id");
    assert_eq!(paid(5_000, &[both[1].clone(), both[0].clone()]), (4_500, Some(1)), "in any order");
}

#[test]
fn the_reduction_is_rounded_half_up() {
    // 15 % of 12.50 is 1.875; 10 % of 0.05 is 0.005; 33.33 % of 0.01 is 0.003333.
    assert_eq!(paid(1_250, &[percent(1, 1_500)]), (1_062, Some(1)));
    assert_eq!(paid(5, &[percent(1, 1_000)]), (4, Some(1)));
    assert_eq!(paid(1, &[percent(1, 3_333)]), (1, None), "what lowers nothing is not shown");
    // In a currency without decimals, 10 % of 1005 is 100.5.
    let whole = Discount { unit: 100, ..percent(1, 1_000) };
    assert_eq!(paid(100_500, std::slice::from_ref(&whole)), (90_400, Some(1)));
    assert_eq!(paid(400, &[whole]), (400, None));
}

#[test]
fn no_more_than_the_cap_and_no_more_than_there_is() {
    let capped = |cap| [Discount { maximum_discount: Some(cap), ..percent(1, 5_000) }];
    assert_eq!(paid(10_000, &capped(1_000)), (9_000, Some(1)));
    assert_eq!(paid(10_000, &capped(6_000)), (5_000, Some(1)));
    assert_eq!(paid(300, &[fixed(1, 500)]), (0, Some(1)));
    assert_eq!(paid(0, &[fixed(1, 500), percent(2, 10_000)]), (0, None), "what is free cannot be lowered");
    assert_eq!(paid(999_999_999_999, &[percent(1, 10_000)]), (0, Some(1)));
}

#[test]
fn a_minimum_is_of_the_offer_s_own_price() {
    let discounts = [Discount { minimum_purchase: Some(1_000), ..fixed(1, 900) }];
    assert_eq!(paid(1_000, &discounts), (100, Some(1)));
    assert_eq!(paid(999, &discounts), (999, None));
    let price = effective(&[offer(999, 1), offer(1_500, 1)], &discounts, 0).unwrap();
    assert_eq!((price.amount, price.discount.is_some()), (600, true), "the dearer one becomes the cheaper");
}

#[test]
fn the_discount_shown_is_the_one_that_makes_the_price() {
    // It lowers the dearer offer, which still is not the cheapest.
    let discounts = [Discount { minimum_purchase: Some(5_000), ..fixed(1, 100) }];
    let price = effective(&[offer(1_000, 1), offer(9_000, 1)], &discounts, 0).unwrap();
    assert_eq!((price.amount, price.discount), (1_000, None));
    // Down to the price of another: that is a sale all the same.
    let discounts = [Discount { minimum_purchase: Some(1_500), ..percent(1, 5_000) }];
    let price = effective(&[offer(1_000, 1), offer(2_000, 1)], &discounts, 0).unwrap();
    assert_eq!((price.amount, price.discount.map(|d| d.id)), (1_000, Some(1)));
}

#[test]
fn steps_begin_before_everything_and_join_where_nothing_changes() {
    let window = |discount, start_date, end_date| Discount { start_date, end_date, ..discount };
    let discounts = [
        window(percent(1, 1_000), 10, Some(30)),
        window(fixed(2, 50), 20, Some(40)),
        window(fixed(3, 1), 25, Some(26)),
    ];
    let found = steps(&[offer(1_000, 1)], &discounts);
    let brief: Vec<_> =
        found.iter().map(|s| (s.from, s.effective_price, s.discount.as_ref().map(|d| d.id))).collect();
    assert_eq!(
        brief,
        [(i64::MIN, 1_000, None), (10, 900, Some(1)), (30, 950, Some(2)), (40, 1_000, None)],
        "what never wins makes no step"
    );
    let other = [window(fixed(1, 5), 10, Some(20)), window(fixed(2, 5), 20, None)];
    let ids: Vec<_> = steps(&[offer(9, 0)], &other).into_iter().map(|s| s.discount.map(|d| d.id)).collect();
    assert_eq!(ids, [None, Some(1), Some(2)], "an equal price by another discount is another step");
}

// What must hold for any ---------------------------------------------------------------------------------------

prop_compose! {
    fn any_discount(unit: i64)(
        id in 1..6_i64,
        is_percentage in any::<bool>(),
        value in prop_oneof![1..10_001_i64, 1..=999_999_999_999_i64],
        minimum in prop::option::of(0..3_000_i64),
        maximum in prop::option::of(1..2_000_i64),
        start in 0..12_i64,
        length in prop::option::of(1..6_i64),
    ) -> Discount {
        let whole = |amount: i64| (amount / unit).max(1) * unit;
        Discount {
            id,
            code: format!("D{id}"),
            discount_type: if is_percentage { DiscountType::Percentage } else { DiscountType::Fixed },
            discount_value: if is_percentage { value.min(10_000) } else { whole(value) },
            minimum_purchase: minimum,
            maximum_discount: maximum.map(whole),
            start_date: start,
            end_date: length.map(|length| start + length),
            unit,
        }
    }
}

fn any_offers(unit: i64) -> impl Strategy<Value = Vec<Offer>> {
    let price = prop_oneof![0..3_000_i64, 0..=999_999_999_999_i64];
    let one = (price, 0..2_i64).prop_map(move |(price, stock)| offer(price / unit * unit, stock));
    prop::collection::vec(one, 1..5)
}

prop_compose! {
    /// A product's offers and discounts, of different ids, in a currency with or without decimals.
    fn any_product()(unit in prop::sample::select(vec![1_i64, 100]))(
        offers in any_offers(unit),
        discounts in prop::collection::vec(any_discount(unit), 0..6),
    ) -> (Vec<Offer>, Vec<Discount>) {
        let numbered = (1..).zip(discounts).map(|(id, discount)| Discount { id, ..discount });
        (offers, numbered.collect())
    }
}

/// The lowest price as one would work it out on paper.
fn on_paper(offers: &[Offer], discounts: &[Discount], at: i64) -> i64 {
    let in_stock: Vec<&Offer> = offers.iter().filter(|offer| offer.stock > 0).collect();
    let counted = if in_stock.is_empty() { offers.iter().collect() } else { in_stock };
    let lowered = |price: i64, discount: &Discount| {
        let open = at >= discount.start_date && discount.end_date.is_none_or(|end| at < end);
        if !open || price < discount.minimum_purchase.unwrap_or(0) {
            return price;
        }
        let off = match discount.discount_type {
            DiscountType::Fixed => discount.discount_value,
            DiscountType::Percentage => {
                let decimals = if discount.unit == 100 { 0 } else { 2 };
                let exact = Decimal::new(price, 2) * Decimal::new(discount.discount_value, 4);
                let rounded = exact.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
                (rounded * Decimal::ONE_HUNDRED).to_i64().unwrap()
            }
        };
        (price - off.min(discount.maximum_discount.unwrap_or(off))).max(0)
    };
    let best = |price: i64| discounts.iter().map(|d| lowered(price, d)).chain([price]).min().unwrap();
    counted.into_iter().map(|offer| best(offer.price)).min().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_price_is_never_negative_nor_above_the_own((offers, discounts) in any_product(), at in -1..20_i64) {
        for Offer { price, .. } in &offers {
            let paid = of_offer(*price, &discounts, at);
            prop_assert!((0..=*price).contains(&paid.amount));
            prop_assert_eq!(paid.discount.is_some(), paid.amount < *price);
        }
        let lowest = effective(&offers, &discounts, at).unwrap();
        prop_assert_eq!(lowest.amount, on_paper(&offers, &discounts, at));
        prop_assert!(lowest.discount.is_none_or(|discount| discount.runs(at)));
    }

    #[test]
    fn steps_say_what_is_paid_at_every_instant((offers, discounts) in any_product()) {
        let document = Document { prices: steps(&offers, &discounts), ..Document::default() };
        prop_assert_eq!(document.prices[0].from, i64::MIN);
        prop_assert!(document.prices.is_sorted_by(|a, b| a.from < b.from));
        let equal = |pair: &[PriceStep]| {
            (pair[0].effective_price, &pair[0].discount) == (pair[1].effective_price, &pair[1].discount)
        };
        prop_assert!(!document.prices.windows(2).any(equal), "{:?}", document.prices);
        let bounds = discounts.iter().flat_map(|d| [Some(d.start_date), d.end_date]).flatten();
        let around = bounds.flat_map(|bound| [bound - 1, bound, bound + 1]);
        for at in around.chain([i64::MIN, -1, 0, i64::MAX]) {
            let (step, price) = (document.price_at(at), effective(&offers, &discounts, at).unwrap());
            prop_assert_eq!(step.effective_price, price.amount, "at {}", at);
            prop_assert_eq!(step.discount.as_ref().map(|d| d.id), price.discount.map(|d| d.id), "at {}", at);
        }
    }
}
