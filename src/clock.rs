//! The time, as a seam: tests move it, everybody else reads the system's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

/// Tells the time in UTC, to the microsecond, as the database keeps it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Microseconds since 1970, when a test has set them; 0 is the system's time.
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock that stands at `micros` since 1970 until it is [moved](Self::set).
    pub fn fixed(micros: i64) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(micros))) }
    }

    /// Moves a fixed clock and all its clones; the system's clock stays as it is.
    pub fn set(&self, micros: i64) {
        if let Some(set) = &self.set {
            set.store(micros, Ordering::Relaxed);
        }
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> i64 {
        match &self.set {
            Some(set) => set.load(Ordering::Relaxed),
            None => micros(OffsetDateTime::now_utc()),
        }
    }
}

/// Reads an instant of RFC 3339, such as `2026-11-22T10:00:00Z`: in UTC, to the microsecond.
///
/// # Errors
/// Says what it must be.
pub fn parse(text: &str) -> Result<OffsetDateTime, &'static str> {
    let known = datetime!(0001-01-01 00:00 UTC)..=datetime!(9999-12-31 23:59:59.999_999 UTC);
    let at = OffsetDateTime::parse(text.trim(), &Rfc3339).ok().filter(|at| known.contains(at));
    at.map(|at| from_micros(micros(at)))
        .ok_or("must be a date and time of RFC 3339 with its offset, such as 2026-11-22T10:00:00Z")
}

/// As [`parse`], for an instant that is kept: the database's end where the last day of the year 9999 begins.
///
/// # Errors
/// Says what it must be.
pub fn parse_kept(text: &str) -> Result<OffsetDateTime, &'static str> {
    let at = parse(text)?;
    if at > datetime!(9999-12-31 00:00 UTC) {
        Err("must be 9999-12-31T00:00:00Z at the latest")
    } else {
        Ok(at)
    }
}

/// A time as whole microseconds since 1970, as the search index keeps it.
pub fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).unwrap_or(i64::MAX)
}

/// The inverse of [`micros`]; times beyond the year 9999 are its end.
pub fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .unwrap_or(time::macros::datetime!(9999-12-31 23:59:59 UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_instants_of_four_digit_years_are_known() {
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"] {
            assert_eq!(from_micros(micros(parse(text).unwrap())), parse(text).unwrap(), "{text}");
        }
        assert!(
            parse_kept("9999-12-31T00:00:00Z").is_ok() && parse_kept("9999-12-31T00:00:00.000001Z").is_err()
        );
        for text in ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2026-11-22"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
