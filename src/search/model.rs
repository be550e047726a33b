//! How a search is asked for, and the engine's query that it becomes.

use std::collections::{BTreeMap, BTreeSet};

use duka_index::{CategoryKey, Facet, Query, SortField, SortKey, Visibility};

use crate::{
    auth::{Role, Viewer},
    indexing::Version,
    money::{Amount, Currency},
    page::Page,
    params::{Params, QueryForm, boolean, integer},
};

/// Characters of a text query.
const TEXT_LENGTH: usize = 256;
/// Facets of one query.
const MOST_FACETS: usize = 10;
/// Values of one repeatable filter.
const MOST_VALUES: usize = 100;

/// A search as it was asked for, every part of it readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    text: Option<String>,
    categories: Vec<CategoryKey>,
    brands: Vec<String>,
    price_min: Option<Amount>,
    price_max: Option<Amount>,
    in_stock: Option<bool>,
    on_sale: bool,
    rating_min: Option<u8>,
    vendor_id: Option<i64>,
    attributes: BTreeMap<String, Vec<String>>,
    is_active: Option<bool>,
    sort: Option<Vec<SortKey>>,
    facets: Option<Vec<Facet>>,
    /// The write that the answer must hold.
    pub min_version: Option<Version>,
    /// Which page.
    pub page: Page,
}

impl QueryForm for Search {
    fn read(params: &mut Params) -> Self {
        let text = params.either("q", "search").filter(|text| !text.is_empty());
        if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_LENGTH) {
            params.fault("q", "length", &format!("may have at most {TEXT_LENGTH} characters"));
        }
        let price_min = params.parsed("price_min", price);
        let price_max = params.parsed("price_max", price);
        let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in params.prefixed("attr.") {
            attributes.entry(name).or_default().push(value);
        }
        let categories = params.all_parsed("category", category);
        let brands = params.all("brand");
        let most =
            attributes.values().map(Vec::len).chain([categories.len(), brands.len(), attributes.len()]).max();
        if most.is_some_and(|most| most > MOST_VALUES) {
            params.fault(
                "attr",
                "length",
                &format!("and other repeatable parameters may be given {MOST_VALUES} times"),
            );
        }
        let sort = match params.either("sort", "ordering") {
            Some(given) => sort(&given).map_err(|error| params.fault("sort", "value", &error)).ok(),
            None => None,
        };
        Self {
            text,
            categories,
            brands,
            price_min,
            price_max,
            in_stock: params.parsed("in_stock", boolean),
            on_sale: params.parsed("on_sale", only_true).unwrap_or(false),
            rating_min: params.parsed("rating_min", integer(1, 5)),
            vendor_id: params.parsed("vendor_id", integer(1, i64::MAX)),
            attributes,
            is_active: params.parsed("is_active", boolean),
            sort,
            facets: params.parsed("facets", facets),
            min_version: params.parsed("min_version", str::parse),
            page: Page::read(params),
        }
    }
}

/// Prices are compared, not paid: they are read with two decimals whatever the shop's currency is.
fn price(text: &str) -> Result<Amount, String> {
    let cents: Currency = "USD".parse()?;
    Amount::parse(text, cents).map_err(|error| error.to_string())
}

fn category(text: &str) -> Result<CategoryKey, String> {
    if text.is_empty() {
        return Err("must be the id or the slug of a category".to_owned());
    }
    Ok(match text.parse() {
        Ok(id) if text.bytes().all(|b| b.is_ascii_digit()) => CategoryKey::Id(id),
        _ => CategoryKey::Slug(text.to_owned()),
    })
}

fn only_true(text: &str) -> Result<bool, &'static str> {
    if text == "true" { Ok(true) } else { Err("must be true, or absent") }
}

fn sort(text: &str) -> Result<Vec<SortKey>, String> {
    const NAMES: &str = "relevance, price, name, date_added, rating, popularity";
    let keys: Result<Vec<SortKey>, String> = text
        .split(',')
        .map(|key| {
            let (name, descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
            let field = match name {
                "relevance" => SortField::Relevance,
                "price" => SortField::Price,
                "name" => SortField::Name,
                "date_added" => SortField::DateAdded,
                "rating" => SortField::Rating,
                "popularity" => SortField::Popularity,
                _ => return Err(format!("has `{key}`; its keys are {NAMES}, each with an optional -")),
            };
            Ok(SortKey { field, descending })
        })
        .collect();
    let keys = keys?;
    let distinct: BTreeSet<_> = keys.iter().map(|key| format!("{:?}", key.field)).collect();
    if distinct.len() == keys.len() { Ok(keys) } else { Err("names a key twice".to_owned()) }
}

fn facets(text: &str) -> Result<Vec<Facet>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut facets = BTreeSet::new();
    for name in text.split(',') {
        facets.insert(match (name, name.strip_prefix("attr.")) {
            ("category", _) => Facet::Category,
            ("brand", _) => Facet::Brand,
            ("price", _) => Facet::Price,
            ("availability", _) => Facet::Availability,
            ("rating", _) => Facet::Rating,
            (_, Some(attribute)) if !attribute.is_empty() => Facet::Attribute(attribute.to_owned()),
            _ => {
                let known = "category, brand, price, availability, rating, attr.NAME, or none alone";
                return Err(format!("has `{name}`; there are {known}"));
            }
        });
    }
    if facets.len() > MOST_FACETS {
        return Err(format!("names {} facets; at most {MOST_FACETS} are allowed", facets.len()));
    }
    Ok(facets.into_iter().collect())
}

