//! Chance that falls the same everywhere: a generator of our own, and only such arithmetic on floats as IEEE
//! 754 defines to the last bit. `exp` and `ln` of the system's library differ between machines.

/// SplitMix64 (Steele, Lea and Flood, 2014): one addition and three mixing steps a number.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The numbers of row `i` under `seed`: both are mixed, so that neighbours have nothing in common.
    pub(super) fn new(seed: u64, i: u64) -> Self {
        Self(mix(mix(seed) ^ i))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Below `n`; 0 for 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.roll()) * n as u128) >> 64) as usize
    }

    /// From `from` to before `to`.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = u128::from(to.abs_diff(from));
        from + ((u128::from(self.roll()) * width) >> 64) as i64
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.between(0, 100) < i64::from(percent)
    }

    /// Any of the items, all equally likely.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }

    /// From 0 to before 1.
    fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, mean 0 and deviation 1: the sum of twelve uniform numbers (Irwin and Hall).
    pub(super) fn bell(&mut self) -> f64 {
        let sixteen_bits = |roll: u64| (0..4).map(|part| (roll >> (16 * part)) & 0xFFFF).sum::<u64>();
        let sum: u64 = (0..3).map(|_| sixteen_bits(self.roll())).sum();
        sum as f64 / 65_536.0 - 6.0
    }

    /// At least `least` and at most `most`: more than `x` in `least` of `x` cases, as by Zipf's law.
    pub(super) fn pareto(&mut self, least: i64, most: i64) -> i64 {
        ((least as f64 / (1.0 - self.unit())) as i64).min(most)
    }
}

fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// e to the power of `x`, to half a percent for |x| below 3: (1 + x/1024) to the power of 1024.
pub(super) fn exp(x: f64) -> f64 {
    (0..10).fold(1.0 + x / 1024.0, |y, _| y * y)
}

/// Zipf's law: the item of rank `k`, from 1, is drawn in proportion to 1/k.
#[derive(Debug)]
pub(super) struct Zipf {
    /// Sums of 1/k up to each rank, from none.
    sums: Vec<f64>,
}

impl Zipf {
    /// For lists of up to 600 items, the skipped ranks included.
    pub(super) fn new() -> Self {
        let sums = std::iter::once(0.0).chain((1..=600).scan(0.0, |sum, k| {
            *sum += 1.0 / f64::from(k);
            Some(*sum)
        }));
        Self { sums: sums.collect() }
    }

    /// A rank below `n`, from 0. Skipping the first ranks flattens the law.
    pub(super) fn rank(&self, dice: &mut Dice, n: usize, skipped: usize) -> usize {
        let last = self.sums.len() - 1;
        let (from, to) = (skipped.min(last), (skipped + n).min(last));
        let at = self.sums[from] + dice.unit() * (self.sums[to] - self.sums[from]);
        self.sums[from + 1..to].partition_point(|sum| *sum <= at)
    }

    /// One of the words, the first the likeliest; nothing of nothing.
    pub(super) fn pick(&self, dice: &mut Dice, words: &[&'static str]) -> &'static str {
        words.get(self.rank(dice, words.len(), 0)).copied().unwrap_or_default()
    }
}
