//! How good the answers are, over judged queries: floors below which no change may fall.
//!
//! `cargo test --release --test relevance -- --nocapture` prints the figures and the worst queries of each
//! catalog. No database is needed: the rows go straight into an engine.
//!
//! `shop/` is a small general shop, made up for this test: its products, which query should find which of them,
//! and the settings that its owner would have made. A floor is a little below what was reached last; raise it with
//! the figures. A judgment is changed when a shopper would judge otherwise, never for a figure.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::BufReader,
    path::{Path, PathBuf},
    time::Instant,
};

use duka::{
    attributes::Attributes,
    import::{
        row::{self, Row},
        source::{Format, Source},
    },
    search::relevance::{self, Answer, Found, Report, judgments},
};
use duka_index::{Category, Document, Engine, Lexicon, PriceStep, Settings, Variant};

/// Queries that are printed of each catalog.
const WORST: usize = 20;

struct Floor {
    ndcg_at_10: f64,
    recall_at_100: f64,
    /// At most.
    zero_result_rate: f64,
}

#[test]
fn a_general_shop() {
    let folder = root().join("tests/relevance/shop");
    let settings: Settings =
        serde_json::from_str(&fs::read_to_string(folder.join("settings.json")).unwrap()).unwrap();
    let report = measure(&folder, "products.ndjson", &settings);
    report.demand(&Floor { ndcg_at_10: 0.94, recall_at_100: 0.87, zero_result_rate: 0.0 });
}

#[test]
fn a_real_catalog() {
    let folder = root().join("../shared/data/icecat");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let report = measure(&folder, "products.jsonl", &Settings::default());
    report.demand(&Floor { ndcg_at_10: 0.845, recall_at_100: 0.89, zero_result_rate: 0.0 });
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

trait Demand {
    fn demand(&self, floor: &Floor);
}

impl Demand for Report {
    #[track_caller]
    fn demand(&self, floor: &Floor) {
        assert_eq!(self.unknown_judgments, 0, "judged, but not in the catalog: {:?}", self.unknown);
        let (ndcg, recall) = (self.ndcg_at_10.unwrap(), self.recall_at_100.unwrap());
        assert!(ndcg >= floor.ndcg_at_10, "nDCG@10 fell to {ndcg:.4}");
        assert!(recall >= floor.recall_at_100, "recall@100 fell to {recall:.4}");
        let zero = self.zero_result_rate;
        assert!(zero <= floor.zero_result_rate, "{zero:.4} of the queries find nothing");
    }
}

fn measure(folder: &Path, products: &str, settings: &Settings) -> Report {
    let judged = fs::read_to_string(folder.join("judgments.tsv")).unwrap();
    let judged = judgments::read(&judged).unwrap_or_else(|faults| panic!("{faults:?}"));
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(directory.path()).unwrap();
    let skus = fill(&engine, &folder.join(products));
    let (lexicon, reader) = (Lexicon::new(settings).unwrap(), engine.reader());

    let begun = Instant::now();
    let report = relevance::measure(
        &judged,
        |sku| skus.contains(sku),
        |query| {
            let found = reader.search(&relevance::query(&query.text, 0), &lexicon)?;
            let hits = found.hits.into_iter().map(|hit| hit.document);
            let hits = hits.map(|document| Found { sku: document.sku, name: document.name }).collect();
            Ok::<_, duka_index::Error>(Answer { total: found.total, hits })
        },
    );
    let report = report.unwrap();
    let each = begun.elapsed() / u32::try_from(judged.len()).unwrap();
    // In one piece: the tests run side by side.
    let worst: String = report.details.iter().take(WORST).map(|query| format!("{query}\n")).collect();
    println!("\n{}: {} products, {each:?} a query\n{report}\n{worst}", folder.display(), skus.len());
    report
}

/// Indexes the rows of a catalog file, and returns their SKUs.
fn fill(engine: &Engine, path: &Path) -> HashSet<String> {
    let file = BufReader::new(fs::File::open(path).unwrap());
    let rows = Source::open(file, Format::Ndjson, "USD".parse().unwrap()).unwrap();
    let mut writer = engine.writer(64 << 20).unwrap();
    let mut categories = HashMap::new();
    let mut skus = HashSet::new();
    for (id, entry) in (1..).zip(rows) {
        let document = document(id, entry.unwrap().row.unwrap(), &mut categories);
        writer.upsert(&document).unwrap();
        assert!(skus.insert(document.sku), "a SKU occurs twice in {}", path.display());
    }
    writer.commit("").unwrap();
    skus
}

/// The document that an import of the row would lead to.
fn document(id: i64, row: Row, categories: &mut HashMap<Vec<String>, i64>) -> Document {
    let path = row.category_path.unwrap_or_default();
    let category = (1..=path.len()).map(|depth| {
        let next = i64::try_from(categories.len()).unwrap() + 1;
        let id = *categories.entry(path[..depth].to_vec()).or_insert(next);
        Category { id, name: path[depth - 1].clone(), slug: format!("category-{id}") }
    });
    let variant = |name: &str, sku: &str, given: Option<row::Attributes>| Variant {
        id: 0,
        name: name.to_owned(),
        sku: sku.to_owned(),
        attributes: attributes(given),
    };
    let stock = row.stock.unwrap_or(100);
    let (variants, stock) = match row.variants {
        None => (vec![variant("Default", &row.sku, None)], stock),
        Some(given) => {
            let stock = given.iter().map(|v| v.stock.unwrap_or(stock)).sum();
            (given.into_iter().map(|v| variant(&v.variant_name, &v.sku, v.attributes)).collect(), stock)
        }
    };
    let effective_price = row.price.hundredths();
    Document {
        id,
        name: row.name,
        description: row.description.unwrap_or_default(),
        sku: row.sku,
        brand: row.brand.unwrap_or_default(),
        category: category.collect(),
        price: effective_price,
        prices: vec![PriceStep { from: i64::MIN, effective_price, discount: None }],
        stock: i64::from(stock),
        in_stock: stock > 0,
        attributes: attributes(row.attributes),
        is_active: true,
        popularity: row.popularity.unwrap_or(0),
        variants,
        ..Document::default()
    }
}

fn attributes(given: Option<row::Attributes>) -> Attributes {
    let given = given.unwrap_or_default().into_iter();
    given.map(|(name, value)| (name, serde_json::from_value(value).unwrap())).collect()
}
