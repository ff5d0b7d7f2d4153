//! How far the client has got in each of its rooms.

use super::{Admission, Snapshot};
use crate::store::{Event, Membership};
use protocol::frame::client::Hello;
use protocol::frame::server::{ReadMarker, Reset, RoomRemoved, ServerMessage};
use protocol::model::Room;
use protocol::planted::{self, Bug};
use protocol::{MessageNo, RoomId, Seq, UserId};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug)]
struct Cursor {
    /// The last event that went to the client.
    seq: Seq,
    last_read_no: MessageNo,
    is_dirty: bool,
}

/// The cursors of a session's rooms. A room without a cursor is none of the session's.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    rooms: BTreeMap<RoomId, Cursor>,
    /// Rooms to read, each once, in turn.
    dirty: VecDeque<RoomId>,
}

impl Cursors {
    /// Starts from a snapshot and the cursors in `hello`; gives the rooms that cannot be resumed.
    pub(super) fn start(&mut self, hello: &Hello, snapshot: &Snapshot, resume_events_max: u64) -> Vec<Reset> {
        let mut resets = Vec::new();
        let same_epoch = hello.epoch == Some(snapshot.epoch);
        for room in &snapshot.rooms {
            let claimed = hello.cursors.get(&room.id).copied().filter(|_| same_epoch);
            let seq = match claimed {
                None => room.head_seq,
                Some(seq) if is_resumable(seq, room, resume_events_max) => {
                    if planted::has(Bug::ResumeFromHead) { room.head_seq } else { seq }
                }
                Some(_) => {
                    resets.push(Reset { room_id: room.id, head_seq: room.head_seq });
                    room.head_seq
                }
            };
            self.insert(room, seq);
        }
        resets
    }

    /// Enters a room that the session has not; whether it was new.
    pub(super) fn attach(&mut self, room: &Room) -> bool {
        if self.rooms.contains_key(&room.id) {
            return false;
        }
        self.insert(room, room.head_seq);
        true
    }

    fn insert(&mut self, room: &Room, seq: Seq) {
        self.rooms.insert(room.id, Cursor { seq, last_read_no: room.last_read_no, is_dirty: true });
        self.dirty.push_back(room.id);
    }

    /// Whether the session is in the room.
    pub(super) fn contains(&self, room_id: RoomId) -> bool {
        self.rooms.contains_key(&room_id)
    }

    /// Compares a room as it is now: `None` if the session is not in it, otherwise the read
    /// marker if it moved.
    pub(super) fn read_marker(&mut self, room: &Room) -> Option<Option<ReadMarker>> {
        let cursor = self.rooms.get_mut(&room.id)?;
        if room.last_read_no <= cursor.last_read_no {
            return Some(None);
        }
        cursor.last_read_no = room.last_read_no;
        Some(Some(room.into()))
    }

    pub(super) fn mark_dirty(&mut self, room_id: RoomId) {
        if let Some(cursor) = self.rooms.get_mut(&room_id)
            && !cursor.is_dirty
        {
            cursor.is_dirty = true;
            self.dirty.push_back(room_id);
        }
    }

    pub(super) fn mark_clean(&mut self, room_id: RoomId) {
        if let Some(cursor) = self.rooms.get_mut(&room_id) {
            cursor.is_dirty = false;
        }
        if self.dirty.front() == Some(&room_id) {
            self.dirty.pop_front();
        } else {
            self.dirty.retain(|dirty| *dirty != room_id);
        }
    }

    /// Puts a dirty room behind the others.
    pub(super) fn rotate(&mut self, room_id: RoomId) {
        if self.dirty.front() == Some(&room_id) {
            self.dirty.rotate_left(1);
        }
    }

    pub(super) fn next_dirty(&self) -> Option<(RoomId, Seq)> {
        let room_id = *self.dirty.front()?;
        self.rooms.get(&room_id).map(|cursor| (room_id, cursor.seq))
    }

    pub(super) fn admit(&mut self, event: &Event, reader: UserId) -> Admission {
        let Some(cursor) = self.rooms.get_mut(&event.room_id) else { return Admission::Skip };
        if event.seq <= cursor.seq {
            return Admission::Skip;
        }
        if event.seq != cursor.seq.next() {
            return Admission::Gap;
        }
        cursor.seq = event.seq;
        if event.membership == Some(Membership::Left(reader)) && !planted::has(Bug::LeaveNotAwaited) {
            self.mark_clean(event.room_id);
            self.rooms.remove(&event.room_id);
            return Admission::SendLast;
        }
        Admission::Send
    }
}

/// A cursor from the future, from before one joined, or too far back cannot be resumed.
fn is_resumable(seq: Seq, room: &Room, resume_events_max: u64) -> bool {
    let is_after_joining = seq.next() >= room.joined_seq || planted::has(Bug::ReplayBeforeJoining);
    seq <= room.head_seq && is_after_joining && room.head_seq.0 - seq.0 <= resume_events_max
}

pub(super) const fn removed(room_id: RoomId) -> ServerMessage {
    ServerMessage::RoomRemoved(RoomRemoved { room_id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn room(id: u64) -> Room {
        serde_json::from_value(json!({
            "id": id, "name": "room", "kind": "public", "topic": "", "role": "member", "head_seq": 5,
            "last_message_no": 3, "last_read_no": 3, "joined_seq": 1, "unread_count": 0, "mention_count": 0,
            "member_count": 2, "created_at": 1,
        }))
        .unwrap()
    }

    #[test]
    fn a_room_that_needs_no_look_leaves_the_others_their_turns() {
        let mut cursors = Cursors::default();
        for id in 1..=4 {
            assert!(cursors.attach(&room(id)));
        }
        // One that waits for its turn, and the one whose turn it is.
        cursors.mark_clean(RoomId(2));
        cursors.mark_clean(RoomId(1));
        assert_eq!(cursors.next_dirty(), Some((RoomId(3), Seq(5))));
        cursors.rotate(RoomId(3));
        assert_eq!(cursors.next_dirty(), Some((RoomId(4), Seq(5))));
        cursors.mark_clean(RoomId(4));
        cursors.mark_clean(RoomId(3));
        assert_eq!(cursors.next_dirty(), None);
        cursors.mark_dirty(RoomId(2));
        assert_eq!(cursors.next_dirty(), Some((RoomId(2), Seq(5))));
    }
}
