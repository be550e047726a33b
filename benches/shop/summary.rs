//! What is told at the end: a table of medians, from what Criterion has written down.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use duka::load::report::Report;
use serde_json::Value;

/// A line about a server.
pub(crate) struct Row {
    name: String,
    told: String,
}

impl Row {
    pub(crate) fn told(name: &str, told: String) -> Self {
        Self { name: name.to_owned(), told }
    }

    pub(crate) fn of(name: &str, report: &Report) -> Self {
        let rate = rate(report);
        let cpu = report.cpu_each().map_or_else(|| "?".to_owned(), |each| format!("{each:.4}"));
        let times = [0.5, 0.99].map(|share| report.searches.quantile(share).as_secs_f64() * 1_000.0);
        let told = format!("{rate:>9.0} /s {cpu:>9} ms CPU {:>9.3} p50 {:>9.3} p99", times[0], times[1]);
        Self::told(name, told)
    }
}

/// Answers a second.
pub(crate) fn rate(report: &Report) -> f64 {
    report.searches.count() as f64 / report.took.as_secs_f64()
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:<24}{}", self.name, self.told)
    }
}

/// Tells what servers took.
pub(crate) fn over_http(size: u64, rows: &[Row]) {
    println!(
        "\nOver HTTP, {size} products (requests a second, the server's processor time for each, latency in ms):"
    );
    rows.iter().for_each(|row| println!("{row}"));
}

/// Tells all medians, by group; a column for each size.
pub(crate) fn print() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("criterion");
    // By group and function, by size.
    let mut medians: BTreeMap<(String, String), BTreeMap<u64, f64>> = BTreeMap::new();
    collect(&root, &mut medians);
    if medians.is_empty() {
        return;
    }
    println!("\nMedians in microseconds, by number of products:");
    let mut last = "";
    for ((group, function), by_size) in &medians {
        if group != last {
            println!("{group}");
            last = group;
        }
        let cells = by_size.iter().map(|(size, nanoseconds)| {
            let size = if *size == 0 { String::new() } else { format!("{size}: ") };
            format!("{size}{:.2}", nanoseconds / 1_000.0)
        });
        println!("  {function:<40}{}", cells.collect::<Vec<_>>().join("   "));
    }
    println!("\nGrowth by size, as plots: {}", root.join("report/index.html").display());
}

/// Reads every estimate below a folder.
fn collect(folder: &Path, medians: &mut BTreeMap<(String, String), BTreeMap<u64, f64>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.ends_with("new") {
            if let Some((key, size, median)) = read(&path) {
                medians.entry(key).or_default().insert(size, median);
            }
        } else if path.is_dir() {
            collect(&path, medians);
        }
    }
}

fn read(folder: &Path) -> Option<((String, String), u64, f64)> {
    let json = |name| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).ok()?).ok();
    let (named, estimated) = (json("benchmark.json")?, json("estimates.json")?);
    let text = |field: &str| named[field].as_str().map(str::to_owned);
    let size = named["value_str"].as_str().and_then(|size| size.parse().ok()).unwrap_or(0);
    let median = estimated["median"]["point_estimate"].as_f64()?;
    Some(((text("group_id")?, text("function_id").unwrap_or_default()), size, median))
}
