//! What a plan allows.

use crate::plan::{Harm, Plan};

/// What a plan allows. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// When the last fault ends.
    pub heals_at: u64,
    /// Until then nothing breaks that anyone may notice.
    pub calm_until: u64,
    /// Most events that a resume replays.
    pub resume_events: u64,
    /// Most messages of an outbox.
    pub outbox_messages: usize,
    /// Rooms that exist from the beginning.
    pub rooms: u64,
}

impl Terms {
    /// Those of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let mut faults: Vec<_> = plan.faults.iter().map(|fault| (fault.at, fault.harm)).collect();
        faults.sort_by_key(|(at, _)| *at);
        // Nodes that Redis drops, once, come back at once and look what they missed.
        let passes = faults.first().is_some_and(|(_, harm)| matches!(harm, Harm::RedisKill { .. }));
        let first = faults.get(usize::from(passes)).map_or(u64::MAX, |(at, _)| *at);
        let first = plan.lost.map_or(first, |lost| first.min(lost.at));
        Self {
            heals_at: plan.heals_at(),
            calm_until: if plan.knobs.doorbells_lost == 0 { first } else { 0 },
            resume_events: plan.knobs.resume_events,
            outbox_messages: plan.knobs.outbox_messages,
            rooms: plan.topology.rooms.len() as u64,
        }
    }
}
