//! How long to wait before the next attempt: exponential, with full jitter, so that many clients
//! that lost the same node do not come back in step.

use super::rng::Rng;
use crate::planted::{self, Bug};
use std::time::Duration;

/// Counts failed attempts and spreads the next ones.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    pub(super) const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, attempt: 0 }
    }

    /// Attempts since the last reset.
    pub(super) const fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(super) const fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Counts an attempt and tells how long to wait before it: evenly from nothing up to
    /// `base * 2^attempt`, at most `cap`.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Duration {
        let delay = delay(self.base, self.cap, self.attempt, rng);
        self.attempt = self.attempt.saturating_add(1);
        delay
    }
}

/// The wait before the attempt with this number, from zero.
pub(super) fn delay(base: Duration, cap: Duration, attempt: u32, rng: &mut Rng) -> Duration {
    let most = base.checked_mul(1 << attempt.min(16)).unwrap_or(cap).min(cap);
    if planted::has(Bug::NoJitter) { most } else { rng.up_to(most) }
}
