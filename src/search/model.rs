//! How a search is asked for, and the engine's query that it becomes.

pub(super) mod facets;

use std::collections::{BTreeMap, BTreeSet};

use duka_index::{CategoryKey, Cursor, Facet, Query, Settings, SortField, SortKey, SuggestQuery, Visibility};
use unicode_normalization::UnicodeNormalization;

use crate::{
    auth::{Role, Viewer, token::Keys},
    body::{Fields, Form, integer as integer_field, line},
    error,
    indexing::Version,
    money::{Amount, Currency},
    page::{Place, cursor},
    params::{Params, QueryForm, boolean, integer},
};

/// Characters of a text query.
const TEXT_LENGTH: usize = 256;
/// Values of one repeatable filter.
const MOST_VALUES: usize = 100;
/// Suggestions of each kind.
const MOST_SUGGESTIONS: usize = 10;
/// Products that are like one.
pub const MOST_SIMILAR: u32 = 24;
/// Products that a trial of settings shows, and at most.
const TRIED: i64 = 10;
const MOST_TRIED: i64 = 100;
/// Whom no product belongs to: the database counts users from 1.
const NOBODY: i64 = 0;

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
    highlight: bool,
    /// The write that the answer must hold.
    pub min_version: Option<Version>,
    /// Which page.
    pub place: Place,
}

impl QueryForm for Search {
    fn read(params: &mut Params) -> Self {
        let text = params.either("q", "search").map(|(name, text)| {
            check_length(params, name, &text);
            text
        });
        let price_min = params.parsed("price_min", price);
        let price_max = params.parsed("price_max", price);
        let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in params.prefixed("attr.") {
            // Names are kept in NFC and trimmed, as values are.
            let kept: String = name.trim().nfc().collect();
            if kept.is_empty() {
                params.fault(&format!("attr.{name}"), "unknown", "names no attribute");
            } else {
                attributes.entry(kept).or_default().push(value);
            }
        }
        let categories = params.all_parsed("category", category);
        let brands = params.all("brand");
        let given = attributes.iter().map(|(name, values)| (format!("attr.{name}"), values.len()));
        let given =
            given.chain([("category".to_owned(), categories.len()), ("brand".to_owned(), brands.len())]);
        for (name, _) in given.filter(|(_, times)| *times > MOST_VALUES) {
            params.fault(&name, "length", &format!("may be given {MOST_VALUES} times at most"));
        }
        if attributes.len() > MOST_VALUES {
            params.fault("attr", "length", &format!("may have {MOST_VALUES} names at most"));
        }
        let sort = params
            .either("sort", "ordering")
            .and_then(|(name, given)| sort(&given).map_err(|error| params.fault(name, "value", &error)).ok());
        Self {
            text: text.filter(|text| !text.is_empty()),
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
            facets: params.parsed("facets", facets::read),
            highlight: params.parsed("highlight", boolean).unwrap_or(false),
            min_version: params.parsed("min_version", str::parse),
            place: Place::read(params),
        }
    }
}

