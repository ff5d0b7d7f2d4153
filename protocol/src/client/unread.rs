//! Unread and mention counts of one room: the node's counts, carried on by the events after them.

use crate::event::{MessageDeleted, MessageEdited, NewMessage};
use crate::frame::server::ReadMarker;
use crate::ids::{MessageNo, Seq, UserId};
use crate::model::Room;
use crate::planted::{self, Bug};

/// Most events that are remembered one by one. What older ones did is only counted: then a count may
/// be off by what is edited or deleted of them, until the node counts the next time.
const REMEMBERED_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Unread {
    /// What was counted takes account of events up to this one, and of messages up to that one.
    counted_to: Seq,
    counted_no: MessageNo,
    unread: u64,
    mentions: u64,
    /// What happened after that, in order.
    since: Vec<(Seq, MessageNo, Change)>,
}

/// What happened to a message of someone else.
#[derive(Clone, Copy, Debug)]
enum Change {
    Said { mentions_me: bool },
    Edited { mentions_me: bool },
    Deleted,
}

impl Unread {
    pub(super) const fn new(room: &Room) -> Self {
        Self {
            counted_to: room.head_seq,
            counted_no: room.last_message_no,
            unread: room.unread_count,
            mentions: room.mention_count,
            since: Vec::new(),
        }
    }

    pub(super) fn handle_message(&mut self, room: &mut Room, message: &NewMessage, me: UserId) {
        room.last_message_no = room.last_message_no.max(message.message_no);
        if message.user_id != me || planted::has(Bug::UnreadOwn) {
            // A deleted one is counted too: the event that deletes it comes later in the log.
            let change = Change::Said { mentions_me: message.mentions.contains(&me) };
            self.remember(room, message.seq, message.message_no, change);
        }
    }

    pub(super) fn handle_deleted(&mut self, room: &mut Room, deleted: &MessageDeleted, me: UserId) {
        if deleted.user_id != me {
            self.remember(room, deleted.seq, deleted.message_no, Change::Deleted);
        }
    }

    pub(super) fn handle_edited(&mut self, room: &mut Room, edited: &MessageEdited, me: UserId) {
        if edited.user_id != me {
            let change = Change::Edited { mentions_me: edited.mentions.contains(&me) };
            self.remember(room, edited.seq, edited.message_no, change);
        }
    }

    /// Takes over the node's counts and carries them on. Gives false for counts that newer ones, or
    /// a newer marker, have overtaken.
    pub(super) fn handle_marker(&mut self, room: &mut Room, marker: &ReadMarker) -> bool {
        if marker.last_read_no < room.last_read_no || marker.head_seq < self.counted_to {
            return false;
        }
        (self.counted_to, self.counted_no) = (marker.head_seq, marker.last_message_no);
        (self.unread, self.mentions) = (marker.unread_count, marker.mention_count);
        self.since.retain(|(seq, ..)| *seq > marker.head_seq);
        room.last_read_no = marker.last_read_no;
        room.last_message_no = room.last_message_no.max(marker.last_message_no);
        self.count(room);
        true
    }

    /// Counts ahead of the node's answer, as far as the messages after `message_no` are known.
    pub(super) fn mark_read(&mut self, room: &mut Room, message_no: MessageNo) {
        room.last_read_no = message_no;
        if message_no >= self.counted_no {
            (self.unread, self.mentions) = (0, 0);
        }
        self.count(room);
    }

    fn remember(&mut self, room: &mut Room, seq: Seq, no: MessageNo, change: Change) {
        if seq <= self.counted_to {
            return;
        }
        self.since.push((seq, no, change));
        if self.since.len() > REMEMBERED_MAX {
            let (seq, no, _) = self.since[0];
            let (unread, mentions) = self.counts(room.last_read_no, 1);
            self.since.remove(0);
            (self.unread, self.mentions) = (unread, mentions);
            (self.counted_to, self.counted_no) = (seq, self.counted_no.max(no));
        }
        self.count(room);
    }

    fn count(&self, room: &mut Room) {
        (room.unread_count, room.mention_count) = self.counts(room.last_read_no, self.since.len());
    }

    /// What was counted, carried on with the first so many events after it.
    fn counts(&self, read: MessageNo, events: usize) -> (u64, u64) {
        let (mut unread, mut mentions) = (self.unread, self.mentions);
        let mut said: Vec<(MessageNo, bool)> = Vec::new();
        for (_, no, change) in self.since.iter().take(events).filter(|(_, no, _)| *no > read) {
            match *change {
                Change::Said { mentions_me } => said.push((*no, mentions_me)),
                // Of one that was counted it is not known whether it mentioned the user.
                Change::Edited { mentions_me } => {
                    if let Some(edited) = said.iter_mut().find(|(said, _)| said == no) {
                        edited.1 = mentions_me;
                    }
                }
                Change::Deleted => {
                    if let Some(at) = said.iter().position(|(said, _)| said == no) {
                        said.remove(at);
                    } else {
                        unread = unread.saturating_sub(1);
                        mentions = mentions.min(unread);
                    }
                }
            }
        }
        let mentioning = said.iter().filter(|(_, mentions_me)| *mentions_me).count();
        (unread + said.len() as u64, mentions + mentioning as u64)
    }
}
