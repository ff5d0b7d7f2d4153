//! Judges a history: what was acknowledged is there once, in one order, the same for every member and
//! in the store; what was not is there at most once; nothing is there that was not sent. Pure.

mod order;
mod sends;
#[cfg(test)]
mod tests;

use crate::history::History;

/// Most violations that are told in words; all are counted.
const TOLD_MAX: usize = 40;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that clients asked to be sent.
    pub sent: usize,
    /// Those of them that were acknowledged.
    pub acked: usize,
    /// Those that were refused for good.
    pub failed: usize,
    /// Messages given to clients.
    pub delivered: usize,
    /// Messages that a member must have and has not, and acknowledged ones that the store has not.
    pub lost: usize,
    /// Messages that the store has twice, and events given to a client again.
    pub duplicated: usize,
    /// Messages out of their sender's order, and events that are others at another place.
    pub reordered: usize,
    /// Messages that nobody sent like that, or that belong elsewhere.
    pub foreign: usize,
}

/// A judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was counted.
    pub counts: Counts,
    /// How many violations there are.
    pub violations: usize,
    /// The first of them, in words.
    pub told: Vec<String>,
}

impl Verdict {
    /// Adds a violation, found here or by other means.
    pub fn violation(&mut self, text: impl FnOnce() -> String) {
        self.violations += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(text());
        }
    }
}

/// Judges a history.
#[must_use]
pub fn judge(history: &History) -> Verdict {
    let mut verdict = Verdict::default();
    sends::judge(history, &mut verdict);
    order::judge(history, &mut verdict);
    verdict
}
