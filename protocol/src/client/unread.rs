//! Unread and mention counts of one room: the node's count, carried on by the events after it.

use crate::event::{MessageDeleted, MessageEdited, NewMessage};
use crate::frame::server::ReadMarker;
use crate::ids::{MessageNo, UserId};
use crate::model::Room;

/// Most unread messages of a room that are remembered one by one. Older ones are only counted: then a
/// count may be off by what is deleted or edited of them, until the node counts the next time.
const REMEMBERED_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Unread {
    /// The node's count takes account of messages up to this one.
    counted_to: MessageNo,
    /// The unread ones among those after, in order, and whether each mentions the user.
    live: Vec<(MessageNo, bool)>,
}

impl Unread {
    pub(super) const fn new(room: &Room) -> Self {
        Self { counted_to: room.last_message_no, live: Vec::new() }
    }

    pub(super) fn handle_message(&mut self, room: &mut Room, message: &NewMessage, me: UserId) {
        let no = message.message_no;
        room.last_message_no = room.last_message_no.max(no);
        // A deleted one is counted too: the event that deletes it comes later in the log.
        if message.user_id == me || no <= self.counted_to || no <= room.last_read_no {
            return;
        }
        let mentions_me = message.mentions.contains(&me);
        room.unread_count += 1;
        room.mention_count += u64::from(mentions_me);
        if self.live.len() >= REMEMBERED_MAX {
            self.live.remove(0);
        }
        self.live.push((no, mentions_me));
    }

    pub(super) fn handle_deleted(&mut self, room: &mut Room, deleted: &MessageDeleted, me: UserId) {
        if deleted.user_id == me || deleted.message_no <= room.last_read_no {
            return;
        }
        room.unread_count = room.unread_count.saturating_sub(1);
        if let Some(at) = self.live.iter().position(|(no, _)| *no == deleted.message_no) {
            let (_, mentions_me) = self.live.remove(at);
            room.mention_count = room.mention_count.saturating_sub(u64::from(mentions_me));
        }
        room.mention_count = room.mention_count.min(room.unread_count);
    }

    pub(super) fn handle_edited(&mut self, room: &mut Room, edited: &MessageEdited, me: UserId) {
        let Some((_, mentioned)) = self.live.iter_mut().find(|(no, _)| *no == edited.message_no) else {
            return;
        };
        let mentions_me = edited.mentions.contains(&me);
        room.mention_count =
            (room.mention_count + u64::from(mentions_me)).saturating_sub(u64::from(*mentioned));
        *mentioned = mentions_me;
    }

    /// The node's count, plus what came after the message up to which it counted. Gives false for a
    /// count that a newer marker has overtaken.
    pub(super) fn handle_marker(&mut self, room: &mut Room, marker: &ReadMarker) -> bool {
        if marker.last_read_no < room.last_read_no || marker.last_message_no < self.counted_to {
            return false;
        }
        self.counted_to = marker.last_message_no;
        self.live.retain(|(no, _)| *no > marker.last_read_no);
        let later = self.live.iter().filter(|(no, _)| *no > marker.last_message_no);
        let (unread, mentions) = count(later);
        room.last_read_no = marker.last_read_no;
        room.last_message_no = room.last_message_no.max(marker.last_message_no);
        room.unread_count = marker.unread_count + unread;
        room.mention_count = marker.mention_count + mentions;
        true
    }

    /// Counts ahead of the node's answer, as far as the messages after `message_no` are known.
    pub(super) fn mark_read(&mut self, room: &mut Room, message_no: MessageNo) {
        self.live.retain(|(no, _)| *no > message_no);
        room.last_read_no = message_no;
        if message_no >= room.last_message_no
            || message_no >= self.counted_to && self.live.len() < REMEMBERED_MAX
        {
            (room.unread_count, room.mention_count) = count(self.live.iter());
        }
    }
}

fn count<'a>(messages: impl Iterator<Item = &'a (MessageNo, bool)>) -> (u64, u64) {
    messages
        .fold((0, 0), |(unread, mentions), (_, mentions_me)| (unread + 1, mentions + u64::from(*mentions_me)))
}
