//! What is asked: searches as shoppers make them, learnt from the shop itself.
//!
//! A shop's own products say what it sells: their names give words, their categories, brands and prices give filters.
//! Of the searches that come of it some are asked far more often than others (Zipf's law), so that a cache is as
//! useful as it would be.

use std::sync::Arc;

use axum::http::uri::PathAndQuery;
use rand::{Rng, RngExt, SeedableRng, distr::weighted::WeightedIndex, prelude::Distribution, rngs::StdRng};
use serde::Deserialize;

use super::wire::{Fault, Wire};

/// Pages of products that are learnt from.
const PAGES: usize = 20;
/// Letters of a word that is worth asking for, and of one that may be mistyped.
const WORD: usize = 4;
const LONG_WORD: usize = 5;

/// A kind of search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The newest products.
    Newest,
    /// A category and a range of prices, the cheapest first.
    PriceRange,
    /// In stock, of a brand, by name.
    InStock,
    /// One word.
    OneWord,
    /// Two words in a category.
    TwoWords,
    /// Two words in a category, with all default facets.
    Facets,
    /// Page 1,000, or the last one.
    DeepPage,
    /// A word with a letter wrong.
    Typo,
    /// The beginning of a word.
    Prefix,
}

impl Class {
    /// All of them, with their names, and how many of a hundred searches are of each.
    pub const ALL: [(Self, &str, u32); 9] = [
        (Self::Newest, "newest", 15),
        (Self::PriceRange, "price-range", 15),
        (Self::InStock, "in-stock", 15),
        (Self::OneWord, "one-word", 20),
        (Self::TwoWords, "two-words", 10),
        (Self::Facets, "facets", 10),
        (Self::DeepPage, "deep-page", 1),
        (Self::Typo, "typo", 4),
        (Self::Prefix, "prefix", 10),
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(class, ..)| *class)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, ..)| *class == self).map_or("", |(_, name, _)| name)
    }
}

/// What a shop sells, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    products: Vec<Product>,
    /// The last page, from 1.
    pages: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Product {
    name: String,
    brand: Option<String>,
    category_id: Option<i64>,
    effective_price: String,
}

#[derive(Deserialize)]
struct Page {
    count: u64,
    results: Vec<Product>,
}

impl Catalog {
    /// Learns what a shop sells: pages from everywhere in its catalog, the popular ones first.
    ///
    /// # Errors
    /// When it does not answer, or not as a shop does, or sells nothing.
    pub async fn learn(wire: &mut Wire) -> Result<Self, Fault> {
        let first = page(wire, 1).await?;
        let (pages, mut products) = (first.count.div_ceil(24), first.results);
        let last = first.count.div_ceil(100);
        let step = (last / PAGES as u64).max(1);
        for number in (1 + step..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)).take(PAGES - 1) {
            products.extend(page(wire, number).await?.results);
        }
        products.retain(|product| !words(&product.name).is_empty());
        if products.is_empty() {
            return Err(Fault::Foreign("the shop sells nothing that could be searched for".to_owned()));
        }
        Ok(Self { products, pages })
    }

    /// A search of a class, as path and query.
    pub fn search(&self, class: Class, random: &mut impl Rng) -> String {
        let product = &self.products[random.random_range(0..self.products.len())];
        let words = words(&product.name);
        let word = |random: &mut _| words[RngExt::random_range(random, 0..words.len())];
        let category = product.category_id.map(|id| format!("&category={id}")).unwrap_or_default();
        let price: f64 = product.effective_price.parse().unwrap_or(10.0);
        let asked = match class {
            Class::Newest => String::new(),
            Class::PriceRange => {
                format!("{category}&price_min={:.2}&price_max={:.2}&sort=price", price * 0.5, price * 2.0)
            }
            Class::InStock => {
                let brand = product.brand.as_deref().filter(|brand| !brand.is_empty());
                let brand = brand.map(|brand| format!("&brand={}", coded(brand))).unwrap_or_default();
                format!("&in_stock=true{brand}&sort=name")
            }
            Class::OneWord => format!("&q={}", coded(word(random))),
            Class::TwoWords | Class::Facets => {
                format!("&q={}+{}{category}", coded(word(random)), coded(word(random)))
            }
            Class::DeepPage => format!("&page={}", self.pages.clamp(1, 1_000)),
            Class::Typo => format!("&q={}", coded(&mistyped(word(random), random))),
            Class::Prefix => {
                let word = word(random);
                let letters = random.random_range(WORD - 1..=WORD);
                format!("&q={}", coded(&word.chars().take(letters).collect::<String>()))
            }
        };
        let facets = if class == Class::Facets { "" } else { "&facets=none" };
        let query = format!("{asked}{facets}");
        format!("/api/product/?{}", query.trim_start_matches('&'))
    }
}

async fn page(wire: &mut Wire, number: u64) -> Result<Page, Fault> {
    let path = format!("/api/product/?facets=none&page={number}&page_size=100&sort=-popularity");
    let reply = wire.get(&path_of(&path)?).await?;
    let foreign = |what: String| Fault::Foreign(format!("/api/product/ is not what a shop answers: {what}"));
    if !reply.is_success() {
        return Err(foreign(format!("status {}", reply.status)));
    }
    serde_json::from_slice(&reply.body).map_err(|error| foreign(error.to_string()))
}

fn path_of(text: &str) -> Result<PathAndQuery, Fault> {
    text.parse().map_err(|_| Fault::Foreign(format!("{text} is no path")))
}

/// Words of letters alone, long enough to be meant.
fn words(name: &str) -> Vec<&str> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.chars().count() >= WORD && word.chars().all(char::is_alphabetic)).collect()
}

