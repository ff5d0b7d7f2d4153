//! Rooms and cursors: places each event exactly once and in order, and keeps what is known of each
//! room (name, role, heads, unread counts) up to date.

use super::config::Outputs;
use super::time::Now;
use super::unread::Unread;
use crate::event::RoomEvent;
use crate::frame::server::{ReadMarker, Welcome};
use crate::ids::{Epoch, MessageNo, RoomId, Seq, UserId};
use crate::limits::{Limits, ROOMS_PER_USER_MAX};
use crate::model::{Room, User};
use crate::planted::{self, Bug};
use crate::view::ClientEvent;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most rooms that were left which are remembered.
const LEFT_MAX: usize = 64;

/// What to do with an event of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the next one.
    Deliver,
    /// It was delivered before, or the user is not in the room.
    Drop,
    /// Something before it is missing.
    Gap,
}

/// The user's rooms, as many as the node lists; at most [`ROOMS_PER_USER_MAX`] by its own rule.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    me: Option<User>,
    epoch: Option<Epoch>,
    limits: Limits,
    /// The last event given out of each room. Never ahead of what the front end was told.
    cursors: BTreeMap<RoomId, Seq>,
    rooms: BTreeMap<RoomId, State>,
    /// Rooms that were left over this connection, and their last event; the newest of them.
    left: Vec<(RoomId, Seq)>,
    ready: bool,
    told_at: Option<Now>,
    untold: bool,
}

#[derive(Debug)]
struct State {
    /// The room as of its `head_seq`: events up to there are in it already.
    room: Room,
    unread: Unread,
    changed: bool,
}

impl Rooms {
    pub(super) fn restore(epoch: Option<Epoch>, cursors: BTreeMap<RoomId, Seq>) -> Self {
        Self { epoch, cursors, ..Self::default() }
    }

    pub(super) fn me(&self) -> Option<&User> {
        self.me.as_ref()
    }

    pub(super) const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    pub(super) const fn cursors(&self) -> &BTreeMap<RoomId, Seq> {
        &self.cursors
    }

    pub(super) fn room(&self, room_id: RoomId) -> Option<&Room> {
        self.rooms.get(&room_id).map(|state| &state.room)
    }

    pub(super) fn is_me(&self, user_id: UserId) -> bool {
        self.me.as_ref().is_some_and(|me| me.id == user_id)
    }

    /// The cursors for `hello`, at most as many as a frame has room for.
    pub(super) fn hello_cursors(&self) -> BTreeMap<RoomId, Seq> {
        let most = if planted::has(Bug::CursorsNotTold) { 0 } else { ROOMS_PER_USER_MAX };
        self.cursors.iter().take(most).map(|(room_id, seq)| (*room_id, *seq)).collect()
    }

    /// Forgets everything: someone else is signed in.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a welcome for what it is: the whole truth about the user's rooms. `hello` is what the
    /// node resumes from. Tells `ready`, then each room of which events are skipped.
    pub(super) fn handle_welcome(
        &mut self,
        welcome: Welcome,
        hello: &BTreeMap<RoomId, Seq>,
        out: &mut Outputs,
    ) {
        let same_epoch = self.epoch == Some(welcome.epoch);
        let before = std::mem::take(&mut self.cursors);
        let mut skipped = Vec::new();
        self.rooms.clear();
        self.left.clear();
        for room in &welcome.rooms {
            let had = before.get(&room.id).copied();
            // The node goes on after the cursor that it was given; after the head without one.
            let from = hello.get(&room.id).copied().filter(|_| same_epoch).unwrap_or(room.head_seq);
            let cursor = match had {
                // A cursor that the store never reached: the store lost events without a new epoch.
                Some(cursor)
                    if same_epoch && hello.get(&room.id) <= Some(&room.head_seq) && cursor >= from =>
                {
                    if planted::has(Bug::CursorAhead) {
                        room.head_seq.max(cursor)
                    } else {
                        cursor
                    }
                }
                Some(_) => {
                    skipped.push((room.id, room.head_seq));
                    room.head_seq
                }
                None => room.head_seq,
            };
            self.cursors.insert(room.id, cursor);
            self.rooms.insert(room.id, State::new(room.clone()));
        }
        self.epoch = Some(welcome.epoch);
        self.limits = welcome.limits;
        self.me = Some(welcome.user.clone());
        self.ready = true;
        self.untold = false;
        out.event(ClientEvent::Ready { user: welcome.user, rooms: welcome.rooms, limits: welcome.limits });
        for (room_id, head_seq) in skipped {
            out.event(ClientEvent::RoomReset { room_id, head_seq });
        }
    }

    /// Where an event belongs. Counts it in what is known of the room, moves the cursor if it is next.
    /// `event` is `None` for an event of a later version: it only takes its place.
    pub(super) fn place(&mut self, room_id: RoomId, seq: Seq, event: Option<&RoomEvent>) -> Place {
        let (Some(cursor), Some(state)) = (self.cursors.get_mut(&room_id), self.rooms.get_mut(&room_id))
        else {
            return Place::Drop;
        };
        if seq > cursor.next() {
            return Place::Gap;
        }
        let me = self.me.as_ref().map_or(UserId(0), |me| me.id);
        state.apply(seq, event, me);
        self.untold |= state.changed;
        if seq <= *cursor {
            return if planted::has(Bug::DeliveredTwice) { Place::Deliver } else { Place::Drop };
        }
        *cursor = seq;
        Place::Deliver
    }

