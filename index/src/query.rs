//! What is asked: a [`Query`], as plain data.
//!
//! Every field is already decided (defaults, rights, limits): the caller's edge does that. Equal queries
//! compare equal and serialise equally, so that a cache can use them as keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;

/// A search: filters, order, page and the facets to count.
///
/// Filters of different kinds must all hold; the values of one kind are alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Query {
    /// Words, all of which must occur in the document (any field; the last one may be a prefix), phrases in
    /// quotation marks, and, behind a minus, what must not occur. `None` asks for no words; a text without any,
    /// such as `"!"`, matches nothing. Slips are read as what was meant, and where nothing matches words are left
    /// out, which [`Hits::corrected_query`](crate::Hits::corrected_query) says.
    pub text: Option<String>,
    /// In one of these categories, or below one.
    pub categories: Vec<CategoryKey>,
    /// Of one of these brands, exactly as written.
    pub brands: Vec<String>,
    /// Costs at least this at [`Query::at`], in hundredths.
    pub price_min: Option<i64>,
    /// Costs at most this at [`Query::at`], in hundredths.
    pub price_max: Option<i64>,
    /// In stock (`true`) or out of it (`false`).
    pub in_stock: Option<bool>,
    /// Only what has a discount running at [`Query::at`].
    pub on_sale: bool,
    /// Rated at least this. What has no rating never matches.
    pub rating_min: Option<u8>,
    /// Sold by this vendor.
    pub vendor_id: Option<i64>,
    /// By attribute name, the accepted values, exactly as written, but that a whole number may have decimals (`6.0`
    /// accepts `6` too). An empty list of values accepts none.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Whose eyes: active and inactive documents.
    pub visibility: Visibility,
    /// The order, first key first. The id, ascending, always decides last, and alone where there is no key.
    pub sort: Vec<SortKey>,
    /// How many hits to skip.
    pub offset: usize,
    /// Only hits behind this place, of the same query; see [`Hits::next`](crate::Hits::next). Totals and counts are
    /// those of the whole query. With it, `offset` counts from the place.
    pub after: Option<Cursor>,
    /// How many hits to return at most; 0 only counts.
    pub limit: usize,
    /// What to count.
    pub facets: Vec<Facet>,
    /// Whether each hit says which of its words matched; see [`Hit::highlights`](crate::Hit::highlights).
    pub highlight: bool,
    /// Whether each hit says where it stands; see [`Hit::place`](crate::Hit::place).
    pub places: bool,
    /// The instant whose prices hold, in microseconds since the epoch.
    pub at: i64,
}

impl Query {
    /// Whether it takes more than columns to answer it.
    pub(crate) fn reads_words(&self) -> bool {
        let counts_attributes = || self.facets.iter().any(|facet| matches!(facet, Facet::Attribute(_)));
        self.text.is_some() || !self.attributes.is_empty() || counts_attributes()
    }
}

/// A category as a query names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryKey {
    /// By id.
    Id(i64),
    /// By slug.
    Slug(String),
}

/// Which documents a query may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Active ones, as shoppers do.
    #[default]
    Active,
    /// Inactive ones only.
    Inactive,
    /// All.
    All,
    /// Active ones, and this vendor's own whatever they are.
    ActiveOrOf(i64),
    /// This vendor's inactive ones only.
    InactiveOf(i64),
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SortKey {
    /// What is compared.
    pub field: SortField,
    /// Largest first. For [`SortField::Relevance`], whose plain order is best first: worst first.
    pub descending: bool,
}

/// What an order compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortField {
    /// How well the text matches, best first; all equal without a text.
    Relevance,
    /// What it costs at [`Query::at`].
    Price,
    /// The name, collated: case and accents matter only between otherwise equal names, digits count as numbers.
    Name,
    /// When it entered the catalog.
    DateAdded,
    /// The mean of its reviews; what has none comes last in both directions.
    Rating,
    /// How much it is wanted.
    Popularity,
}

/// What can be counted over the matching documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    /// Categories with their ancestors.
    Category,
    /// Brands.
    Brand,
    /// The range of prices, and round buckets over it.
    Price,
    /// In stock and out of it.
    Availability,
    /// Rated at least 4, 3, 2, 1.
    Rating,
    /// The values of the attribute of this name.
    Attribute(String),
}

/// What is asked when somebody has only begun to type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SuggestQuery {
    /// What is typed so far; the last word may be the beginning of a longer one.
    pub text: String,
    /// How many of each kind to return at most.
    pub limit: usize,
}
