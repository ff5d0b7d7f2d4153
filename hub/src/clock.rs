//! The node's clock: the one place that reads time, so that a test or the simulation can set it.

use protocol::Timestamp;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells wall-clock time. Monotonic time comes from the runtime (`tokio::time`), which tests and
/// the simulation control.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Unix time in milliseconds.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock's one home")]
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
