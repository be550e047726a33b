//! What is answered: [`Hits`] and their [`Facets`], and what an engine says about itself, as plain data.
//!
//! Every number is exact for the one generation that answered: nothing is estimated, sampled or cut off, but
//! for the lists of values, which end after the hundred most frequent.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use crate::{cursor::Cursor, document::Document};

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hits {
    /// How many documents match, on all pages.
    pub total: u64,
    /// The page that was asked for, in order.
    pub hits: Vec<Hit>,
    /// The counts that were asked for.
    pub facets: Facets,
    /// What the text was read as, when that differs from what was written: slips mended, words left out. What has
    /// a word as it was written may be among the hits all the same, and comes first then.
    pub corrected_query: Option<String>,
    /// Where the page ended, when there is more behind it.
    pub next: Option<Cursor>,
    /// The generation that answered; see [`Engine::generation`](crate::Engine::generation).
    pub generation: u64,
}

/// One document of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The document as it was indexed.
    pub document: Document,
    /// How well it matches the text; larger is better, and only comparable within one answer. 0 unless the
    /// query has a text and its order asks for relevance.
    pub score: f32,
    /// Which words matched, when that was asked for.
    pub highlights: Option<Highlights>,
    /// Where the hit stands in the query's order, when that was asked for: what stands behind it is asked for with
    /// [`Query::after`](crate::Query::after).
    pub place: Option<Cursor>,
}

/// Which parts of a hit's texts matched the query: byte ranges, ascending and apart from each other, on character
/// boundaries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Highlights {
    /// In [`Document::name`].
    pub name: Vec<Range<usize>>,
    /// In [`Document::description`].
    pub description: Vec<Range<usize>>,
}

/// What somebody who has begun to type may want; each list best first, without repetitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suggestions {
    /// Texts to search for: what is typed, with its last word completed.
    pub queries: Vec<String>,
    /// Active products.
    pub products: Vec<Document>,
    /// Categories whose name holds what is typed, with how many active products are in them and below.
    pub categories: Vec<CategoryCount>,
    /// Brands whose name holds what is typed, with how many active products they have.
    pub brands: Vec<ValueCount>,
}

/// Counts by facet; those that were not asked for are absent.
///
/// They are disjunctive: the filter on what a facet counts does not narrow that facet, every other filter does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facets {
    /// Each category that holds a match, or has a descendant that does: most frequent first, then by name and
    /// id. A document counts once for its category and once for each ancestor. All of them, without a limit.
    pub category: Option<Vec<CategoryCount>>,
    /// The hundred most frequent brands, then in order of value; selected ones besides, however rare.
    pub brand: Option<Vec<ValueCount>>,
    /// Prices.
    pub price: Option<PriceFacet>,
    /// In stock or not.
    pub availability: Option<Availability>,
    /// How many are rated at least 4, 3, 2 and 1, in this order.
    pub rating: Option<Vec<RatingCount>>,
    /// By attribute name, its hundred most frequent values, then in order of value; selected
    /// ones besides, however rare. A document counts once for
    /// each value that itself or any of its variants has.
    pub attributes: BTreeMap<String, Vec<ValueCount>>,
}

/// A category and its count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryCount {
    /// Identifies the category.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// The names from the root to the category itself.
    pub path: Vec<String>,
    /// Matching documents in it and below.
    pub count: u64,
}

/// A text value and its count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCount {
    /// The value as a filter would name it.
    pub value: String,
    /// Matching documents that have it.
    pub count: u64,
}

/// The prices of the matching documents, in hundredths, at the query's instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceFacet {
    /// The lowest price; none without a match.
    pub min: Option<i64>,
    /// The highest price; none without a match.
    pub max: Option<i64>,
    /// At most ten consecutive ranges with round bounds that cover `min` to `max`, without those that hold nothing.
    ///
    /// They have one width (1, 2 or 5 times a power of ten), as narrow as ten of them allow, but no narrower than 100
    /// hundredths, or 10 where every price is below 100. Prices that all fall into one such range are in one with
    /// bounds of two digits: 1,234.56 from 1,200 to 1,300. Where more than half of the documents would be in one
    /// range, since a few cost far more, bounds are the roundest numbers that split the documents into about equal parts.
    /// Empty without a match.
    pub buckets: Vec<PriceBucket>,
}

/// A range of prices and its count. Both bounds are round, also in the last bucket: its `to` lies above the highest
/// price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceBucket {
    /// The lowest price in it, in hundredths.
    pub from: i64,
    /// The lowest price above it, in hundredths.
    pub to: i64,
    /// Matching documents in it; never 0.
    pub count: u64,
}

/// In stock and out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    /// Matching documents that can be bought now.
    pub in_stock: u64,
    /// Matching documents that cannot.
    pub out_of_stock: u64,
}

/// A least rating and its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatingCount {
    /// The least rating.
    pub from: u8,
    /// Matching documents rated at least so.
    pub count: u64,
}

/// What an engine holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Documents that searches see.
    pub documents: u64,
    /// Segments that searches read.
    pub segments: u64,
    /// Bytes on disk of what searches read.
    pub bytes: u64,
}
