//! Read markers on their way to the node: only the newest of each room, not too often, and again until the
//! node confirms them.

use super::config::{Config, Wire};
use super::time::Now;
use crate::frame::client::{ClientMessage, MarkRead};
use crate::ids::{MessageNo, RoomId};
use crate::planted::{self, Bug};

/// One marker a room at most, so as many as the user has rooms.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marks: Vec<Mark>,
    sent_at: Option<Now>,
}

#[derive(Debug)]
struct Mark {
    room_id: RoomId,
    message_no: MessageNo,
    /// When it was sent over this connection, if it was.
    sent: Option<Now>,
}

impl Marks {
    /// A marker beyond those before it.
    pub(super) fn add(&mut self, room_id: RoomId, message_no: MessageNo) {
        match self.marks.iter_mut().find(|mark| mark.room_id == room_id) {
            Some(mark) => {
                mark.message_no = mark.message_no.max(message_no);
                mark.sent = None;
            }
            None => self.marks.push(Mark { room_id, message_no, sent: None }),
        }
    }

    /// The node confirmed a marker.
    pub(super) fn handle_marker(&mut self, room_id: RoomId, last_read_no: MessageNo) {
        self.marks.retain(|mark| mark.room_id != room_id || mark.message_no > last_read_no);
    }

    pub(super) fn forget(&mut self, room_id: RoomId) {
        self.marks.retain(|mark| mark.room_id != room_id);
    }

    pub(super) fn clear(&mut self) {
        self.marks.clear();
    }

    /// What was sent and not confirmed is sent again over the next connection.
    pub(super) fn handle_disconnected(&mut self) {
        for mark in &mut self.marks {
            mark.sent = None;
        }
    }

    /// The markers that the node has not confirmed.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = (RoomId, MessageNo)> {
        self.marks.iter().map(|mark| (mark.room_id, mark.message_no))
    }

    pub(super) fn pump(&mut self, config: &Config, wire: &mut Wire<'_>) {
        let now = wire.now;
        if self.next_timeout(config).is_none_or(|at| at > now) {
            return;
        }
        self.sent_at = Some(now);
        for mark in self.marks.iter_mut().filter(|mark| mark.due(config).is_some_and(|at| at <= now)) {
            mark.sent = Some(now);
            let message = MarkRead { room_id: mark.room_id, message_no: mark.message_no };
            wire.send(crate::encode(&ClientMessage::MarkRead(message)));
        }
    }

    /// When the next ones may be sent, if there are any.
    pub(super) fn next_timeout(&self, config: &Config) -> Option<Now> {
        let due = self.marks.iter().filter_map(|mark| mark.due(config)).min()?;
        Some(self.sent_at.map_or(due, |at| due.max(at + config.mark_read_interval)))
    }
}

impl Mark {
    /// When it is sent, for the first time or since nothing confirmed it: the node could not keep it.
    fn due(&self, config: &Config) -> Option<Now> {
        match self.sent {
            None => Some(Now(0)),
            Some(_) if planted::has(Bug::MarksForgotten) => None,
            Some(at) => Some(at + config.answer_timeout),
        }
    }
}