impl Search {
    /// The engine's query: defaults decided, the viewer's rights applied, at the instant `at`.
    ///
    /// `is_active=false` is for admins, and for a vendor's own; to everybody else nothing is both inactive and
    /// visible, so that nothing is found.
    pub fn query(&self, viewer: Viewer, at: i64) -> Option<Query> {
        let visibility = match (self.is_active, viewer.user) {
            (None | Some(true), _) => Visibility::Active,
            (Some(false), Some((_, Role::Admin))) => Visibility::Inactive,
            (Some(false), Some((id, Role::Vendor))) => Visibility::InactiveOf(id),
            (Some(false), _) => return None,
        };
        let newest_first = SortKey { field: SortField::DateAdded, descending: true };
        let best_first = SortKey { field: SortField::Relevance, descending: false };
        let default_sort = || vec![if self.text.is_some() { best_first } else { newest_first }];
        let default_facets = || vec![Facet::Category, Facet::Brand, Facet::Price, Facet::Availability];
        Some(Query {
            text: self.text.clone(),
            categories: sorted(self.categories.clone()),
            brands: sorted(self.brands.clone()),
            price_min: self.price_min.map(Amount::hundredths),
            price_max: self.price_max.map(Amount::hundredths),
            in_stock: self.in_stock,
            on_sale: self.on_sale,
            rating_min: self.rating_min,
            vendor_id: self.vendor_id,
            attributes: self.attributes.iter().map(|(k, v)| (k.clone(), sorted(v.clone()))).collect(),
            visibility,
            sort: self.sort.clone().unwrap_or_else(default_sort),
            offset: usize::try_from(self.page.offset()).unwrap_or(usize::MAX),
            after: None,
            limit: self.page.page_size as usize,
            facets: self.facets.clone().unwrap_or_else(default_facets),
            highlight: false,
            at,
        })
    }
}

/// The order of repeated values does not matter: equal searches make equal queries.
fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    fn query(text: &str) -> Query {
        params::read::<Search>(text).unwrap().query(Viewer::default(), 0).unwrap()
    }

    #[test]
    fn aliases_defaults_and_order_make_no_difference() {
        assert_eq!(query("q=a&brand=B&brand=A"), query("brand=A&brand=B&brand=A&search=a"));
        assert_eq!(query("q=a"), query("q=a&page=1&sort=relevance&facets=price,brand,availability,category"));
        assert_eq!(query(""), query("ordering=-date_added&q="));
    }

    #[test]
    fn a_slug_is_not_an_id() {
        let query = query("category=12&category=hair-oil");
        assert_eq!(query.categories, [CategoryKey::Id(12), CategoryKey::Slug("hair-oil".into())]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, name) in [
            ("price_min=1.005", "price_min"),
            ("price_max=-1", "price_max"),
            ("in_stock=yes", "in_stock"),
            ("on_sale=false", "on_sale"),
            ("rating_min=6", "rating_min"),
            ("sort=cheapest", "sort"),
            ("sort=price,-price", "sort"),
            ("facets=none,brand", "facets"),
            ("facets=attr.", "facets"),
            ("facets=attr.a,attr.b,attr.c,attr.d,attr.e,attr.f,attr.g,attr.h,attr.i,attr.j,attr.k", "facets"),
            ("category=", "category"),
            ("q=a&search=b", "search"),
            ("colour=red", "colour"),
        ] {
            let error = params::read::<Search>(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{text}: {error}");
        }
        let long = format!("q={}", "a".repeat(257));
        assert!(params::read::<Search>(&long).is_err());
    }

    #[test]
    fn only_owners_and_admins_find_what_is_inactive() {
        let search = params::read::<Search>("is_active=false").unwrap();
        let seen = |user| search.query(Viewer { user }, 0).map(|query| query.visibility);
        assert_eq!(seen(None), None);
        assert_eq!(seen(Some((7, Role::Customer))), None);
        assert_eq!(seen(Some((7, Role::Vendor))), Some(Visibility::InactiveOf(7)));
        assert_eq!(seen(Some((7, Role::Admin))), Some(Visibility::Inactive));
    }
}
