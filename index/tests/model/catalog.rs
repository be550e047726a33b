//! Random documents and queries that meet often: few names, prices, values and instants, all of them awkward.

use std::collections::BTreeMap;

use duka_index::{
    AttributeValue, Category, CategoryKey, Discount, Document, Facet, PriceStep, Query, SortField, SortKey,
    Variant, Visibility,
};

/// SplitMix64: a few lines that give the same catalog everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn id(&mut self) -> i64 {
        self.below(160) as i64 - 5
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn some<T: Clone>(&mut self, from: &[T], at_most: usize) -> Vec<T> {
        (0..self.below(at_most + 1)).map(|_| self.pick(from).clone()).collect()
    }

    pub(crate) fn maybe<T>(&mut self, chances: usize, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(chances).then(|| value(self))
    }

    fn words(&mut self, at_most: usize) -> String {
        let words = self.some(WORDS, at_most);
        words.join(*self.pick(&[" ", "-", ", ", " / "]))
    }
}

/// Words in several forms and spellings, some of them close to each other.
#[rustfmt::skip]
pub(crate) const WORDS: &[&str] = &[
    "red", "RED", "Réd", "blue", "item", "Item", "2", "10", "02", "shoe", "shoes", "Schuh", "Straße", "水筒", "Яблоко",
    "crème", "creme", "usb", "C", "x", "battery", "batteries", "charger", "chargers", "charges", "running", "run",
    "keyboard", "headphones", "headset", "PS4", "PS", "4", "½", "3½", "power", "bank", "banks", "powerbank", "note",
    "book", "notebook", "t", "shirt", "adidas", "Kifaru", "for", "with", "case", "cases", "sho\u{200b}e™", "stainless",
    "kettle", "kettles", "and", "12", "12\"", "10-inch", "3.5in", "C++", "C#", "R&D", "4 inches",
];
/// Slips that a few products have, each near a word that many have.
pub(crate) const SLIPS: &[&str] =
    &["chargrs", "batery", "stainles", "headphnes", "keybord", "kettl", "runing"];
const BRANDS: &[&str] = &["", "", "Kifaru", "kifaru", "Ñandú", "水", "A brand & Co.", "adidas", "Red Shoes"];
const TEXTS: &[&str] =
    &["", "red", "Red", "17", "17.5", "true", "a\u{1f}b", "Größe", "95205603217", "0095205603217"];
const ATTRIBUTES: &[&str] = &["color", "col", "color\u{1f}a", "size", "maße", "Type", "ean"];
const INSTANTS: &[i64] = &[i64::MIN + 1, -1_000_000, 0, 1, 1_700_000_000_000_000, 1_700_000_000_000_001];
const PRICES: &[i64] = &[0, 1, 999, 1_000, 1_999, 5_000, 5_000, 123_456, 10_000_000];

/// Ids, names and slugs of a small forest; each category's parent.
const CATEGORIES: &[(i64, &str, &str, Option<usize>)] = &[
    (1, "Shoes", "shoes", None),
    (2, "Running", "running", Some(0)),
    (3, "Trail", "trail", Some(1)),
    (4, "Running", "running-2", None),
    (5, "Größen", "groessen", Some(3)),
];

fn chain(leaf: usize) -> Vec<Category> {
    let (id, name, slug, parent) = CATEGORIES[leaf];
    let mut chain = parent.map(chain).unwrap_or_default();
    chain.push(Category { id, name: name.to_owned(), slug: slug.to_owned() });
    chain
}

fn attributes(dice: &mut Dice) -> BTreeMap<String, AttributeValue> {
    let mut attributes = BTreeMap::new();
    for _ in 0..dice.below(4) {
        let value = match dice.below(6) {
            0 => AttributeValue::Bool(dice.one_in(2)),
            1 => AttributeValue::Number((*dice.pick(&[17, -3, 0])).into()),
            2 => AttributeValue::Number(serde_json::Number::from_f64(*dice.pick(&[17.5, 17.0])).unwrap()),
            3 => AttributeValue::Text((*dice.pick(TEXTS)).to_owned()),
            4 => AttributeValue::Text(dice.words(3)),
            _ => AttributeValue::List(dice.some(TEXTS, 3).into_iter().map(str::to_owned).collect()),
        };
        attributes.insert((*dice.pick(ATTRIBUTES)).to_owned(), value);
    }
    attributes
}

fn prices(dice: &mut Dice) -> Vec<PriceStep> {
    let later = if dice.one_in(2) { dice.some(INSTANTS, 3) } else { Vec::new() };
    let mut instants = [vec![i64::MIN], later].concat();
    instants.sort_unstable();
    instants.dedup();
    let step = |from| PriceStep {
        from,
        effective_price: *dice.pick(PRICES),
        discount: dice.maybe(3, |dice| Discount {
            id: dice.id(),
            code: "SALE".to_owned(),
            ..Discount::default()
        }),
    };
    instants.into_iter().map(step).collect()
}

