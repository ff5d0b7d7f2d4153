//! Read markers on their way to the node: only the newest of each room, and not too often.

use super::config::Wire;
use super::time::Now;
use crate::frame::client::{ClientMessage, MarkRead};
use crate::ids::{MessageNo, RoomId};
use std::time::Duration;

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
    sent: bool,
}

impl Marks {
    pub(super) fn add(&mut self, room_id: RoomId, message_no: MessageNo) {
        match self.marks.iter_mut().find(|mark| mark.room_id == room_id) {
            Some(mark) if mark.message_no >= message_no && mark.sent => {}
            Some(mark) => {
                mark.message_no = mark.message_no.max(message_no);
                mark.sent = false;
            }
            None => self.marks.push(Mark { room_id, message_no, sent: false }),
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
            mark.sent = false;
        }
    }

    /// The markers that the node has not confirmed.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = (RoomId, MessageNo)> {
        self.marks.iter().map(|mark| (mark.room_id, mark.message_no))
    }

    pub(super) fn pump(&mut self, interval: Duration, wire: &mut Wire<'_>) {
        if self.next_timeout(interval).is_none_or(|at| at > wire.now) {
            return;
        }
        self.sent_at = Some(wire.now);
        for mark in self.marks.iter_mut().filter(|mark| !mark.sent) {
            mark.sent = true;
            let message = MarkRead { room_id: mark.room_id, message_no: mark.message_no };
            wire.send(crate::encode(&ClientMessage::MarkRead(message)));
        }
    }

    /// When the next ones may be sent, if there are any.
    pub(super) fn next_timeout(&self, interval: Duration) -> Option<Now> {
        let waiting = self.marks.iter().any(|mark| !mark.sent);
        waiting.then(|| self.sent_at.map_or(Now(0), |at| at + interval))
    }
}
