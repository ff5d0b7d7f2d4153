//! Operations from what people send: the one place where their text is checked, for WebSocket and
//! REST alike.

use super::op::{Op, RoomOp};
use protocol::MessageId;
use protocol::RoomId;
use protocol::model::RoomKind;
use protocol::validate::{self, FieldError};

impl Op {
    /// Does something in a room.
    #[must_use]
    pub const fn in_room(room_id: RoomId, op: RoomOp) -> Self {
        Self::InRoom { room_id, op }
    }

    /// Makes a room.
    ///
    /// # Errors
    /// Names the field and the limit.
    pub fn create_room(name: &str, kind: RoomKind, topic: &str) -> Result<Self, FieldError> {
        Ok(Self::CreateRoom { name: validate::room_name(name)?, kind, topic: validate::topic(topic)? })
    }

    /// The room in which it happens; none for a room that does not exist yet.
    #[must_use]
    pub const fn room_id(&self) -> Option<RoomId> {
        match self {
            Self::CreateRoom { .. } => None,
            Self::InRoom { room_id, .. } => Some(*room_id),
        }
    }
}

impl RoomOp {
    /// Says something.
    ///
    /// # Errors
    /// Names the field and the limit.
    pub fn send(content: String, reply_to: Option<MessageId>) -> Result<Self, FieldError> {
        validate::content(&content)?;
        Ok(Self::Send { content, reply_to })
    }

    /// Changes a message's text.
    ///
    /// # Errors
    /// Names the field and the limit.
    pub fn edit(message_id: MessageId, content: String) -> Result<Self, FieldError> {
        validate::content(&content)?;
        Ok(Self::Edit { message_id, content })
    }

    /// Puts an emoji on a message.
    ///
    /// # Errors
    /// Names the field and the limit.
    pub fn add_reaction(message_id: MessageId, emoji: String) -> Result<Self, FieldError> {
        validate::emoji(&emoji)?;
        Ok(Self::AddReaction { message_id, emoji })
    }

    /// Takes an emoji off a message.
    ///
    /// # Errors
    /// Names the field and the limit.
    pub fn remove_reaction(message_id: MessageId, emoji: String) -> Result<Self, FieldError> {
        validate::emoji(&emoji)?;
        Ok(Self::RemoveReaction { message_id, emoji })
    }

    /// Changes a room's name or topic.
    ///
    /// # Errors
    /// Names the field and the limit; also when neither is given.
    pub fn update(name: Option<&str>, topic: Option<&str>) -> Result<Self, FieldError> {
        let name = name.map(validate::room_name).transpose()?;
        let topic = topic.map(validate::topic).transpose()?;
        if name.is_none() && topic.is_none() {
            return Err(FieldError {
                field: "name",
                code: protocol::ErrorCode::InvalidField,
                problem: "and topic are both absent".into(),
            });
        }
        Ok(Self::Update { name, topic })
    }

    /// Makes someone a member.
    ///
    /// # Errors
    /// Names the field and the limit.
    pub fn invite(username: &str) -> Result<Self, FieldError> {
        Ok(Self::Invite { username: validate::username(username)? })
    }
}
