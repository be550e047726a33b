//! The corpus is what its documentation says: deterministic, unique, plausible.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::*;
use crate::import::row::parse_json;

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn rows(n: u64) -> impl Iterator<Item = Row> {
    let corpus = Corpus::new(1, usd());
    (0..n).map(move |i| corpus.row(i))
}

/// FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn is_sold_out(row: &Row) -> bool {
    match &row.variants {
        Some(variants) => variants.iter().all(|variant| variant.stock == Some(0)),
        None => row.stock == Some(0),
    }
}

#[test]
fn the_first_thousand_rows_are_pinned() {
    let bytes = rows(1_000).flat_map(|row| format!("{}\n", row.to_json(usd())).into_bytes());
    assert_eq!(
        hash(bytes),
        13_693_224_348_537_381_602,
        "the corpus changed: measurements before and after do not compare"
    );
}

#[test]
fn rows_depend_on_seed_and_number_alone() {
    let (one, again, two) = (Corpus::new(1, usd()), Corpus::new(1, usd()), Corpus::new(2, usd()));
    assert_eq!(one.row(77), again.row(77));
    assert_ne!(one.row(77), one.row(78));
    assert_ne!(one.row(77), two.row(77));
    assert_ne!(one.row(u64::MAX).name, "");
}

#[test]
fn every_word_is_in_its_place() {
    let (departments, shelves) = shelves::stock_up();
    assert_eq!((departments.len(), shelves.len()), (10, 500));
    let brands: HashSet<_> = departments.iter().flat_map(|d| &d.brands).collect();
    assert_eq!(brands.len(), 300);
    for d in &departments {
        assert_eq!((d.aisles.len(), d.code.len()), (10, 3), "{}", d.name);
        assert!(d.lines.len() >= 8 && d.adjectives.len() >= 8 && d.uses.len() >= 8, "{}", d.name);
        assert!(!d.models.is_empty() && d.closings.len() >= 5 && d.labels.1.len() >= 3, "{}", d.name);
        assert!(d.making.iter().all(|text| text.contains("{material}")), "{}", d.name);
        assert!(d.flag.1 > 0 && d.flag.1 < 100 && !d.flag.0.is_empty(), "{}", d.name);
        for aisle in &d.aisles {
            assert_eq!(aisle.specs.len(), 2, "{}", aisle.name);
            assert!(aisle.grams.0 < aisle.grams.1, "{}", aisle.name);
        }
    }
    for shelf in &shelves {
        let aisle = &departments[shelf.department].aisles[shelf.aisle];
        assert!(shelf.median >= 2.0 && shelf.nouns.len() == 3 && shelf.axes.len() <= 2, "{}", shelf.name);
        assert!(
            shelf.code.len() >= 3 && shelf.features.len() >= 2 && !shelf.materials.is_empty(),
            "{}",
            shelf.name
        );
        for axis in &shelf.axes {
            assert!(axis.options.len() >= 4, "{}", axis.name);
            let spec = |spec: &Spec| matches!(spec, Spec::Range(name, ..) | Spec::Choice(name, _) if *name == axis.name);
            assert!(!aisle.specs.iter().any(spec), "{}", axis.name);
        }
    }
}

#[test]
fn a_shop_of_a_hundred_thousand_is_believable() {
    let mut skus = HashSet::new();
    let mut leaves: HashMap<Vec<String>, u32> = HashMap::new();
    let mut brands: HashMap<String, u32> = HashMap::new();
    let (mut sold_out, mut rated, mut words) = (0, 0, 0);
    let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
    for row in rows(100_000) {
        assert!(row.name.chars().count() <= 280);
        let (at, oldest) = (row.date_added.unwrap(), NEWEST - Duration::days(3 * 365));
        assert!(at <= NEWEST && at > oldest);
        sold_out += u32::from(is_sold_out(&row));
        rated += u32::from(row.rating.is_some());
        words += row.description.unwrap().split(' ').count();
        *leaves.entry(row.category_path.unwrap()).or_default() += 1;
        *brands.entry(row.brand.unwrap()).or_default() += 1;
        let variants = row.variants.unwrap_or_default();
        *counts.entry(variants.len().max(1)).or_default() += 1;
        for sku in variants.into_iter().map(|variant| variant.sku).chain([row.sku]) {
            assert!(skus.insert(sku.clone()), "{sku} twice");
        }
    }
    assert_eq!((leaves.len(), brands.len()), (500, 300));
    assert!((9_000..=11_000).contains(&sold_out), "{sold_out} sold out");
    assert!((60_000..=99_000).contains(&rated), "{rated} rated");
    assert!((5_000_000..=7_500_000).contains(&words), "{words} words");
    assert!((1..=5).all(|n| counts[&n] > 3_000), "{counts:?}");
    let (least, most) = (brands.values().min().unwrap(), brands.values().max().unwrap());
    assert!(*most > 20 * *least, "brands are too even: {least} to {most}");
}

#[test]
fn prices_lie_around_their_shelf_s_median_and_end_as_in_shops() {
    let corpus = Corpus::new(3, usd());
    let mut prices: HashMap<String, Vec<i64>> = HashMap::new();
    for i in 0..60_000 {
        let row = corpus.row(i);
        let hundredths = row.price.hundredths();
        assert!([0, 49, 95, 99].contains(&(hundredths % 100)), "{hundredths}");
        prices.entry(row.category_path.unwrap().join(" > ")).or_default().push(hundredths);
    }
    let flat = corpus
        .shelves
        .iter()
        .filter(|shelf| shelf.axes.iter().all(|axis| axis.step.is_none_or(|step| step == 0)));
    for shelf in flat {
        let department = &corpus.departments[shelf.department];
        let path = [department.name, department.aisles[shelf.aisle].name, shelf.name].join(" > ");
        let prices = prices.get_mut(&path).unwrap();
        prices.sort_unstable();
        let ratio = prices[prices.len() / 2] as f64 / 100.0 / shelf.median;
        assert!((0.6..1.7).contains(&ratio), "{path}: {ratio}");
    }
}

#[test]
fn sizes_are_neighbours() {
    let corpus = Corpus::new(4, usd());
    for (i, shelf) in (0..20_000).map(|i| (i, corpus.place(&mut Dice::new(4, i)).shelf)) {
        for axis in shelf.axes.iter().filter(|axis| axis.step.is_some()) {
            let variants = corpus.row(i).variants.unwrap_or_default();
            let place = |variant: &VariantRow| {
                let value = variant.attributes.as_ref().unwrap()[axis.name].as_str().unwrap();
                axis.options.iter().position(|option| *option == value).unwrap()
            };
            let places: BTreeSet<usize> = variants.iter().map(place).collect();
            let (first, last) = (places.first().unwrap_or(&0), places.last().unwrap_or(&0));
            assert!(places.is_empty() || last - first + 1 == places.len(), "{}: {places:?}", shelf.name);
        }
    }
}

#[test]
fn popularity_follows_zipf() {
    let mut counts: Vec<i64> = rows(10_000).filter_map(|row| row.popularity).collect();
    counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
    // By the law, the hundredth has a tenth of what the tenth has.
    let ratio = counts[9] as f64 / counts[99] as f64;
    assert!((3.0..30.0).contains(&ratio), "{ratio}");
}

#[test]
fn the_import_accepts_every_row() {
    for (currency, n) in [("USD", 3_000), ("JPY", 300)] {
        let currency = currency.parse().unwrap();
        let corpus = Corpus::new(9, currency);
        for i in 0..n {
            let row = corpus.row(i);
            assert_eq!(parse_json(&row.to_json(currency), currency), Ok(row));
        }
    }
}
