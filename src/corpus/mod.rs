//! The seeded corpus: a believable shop of any size, for demonstrations, tests and measurements.
//!
//! [`Corpus::row`] makes product number `i` from the seed and `i` alone, so that the corpus streams, splits
//! over threads and starts anywhere. The same seed makes the same rows on every machine and with every
//! version of the dependencies: the generator is our own (`dice`), no float passes through the system's
//! mathematics library, and dates count back from a fixed instant ([`NEWEST`]) instead of the clock. A test
//! pins the first thousand rows; whoever changes the words changes it knowingly.
//!
//! Ten departments of ten aisles of five shelves make a three-level tree of 500 leaves, filled unevenly.
//! Brands follow Zipf's law within their department, popularity over the whole shop; prices are log-normal
//! around the shelf's median and end as shops' prices do; one product in ten is out of stock. Products have
//! no image: an address that leads nowhere would mar every page.
//!
//! The words are in `words/*.txt`, one file a department; `shelves` describes their form. The corpus knows
//! nothing of files, of the database or of the command line.

mod copy;
mod dice;
mod offer;
mod shelves;

use rust_decimal::Decimal;
use serde_json::Value;
use time::{Duration, OffsetDateTime, macros::datetime};

use self::{
    copy::Blurb,
    dice::{Dice, Zipf},
    offer::{Options, Price},
    shelves::{Aisle, Department, Shelf, Spec},
};
use crate::{
    import::row::{Attributes, Row, VariantRow},
    money::{Amount, Currency},
};

/// No product is dated after this instant; the oldest are three years older.
pub const NEWEST: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// Where things are made, the likeliest first.
const COUNTRIES: [&str; 14] = [
    "China",
    "Germany",
    "Italy",
    "Vietnam",
    "Portugal",
    "Poland",
    "India",
    "Japan",
    "Turkey",
    "Spain",
    "France",
    "Kenya",
    "United States",
    "Sweden",
];

/// The endless list of products of one seed.
#[derive(Debug)]
pub struct Corpus {
    seed: u64,
    currency: Currency,
    departments: Vec<Department>,
    shelves: Vec<Shelf>,
    zipf: Zipf,
}

impl Corpus {
    /// The corpus of `seed`, priced in `currency`: one without decimals gets the same digits without the
    /// point. Reads the words, which takes about a millisecond: make one and share it.
    pub fn new(seed: u64, currency: Currency) -> Self {
        let (departments, shelves) = shelves::stock_up();
        Self { seed, currency, departments, shelves, zipf: Zipf::new() }
    }

    /// Product number `i`, from 0: a row that the import accepts, with a SKU that no other number has.
    pub fn row(&self, i: u64) -> Row {
        let dice = &mut Dice::new(self.seed, i);
        let place = self.place(dice);
        let Place { department, aisle, shelf } = place;
        let sku = format!("{}-{}-{i:07}", department.code, shelf.code);
        let options = Options::draw(dice, &self.zipf, shelf);
        let price = Price::draw(dice, &self.zipf, shelf);
        let sold_out = dice.percent(10);
        let variants = self.variants(dice, &sku, &options, price, sold_out);
        let only = variants.is_none();

        let grams = dice.between(aisle.grams.0, aisle.grams.1);
        let grams = if grams > 500 { grams / 50 * 50 } else { grams };
        let material = self.zipf.pick(dice, &shelf.materials);
        let months = dice.pick(&department.warranty);
        let mut attributes = self.attributes(dice, place);
        attributes.insert("material".to_owned(), material.into());
        attributes.insert("weight_g".to_owned(), grams.into());
        attributes.extend(months.map(|months| ("warranty_months".to_owned(), months.into())));
        attributes.extend(only.then(|| options.attributes(0)).into_iter().flatten());

        let blurb = Blurb::draw(dice, &self.zipf, place);
        let popularity = dice.pareto(20, 2_000_000);
        let (rating, rating_count) = ratings(dice, popularity).unzip();
        Row {
            sku,
            name: blurb.name(dice, &if only { options.name(0, " ") } else { String::new() }),
            price: self.amount(price.times(options.factor(0))),
            description: Some(blurb.description(dice, &self.zipf, material, grams, months)),
            brand: Some(blurb.brand().to_owned()),
            category_path: Some([department.name, aisle.name, shelf.name].map(str::to_owned).to_vec()),
            image_url: None,
            // Where there are variants, the stock is theirs.
            stock: only.then(|| if sold_out { 0 } else { stock(dice) }),
            is_active: None,
            attributes: Some(attributes),
            variants,
            rating,
            rating_count,
            popularity: Some(popularity),
            date_added: Some(NEWEST - Duration::seconds(dice.between(0, 3 * 365 * 86_400))),
        }
    }

