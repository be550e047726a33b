//! A catalog file as a stream of rows, in bounded memory whatever the file holds.
//!
//! A [`Source`] reads NDJSON or CSV from anything buffered and yields an [`Entry`] for each row: read, or
//! refused with its line and all its faults. A bad row never ends the file; a broken reader or a wrong header
//! does. What a row means is [`super::row`]'s business, and what becomes of it the store's.

mod records;

use std::io::{self, BufRead};

pub use self::records::MAX_RECORD;
use self::records::{Record, Records};
use super::row::{self, Columns, Fault, HeaderError, Row, RowError};
use crate::money::Currency;

/// How a catalog file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object on each line.
    Ndjson,
    /// Comma-separated values with a header row (RFC 4180; a bare line feed ends a record too).
    Csv,
}

impl Format {
    /// The format by the file's name (`.csv`; `.ndjson`, `.jsonl`, `.json`), else by its first bytes: NDJSON
    /// where the first visible one opens an object or a list. `name` may be empty.
    pub fn detect(start: &[u8], name: &str) -> Self {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Self::Csv,
            "ndjson" | "jsonl" | "json" => Self::Ndjson,
            _ => match start.strip_prefix(records::BOM).unwrap_or(start).trim_ascii_start().first() {
                Some(b'{' | b'[') => Self::Ndjson,
                _ => Self::Csv,
            },
        }
    }
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The reader failed.
    #[error("the catalog file could not be read")]
    Io(#[from] io::Error),
    /// The header row is not one of a catalog.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The header row is too long, not text, or not there.
    #[error("the header row {0}; the first line of a CSV file names its columns, in UTF-8")]
    NoHeader(&'static str),
}

/// One row of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Line on which the row starts, from 1.
    pub line: u64,
    /// Bytes of the file read so far, this row and its line break included: for progress.
    pub bytes: u64,
    /// The row, or what is wrong with it.
    pub row: Result<Row, RowError>,
}

/// The rows of one file, in order. After an error it yields nothing more.
#[derive(Debug)]
pub struct Source<R> {
    records: Records<R>,
    /// `Some` in a CSV file.
    table: Option<Table>,
    currency: Currency,
    ended: bool,
}

impl<R: BufRead> Source<R> {
    /// Starts to read; of a CSV file, the header row. Prices are in `currency`.
    ///
    /// # Errors
    /// [`SourceError`], for CSV only: later ones come out of the iterator.
    pub fn open(input: R, format: Format, currency: Currency) -> Result<Self, SourceError> {
        let mut records = Records::new(input, format);
        let table = match format {
            Format::Ndjson => None,
            Format::Csv => Some(Table::open(&mut records)?),
        };
        Ok(Self { records, table, currency, ended: false })
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, SourceError> {
        while let Some(record) = self.records.next()? {
            let (line, bytes) = (record.line, record.end);
            if let Some(row) = read(&record, &mut self.table, self.currency) {
                let row = row.map_err(|(sku, faults)| RowError { line, sku, faults });
                return Ok(Some(Entry { line, bytes, row }));
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Source<R> {
    type Item = Result<Entry, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.next_entry().transpose();
        self.ended = !matches!(entry, Some(Ok(_)));
        entry
    }
}

/// How many rows a file has, without reading what they say; past `most` it does not count on. Of CSV a record of nothing
/// but commas is no row.
///
/// # Errors
/// When the reader fails.
pub fn count(input: impl BufRead, format: Format, most: u64) -> io::Result<u64> {
    let is_blank = |bytes: &[u8]| match format {
        Format::Ndjson => bytes.iter().all(u8::is_ascii_whitespace),
        Format::Csv => bytes.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b','),
    };
    let header = u64::from(format == Format::Csv);
    let mut records = Records::new(input, format);
    let mut found = 0;
    while let Some(record) = records.next()? {
        found += u64::from(!record.bytes.is_some_and(is_blank));
        if found > most.saturating_add(header) {
            break;
        }
    }
    Ok(found.saturating_sub(header))
}

/// A refused row: its SKU and its faults.
type Refusal = (Option<String>, Vec<Fault>);

/// `None` for a blank record.
fn read(record: &Record<'_>, table: &mut Option<Table>, currency: Currency) -> Option<Result<Row, Refusal>> {
    let whole = |detail: String| Some(Err((None, vec![Fault::of_row(detail)])));
    let Some(bytes) = record.bytes else { return whole(format!("is longer than {MAX_RECORD} bytes")) };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => return None,
        Ok(text) => text,
        Err(e) => {
            return whole(format!(
                "is not UTF-8 at its byte {}; save the file as UTF-8",
                e.valid_up_to() + 1
            ));
        }
    };
    let Some(Table { columns, parser }) = table else {
        return Some(row::parse_json(text, currency).map_err(|faults| (row::sku_of_json(text), faults)));
    };
    let cells = parser.cells(text, record.ended);
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        return None;
    }
    Some(row::from_csv(columns, cells, currency).map_err(|faults| (row::sku_of_csv(columns, cells), faults)))
}

/// What a CSV file is read with.
#[derive(Debug)]
struct Table {
    columns: Columns,
    parser: Parser,
}

impl Table {
    /// Reads the first record that is not blank: the header row.
    fn open<R: BufRead>(records: &mut Records<R>) -> Result<Self, SourceError> {
        let mut parser = Parser::new();
        while let Some(record) = records.next()? {
            let bytes = record.bytes.ok_or(SourceError::NoHeader("is too long"))?;
            let text = std::str::from_utf8(bytes).map_err(|_| SourceError::NoHeader("is not UTF-8"))?;
            if !text.trim().is_empty() {
                return Ok(Self { columns: Columns::read(parser.cells(text, record.ended))?, parser });
            }
        }
        Err(SourceError::NoHeader("is missing"))
    }
}

/// The `csv` crate's parser, fed one record at a time: fed the file itself, it would keep a record of any
/// length.
#[derive(Debug)]
struct Parser {
    reader: csv::Reader<io::Cursor<Vec<u8>>>,
    cells: csv::StringRecord,
}

impl Parser {
    fn new() -> Self {
        let mut format = csv::ReaderBuilder::new();
        format.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n'));
        Self { reader: format.from_reader(io::Cursor::default()), cells: csv::StringRecord::new() }
    }

    /// The cells of a record that is not blank. Only the file's last one may not have `ended` with a line
    /// break: the parser takes the end of its input for the end of the file.
    fn cells(&mut self, record: &str, ended: bool) -> &csv::StringRecord {
        let input = self.reader.get_mut();
        input.set_position(0);
        input.get_mut().clear();
        input.get_mut().extend_from_slice(record.as_bytes());
        input.get_mut().extend_from_slice(if ended { b"\n" } else { b"" });
        // Neither memory nor UTF-8 fails to be read. If it did, the row would be refused for having no cells.
        if self.reader.read_record(&mut self.cells).is_err() {
            self.cells.clear();
        }
        &self.cells
    }
}

#[cfg(test)]
mod tests;
