//! How long calls take, by name, and how many fail.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// From what an index read takes to what a deadline ends, in seconds.
const BUCKETS: [f64; 14] =
    [0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    call: &'static str,
}

/// The calls of one kind of thing.
#[derive(Debug)]
pub struct Timings {
    took: Family<Labels, Histogram>,
    failed: Family<Labels, Counter>,
}

impl Default for Timings {
    fn default() -> Self {
        let took = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        Self { took, failed: Family::default() }
    }
}

impl Timings {
    /// Counts a call. The number of names must be small: each is kept.
    pub fn observe(&self, call: &'static str, took: Duration, failed: bool) {
        let labels = Labels { call };
        self.took.get_or_create(&labels).observe(took.as_secs_f64());
        if failed {
            self.failed.get_or_create(&labels).inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "How long calls took, those that failed or were given up included";
        registry.register_with_unit("call", help, Unit::Seconds, self.took.clone());
        registry.register("calls_failed", "Calls that failed or were given up", self.failed.clone());
    }
}