fn coded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A letter in the midst of a word missing, another one, or swapped with the next.
fn mistyped(word: &str, random: &mut impl Rng) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < LONG_WORD {
        return word.to_owned();
    }
    let place = random.random_range(1..letters.len() - 1);
    match random.random_range(0..3) {
        0 => drop(letters.remove(place)),
        1 => letters[place] = random.random_range('a'..='z'),
        _ => letters.swap(place, place + 1),
    }
    letters.into_iter().collect()
}

/// Searches, some asked more often than others.
#[derive(Debug)]
pub struct Mix {
    searches: Arc<[PathAndQuery]>,
    often: Arc<WeightedIndex<f64>>,
    random: StdRng,
}

impl Mix {
    /// So many searches, of all classes or of one, of which the n-th most frequent is asked 1/nᵉ times as often as the
    /// most frequent one, `e` being `exponent`; 0 asks all alike. The same seed makes the same ones.
    ///
    /// # Errors
    /// When there are none, or the exponent is no number.
    pub fn new(
        catalog: &Catalog,
        only: Option<Class>,
        distinct: usize,
        exponent: f64,
        seed: u64,
    ) -> Result<Self, Fault> {
        let mut random = StdRng::seed_from_u64(seed);
        let foreign =
            |error: rand::distr::weighted::Error| Fault::Foreign(format!("nothing to ask: {error}"));
        let classes = WeightedIndex::new(Class::ALL.iter().map(|(_, _, share)| *share)).map_err(foreign)?;
        let searches = (0..distinct).map(|_| {
            let class = only.unwrap_or_else(|| Class::ALL[classes.sample(&mut random)].0);
            path_of(&catalog.search(class, &mut random))
        });
        let searches = searches.collect::<Result<Arc<[_]>, _>>()?;
        let often = (1..=distinct).map(|rank| (rank as f64).powf(-exponent));
        Ok(Self { searches, often: Arc::new(WeightedIndex::new(often).map_err(foreign)?), random })
    }

    /// These searches, all as often.
    ///
    /// # Errors
    /// When there are none.
    pub fn of(searches: Vec<PathAndQuery>) -> Result<Self, Fault> {
        let often = WeightedIndex::new(searches.iter().map(|_| 1.0));
        let often = often.map_err(|error| Fault::Foreign(format!("nothing to ask: {error}")))?;
        Ok(Self { searches: searches.into(), often: Arc::new(often), random: StdRng::seed_from_u64(1) })
    }

    /// The same searches, as often, in an order of its own.
    pub fn shuffled(&self, number: u64) -> Self {
        Self {
            searches: Arc::clone(&self.searches),
            often: Arc::clone(&self.often),
            random: StdRng::seed_from_u64(number),
        }
    }

    /// The next one.
    pub fn draw(&mut self) -> &PathAndQuery {
        &self.searches[self.often.sample(&mut self.random)]
    }

    /// All of them, the most frequent first.
    pub fn searches(&self) -> &[PathAndQuery] {
        &self.searches
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn catalog() -> Catalog {
        let product = |number: i64| Product {
            name: format!("Äpfel & Kettle model {number}"),
            brand: Some("Ä & B".to_owned()),
            category_id: Some(number),
            effective_price: "10.00".to_owned(),
        };
        Catalog { products: (1..50).map(product).collect(), pages: 7 }
    }

    #[test]
    fn every_class_is_a_search_with_what_it_says() {
        let mut random = StdRng::seed_from_u64(1);
        for (class, holds) in [
            (Class::Newest, "/api/product/?facets=none"),
            (Class::PriceRange, "&price_min=5.00&price_max=20.00&sort=price&facets=none"),
            (Class::InStock, "in_stock=true&brand=%C3%84+%26+B&sort=name&facets=none"),
            (Class::DeepPage, "page=7&facets=none"),
        ] {
            let search = catalog().search(class, &mut random);
            assert!(search.contains(holds), "{search}");
        }
        let facets = catalog().search(Class::Facets, &mut random);
        assert!(!facets.contains("facets=") && facets.contains("&category="), "{facets}");
        for (class, name, _) in Class::ALL {
            assert_eq!((Class::named(name), class.name()), (Some(class), name));
            path_of(&catalog().search(class, &mut random)).unwrap();
        }
        assert_eq!(Class::ALL.iter().map(|(_, _, share)| share).sum::<u32>(), 100);
    }

    #[test]
    fn a_typo_is_one_slip_or_the_same_letter() {
        let mut random = StdRng::seed_from_u64(3);
        let slips: Vec<String> = (0..100).map(|_| mistyped("kettle", &mut random)).collect();
        assert!(slips.iter().any(|slip| slip.len() == 5) && slips.iter().any(|slip| slip == "ktetle"));
        assert!(slips.iter().all(|slip| slip.starts_with('k')));
        assert_eq!(mistyped("cups", &mut random), "cups");
    }

    #[test]
    fn frequent_searches_follow_zipf() {
        let mut mix = Mix::new(&catalog(), None, 100, 1.0, 5).unwrap();
        let mut counts: HashMap<String, u32> = HashMap::new();
        for _ in 0..20_000 {
            *counts.entry(mix.draw().to_string()).or_default() += 1;
        }
        let first = counts[&mix.searches()[0].to_string()];
        // 1 of 5.19, and more where the same search was made twice.
        assert!(first > 3_600, "{first}");
        let again = Mix::new(&catalog(), None, 100, 1.0, 5).unwrap();
        assert_eq!(again.searches(), mix.searches());
        assert!(Mix::new(&catalog(), None, 0, 1.0, 5).is_err());
    }
}