    /// A leaf of the tree: the fullest holds some fifteen times what the emptiest does.
    fn place(&self, dice: &mut Dice) -> Place<'_> {
        let rank = self.zipf.rank(dice, self.shelves.len(), 30);
        // 7,919 is a prime: each rank has its own shelf, and neighbours in rank stand in different aisles.
        let shelf = &self.shelves[(rank * 7_919 + (self.seed % 1_000) as usize) % self.shelves.len()];
        let department = &self.departments[shelf.department];
        Place { department, aisle: &department.aisles[shelf.aisle], shelf }
    }

    fn amount(&self, hundredths: i64) -> Amount {
        Amount::from_hundredths(if self.currency.decimals() == 0 { hundredths * 100 } else { hundredths })
    }

    /// `None` where there is only one: its options are then the product's.
    fn variants(
        &self,
        dice: &mut Dice,
        sku: &str,
        options: &Options<'_>,
        price: Price,
        sold_out: bool,
    ) -> Option<Vec<VariantRow>> {
        let variant = |n| VariantRow {
            variant_name: options.name(n, " / "),
            sku: options.sku(sku, n),
            price: Some(self.amount(price.times(options.factor(n)))),
            // Of a product that is there, the first variant always is.
            stock: Some(if sold_out || (n > 0 && dice.percent(8)) { 0 } else { stock(dice) }),
            image_url: None,
            attributes: Some(options.attributes(n).collect()),
        };
        (options.count > 1).then(|| (0..options.count).map(variant).collect())
    }

    /// What the department's and the aisle's products say of themselves.
    fn attributes(&self, dice: &mut Dice, place: Place<'_>) -> Attributes {
        let Place { department, aisle, .. } = place;
        let mut attributes = Attributes::new();
        let mut put = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
        put("country_of_origin", self.zipf.pick(dice, &COUNTRIES).into());
        put(department.flag.0, dice.percent(department.flag.1).into());
        let (label, marks) = &department.labels;
        let (from, count) = (dice.below(marks.len()), 1 + dice.below(3));
        put(label, marks.iter().cycle().skip(from).take(count).copied().collect());
        for spec in &aisle.specs {
            match spec {
                Spec::Range(name, from, to) => put(name, dice.between(*from, *to + 1).into()),
                Spec::Choice(name, values) => put(name, self.zipf.pick(dice, values).into()),
            };
        }
        attributes
    }
}

/// Where a product stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    department: &'a Department,
    aisle: &'a Aisle,
    shelf: &'a Shelf,
}

/// Many have a dozen, few have hundreds.
fn stock(dice: &mut Dice) -> i32 {
    dice.pareto(8, 900) as i32
}

/// The mean of the ratings and their number: some buyers in a hundred leave one, mostly pleased.
fn ratings(dice: &mut Dice, popularity: i64) -> Option<(Decimal, i32)> {
    let count = (popularity * dice.between(2, 12) / 100).min(20_000);
    let mean = (4.2 + 0.4 * dice.bell()).clamp(1.0, 5.0);
    // Whole stars were given, each from 1 to 5.
    let stars = ((mean * count as f64) as i64).max(count);
    let hundredths = (stars * 100 + count / 2).checked_div(count)?;
    Some((Decimal::new(hundredths, 2), count as i32))
}

#[cfg(test)]
mod tests;
