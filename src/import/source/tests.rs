//! Files of both formats, whole and broken.

use std::io::{BufReader, Cursor, Read};

use proptest::prelude::*;

use super::*;

fn open(file: &[u8], format: Format) -> Result<Source<BufReader<Cursor<Vec<u8>>>>, SourceError> {
    // Seven bytes at a time, so that everything falls on a border once.
    Source::open(BufReader::with_capacity(7, Cursor::new(file.to_vec())), format, "USD".parse().unwrap())
}

fn entries(file: &[u8], format: Format) -> Vec<Entry> {
    open(file, format).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Line and SKU of a row, or the report of a refused one.
fn told(entry: &Entry) -> String {
    match &entry.row {
        Ok(row) => format!("line {}: {}", entry.line, row.sku),
        Err(error) => error.to_string(),
    }
}

#[test]
fn ndjson_goes_on_after_a_bad_line() {
    let mut file =
        b"\xEF\xBB\xBF{\"sku\":\"A\",\"name\":\"a\",\"price\":1}\r\n\n  \r\n{\"sku\":\"B\",\"name\":\"b\"}\n"
            .to_vec();
    file.extend(b"{\"sku\":\"\xFF\"}\n");
    file.extend(b"{\"sku\":\"C\",\"name\":\"c\",\"price\":2}");
    let entries = entries(&file, Format::Ndjson);
    assert_eq!(
        entries.iter().map(told).collect::<Vec<_>>(),
        [
            "line 1: A",
            "line 4 (B): /price is required",
            "line 5: the row is not UTF-8 at its byte 9; save the file as UTF-8",
            "line 6: C"
        ]
    );
    assert_eq!(entries[3].bytes, file.len() as u64);
}

#[test]
fn csv_counts_lines_within_quotes() {
    let file = "\u{FEFF}\"sku\",name,price,description,attr.colour\r\n\
        A,a,1,\"two\nlines, \"\"quoted\"\"\",Red\r\n\r\n,,,,\n\
        B,b,x,,\n\
        C,c,2\n\
        D,5\" pipe,3,,\"\"";
    let entries = entries(file.as_bytes(), Format::Csv);
    assert_eq!(
        entries.iter().map(told).collect::<Vec<_>>(),
        [
            "line 2: A",
            "line 6 (B): /price is not a decimal number such as \"12.50\"",
            "line 7 (C): the row has 3 cells where the header has 5; quote cells that hold commas",
            "line 8: D"
        ]
    );
    let row = entries[0].row.as_ref().unwrap();
    assert_eq!(row.description.as_deref(), Some("two\nlines, \"quoted\""));
    assert_eq!(row.attributes.as_ref().unwrap()["colour"], "Red");
}

#[test]
fn a_csv_file_without_a_header_is_one_error() {
    let told = |file: &[u8]| open(file, Format::Csv).unwrap_err().to_string();
    assert!(told(b"").starts_with("the header row is missing"));
    assert!(told(b"\n\n").starts_with("the header row is missing"));
    assert!(told(b"sku,n\xE4me\n").starts_with("the header row is not UTF-8"));
    assert!(told(b"A,Pan,12.50\n").starts_with("the header row names `A`, which no catalog has"));
    assert!(told(&[b'"'; 2 << 20]).starts_with("the header row is too long"));
}

#[test]
fn long_records_are_skipped_without_being_kept() {
    let long = vec![b'x'; 3 * MAX_RECORD];
    let row = b"{\"sku\":\"A\",\"name\":\"a\",\"price\":1}\n".as_slice();
    let chain = BufReader::new(long.chain(b"\n".as_slice()).chain(row));
    let mut records = Records::new(chain, Format::Ndjson);
    assert!(records.next().unwrap().unwrap().bytes.is_none());
    assert!(records.capacity() <= 2 * MAX_RECORD + 4);
    assert_eq!(records.next().unwrap().unwrap().line, 2);

    let mut file = b"sku,name,price\nA,\"".to_vec();
    file.extend(vec![b'\n'; MAX_RECORD]);
    file.extend(b"\",1\nB,b,2\n");
    let entries = entries(&file, Format::Csv);
    let told: Vec<_> = entries.iter().map(told).collect();
    assert_eq!(
        told,
        ["line 2: the row is longer than 1048576 bytes", &format!("line {}: B", MAX_RECORD + 3)]
    );
}

#[test]
fn a_record_of_the_full_length_is_read() {
    let row = r#"{"sku":"A","name":"a","price":1,"brand":""#;
    let fill = |length: usize| format!("{row}{}\"}}\r\n", " ".repeat(length - row.len() - 2));
    assert!(entries(fill(MAX_RECORD).as_bytes(), Format::Ndjson)[0].row.is_ok());
    assert!(entries(fill(MAX_RECORD + 1).as_bytes(), Format::Ndjson)[0].row.is_err());
}

#[test]
fn a_broken_reader_ends_the_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let row = b"{\"sku\":\"A\",\"name\":\"a\",\"price\":1}\n{\"sku\":".as_slice();
    let mut source =
        Source::open(BufReader::new(row.chain(Broken)), Format::Ndjson, "USD".parse().unwrap()).unwrap();
    assert!(source.next().unwrap().unwrap().row.is_ok());
    assert!(matches!(source.next(), Some(Err(SourceError::Io(_)))));
    assert!(source.next().is_none());
}

#[test]
fn the_format_is_told_by_name_then_by_content() {
    for (start, name, format) in [
        ("{", "a.CSV", Format::Csv),
        ("sku", "a.jsonl", Format::Ndjson),
        ("sku", "a.ndjson", Format::Ndjson),
        ("\u{FEFF} \n{", "", Format::Ndjson),
        ("[", "-", Format::Ndjson),
        ("sku,name", "catalog.txt", Format::Csv),
        ("", "", Format::Csv),
    ] {
        assert_eq!(Format::detect(start.as_bytes(), name), format, "{start} {name}");
    }
}

proptest! {
    /// Records are cut where the `csv` crate would cut them.
    #[test]
    fn csv_records_end_where_the_parser_ends_them(file in "[a\",\n ]{0,40}") {
        let mut ours = Vec::new();
        let mut parser = Parser::new();
        let mut records = Records::new(BufReader::with_capacity(3, file.as_bytes()), Format::Csv);
        while let Some(record) = records.next().unwrap() {
            let text = std::str::from_utf8(record.bytes.unwrap()).unwrap();
            if !text.is_empty() {
                ours.push(parser.cells(text, record.ended).clone());
            }
        }
        let mut theirs = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(file.as_bytes());
        let theirs: Vec<csv::StringRecord> = theirs.records().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(ours, theirs);
    }
}
