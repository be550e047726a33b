//! How good the answers are: judged queries in, figures out.
//!
//! Searching is the caller's; what is here is true of any search that answers with a ranking.

pub mod judgments;
pub mod metrics;

use std::fmt;

use duka_index::{Query, SortField, SortKey};
use serde::Serialize;

use self::judgments::JudgedQuery;

/// How many hits are looked at.
pub const DEPTH: usize = 100;
/// How many hits a shopper looks at.
const PAGE: usize = 10;
/// Hits whose names are told.
const NAMED: usize = 3;
/// Unknown SKUs that are named.
const MOST_UNKNOWN: usize = 100;

/// One hit, as it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The product's SKU.
    pub sku: String,
    /// Its name.
    pub name: String,
}

/// What a search answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many products it found.
    pub total: u64,
    /// The first [`DEPTH`] of them, best first.
    pub hits: Vec<Found>,
}

/// The figures of all judged queries.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How many there are.
    pub queries: usize,
    /// The mean of [`metrics::ndcg`] over the first ten hits; none when no query has a relevant product.
    pub ndcg_at_10: Option<f64>,
    /// The mean of [`metrics::recall`] over the first hundred hits.
    pub recall_at_100: Option<f64>,
    /// The mean of [`metrics::reciprocal_rank`] over the first hundred hits.
    pub mrr: Option<f64>,
    /// Which part of the queries found nothing at all.
    pub zero_result_rate: f64,
    /// Queries with no relevant product among those that the shop has. The means leave them out.
    pub without_relevant: usize,
    /// How many judgments there are.
    pub judgments: usize,
    /// Judgments of products that the shop does not have. They are no part of any figure.
    pub unknown_judgments: usize,
    /// Their SKUs, each once, the first hundred.
    pub unknown: Vec<String>,
    /// Every query, the worst first.
    pub details: Vec<QueryReport>,
}

/// The figures of one query.
#[derive(Clone, Debug, Serialize)]
pub struct QueryReport {
    /// As the file calls it.
    pub query_id: String,
    /// What was typed.
    pub query: String,
    /// See [`Report::ndcg_at_10`].
    pub ndcg_at_10: Option<f64>,
    /// See [`Report::recall_at_100`].
    pub recall_at_100: Option<f64>,
    /// See [`Report::mrr`].
    pub reciprocal_rank: Option<f64>,
    /// How many products it found.
    pub total: u64,
    /// The names of the first three.
    pub top: Vec<String>,
}

/// The search of a shopper who types a text and nothing else, at the instant `at`.
pub fn query(text: &str, at: i64) -> Query {
    let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
    Query { text: Some(text.to_owned()), sort, limit: DEPTH, at, ..Query::default() }
}

/// Asks every query and compares the answers with what was judged. `is_known` says whether the shop has a product
/// of this SKU.
///
/// # Errors
/// The first error of a search.
pub fn measure<E>(
    judged: &[JudgedQuery],
    is_known: impl Fn(&str) -> bool,
    mut search: impl FnMut(&JudgedQuery) -> Result<Answer, E>,
) -> Result<Report, E> {
    let mut details = Vec::with_capacity(judged.len());
    let mut unknown: Vec<&String> = Vec::new();
    for query in judged {
        let (known, strange): (Vec<_>, Vec<_>) = query.grades.iter().partition(|(sku, _)| is_known(sku));
        unknown.extend(strange.iter().map(|(sku, _)| *sku));
        let grades: Vec<u8> = known.iter().map(|(_, grade)| **grade).collect();
        details.push(compare(query, &grades, search(query)?));
    }
    let unknown_judgments = unknown.len();
    unknown.sort_unstable();
    unknown.dedup();
    details.sort_by(|a, b| {
        let quality = |query: &QueryReport| query.ndcg_at_10.unwrap_or(f64::INFINITY);
        quality(a).total_cmp(&quality(b))
    });
    Ok(Report {
        queries: judged.len(),
        ndcg_at_10: mean(details.iter().map(|query| query.ndcg_at_10)),
        recall_at_100: mean(details.iter().map(|query| query.recall_at_100)),
        mrr: mean(details.iter().map(|query| query.reciprocal_rank)),
        zero_result_rate: mean(details.iter().map(|query| Some(f64::from(query.total == 0)))).unwrap_or(0.0),
        without_relevant: details.iter().filter(|query| query.ndcg_at_10.is_none()).count(),
        judgments: judged.iter().map(|query| query.grades.len()).sum(),
        unknown_judgments,
        unknown: unknown.into_iter().take(MOST_UNKNOWN).cloned().collect(),
        details,
    })
}

