//! Where a record ends, and never more than [`MAX_RECORD`] of it in memory.

use std::io::{self, BufRead};

use super::Format;

/// The longest record that is read, in bytes: 1 MiB. What is longer is skipped without being kept.
pub const MAX_RECORD: usize = 1 << 20;

/// The mark that some programs put before UTF-8.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One record as the file has it.
pub(super) struct Record<'a> {
    /// Line on which it starts, from 1.
    pub(super) line: u64,
    /// Bytes of the file up to its end.
    pub(super) end: u64,
    /// Without its line break; `None` where it is too long.
    pub(super) bytes: Option<&'a [u8]>,
    /// Whether a line break ends it: false for the last one of some files.
    pub(super) ended: bool,
}

/// Cuts a file into records: lines of NDJSON, or records of CSV, which go on over a line break in quotes.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    format: Format,
    buffer: Vec<u8>,
    /// Line breaks passed.
    breaks: u64,
    /// Bytes passed.
    bytes: u64,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R, format: Format) -> Self {
        Self { input, format, buffer: Vec::new(), breaks: 0, bytes: 0 }
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        self.buffer.clear();
        let (line, start) = (self.breaks + 1, self.bytes);
        let mut quotes = Quotes::Start;
        let (mut ended, mut too_long) = (false, false);
        while !ended {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if chunk.is_empty() {
                break;
            }
            let end = match self.format {
                Format::Ndjson => chunk.iter().position(|&byte| byte == b'\n'),
                Format::Csv => chunk.iter().position(|&byte| quotes.ends_at(byte)),
            };
            let taken = end.map_or(chunk.len(), |at| at + 1);
            let part = &chunk[..taken];
            // A carriage return and a line feed are not the record's own.
            too_long |= self.buffer.len() + taken > MAX_RECORD + 2;
            if !too_long {
                self.buffer.extend_from_slice(part);
            }
            self.breaks += match self.format {
                Format::Ndjson => u64::from(end.is_some()),
                Format::Csv => part.iter().map(|&byte| u64::from(byte == b'\n')).sum(),
            };
            self.bytes += taken as u64;
            self.input.consume(taken);
            ended = end.is_some();
        }
        if self.bytes == start {
            return Ok(None);
        }
        // A line break in quotes that nothing closes is not the record's end.
        let line_break: &[u8] = if self.buffer.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        let bytes = self.buffer.strip_suffix(line_break).filter(|_| ended).unwrap_or(&self.buffer);
        let bytes = if start == 0 { bytes.strip_prefix(BOM).unwrap_or(bytes) } else { bytes };
        let bytes = Some(bytes).filter(|bytes| !too_long && bytes.len() <= MAX_RECORD);
        Ok(Some(Record { line, end: self.bytes, bytes, ended }))
    }
}

/// Where in a record of CSV a byte stands: as in the `csv` crate, a quote opens a cell only at its start, and
/// what follows a closing quote is taken as it is.
#[derive(Clone, Copy)]
enum Quotes {
    /// At the start of a cell.
    Start,
    /// In a cell without quotes.
    Bare,
    /// In a cell with quotes.
    Quoted,
    /// After a quote in a cell with quotes: it closes the cell, unless another follows.
    Closing,
}

impl Quotes {
    /// Passes one byte; true where it ends the record.
    fn ends_at(&mut self, byte: u8) -> bool {
        *self = match (*self, byte) {
            (Self::Quoted, b'"') => Self::Closing,
            (Self::Start | Self::Closing, b'"') | (Self::Quoted, _) => Self::Quoted,
            (_, b'\n') => return true,
            (_, b',') => Self::Start,
            _ => Self::Bare,
        };
        false
    }
}
