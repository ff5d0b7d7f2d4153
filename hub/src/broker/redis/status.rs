//! What the broker counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, by: usize) {
        self.0.fetch_add(by as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts since the start of the node.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) reconnects: Counter,
    pub(super) published: Counter,
    pub(super) received: Counter,
    pub(super) publications_dropped: Counter,
    pub(super) handover_dropped: Counter,
}
