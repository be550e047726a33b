//! What is sold of a product: its options, and prices that end as shops' prices do.

use serde_json::Value;

use super::{
    dice::{self, Dice, Zipf},
    shelves::{Axis, Shelf},
};

/// A price before it is rounded, and how it will end: the same for all variants.
#[derive(Clone, Copy)]
pub(super) struct Price {
    exact: f64,
    ending: usize,
}

impl Price {
    /// Log-normal around the shelf's median.
    pub(super) fn draw(dice: &mut Dice, zipf: &Zipf, shelf: &Shelf) -> Self {
        Self { exact: shelf.median * dice::exp(0.45 * dice.bell()), ending: zipf.rank(dice, 3, 0) }
    }

    /// `factor` times the price in hundredths, rounded as shops do: 4.49, 18.99, 249.00, 1099.00.
    pub(super) fn times(self, factor: f64) -> i64 {
        let whole = (self.exact * factor) as i64;
        match whole {
            ..10 => whole * 100 + [99, 49, 95][self.ending],
            10..100 => whole * 100 + [99, 95, 0][self.ending],
            100..1_000 => (whole / 10 * 10 + 9) * 100 + [0, 99, 95][self.ending],
            _ => (whole / 50 * 50 + 49) * 100,
        }
    }
}

/// The combinations of options that a product is sold in, from 0.
pub(super) struct Options<'a> {
    axes: &'a [Axis],
    /// The first option on each of the two axes.
    from: [usize; 2],
    /// How many options of the second axis there are.
    inner: usize,
    /// How many combinations there are: 1 to 5.
    pub(super) count: usize,
}

impl<'a> Options<'a> {
    pub(super) fn draw(dice: &mut Dice, zipf: &Zipf, shelf: &'a Shelf) -> Self {
        let wanted = [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5];
        let wanted = dice.pick(&wanted).unwrap_or(1);
        let size = |axis: usize| shelf.axes.get(axis).map_or(1, |axis| axis.options.len());
        let inner = 1 + dice.below(wanted.min(size(1)));
        let count = wanted.min(size(0) * inner);
        let mut from = [0, 0];
        for (i, axis) in shelf.axes.iter().take(2).enumerate() {
            let needed = if i == 0 { count.div_ceil(inner) } else { inner };
            let common = zipf.rank(dice, axis.options.len(), 0);
            // Without an order, options go round: Coral, Black, White.
            from[i] = if axis.step.is_some() { common.min(axis.options.len() - needed) } else { common };
        }
        Self { axes: &shelf.axes, from, inner, count }
    }

    /// The axes and the places on them of combination `n`.
    fn at(&self, n: usize) -> impl Iterator<Item = (&'a Axis, usize)> {
        let steps = [n / self.inner, n % self.inner];
        let place = move |((axis, from), step): ((&'a Axis, usize), usize)| {
            (axis, (from + step) % axis.options.len())
        };
        self.axes.iter().zip(self.from).zip(steps).map(place)
    }

    fn values(&self, n: usize) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.at(n).map(|(axis, place)| (axis.name, axis.options[place]))
    }

    /// The options' names with `between` between them.
    pub(super) fn name(&self, n: usize, between: &str) -> String {
        let mut name = String::with_capacity(24);
        for (_, value) in self.values(n) {
            if !name.is_empty() {
                name.push_str(between);
            }
            name.push_str(value);
        }
        name
    }

    /// The options as attributes.
    pub(super) fn attributes(&self, n: usize) -> impl Iterator<Item = (String, Value)> {
        self.values(n).map(|(name, value)| (name.to_owned(), Value::from(value)))
    }

    /// The product's SKU with the options' names: `ELE-MOBI-0000007-FOREST-GREEN-128-GB`.
    pub(super) fn sku(&self, product: &str, n: usize) -> String {
        let mut sku = String::with_capacity(product.len() + 24);
        sku.push_str(product);
        for (_, value) in self.values(n) {
            sku.push('-');
            for c in value.chars() {
                if c.is_ascii_alphanumeric() {
                    sku.push(c.to_ascii_uppercase());
                } else if !sku.ends_with('-') {
                    sku.push('-');
                }
            }
        }
        sku
    }

    /// How much more than the first options these cost.
    pub(super) fn factor(&self, n: usize) -> f64 {
        let steps = self.at(n).map(|(axis, place)| (axis.step.unwrap_or(0), place));
        steps.fold(1.0, |all, (percent, place)| {
            (0..place).fold(all, |factor, _| factor * (1.0 + f64::from(percent) / 100.0))
        })
    }
}
