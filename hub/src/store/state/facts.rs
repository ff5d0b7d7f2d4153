//! What the rules need to know, read off the rows; and what an operation names, so that a store
//! knows which rows to load.

use super::apply::Request;
use super::{MessageRow, ReactionRow, RoomRow, State};
use crate::rules::{Facts, MessageFacts, RoomFacts, Standing};
use crate::store::op::RoomOp;
use protocol::{MessageId, RoomId, UserId};
use std::collections::BTreeSet;

/// A user whom an operation names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    Id(UserId),
    Username(&'a str),
}

impl State {
    pub(super) fn facts(&self, request: Request, op: &RoomOp) -> Facts {
        let target = op.target().and_then(|target| match target {
            Target::Id(id) => self.users.contains_key(&id).then_some(id),
            Target::Username(name) => self.usernames.get(name).copied(),
        });
        let message = op.message_id().and_then(|id| self.messages.get(&id));
        let message = message.filter(|message| message.room_id == request.room_id);
        let name_taken =
            |name: &str| self.public_names.get(name).is_some_and(|holder| *holder != request.room_id);
        Facts {
            room: self.rooms.get(&request.room_id).map(RoomRow::facts),
            actor: self.standing(request.room_id, request.actor),
            target: target.map(|target| self.standing(request.room_id, target)),
            message: message.map(|message| MessageFacts {
                is_own: message.user_id == request.actor,
                deleted: message.deleted_at.is_some(),
                other_emoji: message.emoji_beside(op.emoji().unwrap_or_default()),
            }),
            name_taken: op.new_name().is_some_and(name_taken),
            already: self.is_already(request, op, message),
        }
    }

    pub(super) fn standing(&self, room_id: RoomId, user_id: UserId) -> Standing {
        Standing {
            role: self.members.get(&(room_id, user_id)).map(|member| member.role),
            banned: self.bans.contains(&(room_id, user_id)),
            rooms: self.room_counts.get(&user_id).copied().unwrap_or(0),
        }
    }

    /// Whether what is asked of a message or of the room's settings is the case already.
    fn is_already(&self, request: Request, op: &RoomOp, message: Option<&MessageRow>) -> bool {
        let has =
            |emoji: &str| message.is_some_and(|message| message.reaction(emoji, request.actor).is_some());
        let pinned = message.is_some_and(|message| message.pinned_at.is_some());
        match op {
            RoomOp::Edit { content, .. } => message.is_some_and(|message| message.content == *content),
            RoomOp::AddReaction { emoji, .. } => has(emoji),
            RoomOp::RemoveReaction { emoji, .. } => !has(emoji),
            RoomOp::Pin { .. } => pinned,
            RoomOp::Unpin { .. } => !pinned,
            RoomOp::Update { name, topic } => self.rooms.get(&request.room_id).is_some_and(|room| {
                name.as_ref().is_none_or(|name| *name == room.name)
                    && topic.as_ref().is_none_or(|topic| *topic == room.topic)
            }),
            RoomOp::Send { .. }
            | RoomOp::Delete { .. }
            | RoomOp::Join
            | RoomOp::Leave
            | RoomOp::Invite { .. }
            | RoomOp::Kick { .. }
            | RoomOp::Ban { .. }
            | RoomOp::Unban { .. }
            | RoomOp::SetRole { .. } => false,
        }
    }
}

impl RoomRow {
    pub(super) const fn facts(&self) -> RoomFacts {
        RoomFacts { kind: self.kind, member_count: self.member_count }
    }
}

impl MessageRow {
    fn reaction(&self, emoji: &str, user_id: UserId) -> Option<&ReactionRow> {
        self.reactions.iter().find(|row| row.emoji == emoji && row.user_id == user_id)
    }

    /// How many different emoji are on it, this one aside.
    fn emoji_beside(&self, emoji: &str) -> usize {
        let others = self.reactions.iter().map(|row| row.emoji.as_str()).filter(|other| *other != emoji);
        others.collect::<BTreeSet<_>>().len()
    }
}

impl RoomOp {
    /// The user whom it names.
    pub(crate) fn target(&self) -> Option<Target<'_>> {
        match self {
            Self::Invite { username } => Some(Target::Username(username)),
            Self::Kick { user_id }
            | Self::Ban { user_id }
            | Self::Unban { user_id }
            | Self::SetRole { user_id, .. } => Some(Target::Id(*user_id)),
            Self::Send { .. }
            | Self::Edit { .. }
            | Self::Delete { .. }
            | Self::AddReaction { .. }
            | Self::RemoveReaction { .. }
            | Self::Pin { .. }
            | Self::Unpin { .. }
            | Self::Update { .. }
            | Self::Join
            | Self::Leave => None,
        }
    }

    /// The message that it names.
    pub(crate) const fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Send { reply_to, .. } => *reply_to,
            Self::Edit { message_id, .. }
            | Self::Delete { message_id }
            | Self::AddReaction { message_id, .. }
            | Self::RemoveReaction { message_id, .. }
            | Self::Pin { message_id }
            | Self::Unpin { message_id } => Some(*message_id),
            Self::Update { .. }
            | Self::Join
            | Self::Leave
            | Self::Invite { .. }
            | Self::Kick { .. }
            | Self::Ban { .. }
            | Self::Unban { .. }
            | Self::SetRole { .. } => None,
        }
    }

    /// The text that it brings and in which members may be mentioned.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Send { content, .. } | Self::Edit { content, .. } = self { Some(content) } else { None }
    }

    /// The name that the room would get.
    pub(crate) fn new_name(&self) -> Option<&str> {
        if let Self::Update { name, .. } = self { name.as_deref() } else { None }
    }

    fn emoji(&self) -> Option<&str> {
        if let Self::AddReaction { emoji, .. } | Self::RemoveReaction { emoji, .. } = self {
            Some(emoji)
        } else {
            None
        }
    }
}
