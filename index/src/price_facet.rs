//! Counting prices: their range, and round buckets over it.
//!
//! Buckets are equally wide as long as that tells products apart. Where more than half of them would be in one, since a
//! few cost a hundred times as much, bounds stand where the products are ([`steps`]).

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
/// And how many bounds between them.
const STEPS: usize = BUCKETS - 1;
/// What no bucket is narrower than, in hundredths: people choose between whole amounts. Where everything costs less
/// than that, a tenth of it.
const UNIT: i128 = 100;

/// Counts the prices of what matches every filter but the price's.
pub(crate) fn count(matches: &[Matches<'_>]) -> PriceFacet {
    let sets: Vec<_> = matches.iter().map(|matches| matches.counted_by(&Facet::Price)).collect();
    let priced = || sets.iter().zip(matches).map(|(set, matches)| (set.as_ref(), matches.prices.as_ref()));
    let ranges = priced().filter_map(|(set, prices)| range(set, prices));
    let Some((min, max)) = ranges.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1))) else {
        return PriceFacet::default();
    };
    let sets: Vec<(&Bits, &PriceColumn)> = priced().collect();
    let buckets = even_buckets(&sets, min, max);
    let counted = || buckets.iter().map(|bucket| bucket.count);
    let is_telling = counted().max().unwrap_or(0) * 2 <= counted().sum();
    let bounds = if is_telling { Vec::new() } else { steps(&Spread::of(&sets), min, max) };
    let buckets = if bounds.is_empty() { buckets } else { buckets_between(&bounds, &sets) };
    PriceFacet { min: Some(min), max: Some(max), buckets }
}

/// Buckets of one width, without those that hold nothing.
fn even_buckets(sets: &[(&Bits, &PriceColumn)], min: i64, max: i64) -> Vec<PriceBucket> {
    let width = width(min, max);
    let first = i128::from(min).div_euclid(width) * width;
    let mut counts = [0_u64; BUCKETS];
    for (set, prices) in sets {
        let of_segment = count_in(set, prices, first, width);
        counts.iter_mut().zip(of_segment).for_each(|(count, more)| *count += more);
    }
    let bounds: Vec<i64> = (0..=BUCKETS).map(|position| saturate(first + width * position as i128)).collect();
    filled(&bounds, &counts)
}

/// Buckets between bounds, the first of which no price is below, and the last of which all are.
fn buckets_between(bounds: &[i64], sets: &[(&Bits, &PriceColumn)]) -> Vec<PriceBucket> {
    let mut inner = [i64::MAX; STEPS];
    inner.iter_mut().zip(&bounds[1..bounds.len() - 1]).for_each(|(inner, bound)| *inner = *bound);
    let mut counts = [0_u64; BUCKETS];
    for (set, prices) in sets {
        set.for_each(|doc| {
            let price = prices.prices[doc as usize];
            // Not a search: nine comparisons at once are faster.
            counts[inner.iter().map(|bound| usize::from(price >= *bound)).sum::<usize>()] += 1;
        });
    }
    filled(bounds, &counts)
}

