//! What a batch names: the rows that a store loads, and may have to lock, before it applies the batch.

use super::State;
use super::facts::Target;
use crate::store::op::{Append, Op, RoomOp};
use protocol::event::RoomEvent;
use protocol::{MessageId, RoomId, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch names.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) rooms: BTreeSet<RoomId>,
    pub(crate) users: BTreeSet<UserId>,
    pub(crate) usernames: BTreeSet<String>,
    /// Users by name as they may become or be members of a room.
    named_members: BTreeSet<(RoomId, String)>,
    pub(crate) members: BTreeSet<(RoomId, UserId)>,
    pub(crate) public_names: BTreeSet<String>,
    pub(crate) messages: BTreeSet<MessageId>,
    /// Of which the reactions matter.
    pub(crate) reacted: BTreeSet<MessageId>,
    /// Of which the mentions matter.
    pub(crate) mentioning: BTreeSet<MessageId>,
    /// Whether anyone may join or be let in, so that bans and the number of someone's rooms matter.
    pub(crate) lets_in: bool,
    /// Users whose memberships may change.
    pub(crate) moved: BTreeSet<UserId>,
    /// Such users by name.
    moved_usernames: BTreeSet<String>,
    /// How many rooms it may make.
    pub(crate) makes_rooms: usize,
    /// How many messages it may bring.
    pub(crate) sends: usize,
}

impl Needs {
    /// What these operations name.
    pub(crate) fn of(batch: &[Append]) -> Self {
        let mut needs = Self::default();
        for append in batch {
            needs.add(append);
        }
        needs
    }

    /// Goes on from names to the users that have them.
    pub(crate) fn resolve_usernames(&mut self, found: &BTreeMap<String, UserId>) {
        self.users.extend(found.values());
        let named = self.named_members.iter();
        self.members.extend(named.filter_map(|(room_id, name)| Some((*room_id, *found.get(name)?))));
        self.moved.extend(self.moved_usernames.iter().filter_map(|name| found.get(name)));
    }

    fn add(&mut self, append: &Append) {
        self.users.insert(append.actor);
        match &append.op {
            Op::CreateRoom { name, .. } => {
                self.public_names.insert(name.clone());
                self.makes_rooms += 1;
                self.lets_in = true;
                self.moved.insert(append.actor);
            }
            Op::InRoom { room_id, op } => self.add_in_room(*room_id, append.actor, op),
        }
    }

    fn add_in_room(&mut self, room_id: RoomId, actor: UserId, op: &RoomOp) {
        self.rooms.insert(room_id);
        self.members.insert((room_id, actor));
        match op.target() {
            Some(Target::Id(user_id)) => {
                self.users.insert(user_id);
                self.members.insert((room_id, user_id));
            }
            Some(Target::Username(name)) => self.add_username(room_id, name.to_owned()),
            None => {}
        }
        for name in op.text().map(protocol::validate::mentions).unwrap_or_default() {
            self.add_username(room_id, name);
        }
        self.messages.extend(op.message_id());
        self.public_names.extend(op.new_name().map(str::to_owned));
        if op.moves_members() {
            self.move_members(actor, op);
        }
        match op {
            RoomOp::Send { .. } => self.sends += 1,
            RoomOp::Edit { message_id, .. } => {
                self.mentioning.insert(*message_id);
            }
            RoomOp::AddReaction { message_id, .. } | RoomOp::RemoveReaction { message_id, .. } => {
                self.reacted.insert(*message_id);
            }
            RoomOp::Join | RoomOp::Invite { .. } | RoomOp::Ban { .. } | RoomOp::Unban { .. } => {
                self.lets_in = true;
            }
            RoomOp::Delete { .. }
            | RoomOp::Pin { .. }
            | RoomOp::Unpin { .. }
            | RoomOp::Update { .. }
            | RoomOp::Leave
            | RoomOp::Kick { .. }
            | RoomOp::SetRole { .. } => {}
        }
    }

    fn add_username(&mut self, room_id: RoomId, name: String) {
        self.usernames.insert(name.clone());
        self.named_members.insert((room_id, name));
    }

    fn move_members(&mut self, actor: UserId, op: &RoomOp) {
        self.moved.insert(actor);
        match op.target() {
            Some(Target::Id(user_id)) => {
                self.moved.insert(user_id);
            }
            Some(Target::Username(name)) => {
                self.moved_usernames.insert(name.to_owned());
            }
            None => {}
        }
    }
}

impl RoomOp {
    /// Whether it may begin, change or end memberships.
    const fn moves_members(&self) -> bool {
        match self {
            Self::Join
            | Self::Leave
            | Self::Invite { .. }
            | Self::Kick { .. }
            | Self::Ban { .. }
            | Self::Unban { .. }
            | Self::SetRole { .. } => true,
            Self::Send { .. }
            | Self::Edit { .. }
            | Self::Delete { .. }
            | Self::AddReaction { .. }
            | Self::RemoveReaction { .. }
            | Self::Pin { .. }
            | Self::Unpin { .. }
            | Self::Update { .. } => false,
        }
    }
}

impl State {
    /// Ties the loaded events that changed a text to their message, so that deleting it scrubs them.
    pub(crate) fn note_edits(&mut self) {
        for event in self.events.values() {
            if let Ok(RoomEvent::MessageEdited(edited)) = serde_json::from_str(&event.json)
                && let Some(message) = self.messages.get_mut(&edited.message_id)
            {
                message.edits.push(edited.seq);
            }
        }
    }
}