    /// The node skips a room's events. What they did to the counts comes by a read marker.
    pub(super) fn handle_reset(&mut self, room_id: RoomId, head_seq: Seq, out: &mut Outputs) {
        let (Some(cursor), Some(state)) = (self.cursors.get_mut(&room_id), self.rooms.get_mut(&room_id))
        else {
            return;
        };
        if head_seq <= *cursor {
            return;
        }
        *cursor = head_seq;
        out.event(ClientEvent::RoomReset { room_id, head_seq });
        if head_seq > state.room.head_seq {
            state.room.head_seq = head_seq;
            state.changed = true;
            self.untold = true;
        }
    }

    /// The user is a member of a room now; its events follow from its head.
    pub(super) fn handle_added(&mut self, room: Room, out: &mut Outputs) {
        let (room_id, head_seq) = (room.id, room.head_seq);
        let cursor = self.cursors.get(&room_id).copied();
        if cursor.is_some_and(|cursor| cursor >= head_seq) && self.rooms.contains_key(&room_id) {
            // Known, and further than that: the news was overtaken.
            return;
        }
        if self.left.iter().any(|(left, seq)| *left == room_id && *seq > head_seq) {
            // Overtaken by its end: what follows was given out, up to the event of leaving.
            return;
        }
        self.cursors.insert(room_id, head_seq);
        out.event(ClientEvent::RoomChanged { room: room.clone() });
        self.rooms.insert(room_id, State::new(room));
        if cursor.is_some() {
            out.event(ClientEvent::RoomReset { room_id, head_seq });
        }
    }

    pub(super) fn handle_removed(&mut self, room_id: RoomId, out: &mut Outputs) {
        let cursor = self.cursors.remove(&room_id);
        if self.rooms.remove(&room_id).is_none() {
            return;
        }
        if self.left.len() >= LEFT_MAX {
            self.left.remove(0);
        }
        self.left.push((room_id, cursor.unwrap_or_default()));
        out.event(ClientEvent::RoomRemoved { room_id });
    }

    /// How far the user has read, here or elsewhere.
    pub(super) fn handle_read_marker(&mut self, marker: &ReadMarker) {
        if let Some(state) = self.rooms.get_mut(&marker.room_id) {
            state.changed |= state.unread.handle_marker(&mut state.room, marker);
            self.untold |= state.changed;
        }
    }

    /// The user read up to a message: shown at once where the counts are known, and to be told to the
    /// node. Gives the number to tell, none if it is no news.
    pub(super) fn mark_read(&mut self, room_id: RoomId, message_no: MessageNo) -> Option<MessageNo> {
        let state = self.rooms.get_mut(&room_id)?;
        let message_no = message_no.min(state.room.last_message_no);
        if message_no <= state.room.last_read_no {
            return None;
        }
        state.unread.mark_read(&mut state.room, message_no);
        state.changed = true;
        self.untold = true;
        Some(message_no)
    }

    /// Tells the rooms that changed, if it is time to.
    pub(super) fn tell_changes(&mut self, interval: Duration, out: &mut Outputs, now: Now) {
        if !self.untold || self.told_at.is_some_and(|at| at + interval > now) {
            return;
        }
        self.untold = false;
        self.told_at = Some(now);
        for state in self.rooms.values_mut().filter(|state| state.changed) {
            state.changed = false;
            out.event(ClientEvent::RoomChanged { room: state.room.clone() });
        }
    }

    pub(super) fn next_timeout(&self, interval: Duration) -> Option<Now> {
        self.told_at.filter(|_| self.untold).map(|at| at + interval)
    }

    /// What a late tab needs, once there was a welcome.
    pub(super) fn snapshot(&self) -> Option<ClientEvent> {
        let user = self.me.clone().filter(|_| self.ready)?;
        let rooms = self.rooms.values().map(|state| state.room.clone()).collect();
        Some(ClientEvent::Ready { user, rooms, limits: self.limits })
    }
}

impl State {
    fn new(room: Room) -> Self {
        Self { unread: Unread::new(&room), room, changed: false }
    }

    /// Takes an event into account, if the room's state does not have it already.
    fn apply(&mut self, seq: Seq, event: Option<&RoomEvent>, me: UserId) {
        if seq <= self.room.head_seq {
            return;
        }
        self.room.head_seq = seq;
        self.changed = true;
        match event {
            Some(RoomEvent::NewMessage(message)) => self.unread.handle_message(&mut self.room, message, me),
            Some(RoomEvent::MessageDeleted(deleted)) => {
                self.unread.handle_deleted(&mut self.room, deleted, me);
            }
            Some(RoomEvent::MessageEdited(edited)) => self.unread.handle_edited(&mut self.room, edited, me),
            Some(RoomEvent::RoomUpdated(updated)) => {
                self.room.name.clone_from(&updated.name);
                self.room.topic.clone_from(&updated.topic);
            }
            Some(RoomEvent::MemberJoined(_)) => self.room.member_count += 1,
            Some(RoomEvent::MemberLeft(_)) => {
                self.room.member_count = self.room.member_count.saturating_sub(1);
            }
            Some(RoomEvent::RoleChanged(changed)) => {
                if changed.user_id == me {
                    self.room.role = changed.role;
                }
            }
            Some(
                RoomEvent::ReactionAdded(_)
                | RoomEvent::ReactionRemoved(_)
                | RoomEvent::MessagePinned(_)
                | RoomEvent::MessageUnpinned(_)
                | RoomEvent::RoomCreated(_),
            )
            | None => {}
        }
    }
}
