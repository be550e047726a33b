//! Reductions worked out by hand, and what must hold for any.

use proptest::prelude::*;

use super::*;
use crate::pricing::DiscountType;

fn code(discount_type: DiscountType, discount_value: i64) -> Code {
    let terms = Discount {
        id: 1,
        code: "CODE".into(),
        discount_type,
        discount_value,
        minimum_purchase: None,
        maximum_discount: None,
        start_date: 10,
        end_date: Some(20),
        unit: 1,
    };
    Code {
        terms,
        is_active: true,
        usage_limit: None,
        usage_limit_per_user: None,
        times_used: 0,
        used_by_user: 0,
        is_linked: false,
        product_ids: Vec::new(),
    }
}

fn percent(hundredths: i64) -> Code {
    code(DiscountType::Percentage, hundredths)
}

fn fixed(amount: i64) -> Code {
    code(DiscountType::Fixed, amount)
}

/// Lines of the products 0, 1, 2, …
fn parts(subtotals: &[i64]) -> Vec<Part> {
    (0..).zip(subtotals).map(|(product_id, subtotal)| Part { product_id, subtotal: *subtotal }).collect()
}

fn shares(code: &Code, subtotals: &[i64]) -> Vec<i64> {
    code.shares(&parts(subtotals), 10).unwrap()
}

#[test]
fn shares_worked_out_by_hand() {
    for (code, subtotals, expected) in [
        (percent(1_000), vec![1_000, 2_000], vec![100, 200]),
        // 10 % of 0.15 is 0.015, half-up 0.02.
        (percent(1_000), vec![15], vec![2]),
        // 10 % of 30.03 is 3.00; a third of it each is 1.00.
        (percent(1_000), vec![1_001, 1_001, 1_001], vec![100, 100, 100]),
        // A third of 1.00 each is 0.33: the first of the largest takes the cent left over.
        (fixed(100), vec![500, 500, 500], vec![34, 33, 33]),
        (fixed(100), vec![500, 501, 500], vec![33, 34, 33]),
        // Rounded up twice, a cent too much: the largest gives it back.
        (fixed(1), vec![50, 50], vec![0, 1]),
        (fixed(10_000), vec![300, 200], vec![300, 200]),
        (percent(10_000), vec![333, 1], vec![333, 1]),
        (percent(5_000), vec![1; 4], vec![0, 0, 1, 1]),
        (percent(1_000), vec![], vec![]),
        (fixed(100), vec![0, 0], vec![0, 0]),
    ] {
        assert_eq!(shares(&code, &subtotals), expected, "{:?} of {subtotals:?}", code.terms);
    }
}

#[test]
fn a_cap_holds_for_the_whole() {
    let mut code = percent(5_000);
    code.terms.maximum_discount = Some(300);
    assert_eq!(shares(&code, &[1_000, 2_000]), [100, 200]);
    assert_eq!(shares(&code, &[100, 200]), [50, 100]);
}

#[test]
fn a_currency_without_decimals_has_none_here() {
    let mut code = percent(1_000);
    code.terms.unit = 100;
    // 10 % of 1,005 is 100.5, half-up 101.
    assert_eq!(shares(&code, &[100_500]), [10_100]);
    assert_eq!(shares(&code, &[50_000, 50_500]), [5_000, 5_100]);
}

#[test]
fn links_narrow_it_and_the_minimum_counts_everything() {
    let mut code = percent(1_000);
    code.is_linked = true;
    code.product_ids = vec![1];
    code.terms.minimum_purchase = Some(3_000);
    assert_eq!(shares(&code, &[1_000, 2_000]), [0, 200]);
    assert_eq!(code.shares(&parts(&[1_000, 1_999]), 10), Err(Refusal::MinimumNotReached));
    code.product_ids = vec![7];
    assert_eq!(code.shares(&parts(&[1_000, 2_000]), 10), Err(Refusal::NoProduct));
}

#[test]
fn every_reason_is_told() {
    let refused = |change: fn(&mut Code), at: i64| {
        let mut code = percent(1_000);
        change(&mut code);
        code.shares(&parts(&[100]), at).err()
    };
    assert_eq!(refused(|_| {}, 9), Some(Refusal::NotStarted));
    assert_eq!(refused(|_| {}, 10), None);
    assert_eq!(refused(|_| {}, 19), None);
    assert_eq!(refused(|_| {}, 20), Some(Refusal::Ended));
    assert_eq!(refused(|code| code.is_active = false, 10), Some(Refusal::Inactive));
    assert_eq!(refused(|code| (code.usage_limit, code.times_used) = (Some(3), 3), 10), Some(Refusal::UsedUp));
    assert_eq!(refused(|code| (code.usage_limit, code.times_used) = (Some(3), 2), 10), None);
    let mine = |code: &mut Code| (code.usage_limit_per_user, code.used_by_user) = (Some(1), 1);
    assert_eq!(refused(mine, 10), Some(Refusal::UsedByYou));
}

proptest! {
    #[test]
    fn shares_sum_to_the_whole_and_stay_within_their_lines(
        subtotals in prop::collection::vec(0_i64..=10_000_000_000_000_000, 0..100),
        tiny in prop::collection::vec(0_i64..5, 0..100),
        is_percent: bool,
        value in 1_i64..=999_999_999_999,
        cap in prop::option::of(1_i64..=999_999_999_999),
        linked in prop::option::of(prop::collection::vec(0_i64..100, 1..20)),
        coarse: bool,
    ) {
        let unit = if coarse { 100 } else { 1 };
        let mut code = if is_percent { percent(value % 10_000 + 1) } else { fixed(value * unit) };
        code.terms.maximum_discount = cap.map(|cap| cap * unit);
        code.terms.unit = unit;
        code.is_linked = linked.is_some();
        code.product_ids = linked.unwrap_or_default();
        for subtotals in [subtotals, tiny] {
            let subtotals: Vec<i64> = subtotals.into_iter().map(|subtotal| subtotal / unit * unit).collect();
            let parts = parts(&subtotals);
            let Ok(shares) = code.shares(&parts, 10) else { continue };
            let mine = |part: &Part| !code.is_linked || code.product_ids.contains(&part.product_id);
            let base: i64 = parts.iter().filter(|part| mine(part)).map(|part| part.subtotal).sum();
            prop_assert_eq!(shares.iter().sum::<i64>(), code.terms.reduction(base));
            for (share, part) in shares.iter().zip(&parts) {
                let most = if mine(part) { part.subtotal } else { 0 };
                prop_assert!((0..=most).contains(share));
                prop_assert_eq!(share % unit, 0);
            }
        }
    }
}
