//! PostgreSQL's snapshots and transaction ids, read in Rust.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// Which transactions a snapshot sees, as `pg_snapshot` prints it: `xmin:xmax:xip,…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    in_progress: BTreeSet<u64>,
}

impl Snapshot {
    /// Every transaction below it had ended.
    pub fn xmin(&self) -> u64 {
        self.xmin
    }

    /// Whether it sees all that an earlier one of the same history saw.
    pub fn reaches(&self, earlier: &Self) -> bool {
        self.xmin >= earlier.xmin
            && self.xmax >= earlier.xmax
            && self.in_progress.iter().all(|xid| !earlier.sees(*xid))
    }

    /// Whether the snapshot sees what this transaction wrote, given that it committed
    /// (`pg_visible_in_snapshot`).
    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && !self.in_progress.contains(&xid))
    }
}

/// Not a snapshot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a snapshot")]
pub struct SnapshotError(String);

impl FromStr for Snapshot {
    type Err = SnapshotError;

    fn from_str(text: &str) -> Result<Self, SnapshotError> {
        let read = || {
            let mut parts = text.split(':');
            let (xmin, xmax, list) = (parts.next()?, parts.next()?, parts.next()?);
            let in_progress = list.split(',').filter(|xid| !xid.is_empty()).map(str::parse);
            let in_progress = in_progress.collect::<Result<_, _>>().ok()?;
            Some(Self { xmin: xmin.parse().ok()?, xmax: xmax.parse().ok()?, in_progress })
        };
        read().ok_or_else(|| SnapshotError(text.to_owned()))
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (position, xid) in self.in_progress.iter().enumerate() {
            write!(f, "{}{xid}", if position == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// What a write answers with (`X-Catalog-Version`): the history and the transaction, as `epoch:xid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The history's number.
    pub epoch: i64,
    /// The writing transaction.
    pub xid: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.xid)
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = || {
            let (epoch, xid) = text.split_once(':')?;
            let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
            if !digits(epoch) || !digits(xid) {
                return None;
            }
            Some(Self { epoch: epoch.parse().ok()?, xid: xid.parse().ok()? })
        };
        read().ok_or("is not a version; send what `X-Catalog-Version` held, as it was")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_what_had_committed() {
        let snapshot: Snapshot = "100:105:100,103".parse().unwrap();
        let seen: Vec<u64> = (98..108).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [98, 99, 101, 102, 104]);
    }

    #[test]
    fn reaches_what_sees_no_more() {
        let snapshot = |text: &str| text.parse::<Snapshot>().unwrap();
        let earlier = snapshot("100:110:100,105");
        for later in ["100:110:100,105", "100:110:100", "105:112:105,111", "110:110:", "100:120:100,105,110"]
        {
            assert!(snapshot(later).reaches(&earlier), "{later}");
        }
        // Those of a standby that lags: fewer have begun, one that had ended is still open, or the oldest is.
        for lagging in ["100:104:100", "100:110:100,105,107", "99:110:99,100,105", "100:100:"] {
            assert!(!snapshot(lagging).reaches(&earlier), "{lagging}");
        }
    }

    #[test]
    fn round_trips() {
        for text in ["100:105:100,103", "7:7:"] {
            assert_eq!(text.parse::<Snapshot>().unwrap().to_string(), text);
        }
        for text in ["", "1", "1:2", "a:b:c", "1:2:x"] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
        assert_eq!("5:9".parse::<Version>().unwrap().to_string(), "5:9");
        assert!("5".parse::<Version>().is_err());
    }
}
