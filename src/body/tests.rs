//! What a body may be, tried out.

use serde_json::json;

use super::*;

#[derive(Debug)]
struct Line {
    name: String,
    quantity: Option<i64>,
}

impl Form for Line {
    fn read(fields: &mut Fields) -> Self {
        Self {
            name: fields.required("name", line(1..=5)),
            quantity: fields.optional("quantity", integer(1..=9)),
        }
    }
}

fn faults(value: Value) -> Vec<(String, String)> {
    let error = read::<Line>(value, "USD".parse().unwrap()).unwrap_err().to_string();
    let lines = error.lines().skip(1).filter_map(|line| line.trim().split_once(": "));
    lines.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())).collect()
}

#[test]
fn names_every_fault_at_once() {
    let found = faults(json!({"name": "abcdef", "quantity": 12, "id": 4, "a/b": 1}));
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/quantity", "/a~1b", "/id"]);
    assert_eq!(faults(json!({})), [("/name".to_owned(), "is required".to_owned())]);
}

#[test]
fn a_line_is_as_long_as_it_is_sent_and_as_short_as_it_is_kept() {
    let read = |length, text: &str| line(length)(json!(text)).map_err(|(_, detail)| detail);
    assert_eq!(read(1..=5, " abc "), Ok("abc".to_owned()));
    assert_eq!(read(1..=5, " abcd "), Err("has 6 characters; at most 5 are allowed".to_owned()));
    assert_eq!(read(3..=5, " ab  "), Err("has 2 characters; 3 to 5 are allowed".to_owned()));
    assert_eq!(read(1..=5, "       "), Err("must not be empty".to_owned()));
    assert_eq!(read(0..=5, "    "), Ok(String::new()));
}

#[derive(Debug)]
struct Bill {
    lines: Vec<Line>,
    total: Line,
}

impl Form for Bill {
    fn read(fields: &mut Fields) -> Self {
        Self { lines: fields.required_forms("lines", 3), total: fields.required_form("total") }
    }
}

#[test]
fn forms_stand_within_forms() {
    let read = |value| read::<Bill>(value, "USD".parse().unwrap());
    let bill = read(json!({"lines": [{"name": "a"}], "total": {"name": "b"}})).unwrap();
    assert_eq!((bill.lines[0].name.as_str(), bill.total.name.as_str()), ("a", "b"));
    for (value, pointers) in [
        (json!({}), &["/lines", "/total"] as &[&str]),
        (json!({"lines": {}, "total": []}), &["/lines", "/total"]),
        (
            json!({"lines": [1, {}, {"name": "a", "b": 1}], "total": {}}),
            &["/lines/0", "/lines/1/name", "/lines/2/b", "/total/name"],
        ),
    ] {
        let error = read(value).unwrap_err().to_string();
        let named = error.lines().skip(1).filter_map(|line| Some(line.trim().split_once(": ")?.0));
        assert_eq!(named.collect::<Vec<_>>(), pointers);
    }
}

#[test]
fn reads_what_is_right() {
    let form: Line = read(json!({"name": " ab ", "quantity": 9}), "USD".parse().unwrap()).unwrap();
    assert_eq!((form.name.as_str(), form.quantity), ("ab", Some(9)));
}

#[test]
fn whole_numbers_are_whole_and_in_range() {
    for bad in [json!(1.5), json!("1"), json!(null), json!(true), json!(10), json!(1e300)] {
        assert!(integer(1..=9)(bad.clone()).is_err(), "{bad}");
    }
    // As JSON Schema has it, and only where a float is one number.
    assert_eq!(integer(1..=9)(json!(2.0)).unwrap(), 2);
    assert_eq!(integer(1..=i64::MAX)(json!(9_007_199_254_740_994.0)).unwrap_err().0, "range");
    let huge: Value = serde_json::from_str("123456789012345678901234567890").unwrap();
    assert_eq!(integer(1..=9)(huge).unwrap_err().0, "range");
}

#[test]
fn instants_are_in_utc_to_the_microsecond() {
    let read = |text: &str| instant(json!(text)).map(clock::micros);
    assert_eq!(read("1970-01-01T01:00:00.0000019+01:00"), Ok(1));
    assert_eq!(read("2026-11-22T10:00:00Z"), Ok(1_795_341_600_000_000));
    for bad in
        ["2026-11-22", "2026-11-22T10:00:00", "2026-13-01T00:00:00Z", "now", "", "0000-12-31T00:00:00Z"]
    {
        assert!(read(bad).is_err(), "{bad}");
    }
    assert!(instant(json!(1_795_341_600)).is_err());
}

#[test]
fn urls_are_of_the_web() {
    assert!(url(json!("https://example.com/a.jpg?b=c")).is_ok());
    for bad in ["javascript:alert(1)", "ftp://a/b", "//a/b", "https://", "https://a b", "file:///etc/passwd"]
    {
        assert!(url(json!(bad)).is_err(), "{bad}");
    }
}
