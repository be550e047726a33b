//! What searches answer with.

use std::collections::BTreeMap;

use duka_index::{
    CategoryCount, Document, Facets, Found, Highlights, Hits, Query, Row, Suggestions, ValueCount,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    app::App,
    cache::rows::ReadyRow,
    error::{Error, Result},
    money::{Amount, Currency},
    page::{self, DeepList, Links, List, Place},
    product::model::Product,
    search::{canonical, highlight::mark, model::cursor_at},
};

/// A page of products, and what the whole result is made of.
#[derive(Serialize, ToSchema)]
pub(in crate::search) struct SearchResult {
    #[serde(flatten)]
    #[schema(value_type = DeepList<FoundProduct>)]
    list: DeepList<ReadyRow>,
    /// Exact counts over the whole result. A facet's own selection does not narrow that facet.
    #[schema(value_type = FacetsJson)]
    facets: BTreeMap<String, Value>,
    /// The text as it was read, where that is not as it was written: typos mended, or words left out.
    corrected_query: Option<String>,
}

/// A product of a page.
#[derive(Serialize, ToSchema)]
struct FoundProduct {
    #[serde(flatten)]
    product: Product,
    /// With `highlight=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    highlights: Option<HighlightsJson>,
}

/// HTML: what matched stands in `<mark>`, everything else is escaped.
#[derive(Serialize, ToSchema)]
#[schema(as = Highlights)]
struct HighlightsJson {
    #[schema(example = "Steel <mark>kettle</mark> &amp; lid")]
    name: String,
    description: String,
}

/// Counts by category, brand, price, availability, rating and attribute: those that were asked for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `facets` writes")]
#[schema(as = Facets)]
struct FacetsJson {
    /// With every ancestor.
    category: Option<Vec<CategoryCountJson>>,
    /// The hundred most frequent, and the selected ones.
    brand: Option<Vec<ValueCountJson>>,
    price: Option<PriceFacetJson>,
    availability: Option<AvailabilityJson>,
    rating: Option<Vec<RatingCountJson>>,
    /// `attr.NAME`: the values of an attribute.
    #[serde(flatten)]
    attributes: BTreeMap<String, Vec<ValueCountJson>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CategoryCount)]
struct CategoryCountJson {
    id: i64,
    name: String,
    slug: String,
    path: Vec<String>,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ValueCount)]
struct ValueCountJson {
    value: String,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PriceFacet)]
struct PriceFacetJson {
    min: Option<String>,
    max: Option<String>,
    /// At most ten, of round numbers.
    buckets: Vec<PriceBucketJson>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PriceBucket)]
struct PriceBucketJson {
    /// Inclusive.
    from: String,
    /// Exclusive.
    to: String,
    count: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Availability)]
struct AvailabilityJson {
    in_stock: u64,
    out_of_stock: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RatingCount)]
struct RatingCountJson {
    /// At least this mean.
    from: u8,
    count: u64,
}

/// What somebody who has begun to type may want; each list best first.
#[derive(Serialize, ToSchema)]
pub(in crate::search) struct SuggestResult {
    /// Texts to search for.
    #[schema(max_items = 10)]
    queries: Vec<String>,
    #[schema(max_items = 10)]
    products: Vec<SuggestedProductJson>,
    /// With how many active products are in them and below.
    #[schema(max_items = 10)]
    categories: Vec<CategoryCountJson>,
    /// With how many active products they have.
    #[schema(max_items = 10)]
    brands: Vec<ValueCountJson>,
}

/// As much of a product as a line of suggestions shows.
#[derive(Serialize, ToSchema)]
#[schema(as = SuggestedProduct)]
struct SuggestedProductJson {
    id: i64,
    name: String,
    image_url: Option<String>,
    #[schema(example = "12.50")]
    effective_price: String,
}

impl SearchResult {
    /// The page that was asked for, of what was found as of `at`, and of its rows where they are kept.
    pub(in crate::search) fn new(
        app: &App,
        query: &Query,
        place: &Place,
        found: Found,
        kept: Option<Vec<ReadyRow>>,
        at: i64,
    ) -> Result<Self> {
        let currency = app.config.currency;
        let next_cursor = found.next.as_ref().map(|place| cursor_at(query, place, &app.keys)).transpose()?;
        let spelling = canonical::parameters(query);
        let links = Links { base: &app.config.public_url, path: "/api/product/", query: &spelling };
        let shown = |row| match query.highlight {
            true => highlighted(&found, row, at, currency),
            // The same whoever asks, and by what words.
            false => app.rows.get_or_make(row.edition, || plain(&found, row, at, currency)),
        };
        let rows = match kept {
            Some(rows) => rows,
            None => found.rows.iter().map(shown).collect::<Result<_>>()?,
        };
        let page = page::Found { rows, count: found.total, next_cursor };
        let list = DeepList::new(page, place, &links);
        Ok(Self { list, facets: facets(found.facets, currency), corrected_query: found.corrected_query })
    }

