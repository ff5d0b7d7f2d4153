//! Durable events of a room. Each carries `room_id` and `seq`, and is stored, published and sent
//! as the same JSON text.

use crate::ids::{ClientId, MessageId, MessageNo, RoomId, Seq, Timestamp, UserId};
use crate::model::{ReplyTo, Role, RoomKind};
use serde::{Deserialize, Serialize};

macro_rules! room_events {
    ($($(#[$doc:meta])* $name:ident / $kind:literal { $($(#[$fdoc:meta])* $field:ident : $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
            pub struct $name {
                /// The room.
                pub room_id: RoomId,
                /// The event's position in the room's log.
                pub seq: Seq,
                $($(#[$fdoc])* pub $field: $type,)*
            }
        )*

        /// A durable change of a room.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum RoomEvent { $($(#[$doc])* $name($name),)* }

        impl RoomEvent {
            /// The wire names of all kinds of events.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The event's `type` on the wire and `kind` in the store.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind,)* }
            }

            /// The room.
            #[must_use]
            pub const fn room_id(&self) -> RoomId {
                match self { $(Self::$name(event) => event.room_id,)* }
            }

            /// The event's position in the room's log.
            #[must_use]
            pub const fn seq(&self) -> Seq {
                match self { $(Self::$name(event) => event.seq,)* }
            }
        }

        impl RoomEvent {
            /// Reads an event whose `type` is `kind`; gives the input back if that is no event's. It is
            /// quicker and takes less code than a tagged enum, which buffers everything until it
            /// knows the tag.
            pub(crate) fn of_kind<'de, D: serde::Deserializer<'de>>(
                kind: &str,
                input: D,
            ) -> Result<Result<Self, D::Error>, D> {
                match kind {
                    $($kind => Ok($name::deserialize(input).map(Self::$name)),)*
                    _ => Err(input),
                }
            }
        }

        $(impl From<$name> for RoomEvent {
            fn from(event: $name) -> Self { Self::$name(event) }
        })*
    };
}

room_events! {
    /// A new message.
    NewMessage / "new_message" {
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Names the message.
        message_id: MessageId,
        /// Who wrote it.
        user_id: UserId,
        /// The writer's unique name.
        username: String,
        /// The writer's name for people.
        display_name: String,
        /// The text; empty if it was deleted since.
        content: String,
        /// When it was stored.
        created_at: Timestamp,
        /// The writer's name for the send.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        client_id: Option<ClientId>,
        /// What it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        reply_to: Option<ReplyTo>,
        /// Members it mentions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "ts", ts(as = "Option<Vec<UserId>>", optional))]
        mentions: Vec<UserId>,
        /// Whether it was deleted since; its text is then gone from the log.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(feature = "ts", ts(as = "Option<bool>", optional))]
        deleted: bool,
    }
    /// A message's text changed.
    MessageEdited / "message_edited" {
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Who edited it: its writer.
        user_id: UserId,
        /// The new text; empty if the message was deleted since.
        content: String,
        /// Members the new text mentions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "ts", ts(as = "Option<Vec<UserId>>", optional))]
        mentions: Vec<UserId>,
        /// When.
        edited_at: Timestamp,
    }
    /// A message was deleted; its text is gone everywhere.
    MessageDeleted / "message_deleted" {
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Who wrote it.
        user_id: UserId,
        /// Who deleted it.
        actor_id: UserId,
        /// When.
        deleted_at: Timestamp,
    }
    /// Someone put an emoji on a message.
    ReactionAdded / "reaction_added" {
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Who reacted.
        user_id: UserId,
        /// The emoji.
        emoji: String,
    }
    /// Someone took their emoji off a message.
    ReactionRemoved / "reaction_removed" {
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Whose reaction it was.
        user_id: UserId,
        /// The emoji.
        emoji: String,
    }
    /// A message was pinned.
    MessagePinned / "message_pinned" {
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Who pinned it.
        actor_id: UserId,
        /// When.
        pinned_at: Timestamp,
    }
    /// A message is no longer pinned.
    MessageUnpinned / "message_unpinned" {
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// Who unpinned it.
        actor_id: UserId,
    }
    /// A room was made: always the first event of its log.
    RoomCreated / "room_created" {
        /// Who made it and owns it.
        user_id: UserId,
        /// The maker's unique name.
        username: String,
        /// The maker's name for people.
        display_name: String,
        /// The room's name.
        name: String,
        /// Who may find and join it.
        kind: RoomKind,
        /// What it is about.
        topic: String,
        /// When.
        created_at: Timestamp,
        /// The maker's name for the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        client_id: Option<ClientId>,
    }
    /// A room's name or topic changed.
    RoomUpdated / "room_updated" {
        /// Who changed it.
        actor_id: UserId,
        /// The name from now on.
        name: String,
        /// The topic from now on.
        topic: String,
    }
    /// Someone became a member.
    MemberJoined / "member_joined" {
        /// The new member.
        user_id: UserId,
        /// The member's unique name.
        username: String,
        /// The member's name for people.
        display_name: String,
        /// What the member may do.
        role: Role,
        /// Who let them in: themselves, or the one who invited them.
        actor_id: UserId,
        /// When.
        created_at: Timestamp,
    }
    /// Someone is no longer a member: the last event of the room that they receive.
    MemberLeft / "member_left" {
        /// The former member.
        user_id: UserId,
        /// The member's unique name.
        username: String,
        /// The member's name for people.
        display_name: String,
        /// How it came about.
        reason: LeaveReason,
        /// Who did it: themselves, or the one who removed them.
        actor_id: UserId,
        /// When.
        created_at: Timestamp,
    }
    /// A member's role changed.
    RoleChanged / "role_changed" {
        /// The member.
        user_id: UserId,
        /// The role from now on.
        role: Role,
        /// Who changed it.
        actor_id: UserId,
    }
}

/// How someone stopped being a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// By their own wish.
    Left,
    /// Removed; they may come back.
    Kicked,
    /// Removed; they may not come back until the ban is lifted.
    Banned,
}

impl RoomEvent {
    /// The user for whom this event is the last of the room, if it removes one.
    #[must_use]
    pub fn removes(&self) -> Option<UserId> {
        if let Self::MemberLeft(event) = self { Some(event.user_id) } else { None }
    }
}
