//! Ids that the database gave this node and nothing has taken yet.

use crate::store::state::State;
use parking_lot::Mutex;
use protocol::{MessageId, RoomId};
use std::collections::BTreeSet;

/// Spare ids, smallest first. Never more than one batch's worth a writing connection.
#[derive(Debug, Default)]
pub(super) struct SpareIds(Mutex<Sets>);

#[derive(Debug, Default)]
struct Sets {
    rooms: BTreeSet<RoomId>,
    messages: BTreeSet<MessageId>,
}

impl SpareIds {
    /// Up to so many of each, in their order.
    pub(super) fn take(&self, rooms: usize, messages: usize) -> (Vec<RoomId>, Vec<MessageId>) {
        let mut sets = self.0.lock();
        (first(&mut sets.rooms, rooms), first(&mut sets.messages, messages))
    }

    /// Those that a batch did not use. Only after its commit: of one that failed nobody may know.
    pub(super) fn put_back(&self, state: State) {
        let mut sets = self.0.lock();
        sets.rooms.extend(state.spare_room_ids);
        sets.messages.extend(state.spare_message_ids);
    }
}

fn first<T: Ord>(set: &mut BTreeSet<T>, count: usize) -> Vec<T> {
    std::iter::from_fn(|| set.pop_first()).take(count).collect()
}
