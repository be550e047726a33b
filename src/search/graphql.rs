//! The search in the graph: answered from the index alone, as through REST.

use std::collections::BTreeMap;

use async_graphql::{
    ComplexObject, Context, Enum, InputObject, InputType, Lookahead, Object, SelectionField, SimpleObject,
    Value,
    connection::{Connection, Edge},
};
use duka_index::{Facet, Query as IndexQuery};
use serde::{Deserialize, Serialize};

use super::{
    actions::{self, Answer, Demand},
    http::{SearchResult, SuggestResult, min_version},
    model::{Search, Suggest, cursor_at, facets},
};
use crate::{
    app::App,
    cache::{encoding::Encoding, rows::ReadyRow},
    error::{Error, Result},
    page::Place,
    product::graphql::Product,
    resolver::{Arguments, Decimal, Id, app, caller, viewer, wrote},
};

/// What products are searched for.
#[derive(Default, InputObject)]
pub struct ProductFilter {
    /// Ids or slugs, descendants included; several are alternatives.
    categories: Option<Vec<String>>,
    /// Exact; several are alternatives.
    brands: Option<Vec<String>>,
    /// On `effectivePrice`, inclusive.
    price_min: Option<Decimal>,
    /// On `effectivePrice`, inclusive.
    price_max: Option<Decimal>,
    in_stock: Option<bool>,
    /// True: an automatic discount is running.
    on_sale: Option<bool>,
    /// From 1 to 5.
    rating_min: Option<i32>,
    vendor_id: Option<Id>,
    attributes: Option<Vec<AttributeFilter>>,
    /// For admins, and for a vendor's own; everybody else finds active ones only.
    is_active: Option<bool>,
}

/// The values that an attribute may have.
#[derive(InputObject)]
pub struct AttributeFilter {
    name: String,
    /// Exact; several are alternatives.
    values: Vec<String>,
}

/// One key of an order.
#[derive(InputObject)]
pub struct ProductSort {
    key: ProductSortKey,
    #[graphql(default)]
    descending: bool,
}

/// What products are sorted by. Ties end on the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProductSortKey {
    /// How well they match the text.
    Relevance,
    /// What they cost now.
    Price,
    /// As people expect: case and accents folded, digits as numbers.
    Name,
    /// When they were made.
    DateAdded,
    /// Their mean rating.
    Rating,
    /// How much they are wanted.
    Popularity,
}

/// What a search says beside its page.
#[derive(SimpleObject)]
pub struct SearchFields {
    /// Products in the whole result.
    total_count: i64,
    /// Exact counts over the whole result; only those that are selected are counted.
    facets: ProductFacets,
    /// The text as it was read, where nothing had all its words: typos mended, or words left out.
    corrected_query: Option<String>,
}

/// Exact counts over a whole result. A facet's own selection does not narrow that facet.
#[derive(SimpleObject, Deserialize)]
#[graphql(complex)]
pub struct ProductFacets {
    /// With every ancestor.
    #[serde(default)]
    category: Vec<CategoryCount>,
    /// The hundred most frequent, and the selected ones.
    #[serde(default)]
    brand: Vec<ValueCount>,
    price: Option<PriceFacet>,
    availability: Option<Availability>,
    #[serde(default)]
    rating: Vec<RatingCount>,
    #[graphql(skip)]
    #[serde(flatten)]
    attributes: BTreeMap<String, Vec<ValueCount>>,
}

#[ComplexObject]
impl ProductFacets {
    /// The values of attributes: the hundred most frequent of each, and the selected ones.
    async fn attributes(
        &self,
        #[graphql(desc = "Ten facets may be asked for at once, each attribute is one")] names: Vec<String>,
    ) -> Vec<AttributeFacet> {
        let facet = |name: String| {
            let values = self.attributes.get(&format!("attr.{name}")).cloned().unwrap_or_default();
            AttributeFacet { name, values }
        };
        names.into_iter().map(facet).collect()
    }
}

/// How many products have each value of an attribute.
#[derive(SimpleObject)]
pub struct AttributeFacet {
    name: String,
    values: Vec<ValueCount>,
}

/// How many products are in a category and below.
#[derive(SimpleObject, Deserialize)]
pub struct CategoryCount {
    id: Id,
    name: String,
    slug: String,
    path: Vec<String>,
    count: i64,
}