fn check_length(params: &mut Params, name: &str, text: &str) {
    if text.chars().count() > TEXT_LENGTH {
        params.fault(name, "length", &format!("may have at most {TEXT_LENGTH} characters"));
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

/// The order of a search that names none.
pub(super) fn default_sort(has_text: bool) -> Vec<SortKey> {
    vec![if has_text {
        SortKey { field: SortField::Relevance, descending: false }
    } else {
        SortKey { field: SortField::DateAdded, descending: true }
    }]
}

/// The facets of a search that names none.
pub(super) fn default_facets() -> Vec<Facet> {
    vec![Facet::Category, Facet::Brand, Facet::Price, Facet::Availability]
}

impl Search {
    /// The engine's query: defaults decided, the viewer's rights applied, the cursor opened. The instant is left to
    /// whoever asks it.
    ///
    /// `is_active=false` is for admins, and for a vendor's own; to everybody else nothing is both inactive and
    /// visible, so that nothing is found.
    ///
    /// # Errors
    /// 400 when the cursor is not of this search.
    pub fn query(&self, viewer: Viewer, keys: &Keys) -> error::Result<Query> {
        let visibility = match (self.is_active, viewer.user) {
            (None | Some(true), _) => Visibility::Active,
            (Some(false), Some((_, Role::Admin))) => Visibility::Inactive,
            (Some(false), Some((id, Role::Vendor))) => Visibility::InactiveOf(id),
            (Some(false), _) => Visibility::InactiveOf(NOBODY),
        };
        let mut query = Query {
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
            sort: self.sort.clone().unwrap_or_else(|| default_sort(self.text.is_some())),
            offset: usize::try_from(self.place.page.offset()).unwrap_or(usize::MAX),
            after: None,
            limit: self.place.page.page_size as usize,
            facets: self.facets.clone().unwrap_or_else(default_facets),
            highlight: self.highlight,
            places: false,
            at: 0,
        };
        if self.place.is_behind() {
            query.after = self.place.open(keys, &list(&query))?.after;
        }
        Ok(query)
    }
}

/// The token of a place in the query's results.
///
/// # Errors
/// None that a client can cause.
pub fn cursor_at(query: &Query, place: &Cursor, keys: &Keys) -> error::Result<String> {
    cursor::seal(keys, &list(query), place)
}

/// What a cursor belongs to: which products, in which order, to whose eyes. Not how many of them a page shows, nor
/// what is said of them, nor at which instant; nor who asked, where everybody sees the same: the answer that holds
/// the cursor is kept once for all of them.
fn list(query: &Query) -> (&'static str, Query) {
    let facets = Vec::new();
    let shown = Query {
        offset: 0,
        after: None,
        limit: 0,
        facets,
        highlight: false,
        places: false,
        at: 0,
        ..query.clone()
    };
    ("products", shown)
}

/// What somebody types, to be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggest {
    /// The engine's query.
    pub query: SuggestQuery,
    /// The write that the answer must hold.
    pub min_version: Option<Version>,
}

impl QueryForm for Suggest {
    fn read(params: &mut Params) -> Self {
        let given = params.has("q");
        let text = params.one("q").unwrap_or_default();
        check_length(params, "q", &text);
        if text.is_empty() && !params.is_at_fault("q") {
            let detail = if given { "must not be empty" } else { "is required: what is typed so far" };
            params.fault("q", "required", detail);
        }
        // Case makes no difference to what is suggested, and nothing in the answer repeats the text: `Ket` is
        // answered from what is kept for `ket`.
        let query = SuggestQuery { text: text.to_ascii_lowercase(), limit: MOST_SUGGESTIONS };
        Self { query, min_version: params.parsed("min_version", str::parse) }
    }
}

/// Settings, and a text to try them with.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The engine's query, as shoppers ask it. The instant is left to whoever asks it.
    pub query: Query,
    /// What is tried.
    pub settings: Settings,
}

impl Form for Trial {
    /// As much as settings, and a text.
    const MOST_BYTES: usize = Settings::MOST_BYTES + 4096;

    fn read(fields: &mut Fields) -> Self {
        let text = fields.required("q", line(1..=TEXT_LENGTH));
        let limit = fields.optional("page_size", integer_field(1..=MOST_TRIED)).unwrap_or(TRIED);
        let query = Query {
            text: Some(text),
            sort: default_sort(true),
            limit: usize::try_from(limit).unwrap_or_default(),
            highlight: true,
            ..Query::default()
        };
        Self { query, settings: fields.required_form("settings") }
    }
}

/// How many similar products are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Similar {
    /// At most [`MOST_SIMILAR`].
    pub limit: u32,
    /// The write that the answer must hold.
    pub min_version: Option<Version>,
}

impl QueryForm for Similar {
    fn read(params: &mut Params) -> Self {
        Self {
            limit: params.parsed("page_size", integer(1, MOST_SIMILAR)).unwrap_or(MOST_SIMILAR),
            min_version: params.parsed("min_version", str::parse),
        }
    }
}

/// The order of repeated values does not matter: equal searches make equal queries.
fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests;
