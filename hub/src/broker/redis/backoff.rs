//! How long to wait before the next attempt: exponential, with full jitter, so that nodes that
//! lost the same server do not come back together.

use crate::random::Random;
use std::time::Duration;

/// The longest wait after the first failure.
const BASE: Duration = Duration::from_millis(50);
/// The longest wait of all.
const CAP: Duration = Duration::from_secs(2);

const _: () = assert!(BASE.as_millis() < CAP.as_millis());

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Starts again from the shortest wait.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: anything from nothing to a bound that doubles.
    pub(super) fn next(&mut self, random: &dyn Random) -> Duration {
        let bound = BASE.saturating_mul(1 << self.failures.min(16)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        let mut bytes = [0; 4];
        random.fill(&mut bytes);
        bound.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn waits_double_up_to_the_cap_and_jitter_takes_any_part_of_them() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next(&Always(0xff)).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(backoff.next(&Always(0)), Duration::ZERO);
        backoff.reset();
        assert_eq!(backoff.next(&Always(0xff)), BASE);
    }
}
