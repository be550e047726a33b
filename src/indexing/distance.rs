//! How far those who write the index stand back behind those who answer searches: far, as long as that leaves them a
//! processor. A change is put in within 30 ms then and takes from searches hardly any time; but where searches want more
//! than all processors, whoever stands far back gets next to none of them, and a change is seen after seconds.

use std::time::{Duration, Instant};

/// Far: a fortieth of what a searching thread gets beside it. Beside 500 changes a second the slowest hundredth of
/// searches takes a tenth less than with [`NEAR`], the slowest thousandth a quarter.
const FAR: i32 = 15;
/// And near: a third.
pub(super) const NEAR: i32 = 5;
/// For how long it stays near after it had to wait.
const REST: Duration = Duration::from_secs(10);
/// A wait so long is none yet.
const BRIEF: Duration = Duration::from_millis(20);

/// What the last works had of the processors.
#[derive(Debug, Default)]
pub(super) struct Distance {
    waited: Option<Instant>,
}

impl Distance {
    /// The steps that the next work stands back.
    pub(super) fn steps(&self) -> i32 {
        if self.waited.is_some_and(|at| at.elapsed() < REST) { NEAR } else { FAR }
    }

    /// Learns for how long a work's thread ran, and for how long it waited until it could.
    pub(super) fn learn(&mut self, ran: Duration, waited: Duration) {
        if waited > BRIEF + 3 * ran {
            self.waited = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gets_no_processor_comes_near_for_a_while() {
        let millis = Duration::from_millis;
        let mut distance = Distance::default();
        assert_eq!(distance.steps(), FAR);
        distance.learn(millis(1), millis(20));
        distance.learn(millis(30), millis(100));
        assert_eq!(distance.steps(), FAR, "it ran for a while, or hardly waited");
        distance.learn(millis(10), millis(60));
        assert_eq!(distance.steps(), NEAR);
        distance.learn(millis(10), millis(0));
        assert_eq!(distance.steps(), NEAR, "one that found the processors free says little");
        distance.waited = Instant::now().checked_sub(REST);
        assert_eq!(distance.steps(), FAR);
    }
}
