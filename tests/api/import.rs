//! Importing: a file comes in as it says, or not at all, and says why.

use std::io::Cursor;

use duka::{
    auth::Author,
    import::{
        actions::{Feed, OnError, Options, Report, run},
        row::RowError,
        source::{Format, Source},
    },
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{TestShop, with_shop};

const REJECT: Options = Options { on_error: OnError::Reject, dry_run: false };
const SKIP: Options = Options { on_error: OnError::Skip, dry_run: false };

/// What an import said: its report, and the rows that it refused.
struct Told {
    report: Report,
    errors: Vec<RowError>,
}

impl std::ops::Deref for Told {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

async fn import(shop: &TestShop, text: &str, format: Format, options: Options) -> Told {
    let source = Source::open(Cursor::new(text.to_owned()), format, shop.shop.app.config.currency).unwrap();
    let (mut errors, stop) = (Vec::new(), CancellationToken::new());
    let report =
        run(&shop.db, Author::SHOP, Feed::start(source), options, &stop, |step| errors.extend(step.refused))
            .await;
    shop.settled().await;
    Told { report: report.unwrap(), errors }
}

async fn ndjson(shop: &TestShop, rows: &[serde_json::Value], options: Options) -> Told {
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    import(shop, &lines.join("\n"), Format::Ndjson, options).await
}

#[tokio::test]
async fn a_row_becomes_a_product_that_is_found() {
    with_shop(async |shop| {
        let row = json!({
            "sku": "A", "name": "Kettle", "price": "10.00", "brand": "Kibo", "category_path": ["Home", "Kitchen"],
            "attributes": {"colour": "red", "litres": 1.5}, "rating": 4.5, "rating_count": 10, "popularity": 7,
            "variants": [{"variant_name": "S", "sku": "A-S", "price": "9.00", "stock": 0}, {"variant_name": "L", "sku": "A-L"}],
        });
        let plain = json!({"external_id": "B", "name": "Cup", "price": 2.5});
        let report = ndjson(shop, &[row, plain], REJECT).await;
        assert_eq!((report.rows, report.created, report.updated, report.refused), (2, 2, 0, 0));
        let found = shop.get("/api/product/?category=kitchen&attr.litres=1.5").await.expect(200).json;
        let product = &found["results"][0];
        assert_eq!((product["price"].as_str(), product["effective_price"].as_str()), (Some("10.00"), Some("10.00")));
        assert_eq!((product["rating"].as_f64(), product["review_count"].as_i64()), (Some(4.5), Some(10)));
        assert_eq!((product["stock_quantity"].as_i64(), product["variant_count"].as_i64()), (Some(100), Some(2)));
        assert_eq!(product["category"]["path"], json!(["Home", "Kitchen"]));
        let cup = &shop.get("/api/product/?q=cup").await.json["results"][0];
        assert_eq!((cup["stock_quantity"].as_i64(), &cup["category_id"]), (Some(100), &json!(null)));
    })
    .await;
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    with_shop(async |shop| {
        let rows = [
            json!({"sku": "A", "name": "Kettle", "price": "10.00", "variants": [{"variant_name": "S", "sku": "A-S"}]}),
            json!({"sku": "B", "name": "Cup", "price": "2.50", "stock": 3, "category_path": ["Home"]}),
        ];
        ndjson(shop, &rows, REJECT).await;
        let before = shop.fingerprint().await;
        let log: i64 = sqlx::query_scalar("select count(*) from change_log").fetch_one(&shop.db).await.unwrap();
        let report = ndjson(shop, &rows, REJECT).await;
        assert_eq!((report.created, report.updated), (0, 2));
        assert_eq!(shop.fingerprint().await, before);
        let after: i64 = sqlx::query_scalar("select count(*) from change_log").fetch_one(&shop.db).await.unwrap();
        assert_eq!(after, log, "what did not change is not indexed again");
    })
    .await;
}

#[tokio::test]
async fn what_a_row_does_not_mention_stays() {
    with_shop(async |shop| {
        let first = json!({"sku": "A", "name": "Kettle", "price": "10.00", "brand": "Kibo", "stock": 5, "attributes": {"a": 1}});
        ndjson(shop, &[first], REJECT).await;
        ndjson(shop, &[json!({"sku": "A", "name": "Kettle 2", "price": "8.00"})], REJECT).await;
        let product = &shop.get("/api/product/").await.json["results"][0];
        assert_eq!((product["brand"].as_str(), product["stock_quantity"].as_i64()), (Some("Kibo"), Some(5)));
        assert_eq!((product["effective_price"].as_str(), &product["attributes"]), (Some("8.00"), &json!({"a": 1})));

        // Variants that are named are the whole set.
        let set = json!({"sku": "A", "name": "Kettle", "price": "8.00", "variants": [{"variant_name": "X", "sku": "X", "stock": 2}]});
        ndjson(shop, &[set], REJECT).await;
        let product = shop.get("/api/product/").await.json["results"][0].clone();
        let detail = shop.get(&format!("/api/product/{}/", product["id"])).await.json;
        let skus: Vec<_> = detail["variants"].as_array().unwrap().iter().map(|v| v["sku"].clone()).collect();
        assert_eq!((skus, detail["stock_quantity"].as_i64()), (vec![json!("X")], Some(2)));
        let ledger: i64 = sqlx::query_scalar("select sum(quantity) from stock_movement").fetch_one(&shop.db).await.unwrap();
        assert_eq!(ledger, 2, "the ledger's sum is the stock");
    })
    .await;
}

#[tokio::test]
async fn a_refused_row_keeps_the_whole_file_out_unless_skipped() {
    with_shop(async |shop| {
        let rows = [
            json!({"sku": "A", "name": "Kettle", "price": "10.00", "category_path": ["New"]}),
            json!({"sku": "B", "name": "", "price": "-1"}),
            json!({"sku": "C", "name": "Cup", "price": "1.00", "colour": "red"}),
        ];
        let before = shop.fingerprint().await;
        let report = ndjson(shop, &rows, REJECT).await;
        assert_eq!((report.refused, report.kept), (2, false));
        assert_eq!(report.errors[0].line, 2);
        let faults: Vec<_> = report.errors[0].faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(faults, ["/name", "/price"]);
        assert_eq!(shop.fingerprint().await, before, "not even the category is kept");

        let dry = ndjson(shop, &rows, Options { dry_run: true, ..SKIP }).await;
        assert_eq!((dry.created, dry.refused, dry.kept), (1, 2, false));
        assert_eq!(shop.fingerprint().await, before);

        let report = ndjson(shop, &rows, SKIP).await;
        assert_eq!((report.created, report.refused, report.kept), (1, 2, true));
        assert_eq!(shop.get("/api/product/").await.json["count"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_sku_that_stands_twice_is_written_twice() {
    with_shop(async |shop| {
        let row = |name: &str| json!({"sku": "A", "name": name, "price": "10.00"});
        let report = ndjson(shop, &[row("First"), row("Second"), row("Third")], REJECT).await;
        assert_eq!((report.created, report.updated), (1, 2));
        assert_eq!(shop.get("/api/product/").await.json["results"][0]["name"], "Third");
    })
    .await;
}

#[tokio::test]
async fn a_variant_does_not_change_hands() {
    with_shop(async |shop| {
        ndjson(shop, &[json!({"sku": "A", "name": "A", "price": "1.00"})], REJECT).await;
        let thief = json!({"sku": "B", "name": "B", "price": "1.00", "variants": [{"variant_name": "x", "sku": "A"}]});
        let report = ndjson(shop, &[thief], REJECT).await;
        assert_eq!(report.refused, 1);
        assert!(report.errors[0].to_string().contains("another product"), "{}", report.errors[0]);
        // Whatever else is wrong with the file, before it or after it, and in what it brings itself.
        let nameless = |sku: &str| json!({"sku": sku, "price": "1.00"});
        let taker = |sku: &str, taken: &str| {
            json!({"sku": sku, "name": sku, "price": "1.00", "variants": [{"variant_name": "x", "sku": taken}]})
        };
        let rows = [nameless("C"), taker("B", "A"), taker("D", "DX"), taker("E", "DX"), nameless("F")];
        for options in [REJECT, SKIP] {
            let report = ndjson(shop, &rows, options).await;
            let lines: Vec<u64> = report.errors.iter().map(|error| error.line).collect();
            assert_eq!(lines, [1, 2, 4, 5], "in the order of the file");
            assert_eq!(report.created, if options.on_error == OnError::Skip { 1 } else { 0 });
        }
        let both = json!({"sku": "G", "name": "G", "price": "1.00", "variants": [
            {"variant_name": "x", "sku": "A"}, {"variant_name": "y", "sku": "GY"}, {"variant_name": "z", "sku": "DX"}]});
        let report = ndjson(shop, &[both], REJECT).await;
        let faults: Vec<_> = report.errors[0].faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(faults, ["/variants/0/sku", "/variants/2/sku"]);
        // A product that has variants of its own needs none of its SKU.
        let own = json!({"sku": "H", "name": "H", "price": "1.00", "variants": [{"variant_name": "x", "sku": "HX"}]});
        let again = json!({"sku": "H", "name": "H2", "price": "2.00"});
        let report = ndjson(shop, &[own, taker("I", "H"), again], REJECT).await;
        assert_eq!((report.created, report.updated, report.refused), (2, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn csv_says_the_same() {
    with_shop(async |shop| {
        let text = "sku,name,price,category_path,attr.colour,stock\r\nA,\"Kettle, big\",10.00,Home > Kitchen,red,3\r\nB,Cup,x,,,\r\n";
        let report = import(shop, text, Format::Csv, SKIP).await;
        assert_eq!((report.created, report.refused), (1, 1));
        assert_eq!(report.errors[0].line, 3);
        let product = &shop.get("/api/product/?attr.colour=red").await.json["results"][0];
        assert_eq!((product["name"].as_str(), product["stock_quantity"].as_i64()), (Some("Kettle, big"), Some(3)));
        assert_eq!(product["category"]["path"], json!(["Home", "Kitchen"]));
    })
    .await;
}
