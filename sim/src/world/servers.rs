//! The servers beside the nodes: Redis and the store, and what is done to them.

use crate::plan::Harm;

/// Redis and the store of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers {}

impl Servers {
    /// A fault begins.
    pub(super) fn begin(&self, harm: Harm) {
        let _ = harm;
    }

    /// A fault ends.
    pub(super) fn end(&self, harm: Harm) {
        let _ = harm;
    }
}