fn compare(query: &JudgedQuery, grades: &[u8], answer: Answer) -> QueryReport {
    let grade = |hit: &Found| query.grades.get(&hit.sku).copied().unwrap_or(0);
    let ranking: Vec<u8> = answer.hits.iter().take(DEPTH).map(grade).collect();
    QueryReport {
        query_id: query.id.clone(),
        query: query.text.clone(),
        ndcg_at_10: metrics::ndcg(&ranking, grades, PAGE),
        recall_at_100: metrics::recall(&ranking, grades, DEPTH),
        reciprocal_rank: metrics::reciprocal_rank(&ranking, grades),
        total: answer.total,
        top: answer.hits.into_iter().take(NAMED).map(|hit| hit.name).collect(),
    }
}

/// Of those that there are.
fn mean(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let figures: Vec<f64> = figures.flatten().collect();
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "nDCG@10           {}", shown(self.ndcg_at_10))?;
        writeln!(f, "recall@100        {}", shown(self.recall_at_100))?;
        writeln!(f, "MRR               {}", shown(self.mrr))?;
        writeln!(f, "zero-result rate  {:.4}", self.zero_result_rate)?;
        write!(f, "queries           {}", self.queries)?;
        if self.without_relevant > 0 {
            write!(f, ", {} of them with nothing relevant in the shop", self.without_relevant)?;
        }
        write!(f, "\njudgments         {}", self.judgments)?;
        if self.unknown_judgments > 0 {
            write!(f, ", {} of them of products that the shop does not have", self.unknown_judgments)?;
        }
        Ok(())
    }
}

/// One line: nDCG, how many were found, what was typed, the names on top.
impl fmt::Display for QueryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ndcg = shown(self.ndcg_at_10);
        write!(f, "{ndcg:<6}  {:>6} found  {}  →  ", self.total, self.query)?;
        if self.top.is_empty() { f.write_str("nothing") } else { f.write_str(&self.top.join(" | ")) }
    }
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "none".to_owned(), |figure| format!("{figure:.4}"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn judged(id: &str, grades: &[(&str, u8)]) -> JudgedQuery {
        let grades = grades.iter().map(|(sku, grade)| ((*sku).to_owned(), *grade)).collect();
        JudgedQuery { id: id.to_owned(), text: format!("query {id}"), grades }
    }

    fn report(found: impl Fn(&str) -> Vec<&'static str>) -> Report {
        let queries = [
            judged("1", &[("A", 3), ("B", 1)]),
            judged("2", &[("C", 2), ("GONE", 3)]),
            judged("3", &[("A", 0)]),
        ];
        let search = |query: &JudgedQuery| {
            let hits: Vec<Found> =
                found(&query.id).into_iter().map(|sku| Found { sku: sku.into(), name: sku.into() }).collect();
            Ok::<_, Infallible>(Answer { total: hits.len() as u64, hits })
        };
        measure(&queries, |sku| sku != "GONE", search).unwrap()
    }

    #[test]
    fn perfect_answers_are_perfect() {
        let report = report(|id| if id == "1" { vec!["A", "B", "X"] } else { vec!["C"] });
        assert_eq!((report.ndcg_at_10, report.recall_at_100, report.mrr), (Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!((report.queries, report.judgments, report.without_relevant), (3, 5, 1));
        assert_eq!((report.unknown_judgments, report.unknown), (1, vec!["GONE".to_owned()]));
    }

    #[test]
    fn figures_are_means_and_the_worst_comes_first() {
        let report = report(|id| if id == "1" { vec!["X", "B"] } else { Vec::new() });
        // The first query: (1/log2(3)) of (7 + 1/log2(3)); the second finds nothing; the third has no figure.
        let first = 0.630_929_8 / 7.630_929_8;
        assert!((report.ndcg_at_10.unwrap() - first / 2.0).abs() < 1e-6);
        assert_eq!((report.recall_at_100, report.mrr), (Some(0.25), Some(0.25)));
        assert!((report.zero_result_rate - 2.0 / 3.0).abs() < 1e-9);
        let order: Vec<&str> = report.details.iter().map(|query| query.query_id.as_str()).collect();
        assert_eq!(order, ["2", "1", "3"]);
        assert!(report.to_string().contains("1 of them of products"), "{report}");
        assert_eq!(report.details[1].to_string(), "0.0827       2 found  query 1  →  X | B");
    }
}
