//! The rows that an operation touches, as maps, and what an operation does to them. Pure: a store
//! loads the rows, applies the batch, and writes down what [`Changes`] lists; so each operation
//! means the same in every store.
//!
//! A row that is absent here does not exist: whoever applies a batch has loaded everything that
//! the batch names.

mod apply;
mod facts;
mod first;
mod membership;
mod message;
mod needs;
mod scrub;

pub(crate) use needs::Needs;
pub(crate) use scrub::scrubbed;

use super::op::Event;
use protocol::model::{Reaction, Role, RoomKind};
use protocol::{ClientId, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The rows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) users: BTreeMap<UserId, UserRow>,
    pub(crate) usernames: BTreeMap<String, UserId>,
    /// In how many rooms a user is; absent means in none.
    pub(crate) room_counts: BTreeMap<UserId, u64>,
    pub(crate) rooms: BTreeMap<RoomId, RoomRow>,
    pub(crate) public_names: BTreeMap<String, RoomId>,
    pub(crate) members: BTreeMap<(RoomId, UserId), MemberRow>,
    pub(crate) bans: BTreeSet<(RoomId, UserId)>,
    pub(crate) messages: BTreeMap<MessageId, MessageRow>,
    pub(crate) events: BTreeMap<(RoomId, Seq), Event>,
    /// What was asked for before, by its name, and the event that it became.
    pub(crate) firsts: BTreeMap<RequestName, (RoomId, Seq)>,
    /// The newest room's id; ids are not used twice.
    pub(crate) last_room_id: RoomId,
    /// The newest message's id; ids are not used twice.
    pub(crate) last_message_id: MessageId,
    /// Ids that new rooms take first, in this order, where a store hands them out in advance.
    pub(crate) spare_room_ids: VecDeque<RoomId>,
    /// The same for messages.
    pub(crate) spare_message_ids: VecDeque<MessageId>,
}

/// The client's name for an operation, with the scope in which it names one: the asker and the
/// room, or the asker alone where the operation makes the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestName {
    pub(crate) room_id: Option<RoomId>,
    pub(crate) actor: UserId,
    pub(crate) client_id: ClientId,
}

/// A user, as far as events name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRow {
    pub(crate) username: String,
    pub(crate) display_name: String,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomRow {
    pub(crate) name: String,
    pub(crate) kind: RoomKind,
    pub(crate) topic: String,
    pub(crate) head_seq: Seq,
    pub(crate) last_message_no: MessageNo,
    pub(crate) member_count: u64,
    pub(crate) created_by: UserId,
    pub(crate) client_id: ClientId,
    pub(crate) created_at: Timestamp,
}

/// A membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberRow {
    pub(crate) role: Role,
    pub(crate) joined_seq: Seq,
    pub(crate) last_read_no: MessageNo,
}

/// A message in its latest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) room_id: RoomId,
    pub(crate) message_no: MessageNo,
    pub(crate) seq: Seq,
    pub(crate) latest_seq: Seq,
    pub(crate) user_id: UserId,
    pub(crate) client_id: ClientId,
    pub(crate) content: String,
    pub(crate) reply_to: Option<MessageId>,
    /// In order of the id, the writer aside.
    pub(crate) mentions: Vec<UserId>,
    /// In the order in which they are shown.
    pub(crate) reactions: Vec<ReactionRow>,
    pub(crate) created_at: Timestamp,
    pub(crate) edited_at: Option<Timestamp>,
    pub(crate) deleted_at: Option<Timestamp>,
    pub(crate) pinned_at: Option<Timestamp>,
    /// The events that changed its text, as far as they are among [`State::events`].
    pub(crate) edits: Vec<Seq>,
}

/// One user's emoji on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReactionRow {
    pub(crate) emoji: String,
    pub(crate) user_id: UserId,
    /// The event that put it there.
    pub(crate) seq: Seq,
    /// The event that put this emoji on the message first, since it last had none: the emoji's
    /// place in the order, which it keeps when that first user takes theirs off.
    pub(crate) emoji_seq: Seq,
}

/// What a batch changed, for the store to write down; what a row is now stands in [`State`].
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) new_rooms: BTreeSet<RoomId>,
    /// Rooms that existed before and changed.
    pub(crate) rooms: BTreeSet<RoomId>,
    /// Those of them that changed their name.
    pub(crate) renamed: BTreeSet<RoomId>,
    /// Memberships that began, changed or ended.
    pub(crate) members: BTreeSet<(RoomId, UserId)>,
    /// Bans set or lifted.
    pub(crate) bans: BTreeSet<(RoomId, UserId)>,
    pub(crate) new_messages: BTreeSet<MessageId>,
    /// Messages that existed before and changed.
    pub(crate) messages: BTreeSet<MessageId>,
    /// Messages, new and deleted ones included, whose mentions changed.
    pub(crate) mentions: BTreeSet<MessageId>,
    /// Reactions put or taken off, one by one.
    pub(crate) reactions: BTreeSet<(MessageId, String, UserId)>,
    /// Messages that were deleted: their reactions go, and the log's events of them lose their
    /// text.
    pub(crate) scrubs: BTreeSet<MessageId>,
    /// The new events.
    pub(crate) events: BTreeMap<(RoomId, Seq), NewEvent>,
    /// Users for whom something changed: their version grows by one.
    pub(crate) users: BTreeSet<UserId>,
}

/// What the log keeps of a new event beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewEvent {
    pub(crate) kind: &'static str,
    pub(crate) actor: UserId,
    /// The asker's name for it; none for sends, whose name stands with the message, for the making
    /// of a room, whose name stands with the room, and for what merely follows from another event.
    pub(crate) client_id: Option<ClientId>,
    /// The message whose text it carries, if it is an edit.
    pub(crate) edits: Option<MessageId>,
    pub(crate) at: Timestamp,
}

impl State {
    fn take_message_id(&mut self) -> MessageId {
        let id = self.spare_message_ids.pop_front().unwrap_or_else(|| self.last_message_id.next());
        self.last_message_id = id;
        id
    }
}

impl MessageRow {
    /// The reactions as they are shown: emoji in order of their first putting, and users likewise.
    pub(crate) fn shown_reactions(&self) -> Vec<Reaction> {
        group_reactions(self.reactions.iter().map(|row| (row.emoji.as_str(), row.user_id)))
    }
}

/// Groups reactions that are in the order in which they are shown.
pub(crate) fn group_reactions<'a>(rows: impl Iterator<Item = (&'a str, UserId)>) -> Vec<Reaction> {
    let mut shown: Vec<Reaction> = Vec::new();
    for (emoji, user_id) in rows {
        match shown.last_mut() {
            Some(last) if last.emoji == emoji => last.user_ids.push(user_id),
            _ => shown.push(Reaction { emoji: emoji.to_owned(), user_ids: vec![user_id] }),
        }
    }
    shown
}