pub(crate) fn document(dice: &mut Dice, id: i64) -> Document {
    let variant = |dice: &mut Dice| Variant {
        id: dice.id(),
        name: dice.words(2),
        sku: format!("V-{}", dice.below(300)),
        attributes: attributes(dice),
    };
    Document {
        id,
        name: if dice.one_in(50) { format!("{} {}", dice.words(2), dice.pick(SLIPS)) } else { dice.words(4) },
        slug: "slug".to_owned(),
        description: dice.words(14),
        sku: (*dice.pick(&["ABC-1", "abc-2", "X", "", "№7/б", "PS4", "0095205603"])).to_owned(),
        brand: (*dice.pick(BRANDS)).to_owned(),
        image_url: dice.maybe(2, |_| "https://example.com/1.png".to_owned()),
        category: if dice.one_in(5) { Vec::new() } else { chain(dice.below(CATEGORIES.len())) },
        vendor_id: dice.maybe(2, |dice| dice.below(3) as i64),
        price: *dice.pick(PRICES),
        prices: prices(dice),
        stock: dice.id(),
        in_stock: !dice.one_in(3),
        attributes: attributes(dice),
        is_active: !dice.one_in(4),
        date_added: *dice.pick(INSTANTS),
        updated_at: *dice.pick(INSTANTS),
        rating: dice.maybe(2, |dice| *dice.pick(&[1.0, 2.999_999_999, 3.0, 4.0, 4.333_333_333_333_333, 5.0])),
        review_count: 3,
        popularity: *dice.pick(&[0, 0, 1, 1_000_000, -5]),
        variants: (0..dice.below(3)).map(|_| variant(dice)).collect(),
    }
}

/// A query with or without a text; a text alone half of the time.
pub(crate) fn query(dice: &mut Dice, catalog: &BTreeMap<i64, Document>, text: Option<String>) -> Query {
    let query = filtered(dice, catalog, text);
    if query.text.is_none() || dice.one_in(2) {
        return query;
    }
    let Query { text, sort, visibility, facets, .. } = query;
    Query { text, sort, visibility, facets, limit: 1_000, ..Query::default() }
}

fn filtered(dice: &mut Dice, catalog: &BTreeMap<i64, Document>, text: Option<String>) -> Query {
    let attributes: BTreeMap<String, Vec<String>> = (0..dice.below(6).saturating_sub(3))
        .map(|_| {
            let values = dice.some(TEXTS, 2).into_iter().map(str::to_owned).collect();
            ((*dice.pick(ATTRIBUTES)).to_owned(), values)
        })
        .collect();
    Query {
        sort: sort(dice, text.is_some()),
        text,
        categories: dice.maybe(3, categories).unwrap_or_default(),
        brands: dice
            .maybe(4, |dice| dice.some(BRANDS, 3).into_iter().map(str::to_owned).collect())
            .unwrap_or_default(),
        price_min: dice.maybe(4, |dice| *dice.pick(PRICES)),
        price_max: dice.maybe(4, |dice| *dice.pick(PRICES)),
        in_stock: dice.maybe(4, |dice| dice.one_in(2)),
        on_sale: dice.one_in(6),
        rating_min: dice.maybe(6, |dice| dice.below(6) as u8),
        vendor_id: dice.maybe(8, |dice| dice.below(3) as i64),
        attributes,
        visibility: *dice.pick(&[
            Visibility::Active,
            Visibility::Active,
            Visibility::All,
            Visibility::Inactive,
            Visibility::ActiveOrOf(1),
            Visibility::InactiveOf(1),
        ]),
        offset: *dice.pick(&[0, 0, 0, 3, 40, usize::MAX]),
        after: None,
        limit: *dice.pick(&[0, 1, 5, 20, 1_000, usize::MAX]),
        facets: facets(dice),
        highlight: false,
        places: false,
        at: at(dice, catalog),
    }
}

fn categories(dice: &mut Dice) -> Vec<CategoryKey> {
    let keys = CATEGORIES.iter().map(|(id, ..)| CategoryKey::Id(*id));
    let slugs = CATEGORIES.iter().map(|(_, _, slug, _)| CategoryKey::Slug((*slug).to_owned()));
    let unknown = [CategoryKey::Id(99), CategoryKey::Slug("none".to_owned())];
    let keys: Vec<CategoryKey> = keys.chain(slugs).chain(unknown).collect();
    dice.some(&keys, 2)
}

pub(crate) fn sort(dice: &mut Dice, text: bool) -> Vec<SortKey> {
    if text && dice.one_in(2) {
        return vec![SortKey { field: SortField::Relevance, descending: dice.one_in(3) }];
    }
    let fields = [
        SortField::Price,
        SortField::Name,
        SortField::Name,
        SortField::DateAdded,
        SortField::Rating,
        SortField::Popularity,
    ];
    let mut keys: Vec<SortKey> = dice
        .some(&fields, 3)
        .into_iter()
        .map(|field| SortKey { field, descending: dice.one_in(2) })
        .collect();
    if !text && dice.one_in(4) {
        keys.insert(0, SortKey { field: SortField::Relevance, descending: false });
    }
    keys
}

fn facets(dice: &mut Dice) -> Vec<Facet> {
    let mut facets = vec![Facet::Category, Facet::Brand, Facet::Price, Facet::Availability, Facet::Rating];
    facets.extend(ATTRIBUTES.iter().map(|name| Facet::Attribute((*name).to_owned())));
    facets.retain(|_| !dice.one_in(3));
    facets
}

/// Nearly always an instant at which some price changes, or the microsecond before.
fn at(dice: &mut Dice, catalog: &BTreeMap<i64, Document>) -> i64 {
    let steps: Vec<i64> =
        catalog.values().flat_map(|document| &document.prices).map(|step| step.from).collect();
    if steps.is_empty() || dice.one_in(8) {
        return *dice.pick(&[i64::MIN, i64::MAX, 0]);
    }
    dice.pick(&steps).saturating_sub(i64::from(dice.one_in(2)))
}
