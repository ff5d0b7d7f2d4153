//! What rooms, members and messages look like in frames and REST bodies alike.

use crate::ids::{ClientId, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Who may find and join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Anyone may find it and join.
    Public,
    /// Only members know that it exists; one joins by invitation.
    Private,
}

/// What a member may do in a room. The order is that of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and writes.
    Member,
    /// Moderates: deletes messages of others, invites, kicks, bans, pins.
    Admin,
    /// Made the room or was given it: appoints admins.
    Owner,
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Names the user.
    pub id: UserId,
    /// Unique, lower case; what one signs in and is mentioned with.
    pub username: String,
    /// What people read.
    pub display_name: String,
}

/// A room as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Room {
    /// Names the room.
    pub id: RoomId,
    /// Unique among public rooms.
    pub name: String,
    /// Who may find and join it.
    pub kind: RoomKind,
    /// What it is about; may be empty.
    pub topic: String,
    /// The reader's role in it.
    pub role: Role,
    /// The room's newest event.
    pub head_seq: Seq,
    /// The room's newest message.
    pub last_message_no: MessageNo,
    /// The reader has read up to here.
    pub last_read_no: MessageNo,
    /// The event with which the reader joined: a cursor before it cannot be resumed.
    pub joined_seq: Seq,
    /// Messages after `last_read_no` that are neither the reader's own nor deleted.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub unread_count: u64,
    /// Those of them that mention the reader.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub mention_count: u64,
    /// How many members the room has.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub member_count: u64,
    /// When the room was made.
    pub created_at: Timestamp,
}

/// A room in a list to choose from: the reader need not be a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoomListing {
    /// Names the room.
    pub id: RoomId,
    /// Unique among public rooms.
    pub name: String,
    /// Who may find and join it.
    pub kind: RoomKind,
    /// What it is about; may be empty.
    pub topic: String,
    /// How many members it has.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub member_count: u64,
    /// Whether the reader is one of them.
    pub is_member: bool,
}

/// A member of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// The user's unique name.
    pub username: String,
    /// What people read.
    pub display_name: String,
    /// What the member may do.
    pub role: Role,
}

/// The message that another one answers. Facts that never change, so that no content is kept twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplyTo {
    /// Names the answered message.
    pub message_id: MessageId,
    /// Its place among the room's messages.
    pub message_no: MessageNo,
    /// Who wrote it.
    pub user_id: UserId,
    /// The writer's unique name.
    pub username: String,
    /// The writer's name for people.
    pub display_name: String,
}

/// One emoji on a message and who put it there, in order of putting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reaction {
    /// The emoji itself.
    pub emoji: String,
    /// Who reacted with it.
    pub user_ids: Vec<UserId>,
}

/// A message in its latest state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// The room.
    pub room_id: RoomId,
    /// Names the message.
    pub message_id: MessageId,
    /// Its place among the room's messages.
    pub message_no: MessageNo,
    /// The event that brought it.
    pub seq: Seq,
    /// The last event that changed it.
    pub latest_seq: Seq,
    /// Who wrote it.
    pub user_id: UserId,
    /// The writer's unique name.
    pub username: String,
    /// The writer's name for people.
    pub display_name: String,
    /// The writer's name for the send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub client_id: Option<ClientId>,
    /// The text; empty once deleted.
    pub content: String,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reply_to: Option<ReplyTo>,
    /// Members it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(as = "Option<Vec<UserId>>", optional))]
    pub mentions: Vec<UserId>,
    /// Emoji on it, in order of their first putting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "ts", ts(as = "Option<Vec<Reaction>>", optional))]
    pub reactions: Vec<Reaction>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub deleted_at: Option<Timestamp>,
    /// When it was pinned, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub pinned_at: Option<Timestamp>,
}

/// Which end of a room's messages a page starts from. Bounds are exclusive, `around` is centred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The newest messages.
    Latest,
    /// Those just before this one.
    Before(MessageNo),
    /// Those just after this one.
    After(MessageNo),
    /// Half before, this one, half after.
    Around(MessageNo),
}

/// Messages in their latest state, ascending by `message_no`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether the room has messages before the first of them.
    pub more_before: bool,
    /// Whether the room has messages after the last of them.
    pub more_after: bool,
    /// The room's newest event when the page was read: the page reflects everything up to here,
    /// and events after it apply on top.
    pub as_of_seq: Seq,
}