    /// Its bytes.
    pub(in crate::search) fn json(&self) -> Result<Vec<u8>> {
        // Grown from nothing, it would be copied as often as it doubles.
        let rows: usize = self.list.list.results.iter().map(|row| row.length() + 1).sum();
        let mut json = Vec::with_capacity(rows + AROUND_ROWS);
        serde_json::to_writer(&mut json, self).map_err(Error::internal)?;
        Ok(json)
    }
}

/// What stands around the rows of most answers, in bytes.
const AROUND_ROWS: usize = 1024;

fn plain(found: &Found, row: &Row, at: i64, currency: Currency) -> Result<ReadyRow> {
    ReadyRow::new(&Product::new(found.document(row)?, at, currency))
}

fn highlighted(found: &Found, row: &Row, at: i64, currency: Currency) -> Result<ReadyRow> {
    let document = found.document(row)?;
    let highlights = found.highlights(&document);
    ReadyRow::new(&marked(document, highlights, at, currency))
}

fn marked(document: Document, highlights: Option<Highlights>, at: i64, currency: Currency) -> FoundProduct {
    let parts = highlights.unwrap_or_default();
    let highlights = HighlightsJson {
        name: mark(&document.name, &parts.name),
        description: mark(&document.description, &parts.description),
    };
    FoundProduct { product: Product::new(document, at, currency), highlights: Some(highlights) }
}

/// What one text finds under the settings that hold, and under those that are tried: at the same instant, in the same
/// index.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsPreview {
    before: Previewed,
    after: Previewed,
}

/// The beginning of a result.
#[derive(Serialize, ToSchema)]
#[schema(as = PreviewedSearch)]
struct Previewed {
    /// Of the whole result.
    count: u64,
    /// The text as it was read, where that is not as it was written.
    corrected_query: Option<String>,
    /// Best first, with highlights.
    results: Vec<FoundProduct>,
}

impl SettingsPreview {
    /// Both results, with prices as of `at`.
    pub(super) fn new([before, after]: [Hits; 2], at: i64, currency: Currency) -> Self {
        let previewed = |hits: Hits| Previewed {
            count: hits.total,
            corrected_query: hits.corrected_query,
            results: hits
                .hits
                .into_iter()
                .map(|hit| marked(hit.document, hit.highlights, at, currency))
                .collect(),
        };
        Self { before: previewed(before), after: previewed(after) }
    }
}

impl SuggestResult {
    /// What was found, with prices as of `at`.
    pub(in crate::search) fn new(found: Suggestions, at: i64, currency: Currency) -> Self {
        let product = |document: Document| SuggestedProductJson {
            id: document.id,
            effective_price: Amount::from_hundredths(document.price_at(at).effective_price).display(currency),
            name: document.name,
            image_url: document.image_url,
        };
        Self {
            queries: found.queries,
            products: found.products.into_iter().map(product).collect(),
            categories: found.categories.into_iter().map(CategoryCountJson::from).collect(),
            brands: found.brands.into_iter().map(ValueCountJson::from).collect(),
        }
    }
}

/// All of them on one page, with prices as of `at`.
pub(super) fn similar_products(hits: Hits, at: i64, currency: Currency) -> List<Product> {
    let results = hits.hits.into_iter().map(|hit| Product::new(hit.document, at, currency)).collect();
    List { count: hits.total, next: None, previous: None, results }
}

impl From<CategoryCount> for CategoryCountJson {
    fn from(CategoryCount { id, name, slug, path, count }: CategoryCount) -> Self {
        Self { id, name, slug, path, count }
    }
}

impl From<ValueCount> for ValueCountJson {
    fn from(ValueCount { value, count }: ValueCount) -> Self {
        Self { value, count }
    }
}

fn facets(facets: Facets, currency: Currency) -> BTreeMap<String, Value> {
    let money = |hundredths| Amount::from_hundredths(hundredths).display(currency);
    let values =
        |counts: Vec<ValueCount>| json(counts.into_iter().map(ValueCountJson::from).collect::<Vec<_>>());
    let category = facets
        .category
        .map(|counts| json(counts.into_iter().map(CategoryCountJson::from).collect::<Vec<_>>()));
    let price = facets.price.map(|price| {
        let buckets = price.buckets.into_iter().map(|b| PriceBucketJson {
            from: money(b.from),
            to: money(b.to),
            count: b.count,
        });
        let buckets = buckets.collect();
        json(PriceFacetJson { min: price.min.map(money), max: price.max.map(money), buckets })
    });
    let availability = facets
        .availability
        .map(|a| json(AvailabilityJson { in_stock: a.in_stock, out_of_stock: a.out_of_stock }));
    let rating = facets.rating.map(|counts| {
        json(counts.into_iter().map(|c| RatingCountJson { from: c.from, count: c.count }).collect::<Vec<_>>())
    });
    let fixed = [
        ("category", category),
        ("brand", facets.brand.map(values)),
        ("price", price),
        ("availability", availability),
        ("rating", rating),
    ];
    let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let attributes =
        facets.attributes.into_iter().map(|(name, counts)| (format!("attr.{name}"), values(counts)));
    fixed.chain(attributes).collect()
}

fn json<T: Serialize>(value: T) -> Value {
    // Plain structures of strings and numbers: there is nothing in them that JSON could not hold.
    serde_json::to_value(value).unwrap_or_default()
}