fn filled(bounds: &[i64], counts: &[u64]) -> Vec<PriceBucket> {
    let buckets = bounds.windows(2).zip(counts).filter(|(_, count)| **count > 0);
    buckets.map(|(bounds, &count)| PriceBucket { from: bounds[0], to: bounds[1], count }).collect()
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

/// What bounds are multiples of.
fn unit(min: i64, max: i64) -> i128 {
    let highest = i128::from(max).abs().max(i128::from(min).abs());
    if (1..UNIT).contains(&highest) { UNIT / 10 } else { UNIT }
}

/// The least of 1, 2, 5, 10, 20, 50 … units with which ten buckets that begin at multiples of it cover the range.
fn width(min: i64, max: i64) -> i128 {
    let unit = unit(min, max);
    let (min, max) = (i128::from(min), i128::from(max));
    let highest = max.abs().max(min.abs());
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

/// How prices are spread: nearly, to the 256th part, which is enough to choose bounds by.
struct Spread {
    counts: Vec<u64>,
    all: u64,
}

impl Spread {
    /// Significant bits of a price, but for the first.
    const BITS: u32 = 8;

    fn of(sets: &[(&Bits, &PriceColumn)]) -> Self {
        let mut counts = vec![0; Self::cell(i64::MAX) + 1];
        let mut all = 0;
        for (set, prices) in sets {
            set.for_each(|doc| counts[Self::cell(prices.prices[doc as usize])] += 1);
            all += set.count();
        }
        Self { counts, all }
    }

    fn cell(price: i64) -> usize {
        let price = price.max(0).cast_unsigned();
        let cut = price.max(1).ilog2().saturating_sub(Self::BITS);
        ((cut as usize) << Self::BITS) + usize::try_from(price >> cut).unwrap_or(0)
    }

    /// The lowest price of a cell.
    fn price(cell: usize) -> i64 {
        let cut = (cell >> Self::BITS).saturating_sub(1);
        let leading = cell - (cut << Self::BITS);
        i64::try_from(leading).unwrap_or(i64::MAX) << cut
    }

    /// The least prices that so many parts of `of` do not exceed, part by part.
    fn parts(&self, parts: impl Iterator<Item = u64>, of: u64) -> Vec<i64> {
        let (mut cell, mut passed) = (0, 0);
        let part = |part: u64| {
            let sought = (part * self.all).div_ceil(of).max(1);
            while cell + 1 < self.counts.len() && passed + self.counts[cell] < sought {
                passed += self.counts[cell];
                cell += 1;
            }
            Self::price(cell)
        };
        parts.map(part).collect()
    }
}

/// How many times as much as nearly all products cost what costs far more begins, at most.
const FAR_MORE: i128 = 10;

/// Round bounds of at most ten buckets: between each two of nine prices that split the products evenly, and once above
/// the last of those, the roundest number there. None where there is nothing to choose from.
fn steps(spread: &Spread, min: i64, max: i64) -> Vec<i64> {
    let unit = unit(min, max);
    let parts = spread.parts((0..STEPS as u64).map(|part| 2 * part + 1), 2 * STEPS as u64);
    let last = i128::from(parts[STEPS - 1]);
    let gaps = parts.windows(2).map(|parts| (i128::from(parts[0]), i128::from(parts[1])));
    let gaps = gaps.chain([(last, i128::from(max).min(last.max(unit) * FAR_MORE))]);
    let inner: Vec<i128> = gaps.filter_map(|(above, upto)| roundest(above, upto, unit)).collect();
    let (Some(first), Some(last)) = (inner.first(), inner.last()) else { return Vec::new() };
    let (min, max) = (i128::from(min), i128::from(max));
    // Neither end makes a bucket more than twice as wide as it has to be, or goes more than a tenth too far.
    let lowest = roundest((2 * min - first).max(-1), min, unit).unwrap_or(min.div_euclid(unit) * unit);
    let upto = (2 * max - last).max(max + max / 10);
    let highest = roundest(max, upto, unit).unwrap_or((max.div_euclid(unit) + 1) * unit);
    [lowest].into_iter().chain(inner).chain([highest]).map(saturate).collect()
}

/// The roundest multiple of a unit above one number and up to another: the last one of the widest steps, of 1, 2 or 5
/// times a power of ten units. Zero is a multiple of all.
fn roundest(above: i128, upto: i128, unit: i128) -> Option<i128> {
    if above < 0 {
        return Some(0);
    }
    let mut best = None;
    let mut power = unit;
    while power <= upto.max(unit) {
        for step in [power, 2 * power, 5 * power] {
            let last = upto.div_euclid(step) * step;
            if last > above {
                best = Some(last);
            }
        }
        power *= 10;
    }
    best
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

    fn column(prices: &[i64]) -> std::sync::Arc<PriceColumn> {
        let by_id: Vec<u32> = (0..prices.len() as u32).collect();
        let order = Permutation::new(&by_id, |doc| Some(i64_to_u64(prices[doc as usize])));
        Prices::new(prices.to_vec(), Bits::none(prices.len() as u32), order, Vec::new()).at(0, &[])
    }

    #[test]
    fn outliers_do_not_put_everything_into_one_bucket() {
        let bounds = |prices: &[i64]| {
            let (column, set) = (column(prices), Bits::all(prices.len() as u32));
            let (min, max) = (prices.iter().min().unwrap(), prices.iter().max().unwrap());
            steps(&Spread::of(&[(&set, &column)]), *min, *max)
        };
        // One to 99 of the currency, and 9,000.
        let usual: Vec<i64> = (1..100).map(|price| price * 100).chain([900_000]).collect();
        assert_eq!(
            bounds(&usual),
            [0, 1_000, 2_000, 3_000, 4_000, 5_000, 7_000, 8_000, 9_000, 50_000, 1_000_000]
        );
        assert_eq!(bounds(&[500, 600, 900_000]), [500, 600, 500_000, 900_000, 950_000]);
        assert_eq!(bounds(&[1_000, 1_000, 1_000, 900_000]), [0, 500_000, 900_000, 950_000]);
        assert_eq!(bounds(&[1_000; 3]), [0_i64; 0], "there is nothing to choose from");
    }

    #[test]
    fn numbers_are_as_round_as_there_is_room() {
        let all = [
            (95, 950),
            (1_000, 1_100),
            (1_149, 1_320),
            (99, 99),
            (100, 199),
            (0, 100),
            (-1, 99),
            (899, 1_000),
        ];
        let expected = [Some(500), Some(1_100), Some(1_200), None, None, Some(100), Some(0), Some(1_000)];
        assert_eq!(all.map(|(above, upto)| roundest(above, upto, 100)), expected);
    }

    #[test]
    fn a_spread_knows_prices_to_the_256th_part() {
        for price in [0, 1, 255, 256, 511, 512, 513, 1_023, 1_024, 99_999, 123_456_789, i64::MAX] {
            let cell = Spread::cell(price);
            let (low, next) = (Spread::price(cell), Spread::price(cell + 1));
            assert!(low <= price && price - low <= price / 256, "{price}: {low}");
            assert!(price == i64::MAX || price < next, "{price}: {next}");
        }
        let steps: Vec<usize> = (0..5_000).map(Spread::cell).collect();
        assert!(steps.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1));
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
            let column = column(&prices);
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
