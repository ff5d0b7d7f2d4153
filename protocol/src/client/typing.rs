//! Who is writing: what others say, shown for a moment, and what this user says, said not too often.

use super::config::Outputs;
use super::time::Now;
use crate::ids::{RoomId, UserId};
use crate::limits::{TYPING_INTERVAL, TYPING_SHOWN};
use crate::view::{ClientEvent, TypingUser};

/// Most writers shown at a time, over all rooms; further ones are not shown.
const SHOWN_MAX: usize = 200;
/// Most rooms of which it is remembered when this user was last said to write there.
const SAID_MAX: usize = 50;

#[derive(Debug, Default)]
pub(super) struct Typing {
    shown: Vec<Shown>,
    said: Vec<(RoomId, Now)>,
}

#[derive(Debug)]
struct Shown {
    room_id: RoomId,
    user: TypingUser,
    until: Now,
}

impl Typing {
    /// Whether to say now that this user is writing; remembers that it was said.
    pub(super) fn may_say(&mut self, room_id: RoomId, now: Now) -> bool {
        self.said.retain(|(_, at)| *at + TYPING_INTERVAL > now);
        if self.said.len() >= SAID_MAX || self.said.iter().any(|(said, _)| *said == room_id) {
            return false;
        }
        self.said.push((room_id, now));
        true
    }

    /// This user sent something, so that the next word is news again.
    pub(super) fn handle_sent(&mut self, room_id: RoomId) {
        self.said.retain(|(said, _)| *said != room_id);
    }

    pub(super) fn handle_typing(&mut self, room_id: RoomId, user: TypingUser, out: &mut Outputs, now: Now) {
        let until = now + TYPING_SHOWN;
        let known = self.shown.iter_mut().find(|s| s.room_id == room_id && s.user.user_id == user.user_id);
        if let Some(shown) = known {
            shown.until = until;
        } else if self.shown.len() < SHOWN_MAX {
            self.shown.push(Shown { room_id, user, until });
            self.tell(room_id, out);
        }
    }

    /// Someone said something or left: they are not writing any more.
    pub(super) fn stop(&mut self, room_id: RoomId, user_id: UserId, out: &mut Outputs) {
        let before = self.shown.len();
        self.shown.retain(|shown| shown.room_id != room_id || shown.user.user_id != user_id);
        if self.shown.len() < before {
            self.tell(room_id, out);
        }
    }

    /// The room is gone, and with it who is writing there.
    pub(super) fn forget(&mut self, room_id: RoomId) {
        self.shown.retain(|shown| shown.room_id != room_id);
        self.said.retain(|(said, _)| *said != room_id);
    }

    pub(super) fn handle_timeout(&mut self, out: &mut Outputs, now: Now) {
        while let Some(at) = self.shown.iter().position(|shown| shown.until <= now) {
            let room_id = self.shown[at].room_id;
            self.shown.retain(|shown| shown.room_id != room_id || shown.until > now);
            self.tell(room_id, out);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Now> {
        self.shown.iter().map(|shown| shown.until).min()
    }

    /// Who is writing in each room where someone is.
    pub(super) fn snapshot(&self) -> Vec<ClientEvent> {
        let mut rooms: Vec<RoomId> = self.shown.iter().map(|shown| shown.room_id).collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms.into_iter().map(|room_id| self.event(room_id)).collect()
    }

    fn tell(&self, room_id: RoomId, out: &mut Outputs) {
        out.event(self.event(room_id));
    }

    fn event(&self, room_id: RoomId) -> ClientEvent {
        let users = self.shown.iter().filter(|shown| shown.room_id == room_id);
        ClientEvent::Typing { room_id, users: users.map(|shown| shown.user.clone()).collect() }
    }
}
