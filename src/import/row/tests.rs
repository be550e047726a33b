//! Rows of every kind, read and refused.

use std::{fs, path::Path};

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn parse(line: &str) -> Result<Row, Vec<Fault>> {
    parse_json(line, usd())
}

/// The fault of a row that is right but for `field`.
fn fault_of(field: &str, value: &str) -> String {
    let line = format!(r#"{{"sku":"A","name":"B","price":"1",{field:?}:{value}}}"#);
    let faults = parse(&line).expect_err(&line);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].to_string()
}

fn with(field: &str, value: &str) -> Row {
    let line = format!(r#"{{"sku":"A","name":"B","price":"1",{field:?}:{value}}}"#);
    parse(&line).unwrap_or_else(|faults| panic!("{line}: {faults:?}"))
}

#[test]
fn reads_every_field() {
    let row = parse(
        r#"{"external_id": "ignored", "sku": " A-1 ", "name": "Cafe\u0301\u200E", "price": 19.990, "description": "a\nb",
            "brand": "", "category_path": ["Home", "Kitchen"], "image_url": "HTTPS://example.com/a.jpg",
            "stock": 0, "attributes": {"colour": "Red", "w": 2.50, "n": 7, "new": true, "tags": ["a", "", "b"],
            "none": "", "nothing": []}, "variants": [{"variant_name": "S", "sku": "A-1", "price": null}],
            "rating": 4.5, "popularity": 9007199254740993, "date_added": "2025-06-01T02:00:00+02:00"}"#,
    )
    .unwrap();
    assert_eq!((row.sku.as_str(), row.name.as_str()), ("A-1", "Café"));
    assert_eq!(row.price.hundredths(), 1999);
    assert_eq!((row.description.as_deref(), row.brand), (Some("a\nb"), None));
    assert_eq!(row.category_path.unwrap(), ["Home", "Kitchen"]);
    let attributes = json!({"colour": "Red", "w": 2.5, "n": 7, "new": true, "tags": ["a", "b"]});
    assert_eq!(json!(row.attributes.unwrap()), attributes);
    let variants = row.variants.unwrap();
    assert_eq!((variants.len(), variants[0].price, variants[0].stock), (1, None, None));
    assert_eq!((row.stock, row.rating, row.rating_count), (Some(0), Some(Decimal::new(45, 1)), Some(1)));
    assert_eq!(row.popularity, Some(9_007_199_254_740_993));
    assert_eq!(row.date_added.unwrap().to_string(), "2025-06-01 0:00:00.0 +00:00:00");
}

