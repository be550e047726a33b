//! What was measured.

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The shortest time and the longest that is told apart, in microseconds, to a thousandth of it.
const RANGE: (u64, u64) = (1, 60_000_000);
const DIGITS: u8 = 3;

/// Which shares of all answers are told of.
const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// Times of one kind of request.
#[derive(Clone, Debug)]
pub struct Times {
    /// From when it was due to its answer: what somebody who came then has waited.
    from_due: Histogram<u64>,
    /// From when it was sent to its answer: what the server has taken for it.
    from_sent: Histogram<u64>,
    refused: BTreeMap<u16, u64>,
    /// From when it was due to its refusal.
    until_refused: Histogram<u64>,
    failed: u64,
}

impl Times {
    /// None yet.
    pub fn new() -> Self {
        Self {
            from_due: histogram(),
            from_sent: histogram(),
            refused: BTreeMap::new(),
            until_refused: histogram(),
            failed: 0,
        }
    }

    /// It was answered as it should be.
    pub fn answered(&mut self, from_due: Duration, from_sent: Duration) {
        self.from_due.saturating_record(micros(from_due));
        self.from_sent.saturating_record(micros(from_sent));
    }

    /// It was answered with something else. How quickly one is refused is no merit, and stands apart.
    pub fn refused(&mut self, status: u16, from_due: Duration) {
        *self.refused.entry(status).or_default() += 1;
        self.until_refused.saturating_record(micros(from_due));
    }

    /// It was not answered.
    pub fn failed(&mut self) {
        self.failed += 1;
    }

    /// Adds those of another.
    pub fn add(&mut self, other: &Self) {
        // Both have the same range, which is all that could differ.
        let _ = self.from_due.add(&other.from_due);
        let _ = self.from_sent.add(&other.from_sent);
        let _ = self.until_refused.add(&other.until_refused);
        other.refused.iter().for_each(|(status, count)| *self.refused.entry(*status).or_default() += count);
        self.failed += other.failed;
    }

    /// How many were answered as they should be.
    pub fn count(&self) -> u64 {
        self.from_due.len()
    }

    /// How many were not.
    pub fn faults(&self) -> u64 {
        self.failed + self.refused.values().sum::<u64>()
    }

    /// Below which time such a share of them was answered, since it was due.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.from_due.value_at_quantile(share))
    }

    fn to_json(&self, took: Duration) -> Value {
        let refused: BTreeMap<String, u64> =
            self.refused.iter().map(|(status, count)| (status.to_string(), *count)).collect();
        json!({
            "answered": self.count(),
            "per_second": self.count() as f64 / took.as_secs_f64(),
            "refused": refused,
            "failed": self.failed,
            "milliseconds_since_due": quantiles(&self.from_due),
            "milliseconds_since_sent": quantiles(&self.from_sent),
            "milliseconds_until_refused": quantiles(&self.until_refused),
        })
    }

    fn tell(&self, f: &mut fmt::Formatter<'_>, name: &str, took: Duration) -> fmt::Result {
        let rate = self.count() as f64 / took.as_secs_f64();
        write!(f, "{name}: {} answered, {rate:.1} a second", self.count())?;
        for (status, count) in &self.refused {
            write!(f, ", {count} × {status}")?;
        }
        if self.failed > 0 {
            write!(f, ", {} without an answer", self.failed)?;
        }
        writeln!(f)?;
        line(f, "since due", &self.from_due)?;
        line(f, "since sent", &self.from_sent)?;
        if self.refused.is_empty() { Ok(()) } else { line(f, "refused", &self.until_refused) }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new()
    }
}

/// All that was measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How long it went on.
    pub took: Duration,
    /// Of searches.
    pub searches: Times,
    /// Of writes, if there were any.
    pub writes: Option<Times>,
    /// From a write's answer until a search held it.
    pub visible: Option<Times>,
    /// Requests that this program itself has sent late.
    pub late: u64,
    /// Processor time of the server's process.
    pub cpu: Option<Duration>,
}

impl Report {
    /// Everything, for programs: times in milliseconds.
    pub fn to_json(&self) -> Value {
        let seconds = self.took.as_secs_f64();
        let of = |times: &Option<Times>| times.as_ref().map(|times| times.to_json(self.took));
        json!({
            "seconds": seconds,
            "searches": self.searches.to_json(self.took),
            "writes": of(&self.writes),
            "visible": of(&self.visible),
            "sent_late": self.late,
            "server_cpu_milliseconds_per_search": self.cpu_each(),
        })
    }

    /// Milliseconds of the server's processor time for each search.
    pub fn cpu_each(&self) -> Option<f64> {
        let cpu = self.cpu.filter(|_| self.searches.count() > 0)?;
        Some(cpu.as_secs_f64() * 1_000.0 / self.searches.count() as f64)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12}", "milliseconds")?;
        QUANTILES.iter().try_for_each(|(name, _)| write!(f, "{name:>10}"))?;
        writeln!(f)?;
        self.searches.tell(f, "searches", self.took)?;
        if let Some(writes) = &self.writes {
            writes.tell(f, "writes", self.took)?;
        }
        if let Some(visible) = &self.visible {
            writeln!(f, "from a write to the search that holds it: {} tried", visible.count())?;
            line(f, "visible", &visible.from_sent)?;
        }
        if let (Some(cpu), Some(each)) = (self.cpu, self.cpu_each()) {
            writeln!(f, "server: {:.2} s of processor time, {each:.4} ms a search", cpu.as_secs_f64())?;
        }
        if self.late > 0 {
            let late = self.late;
            writeln!(
                f,
                "{late} requests were sent late by this program itself: this machine is too busy to ask so much"
            )?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, times: &Histogram<u64>) -> fmt::Result {
    write!(f, "  {name:<10}")?;
    for (_, share) in QUANTILES {
        write!(f, "{:>10.3}", times.value_at_quantile(share) as f64 / 1_000.0)?;
    }
    writeln!(f)
}

fn quantiles(times: &Histogram<u64>) -> BTreeMap<&'static str, f64> {
    let value = |share| times.value_at_quantile(share) as f64 / 1_000.0;
    QUANTILES.into_iter().map(|(name, share)| (name, value(share))).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn histogram() -> Histogram<u64> {
    // Only nonsense is refused, and these are constants.
    Histogram::new_with_bounds(RANGE.0, RANGE.1, DIGITS)
        .unwrap_or_else(|_| unreachable!("{RANGE:?} is a range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_when_they_were_due() {
        let mut times = Times::new();
        for number in 1..=100 {
            times.answered(Duration::from_millis(number), Duration::from_millis(1));
        }
        let mut more = Times::new();
        more.refused(503, Duration::from_millis(7));
        more.failed();
        times.add(&more);
        assert_eq!((times.count(), times.faults()), (100, 2));
        let median = times.quantile(0.5).as_secs_f64();
        assert!((0.0499..0.0502).contains(&median), "{median}");
        let report = Report {
            took: Duration::from_secs(10),
            searches: times,
            cpu: Some(Duration::from_millis(500)),
            ..Report::default()
        };
        let json = report.to_json();
        assert_eq!(json["searches"]["per_second"], 10.0);
        assert_eq!(json["searches"]["refused"], json!({"503": 1}));
        assert_eq!(json["searches"]["milliseconds_until_refused"]["max"], 7.003);
        assert_eq!(json["server_cpu_milliseconds_per_search"], 5.0);
        let text = report.to_string();
        assert!(text.contains("100 answered, 10.0 a second, 1 × 503, 1 without an answer"), "{text}");
        assert!(text.contains("5.0000 ms a search"), "{text}");
    }
}
