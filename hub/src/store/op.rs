//! Durable operations and what becomes of them.

use crate::rules::Rejection;
use protocol::codec::Incoming;
use protocol::event::RoomEvent;
use protocol::model::{Role, RoomKind};
use protocol::planted::{self, Bug};
use protocol::{ClientId, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use std::sync::Arc;

/// A durable operation that someone asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Who asks.
    pub actor: UserId,
    /// The asker's name for it, unique per asker and room (per asker for making a room): a second
    /// append under the same name returns the first result, also to one who left meanwhile, and is
    /// refused if it asks for something else. Only what became an event is remembered.
    pub client_id: ClientId,
    /// When the node took it.
    pub at: Timestamp,
    /// What is asked for.
    pub op: Op,
}

/// What is asked for. Text is validated and in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes a room and owns it.
    CreateRoom {
        /// Its name.
        name: String,
        /// Who may find and join it.
        kind: RoomKind,
        /// What it is about.
        topic: String,
    },
    /// Does something in a room.
    InRoom {
        /// The room.
        room_id: RoomId,
        /// What.
        op: RoomOp,
    },
}

/// What is asked for in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomOp {
    /// Says something.
    Send {
        /// The text.
        content: String,
        /// The message that it answers; it may be deleted by now.
        reply_to: Option<MessageId>,
    },
    /// Changes the text of one's own message.
    Edit {
        /// The message.
        message_id: MessageId,
        /// The new text.
        content: String,
    },
    /// Deletes one's own message, or as an admin anyone's: its text, mentions and reactions are gone,
    /// it is no longer pinned, and the log keeps its events without the text.
    Delete {
        /// The message.
        message_id: MessageId,
    },
    /// Puts an emoji on a message.
    AddReaction {
        /// The message.
        message_id: MessageId,
        /// The emoji.
        emoji: String,
    },
    /// Takes one's emoji off a message.
    RemoveReaction {
        /// The message.
        message_id: MessageId,
        /// The emoji.
        emoji: String,
    },
    /// Pins a message, as an admin.
    Pin {
        /// The message.
        message_id: MessageId,
    },
    /// Unpins a message, as an admin.
    Unpin {
        /// The message.
        message_id: MessageId,
    },
    /// Changes the room's name or topic, as an admin; what is absent stays.
    Update {
        /// The new name.
        name: Option<String>,
        /// The new topic.
        topic: Option<String>,
    },
    /// Becomes a member of a public room: its owner, if all have left it.
    Join,
    /// Stops being a member; an owner only as the last one.
    Leave,
    /// Makes someone a member: in a public room by any member, in a private one by an admin.
    Invite {
        /// Whom.
        username: String,
    },
    /// Removes a member of lesser role, as an admin.
    Kick {
        /// Whom.
        user_id: UserId,
    },
    /// Removes someone of lesser role and keeps them out, as an admin. They need not be a member; then
    /// there is no event.
    Ban {
        /// Whom.
        user_id: UserId,
    },
    /// Lifts a ban, as an admin. No event: nobody in the room sees it.
    Unban {
        /// Whom.
        user_id: UserId,
    },
    /// Changes a member's role, as the owner. Giving `owner` away makes the giver an admin.
    SetRole {
        /// Whose.
        user_id: UserId,
        /// The role from now on.
        role: Role,
    },
}

/// What became of one operation of a batch: committed, or refused without any effect.
pub type Outcome = Result<Committed, Rejection>;

/// A durable result, fit to be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The room.
    pub room_id: RoomId,
    /// The event that the operation became, now or when it was first asked for; the room's head
    /// if it changed nothing.
    pub seq: Seq,
    /// For a send: the message.
    pub message: Option<CommittedMessage>,
    /// The new events, in order of `seq`: none for a retry and where nothing changed, two where
    /// ownership changes hands, one otherwise.
    pub events: Vec<Event>,
}

/// A committed message's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedMessage {
    /// Names the message.
    pub message_id: MessageId,
    /// Its place among the room's messages.
    pub message_no: MessageNo,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// A durable event, encoded once: the text is stored, published and sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The room.
    pub room_id: RoomId,
    /// The event's position in the room's log.
    pub seq: Seq,
    /// What it does to a membership, if anything.
    pub membership: Option<Membership>,
    /// Whether it takes the text of earlier events away.
    pub scrubs: bool,
    /// The event as JSON.
    pub json: Arc<str>,
}

/// What an event does to a user's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The user became a member with it.
    Joined(UserId),
    /// It is the last event of the room for this user.
    Left(UserId),
    /// The user's role changed.
    Changed(UserId),
}

impl Event {
    /// Encodes an event.
    #[must_use]
    pub fn new(event: &RoomEvent) -> Self {
        let json = protocol::encode(event).into();
        Self::with_json(event, json)
    }

    /// Reads the text of an event that was encoded before, here or by a node of a later version: one of a type
    /// that is not known takes its place in the room's order and is told as it is.
    ///
    /// # Errors
    /// When the text is no event.
    pub fn from_json(json: Arc<str>) -> Result<Self, serde_json::Error> {
        let error = match serde_json::from_str(&json) {
            Ok(event) => return Ok(Self::with_json(&event, json)),
            Err(error) => error,
        };
        match protocol::decode_server(&json) {
            // As clients take it.
            Ok(Incoming::UnknownEvent { room_id, seq }) if !planted::has(Bug::LaterIsDamage) => {
                let json = if planted::has(Bug::LaterIsCut) { Self::cut(&json, room_id, seq) } else { json };
                Ok(Self { room_id, seq, membership: None, scrubs: false, json })
            }
            Ok(_) | Err(_) => Err(error),
        }
    }

    /// The place of an event, without the rest: a planted bug.
    fn cut(json: &str, room_id: RoomId, seq: Seq) -> Arc<str> {
        let event: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        serde_json::json!({"type": event["type"], "room_id": room_id, "seq": seq}).to_string().into()
    }

    fn with_json(event: &RoomEvent, json: Arc<str>) -> Self {
        let membership = match event {
            RoomEvent::RoomCreated(created) => Some(Membership::Joined(created.user_id)),
            RoomEvent::MemberJoined(joined) => Some(Membership::Joined(joined.user_id)),
            RoomEvent::MemberLeft(left) => Some(Membership::Left(left.user_id)),
            RoomEvent::RoleChanged(changed) => Some(Membership::Changed(changed.user_id)),
            RoomEvent::NewMessage(_)
            | RoomEvent::MessageEdited(_)
            | RoomEvent::MessageDeleted(_)
            | RoomEvent::ReactionAdded(_)
            | RoomEvent::ReactionRemoved(_)
            | RoomEvent::MessagePinned(_)
            | RoomEvent::MessageUnpinned(_)
            | RoomEvent::RoomUpdated(_) => None,
        };
        Self {
            room_id: event.room_id(),
            seq: event.seq(),
            membership,
            scrubs: matches!(event, RoomEvent::MessageDeleted(_)),
            json,
        }
    }
}
