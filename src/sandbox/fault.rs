//! Answers that get lost: on demand of a test, or because a number asks for it.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// How an answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Loss {
    /// Nothing comes until the caller gives up, the hang ends, or the faults are cleared.
    Hang,
    /// An internal error comes in its place.
    Error,
    /// The gateway says that it is too busy.
    Busy,
    /// The connection ends.
    Cut,
}

/// Whether what was asked for is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    /// Nothing is done.
    #[default]
    Before,
    /// It is done, and only the answer is lost.
    After,
}

/// A fault that waits for calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Armed {
    /// What the calls' paths begin with.
    #[serde(default)]
    path: String,
    loss: Loss,
    #[serde(default)]
    when: When,
    /// How many calls it meets.
    #[serde(default = "one")]
    calls: u32,
}

fn one() -> u32 {
    1
}

/// Marks an answer whose connection is to be cut.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(super) struct Cut;

/// The faults that wait.
#[derive(Default)]
pub(super) struct Faults {
    armed: Mutex<Vec<Armed>>,
    cleared: Notify,
}

/// More waiting faults than this are a mistake.
const MOST: usize = 100;

impl Faults {
    /// Lets it wait behind the others. False when there are too many.
    pub(super) fn arm(&self, fault: Armed) -> bool {
        let mut armed = super::locked(&self.armed);
        let room = armed.len() < MOST;
        if room {
            armed.push(fault);
        }
        room
    }

    /// The first fault that waits for this path, counted down.
    pub(super) fn meet(&self, path: &str) -> Option<(Loss, When)> {
        let mut armed = super::locked(&self.armed);
        let met = armed.iter_mut().find(|fault| fault.calls > 0 && path.starts_with(&fault.path))?;
        met.calls -= 1;
        let how = (met.loss, met.when);
        armed.retain(|fault| fault.calls > 0);
        Some(how)
    }

    /// No more faults, and an end to what hangs.
    pub(super) fn clear(&self) {
        super::locked(&self.armed).clear();
        self.cleared.notify_waiters();
    }

    /// Returns with the next [`clear`](Self::clear).
    pub(super) async fn cleared(&self) {
        self.cleared.notified().await;
    }

    pub(super) fn waiting(&self) -> Vec<Armed> {
        super::locked(&self.armed).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_its_calls_and_no_more() {
        let faults = Faults::default();
        let fault = |path: &str, loss, calls| Armed { path: path.to_owned(), loss, when: When::After, calls };
        faults.arm(fault("/v1/", Loss::Cut, 2));
        faults.arm(fault("", Loss::Hang, 1));
        let met: Vec<_> =
            ["/v1/a", "/oauth", "/v1/b", "/v1/c", "/oauth"].map(|path| faults.meet(path)).into();
        let lost = |loss| Some((loss, When::After));
        assert_eq!(met, [lost(Loss::Cut), lost(Loss::Hang), lost(Loss::Cut), None, None]);
        assert!(faults.waiting().is_empty());
    }
}