#[test]
fn external_id_stands_in_for_a_missing_sku() {
    assert_eq!(parse(r#"{"external_id":"7","name":"B","price":1}"#).unwrap().sku, "7");
    assert_eq!(parse(r#"{"sku":" ","external_id":"7","name":"B","price":1}"#).unwrap().sku, "7");
}

#[test]
fn tells_all_faults_at_once() {
    let line = r#"{"price": -1, "stock": 1.5, "colour": "red", "attributes": {"a/~b": {}, "ok": 1, "x": null},
        "variants": [{"sku": "V"}, 3, {"variant_name": "W", "sku": "V", "price": "x"}]}"#;
    let faults: Vec<String> = parse(line).unwrap_err().iter().map(ToString::to_string).collect();
    let value = "must be text, a number, true, false or a list of texts";
    assert_eq!(
        faults,
        [
            "/sku is required, or `external_id` in its place",
            "/name is required",
            "/price must not be negative",
            "/stock must be a whole number from 0 to 1000000000",
            &format!("/attributes/a~1~0b {value}"),
            &format!("/attributes/x {value}"),
            "/variants/1 must be an object",
            "/variants/0/variant_name is required",
            "/variants/2/price is not a decimal number such as \"12.50\"",
            "/variants/2/sku is also that of /variants/0; each variant has its own",
            &format!("/colour is not known here; the fields are {}", FIELDS.join(", ")),
        ]
    );
    assert_eq!(sku_of_json(r#"{"external_id": "7", "name": 3}"#).as_deref(), Some("7"));
}

#[test]
fn refuses_what_is_out_of_range() {
    let long = |n: usize| format!("{:?}", "é".repeat(n));
    for (field, value, detail) in [
        ("sku", long(65), "/sku is given twice"),
        ("brand", long(121), "/brand is longer than 120 characters"),
        ("brand", r#""a\u0000b""#.to_owned(), "/brand holds the character U+0000; remove it"),
        ("brand", r#""\ud800""#.to_owned(), "/brand holds a broken escape; write each character as it is"),
        ("brand", "7".to_owned(), "/brand must be text"),
        ("description", long(20_001), "/description is longer than 20000 characters"),
        ("stock", "1000000001".to_owned(), "/stock must be a whole number from 0 to 1000000000"),
        ("stock", "1e3".to_owned(), "/stock must be a whole number from 0 to 1000000000"),
        ("is_active", "1".to_owned(), "/is_active must be true or false"),
        ("popularity", "-1".to_owned(), "/popularity must be a whole number from 0 to 9223372036854775807"),
        ("rating", "5.01".to_owned(), "/rating must be a number from 0 to 5"),
        ("rating", "[]".to_owned(), "/rating must be a number"),
        ("attributes", "[1]".to_owned(), "/attributes must be an object of names and values"),
        ("attributes", r#"{"a": 1e999}"#.to_owned(), "/attributes/a is too large a number"),
        ("attributes", r#"{"a": 1, "a ": 2}"#.to_owned(), "/attributes/a  is given twice"),
        ("attributes", r#"{"": 1}"#.to_owned(), "/attributes/ has an empty name"),
        ("attributes", r#"{"a": ["b", 1]}"#.to_owned(), "/attributes/a has an item that must be text"),
        (
            "attributes",
            format!(r#"{{"a": {}}}"#, long(8_001)),
            "/attributes/a is longer than 8000 characters",
        ),
        ("variants", "{}".to_owned(), "/variants must be a list of objects"),
        ("variants", format!("[{}0]", "0,".repeat(100)), "/variants has more than 100 items"),
    ] {
        assert_eq!(fault_of(field, &value), detail);
    }
    for url in ["ftp://a.b/c", "https://", "https:///a", "https://a b", "javascript:alert(1)", "//a.b"] {
        assert!(fault_of("image_url", &format!("{url:?}")).contains("http or https"), "{url}");
    }
    let deep = format!("[{}]", vec![r#""a""#; 33].join(","));
    for path in ["[]", r#"["a", ""]"#, r#"[["a"]]"#, r#""Home""#, &deep] {
        assert!(fault_of("category_path", path).contains("1 to 32"), "{path}");
    }
    for at in ["2025-06-01", "9999-12-31T23:59:59-05:00", "-001-01-01T00:00:00Z", "0000-06-01T00:00:00Z"] {
        assert!(fault_of("date_added", &format!("{at:?}")).contains("RFC 3339"), "{at}");
    }
    assert!(fault_of("date_added", r#""9999-12-31T12:00:00Z""#).contains("at the latest"));
    for sku in ["US\u{202e}-1", "US\u{7}-1", "U\nS-1"] {
        let row = format!(r#"{{"sku": {}, "name": "A", "price": 1}}"#, serde_json::to_string(sku).unwrap());
        let fault = parse(&row).unwrap_err()[0].to_string();
        assert!(fault.contains("/sku") && fault.contains("U+"), "it would be another product's: {fault}");
    }
    let many: String = (0..=250).map(|n| format!("\"{n}\":1,")).collect();
    assert_eq!(
        fault_of("attributes", &format!("{{{}}}", many.trim_end_matches(','))),
        "/attributes has more than 250 names"
    );
    assert!(with("brand", &long(120)).brand.is_some());
}

#[test]
fn prices_keep_every_digit() {
    for (price, hundredths) in
        [("19.99", 1999), ("\"19.9\"", 1990), ("9999999999.99", 999_999_999_999), ("35.000", 3500), ("0", 0)]
    {
        let row = parse(&format!(r#"{{"sku":"A","name":"B","price":{price}}}"#)).unwrap();
        assert_eq!(row.price.hundredths(), hundredths);
    }
    for price in ["19.9900000000000001", "1e2", "1E2", "\"19.990\"", "true", "\"\"", "10000000000"] {
        let faults = parse(&format!(r#"{{"sku":"A","name":"B","price":{price}}}"#)).expect_err(price);
        assert_eq!((faults.len(), faults[0].field.as_str()), (1, "/price"), "{price}");
    }
    let yen = "JPY".parse().unwrap();
    let row = parse_json(r#"{"sku":"A","name":"B","price":120.0}"#, yen).unwrap();
    assert!(row.to_json(yen).contains(r#""price":"120""#));
}

#[test]
fn a_mean_of_nothing_is_no_rating() {
    for rating in [r#"0"#, r#"4.5,"rating_count":0"#, r#"null,"rating_count":3"#] {
        let row = with("rating", rating);
        assert_eq!((row.rating, row.rating_count), (None, None), "{rating}");
    }
}

#[test]
fn what_is_not_an_object_is_told_in_one_sentence() {
    for (line, detail) in [
        ("[{}]", "the row is not a JSON object; write one product on each line, without a list around them"),
        (r#"{"sku" "A"}"#, "the row is not valid JSON: expected `:` at line 1 column 8"),
    ] {
        let faults = parse(line).unwrap_err();
        assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [detail]);
    }
    assert!(parse(&"[".repeat(100_000)).is_err());
    assert!(parse(&format!(r#"{{"sku":{}"#, "[".repeat(100_000))).is_err());
}

#[test]
fn reads_csv_cells_as_the_same_fields() {
    let columns = Columns::read(
        &[
            "Name",
            "sku",
            "price",
            "category_path",
            "stock",
            "attributes",
            "attr.Colour",
            "variants",
            "rating",
        ]
        .as_slice()
        .into(),
    )
    .unwrap();
    let cells = [
        "Pan",
        "P1",
        " 12.50 ",
        "Home > Kitchen & Co",
        "",
        r#"{"size": 3}"#,
        "Red",
        r#"[{"variant_name":"S","sku":"P1-S"}]"#,
        "4.25",
    ];
    let row = from_csv(&columns, &cells.as_slice().into(), usd()).unwrap();
    let json = r#"{"name":"Pan","sku":"P1","price":"12.50","category_path":["Home","Kitchen & Co"],"rating":4.25,
        "attributes":{"size":3,"Colour":"Red"},"variants":[{"variant_name":"S","sku":"P1-S"}]}"#;
    assert_eq!(Ok(row), parse(json));

    let broken = ["Pan", "P1", "x", "Home", "", "[", "", "", ""];
    let faults = from_csv(&columns, &broken.as_slice().into(), usd()).unwrap_err();
    assert_eq!(
        faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(),
        ["/price", "/attributes"]
    );
    let faults = from_csv(&columns, &["Pan", "P1"].as_slice().into(), usd()).unwrap_err();
    assert!(faults[0].to_string().starts_with("the row has 2 cells where the header has 9"));
}

#[test]
fn a_wrong_header_is_one_error() {
    let read = |header: &[&str]| Columns::read(&header.into()).unwrap_err();
    assert_eq!(read(&["sku", "name"]), HeaderError::Missing("price"));
    assert_eq!(read(&["name", "price"]), HeaderError::Missing("sku"));
    assert_eq!(read(&["sku", "SKU", "name", "price"]), HeaderError::Twice("sku".to_owned()));
    assert_eq!(read(&["sku;name;price"]), HeaderError::Unknown("sku;name;price".to_owned()));
    assert_eq!(read(&["sku", "attr."]), HeaderError::Unknown("attr.".to_owned()));
}

#[test]
fn real_catalogs_parse() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    for (shop, refused) in [("icecat", false), ("sephora", false), ("bigbasket", false), ("sociolla", true)] {
        let Ok(file) = fs::read_to_string(data.join(shop).join("products.jsonl")) else {
            println!("skipped: {shop} is not in {}", data.display());
            continue;
        };
        for line in file.lines() {
            match parse(line) {
                Ok(row) => assert_eq!(parse(&row.to_json(usd())), Ok(row)),
                // This shop keeps its variants' prices in an attribute, and counts returns as negative sales.
                Err(faults) => {
                    let fields = ["/attributes/variants", "/popularity"];
                    let known = faults.iter().all(|fault| fields.contains(&fault.field.as_str()));
                    assert!(refused && known, "{shop}: {faults:?} in {line}");
                }
            }
        }
    }
}

/// The header's cells, or a row's, as the `csv` crate reads them.
fn cells_of(row: Option<&Row>) -> csv::StringRecord {
    let written = to_csv(row, usd());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(written.as_slice());
    let record = reader.records().next().unwrap().unwrap();
    assert!(reader.records().next().is_none());
    record
}

fn any_attribute() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |number| number.is_finite()).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[a-z é\"\\\\\n]{0,20}[a-z]"
            .prop_map(|text| Value::from(crate::text::scrub(&text, crate::text::Shape::Long))),
        prop::collection::vec("[a-z]{1,5}", 1..4).prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back_equal(
        hundredths in 0..=999_999_999_999_i64,
        attributes in prop::option::of(prop::collection::btree_map("[a-z/~]{1,9}", any_attribute(), 0..5)),
        stock in prop::option::of(0..=MAX_STOCK),
        rating in prop::option::of((1..=5_000_000_i64, 1..=MAX_STOCK)),
        seconds in prop::option::of(0..4_000_000_000_i64),
        active in any::<Option<bool>>(),
        name in "[=+@'-]{0,2}[A-Za-z\"\\\\,>]{1,40}",
    ) {
        let variant = VariantRow {
            variant_name: name.clone(),
            sku: "V".to_owned(),
            price: Some(Amount::from_hundredths(hundredths)),
            stock,
            image_url: stock.map(|_| "http://example.com/v".to_owned()),
            attributes: attributes.clone(),
        };
        let row = Row {
            sku: "S".to_owned(),
            name: name.clone(),
            price: Amount::from_hundredths(hundredths),
            description: Some(format!("{name}\n{name}")),
            brand: None,
            category_path: Some(vec![name]),
            image_url: Some("https://example.com/ü?a=b#c".to_owned()),
            stock,
            is_active: active,
            attributes,
            variants: stock.map(|_| vec![variant]),
            rating: rating.map(|(mean, _)| Decimal::new(mean, 6)),
            rating_count: rating.map(|(_, count)| count),
            popularity: Some(hundredths),
            date_added: seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()),
        };
        prop_assert_eq!(parse(&row.to_json(usd())), Ok(row.clone()));
        let (header, record) = (cells_of(None), cells_of(Some(&row)));
        for cell in &record {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']), "{}", cell);
        }
        prop_assert_eq!(from_csv(&Columns::read(&header).unwrap(), &record, usd()), Ok(row));
    }

    #[test]
    fn no_line_makes_it_panic(line in "[{}\\[\\]\",:0-9a-z\\\\.-]{0,60}") {
        let _ = parse(&line);
        let _ = parse(&format!(r#"{{"sku":"A","name":"B","price":{line}}}"#));
    }
}
