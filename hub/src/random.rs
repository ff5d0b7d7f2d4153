//! The node's randomness: the one place that asks the system for it, so that a test or the
//! simulation can seed it.

use std::fmt;
use uuid::Uuid;

/// Gives unpredictable bytes, fit for secrets.
pub trait Random: Send + Sync + fmt::Debug + 'static {
    /// Fills the whole buffer.
    fn fill(&self, bytes: &mut [u8]);

    /// A random UUID (RFC 9562, version 4).
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// The system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has randomness, or nothing here can be kept secret");
    }
}