/// How many products have a value.
#[derive(Clone, SimpleObject, Deserialize)]
pub struct ValueCount {
    value: String,
    count: i64,
}

/// What the products cost.
#[derive(SimpleObject, Deserialize)]
pub struct PriceFacet {
    min: Option<Decimal>,
    max: Option<Decimal>,
    /// At most ten, of round numbers.
    buckets: Vec<PriceBucket>,
}

/// How many products cost so much.
#[derive(SimpleObject, Deserialize)]
pub struct PriceBucket {
    /// Inclusive.
    from: Decimal,
    /// Exclusive.
    to: Decimal,
    count: i64,
}

/// How many products can be had.
#[derive(SimpleObject, Deserialize)]
pub struct Availability {
    in_stock: i64,
    out_of_stock: i64,
}

/// How many products are rated so.
#[derive(SimpleObject, Deserialize)]
pub struct RatingCount {
    /// At least this mean.
    from: i32,
    count: i64,
}

/// What somebody who has begun to type may want; each list best first.
#[derive(SimpleObject, Deserialize)]
pub struct Suggestions {
    /// Texts to search for.
    queries: Vec<String>,
    products: Vec<SuggestedProduct>,
    /// With how many active products are in them and below.
    categories: Vec<CategoryCount>,
    /// With how many active products they have.
    brands: Vec<ValueCount>,
}

/// As much of a product as a line of suggestions shows.
#[derive(SimpleObject, Deserialize)]
pub struct SuggestedProduct {
    id: Id,
    name: String,
    image_url: Option<String>,
    effective_price: Decimal,
}

/// What is kept of a search: REST's answer, and where each of its products stands.
#[derive(Serialize)]
struct Kept {
    #[serde(flatten)]
    result: SearchResult,
    cursors: Vec<String>,
}

/// The same, read again.
#[derive(Deserialize)]
struct Found {
    results: Vec<Product>,
    cursors: Vec<String>,
    count: i64,
    next_cursor: Option<String>,
    facets: ProductFacets,
    corrected_query: Option<String>,
}

/// What is read of searches.
#[derive(Default)]
pub struct Query;

#[Object(name = "SearchQuery")]
impl Query {
    /// Searches products. The database is not asked, but for the variants and reviews of what is found, when they are
    /// selected.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Full text, typo-tolerant, its last word as a beginning; at most 256 characters")] q: Option<
            String,
        >,
        filter: Option<ProductFilter>,
        #[graphql(desc = "By default by relevance with a text, else the newest first")] sort: Option<
            Vec<ProductSort>,
        >,
        #[graphql(desc = "At most 100", default = 24)] first: i32,
        #[graphql(desc = "A cursor: what stands behind it, at one cost however deep")] after: Option<String>,
        #[graphql(desc = "The `X-Catalog-Version` of a write that the answer must hold; also the header \
                          `X-Catalog-Min-Version`")]
        min_version: Option<String>,
    ) -> Result<Connection<String, Product, SearchFields>> {
        let is_behind = after.is_some();
        let asked = filter.unwrap_or_default();
        let arguments = filtered(Arguments::page(Some(first), after), asked);
        let search: Search = arguments
            .with("q", q)
            .with("sort", sort.map(order))
            .with("facets", Some(selected_facets(&ctx.look_ahead())?))
            .with("highlight", Some(shows(&ctx.look_ahead(), "highlights")))
            .with("min_version", min_version)
            .read()?;
        let app = app(ctx)?;
        let demand = demand(ctx, search.min_version)?;
        // With places it is another question to the cache than REST's, which keeps another answer.
        let query = IndexQuery { places: true, ..search.query(viewer(ctx)?, &app.keys)? };
        let write = {
            let (app, query) = (app.clone(), query.clone());
            move |found, _: Option<Vec<ReadyRow>>, at| kept(&app, &query, &search.place, found, at)
        };
        let found: Found = read(ctx, &actions::search(app, demand, query, write).await?)?;
        Ok(connection(found, is_behind))
    }

    /// Completes what somebody types: at most ten of each.
    async fn suggest(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is typed so far; the last word counts as a beginning")] q: String,
    ) -> Result<Suggestions> {
        let suggest: Suggest = Arguments::default().with("q", Some(q)).read()?;
        let app = app(ctx)?;
        let demand = demand(ctx, None)?;
        let currency = app.config.currency;
        let write = move |found, at| json(&SuggestResult::new(found, at, currency));
        read(ctx, &actions::suggest(app, demand, suggest.query, write).await?)
    }
}

