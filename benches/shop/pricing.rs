//! `pricing`: what a price costs.

use std::hint::black_box;

use criterion::Criterion;
use duka::pricing::{Discount, DiscountType, Offer, effective, steps};

pub(crate) fn bench(criterion: &mut Criterion) {
    let offers: Vec<Offer> = (0..5).map(|n| Offer { price: 1_999 + n * 500, stock: n }).collect();
    let discounts: Vec<Discount> = (0..4).map(discount).collect();
    let mut group = criterion.benchmark_group("pricing");
    for (name, discounts) in [("no discount", &discounts[..0]), ("four discounts", &discounts[..])] {
        group.bench_function(format!("5 variants, {name}, now"), |bencher| {
            bencher.iter(|| black_box(effective(black_box(&offers), black_box(discounts), 2_500_000)));
        });
        group.bench_function(format!("5 variants, {name}, at all times"), |bencher| {
            bencher.iter(|| black_box(steps(black_box(&offers), black_box(discounts))));
        });
    }
    group.finish();
}

/// Windows that overlap, so that the best one changes.
fn discount(id: i64) -> Discount {
    Discount {
        id,
        code: format!("SALE{id}"),
        discount_type: if id % 2 == 0 { DiscountType::Percentage } else { DiscountType::Fixed },
        discount_value: 1_000 + id * 250,
        minimum_purchase: None,
        maximum_discount: Some(5_000),
        start_date: id * 1_000_000,
        end_date: Some((id + 3) * 1_000_000),
        unit: 1,
    }
}
