//! How far those who write the index stand back behind those who answer searches: far, as long as that leaves them a
//! processor. Then it takes hardly any time from searches; but where searches want more than all processors, whoever stands
//! far back gets next to none of them, and a change is seen after a second or more.

use std::time::{Duration, Instant};

/// Far: a ninth of what a searching thread gets beside it, and a twenty-eighth of what one of the runtime does (weights of
/// Linux for each niceness, see sched(7)). Beside 500 changes a second the slowest hundredth of searches takes a tenth less
/// with 19 than with [`NEAR`]; 15 is hardly worse, and twice as fast where it has to wait.
const FAR: i32 = 15;
/// And near: as much as a searching thread, a third of what one of the runtime gets.
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