fn kept(app: &App, query: &IndexQuery, place: &Place, found: duka_index::Found, at: i64) -> Result<Vec<u8>> {
    let places = found.rows.iter().filter_map(|row| row.place.as_ref());
    let cursors = places.map(|place| cursor_at(query, place, &app.keys)).collect::<Result<_>>()?;
    json(&Kept { result: SearchResult::new(app, query, place, found, None, at)?, cursors })
}

fn json(shape: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(shape).map_err(Error::internal)
}

/// Reads an answer, and says which writes it holds.
fn read<'a, T: Deserialize<'a>>(ctx: &Context<'_>, answer: &'a Answer) -> Result<T> {
    wrote(ctx, answer.version);
    serde_json::from_slice(&answer.body.bytes).map_err(Error::internal)
}

fn demand(ctx: &Context<'_>, version: Option<crate::indexing::Version>) -> Result<Demand> {
    let caller = caller(ctx)?;
    let versions = [version, min_version(&caller.headers)?];
    Ok(Demand { client: caller.client, versions, encoding: Encoding::Plain })
}

fn connection(found: Found, is_behind: bool) -> Connection<String, Product, SearchFields> {
    let fields = SearchFields {
        total_count: found.count,
        facets: found.facets,
        corrected_query: found.corrected_query,
    };
    let mut connection = Connection::with_additional_fields(is_behind, found.next_cursor.is_some(), fields);
    let edges = found.cursors.into_iter().zip(found.results);
    connection.edges.extend(edges.map(|(cursor, product)| Edge::new(cursor, product)));
    connection
}

fn filtered(arguments: Arguments, filter: ProductFilter) -> Arguments {
    let attributes = filter.attributes.into_iter().flatten();
    let arguments = attributes.fold(arguments, |arguments, attribute| {
        arguments.with_all(&format!("attr.{}", attribute.name), attribute.values)
    });
    arguments
        .with_all("category", filter.categories.into_iter().flatten())
        .with_all("brand", filter.brands.into_iter().flatten())
        .with("price_min", filter.price_min)
        .with("price_max", filter.price_max)
        .with("in_stock", filter.in_stock)
        .with("on_sale", filter.on_sale)
        .with("rating_min", filter.rating_min)
        .with("vendor_id", filter.vendor_id)
        .with("is_active", filter.is_active)
}

/// The order as REST writes it.
fn order(keys: Vec<ProductSort>) -> String {
    let key = |sort: ProductSort| {
        let word = match sort.key.to_value() {
            Value::Enum(word) => word.to_lowercase(),
            _ => String::new(),
        };
        if sort.descending { format!("-{word}") } else { word }
    };
    keys.into_iter().map(key).collect::<Vec<_>>().join(",")
}

/// Whether the products are asked for a field.
fn shows(asked: &Lookahead<'_>, field: &str) -> bool {
    asked.field("nodes").field(field).exists() || asked.field("edges").field("node").field(field).exists()
}

/// The facets that are selected, as REST writes them.
fn selected_facets(asked: &Lookahead<'_>) -> Result<String> {
    let asked = asked.field("facets");
    let plain = [
        ("category", Facet::Category),
        ("brand", Facet::Brand),
        ("price", Facet::Price),
        ("availability", Facet::Availability),
        ("rating", Facet::Rating),
    ];
    let plain = plain.into_iter().filter(|(name, _)| asked.field(name).exists());
    let mut facets: Vec<Facet> = plain.map(|(_, facet)| facet).collect();
    for field in asked.field("attributes").selection_fields() {
        facets.extend(names(&field)?.into_iter().map(Facet::Attribute));
    }
    Ok(facets::write(&facets))
}

fn names(field: &SelectionField<'_>) -> Result<Vec<String>> {
    let arguments = field.arguments().map_err(|error| Error::malformed(error.message))?;
    let names =
        arguments.into_iter().filter(|(name, _)| name == "names").flat_map(|(_, value)| match value {
            Value::List(names) => names,
            one => vec![one],
        });
    let text = |value| match value {
        Value::String(name) => Ok(name),
        other => Err(Error::malformed(format!("{other} is not the name of an attribute"))),
    };
    names.map(text).collect()
}
