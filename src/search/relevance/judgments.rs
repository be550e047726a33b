//! The file of judged queries: which products somebody who typed a query wanted, and how much.
//!
//! ```text
//! query_id  query        external_id  grade
//! 1         wool jumper  KNIT-7       3
//! 1         wool jumper  WASH-2       0
//! ```
//!
//! Tabs separate the columns; nothing is quoted. `external_id` is a product's SKU, as it is written. The grade is a
//! whole number: 0 is wrong, and what is 1 or more is right, the more the larger.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use crate::text::{Shape, clean};

/// The first line.
const HEADER: &str = "query_id\tquery\texternal_id\tgrade";
/// The largest grade: each is worth about twice the one below it.
const MOST: u8 = 10;
/// Characters of a query, as in the API.
const QUERY_LENGTH: usize = 256;

/// A query and what was judged for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedQuery {
    /// What the file calls it.
    pub id: String,
    /// What is typed.
    pub text: String,
    /// By SKU, the grade.
    pub grades: BTreeMap<String, u8>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// From 1, the header.
    pub line: usize,
    /// What, and what to do.
    pub reason: String,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Reads a whole file: its queries in the order in which they first occur. Blank lines are skipped.
///
/// # Errors
/// Every line that cannot be used, or that there is none.
pub fn read(text: &str) -> Result<Vec<JudgedQuery>, Vec<LineFault>> {
    let fault = |line, reason: String| LineFault { line, reason };
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    if lines.next().map(str::trim_end) != Some(HEADER) {
        let names = HEADER.replace('\t', ", ");
        return Err(vec![fault(1, format!("must name the columns {names}, separated by tabs"))]);
    }
    let mut reading = Reading::default();
    let mut faults = Vec::new();
    for (line, text) in (2..).zip(lines).filter(|(_, text)| !text.trim().is_empty()) {
        if let Err(reason) = reading.take(line, text) {
            faults.push(fault(line, reason));
        }
    }
    if faults.is_empty() && reading.queries.is_empty() {
        faults.push(fault(2, "is missing: the file holds no judgment".to_owned()));
    }
    if faults.is_empty() { Ok(reading.queries) } else { Err(faults) }
}

#[derive(Default)]
struct Reading {
    queries: Vec<JudgedQuery>,
    /// By id: its place among the queries, and the line where it first occurs.
    places: HashMap<String, (usize, usize)>,
    /// By place and SKU, the line.
    judged: HashMap<(usize, String), usize>,
}

impl Reading {
    fn take(&mut self, line: usize, text: &str) -> Result<(), String> {
        let columns: Vec<&str> = text.split('\t').map(str::trim).collect();
        let [id, query, sku, grade] = columns[..] else {
            return Err(format!("has {} columns where there are four, separated by tabs", columns.len()));
        };
        if id.is_empty() || sku.is_empty() {
            return Err("must have a query_id and an external_id".to_owned());
        }
        let query = clean(query, Shape::Line).map_err(|bad| format!("the query {bad}"))?;
        if !(1..=QUERY_LENGTH).contains(&query.chars().count()) {
            return Err(format!("the query must have 1 to {QUERY_LENGTH} characters"));
        }
        let grade = grade.parse().ok().filter(|grade| *grade <= MOST);
        let grade = grade.ok_or_else(|| format!("the grade must be a whole number from 0 to {MOST}"))?;
        let fresh = (self.queries.len(), line);
        let (place, first) = *self.places.entry(id.to_owned()).or_insert(fresh);
        if place == self.queries.len() {
            self.queries.push(JudgedQuery { id: id.to_owned(), text: query, grades: BTreeMap::new() });
        } else if self.queries[place].text != query {
            let other = &self.queries[place].text;
            return Err(format!("the query {id} was `{other}` on line {first}; give each its own id"));
        }
        if let Some(before) = self.judged.insert((place, sku.to_owned()), line) {
            return Err(format!(
                "{sku} was judged for this query on line {before} already; keep one of them"
            ));
        }
        self.queries[place].grades.insert(sku.to_owned(), grade);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &[&str]) -> String {
        lines.iter().fold(HEADER.to_owned(), |file, line| format!("{file}\n{}", line.replace(" | ", "\t")))
    }

    #[test]
    fn queries_gather_their_judgments() {
        let lines = ["2 | 27\" monitor | M-27 | 3", "1 | tea | T-1 | 0", "", "2 | 27\" monitor | M-24 | 1"];
        let read = read(&format!("\u{feff}{}\r\n", file(&lines).replace('\n', "\r\n"))).unwrap();
        let grades = |pairs: &[(&str, u8)]| pairs.iter().map(|(sku, g)| ((*sku).to_owned(), *g)).collect();
        let query = |id: &str, text: &str, grades| JudgedQuery { id: id.into(), text: text.into(), grades };
        let monitors = grades(&[("M-27", 3), ("M-24", 1)]);
        assert_eq!(read, [query("2", "27\" monitor", monitors), query("1", "tea", grades(&[("T-1", 0)]))]);
    }

    #[test]
    fn each_fault_names_its_line() {
        let long = format!("9 | {} | A | 1", "a".repeat(257));
        let lines = [
            "1 | tea | T-1 | 3",
            "1 | tea | T-1",
            "1 | tea | T-1 | 2",
            "1 | coffee | C-1 | 3",
            "2 | tea | T-1 | 11",
            "2 | tea | T-1 | 1.5",
            "2 | tea | T-1 | -1",
            " | tea | T-1 | 1",
            "3 | | T-1 | 1",
            "3 | a\u{0}b | T-1 | 1",
            &long,
            "2 | tea | T-1 | 10",
        ];
        let faults: Vec<String> = read(&file(&lines)).unwrap_err().iter().map(ToString::to_string).collect();
        let at: Vec<&str> = faults.iter().map(|fault| &fault[..fault.find(':').unwrap()]).collect();
        let expected: Vec<String> = (3..=12).map(|line| format!("line {line}")).collect();
        assert_eq!(at, expected, "{faults:?}");
        assert!(faults[1].contains("line 2") && faults[2].contains("`tea` on line 2"), "{faults:?}");
    }

    #[test]
    fn a_file_must_be_one() {
        for text in ["", "query,grade", HEADER, "query_id query external_id grade\n1\ta\tb\t1"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
