//! Counting prices: their range, and round buckets over it.

use crate::{
    bits::Bits,
    compile::Matches,
    groups::tally,
    hits::{PriceBucket, PriceFacet},
    price::PriceColumn,
    query::Facet,
};

/// How many buckets there are at most: a filter that fits beside a list of products.
const BUCKETS: usize = 10;
const MAX_BUCKETS: i128 = BUCKETS as i128;
/// What no bucket is narrower than, in hundredths: people choose between whole amounts. Where everything costs less
/// than that, a tenth of it.
const UNIT: i128 = 100;

/// Counts the prices of what matches every filter but the price's.
pub(crate) fn count(matches: &[Matches]) -> PriceFacet {
    let sets: Vec<_> = matches.iter().map(|matches| matches.counted_by(&Facet::Price)).collect();
    let priced = || sets.iter().zip(matches).map(|(set, matches)| (set.as_ref(), matches.prices.as_ref()));
    let ranges = priced().filter_map(|(set, prices)| range(set, prices));
    let Some((min, max)) = ranges.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))) else {
        return PriceFacet::default();
    };
    let width = width(min, max);
    let first = i128::from(min).div_euclid(width) * width;
    let mut counts = [0_u64; BUCKETS];
    for (set, prices) in priced() {
        let of_segment = count_in(set, prices, first, width);
        counts.iter_mut().zip(of_segment).for_each(|(count, more)| *count += more);
    }
    let bound = |position: usize| saturate(first + width * position as i128);
    let buckets = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(position, &count)| PriceBucket { from: bound(position), to: bound(position + 1), count });
    PriceFacet { min: Some(min), max: Some(max), buckets: buckets.collect() }
}

/// The lowest and the highest price of a set.
fn range(set: &Bits, prices: &PriceColumn) -> Option<(i64, i64)> {
    let by_price = &prices.order.ascending;
    // Looked for from both ends, no longer than looking at all would take.
    let many = set.count() as usize;
    let lowest = by_price.iter().take(many).find(|doc| set.contains(**doc));
    let highest = by_price.iter().rev().take(many).find(|doc| set.contains(**doc));
    if let (Some(lowest), Some(highest)) = (lowest, highest) {
        return Some((prices.prices[*lowest as usize], prices.prices[*highest as usize]));
    }
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    set.for_each(|doc| {
        let price = prices.prices[doc as usize];
        min = min.min(price);
        max = max.max(price);
    });
    (min <= max).then_some((min, max))
}

/// The least of 1, 2, 5, 10, 20, 50 … units with which ten buckets that begin at multiples of it cover the range.
fn width(min: i64, max: i64) -> i128 {
    let (min, max) = (i128::from(min), i128::from(max));
    let highest = max.abs().max(min.abs());
    let unit = if (1..UNIT).contains(&highest) { UNIT / 10 } else { UNIT };
    if min.div_euclid(unit) == max.div_euclid(unit) {
        // There is nothing to choose from: two digits say enough.
        return unit.max(10_i128.pow(highest.max(1).ilog10()) / 10);
    }
    let mut power = unit;
    loop {
        for width in [power, 2 * power, 5 * power] {
            if max.div_euclid(width) - min.div_euclid(width) < MAX_BUCKETS {
                return width;
            }
        }
        power *= 10;
    }
}

/// By bucket, how many of a set are in it; the last place is that of prices in none.
fn count_in(set: &Bits, prices: &PriceColumn, first: i128, width: i128) -> Vec<u64> {
    let below: Vec<usize> =
        (0..=BUCKETS).map(|position| prices.below(first + width * position as i128)).collect();
    let outside = prices.prices.len() - (below[BUCKETS] - below[0]);
    let sizes = below.windows(2).map(|bounds| bounds[1] - bounds[0]).chain([outside]);
    let sizes = sizes.map(|size| size as u64).collect();
    let span = width * MAX_BUCKETS;
    // Shops have prices that fit in 32 bits above the first bucket, where a division takes a quarter of the time.
    if let (Ok(first), Ok(width), Ok(span)) =
        (i64::try_from(first), u32::try_from(width), u32::try_from(span))
    {
        return tally(set, sizes, |doc| {
            let price = prices.prices[doc as usize];
            let above = price.abs_diff(first);
            if price < first || above >= u64::from(span) { BUCKETS } else { (above as u32 / width) as usize }
        });
    }
    tally(set, sizes, |doc| {
        let above = i128::from(prices.prices[doc as usize]) - first;
        if (0..span).contains(&above) { usize::try_from(above / width).unwrap_or(BUCKETS) } else { BUCKETS }
    })
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use tantivy::i64_to_u64;

    use super::*;
    use crate::{permutation::Permutation, price::Prices};

    #[test]
    fn widths_are_round_and_as_narrow_as_ten_buckets_allow() {
        assert_eq!(width(0, 999), 100);
        assert_eq!(width(0, 1_000), 200);
        assert_eq!(width(995, 10_400), 2_000);
        assert_eq!(width(1_000, 10_999), 1_000);
        assert_eq!(width(-500, 499), 100);
        assert!(width(i64::MIN, i64::MAX) > 0);
    }

    #[test]
    fn prices_that_are_close_have_whole_bounds() {
        // 12.34 alone is from 12.00 to 13.00, 1,234.56 from 1,200 to 1,300.
        for (min, max, expected) in [
            (0, 0, 100),
            (1, 1, 10),
            (40, 40, 10),
            (5, 95, 10),
            (99, 100, 100),
            (500, 500, 100),
            (1_234, 1_234, 100),
            (1_234, 1_299, 100),
            (1_299, 1_300, 100),
            (12_345, 12_345, 1_000),
            (12_345, 12_399, 1_000),
            (123_456, 123_456, 10_000),
            (-1_234, -1_234, 100),
        ] {
            assert_eq!(width(min, max), expected, "{min} to {max}");
        }
        assert!(width(i64::MAX, i64::MAX) > 0 && width(i64::MIN, i64::MIN) > 0);
    }

    #[test]
    fn every_price_falls_in_its_bucket() {
        for (prices, first) in [
            (vec![995, 1_999, 2_000, 10_400], 0),
            (vec![-30, -1, 0, 60], -30),
            (vec![i64::MIN, 0, i64::MAX], i64::MIN),
        ] {
            let width = width(prices[0], prices[prices.len() - 1]);
            let first_bound = i128::from(prices[0]).div_euclid(width) * width;
            assert_eq!(saturate(first_bound), first);
            let by_id: Vec<u32> = (0..prices.len() as u32).collect();
            let order = Permutation::new(&by_id, |doc| Some(i64_to_u64(prices[doc as usize])));
            let sale = Bits::none(prices.len() as u32);
            let column = Prices::new(prices.clone(), sale, order, Vec::new()).at(0, &[]);
            for set in [Bits::all(prices.len() as u32), Bits::of(&prices, |price| price != prices[1])] {
                let counts = count_in(&set, &column, first_bound, width);
                for (position, count) in (0..).zip(&counts[..BUCKETS]) {
                    let from = first_bound + width * position;
                    let is_inside = |doc: &&u32| {
                        let price = prices[**doc as usize];
                        set.contains(**doc) && (from..from + width).contains(&i128::from(price))
                    };
                    assert_eq!(*count, by_id.iter().filter(is_inside).count() as u64);
                }
            }
        }
    }
}
