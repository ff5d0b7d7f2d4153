//! What a node says to a client.

use crate::error::ErrorCode;
use crate::event::{
    MemberJoined, MemberLeft, MessageDeleted, MessageEdited, MessagePinned, MessageUnpinned, NewMessage,
    ReactionAdded, ReactionRemoved, RoleChanged, RoomCreated, RoomEvent, RoomUpdated,
};
use crate::ids::{ClientId, Epoch, MessageId, MessageNo, NodeId, RequestId, RoomId, Seq, Timestamp, UserId};
use crate::limits::Limits;
use crate::model::{Member, MessagePage, Room, RoomListing, User};
use serde::{Deserialize, Serialize};

macro_rules! server_messages {
    (control { $($(#[$doc:meta])* $control:ident($control_type:ident) / $kind:literal,)* }
     events { $($event:ident,)* }) => {
        /// A frame from a node. `docs/PROTOCOL.md` specifies each.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum ServerMessage {
            $($(#[$doc])* $control($control_type),)*
            /// The answer to `ping`.
            Pong,
            $(
                /// The durable event of this name.
                $event($event),
            )*
        }

        impl From<RoomEvent> for ServerMessage {
            fn from(event: RoomEvent) -> Self {
                match event { $(RoomEvent::$event(event) => Self::$event(event),)* }
            }
        }

        impl ServerMessage {
            /// Reads a frame whose `type` is `kind`; gives the input back if that is none of this
            /// version.
            pub(crate) fn of_kind<'de, D: serde::Deserializer<'de>>(
                kind: &str,
                input: D,
            ) -> Result<Result<Self, D::Error>, D> {
                match kind {
                    $($kind => Ok($control_type::deserialize(input).map(Self::$control)),)*
                    "pong" => Ok(Ok(Self::Pong)),
                    _ => RoomEvent::of_kind(kind, input).map(|event| event.map(Self::from)),
                }
            }

            /// The durable event that the frame carries, or the frame itself.
            ///
            /// # Errors
            /// Gives the frame back when it carries no event.
            pub fn into_event(self) -> Result<RoomEvent, Box<Self>> {
                match self {
                    $(Self::$event(event) => Ok(RoomEvent::$event(event)),)*
                    $(Self::$control(inner) => Err(Box::new(Self::$control(inner))),)*
                    Self::Pong => Err(Box::new(Self::Pong)),
                }
            }
        }
    };
}

server_messages! {
    control {
        /// The connection is authenticated; the heads of the user's rooms.
        Welcome(Welcome) / "welcome",
        /// A durable operation is committed.
        Ack(Ack) / "ack",
        /// A request failed.
        Error(Error) / "error",
        /// The gap is too wide to replay: load history instead.
        Reset(Reset) / "reset",
        /// The user became a member of a room; its events follow.
        RoomAdded(RoomAdded) / "room_added",
        /// The user is no longer a member of a room; nothing of it follows.
        RoomRemoved(RoomRemoved) / "room_removed",
        /// The answer to `history`.
        HistoryPage(HistoryPage) / "history_page",
        /// The answer to `list_members`.
        MembersPage(MembersPage) / "members_page",
        /// The answer to `list_rooms`.
        RoomsPage(RoomsPage) / "rooms_page",
        /// The user's read marker moved, here or on another device.
        ReadMarker(ReadMarker) / "read_marker",
        /// Someone is writing.
        Typing(UserTyping) / "typing",
        /// Who of a watched room is online.
        Presence(Presence) / "presence",
        /// Who of a watched room came and went since the frame before.
        PresenceChanged(PresenceChanged) / "presence_changed",
        /// The answer to `refresh`.
        Refreshed(Refreshed) / "refreshed",
        /// This node is leaving: open the next connection first, then close this one.
        Drain(Drain) / "drain",
    }
    events {
        NewMessage, MessageEdited, MessageDeleted, ReactionAdded, ReactionRemoved, MessagePinned,
        MessageUnpinned, RoomCreated, RoomUpdated, MemberJoined, MemberLeft, RoleChanged,
    }
}

/// The first frame from a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version that the node speaks.
    pub version: u32,
    /// The user that the token names.
    pub user: User,
    /// The node.
    pub node: NodeId,
    /// The store's incarnation.
    pub epoch: Epoch,
    /// The node's clock.
    pub now: Timestamp,
    /// When the access token ends.
    pub token_expires_at: Timestamp,
    /// How often to send `ping` when there is nothing else to say, in milliseconds.
    pub heartbeat_ms: u32,
    /// The user's rooms: heads, not history.
    pub rooms: Vec<Room>,
    /// The node's limits.
    pub limits: Limits,
}

/// A durable operation is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The client's name for the operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The event that the operation became; the room's head if it changed nothing.
    pub seq: Seq,
    /// For a send: the message's place among the room's messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_no: Option<MessageNo>,
    /// For a send: the message's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// For a send: when it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// A request failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The durable operation that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The request that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// The field at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u32>,
}

/// The gap is too wide to replay, or lies before the user joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The room.
    pub room_id: RoomId,
    /// Live events follow from here.
    pub head_seq: Seq,
}

/// The user became a member of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomAdded {
    /// The room; live events follow from its `head_seq`.
    pub room: Room,
}

/// The user is no longer a member of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRemoved {
    /// The room.
    pub room_id: RoomId,
}

/// The answer to `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The request.
    pub request_id: RequestId,
    /// The room.
    pub room_id: RoomId,
    /// The messages.
    pub page: MessagePage,
}

/// The answer to `list_members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersPage {
    /// The request.
    pub request_id: RequestId,
    /// The room.
    pub room_id: RoomId,
    /// The members, in order of their username.
    pub members: Vec<Member>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

/// The answer to `list_rooms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomsPage {
    /// The request.
    pub request_id: RequestId,
    /// The rooms, in order of their name.
    pub rooms: Vec<RoomListing>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

/// How far the user has read a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadMarker {
    /// The room.
    pub room_id: RoomId,
    /// Read up to here.
    pub last_read_no: MessageNo,
    /// The newest message that the counts below take into account.
    pub last_message_no: MessageNo,
    /// The newest event that they take into account.
    pub head_seq: Seq,
    /// Messages after the one read that are neither the user's own nor deleted.
    pub unread_count: u64,
    /// Those of them that mention the user.
    pub mention_count: u64,
}

impl From<&Room> for ReadMarker {
    fn from(room: &Room) -> Self {
        Self {
            room_id: room.id,
            last_read_no: room.last_read_no,
            last_message_no: room.last_message_no,
            head_seq: room.head_seq,
            unread_count: room.unread_count,
            mention_count: room.mention_count,
        }
    }
}

/// Someone is writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTyping {
    /// The room.
    pub room_id: RoomId,
    /// Who.
    pub user_id: UserId,
    /// Their name for people.
    pub display_name: String,
}

/// Who of a watched room is online: takes the place of what was told before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The room.
    pub room_id: RoomId,
    /// Those who are online, in order of their id.
    pub online: Vec<UserId>,
    /// The room has more members than are looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Who of a watched room came and went since the frame before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChanged {
    /// The room.
    pub room_id: RoomId,
    /// Those who are online now, in order of their id.
    pub online: Vec<UserId>,
    /// Those who are not any more, or are no members any more.
    pub offline: Vec<UserId>,
}

/// The answer to `refresh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// When the access token ends.
    pub token_expires_at: Timestamp,
}

/// This node is leaving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Connect elsewhere within this many milliseconds.
    pub reconnect_within_ms: u32,
}
