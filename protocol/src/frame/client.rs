//! What a client says to a node.

use crate::ids::{ClientId, Epoch, MessageId, MessageNo, RequestId, RoomId, Seq, UserId};
use crate::model::{Anchor, Role, RoomKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A frame from a client. `docs/PROTOCOL.md` specifies each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first frame: who is there and what it has already.
    Hello(Hello),
    /// Says something in a room.
    SendMessage(SendMessage),
    /// Changes the text of one's own message.
    EditMessage(EditMessage),
    /// Deletes a message.
    DeleteMessage(MessageRequest),
    /// Puts an emoji on a message.
    AddReaction(ReactionRequest),
    /// Takes one's emoji off a message.
    RemoveReaction(ReactionRequest),
    /// Pins a message.
    PinMessage(MessageRequest),
    /// Unpins a message.
    UnpinMessage(MessageRequest),
    /// Makes a room and owns it.
    CreateRoom(CreateRoom),
    /// Changes a room's name or topic.
    UpdateRoom(UpdateRoom),
    /// Becomes a member of a public room.
    JoinRoom(RoomRequest),
    /// Stops being a member.
    LeaveRoom(RoomRequest),
    /// Makes someone a member.
    Invite(Invite),
    /// Removes a member.
    Kick(MemberRequest),
    /// Removes someone and keeps them out.
    Ban(MemberRequest),
    /// Lifts a ban.
    Unban(MemberRequest),
    /// Changes a member's role.
    SetRole(SetRole),
    /// Asks for a page of messages.
    History(History),
    /// Asks for a page of a room's members.
    ListMembers(ListMembers),
    /// Asks for a page of rooms to join.
    ListRooms(ListRooms),
    /// Has read up to a message.
    MarkRead(MarkRead),
    /// Is writing something.
    Typing(Typing),
    /// Wants to know who of a room is online, from now on.
    WatchPresence(PresenceRequest),
    /// Does not want to know it any more.
    UnwatchPresence(PresenceRequest),
    /// Asks for a `pong`.
    Ping,
    /// Brings a new token before the old one ends.
    Refresh(Refresh),
}

impl ClientMessage {
    /// Reads a frame whose `type` is `kind`; none if that is none of this version. It is quicker and
    /// tells more of what is wrong than a tagged enum, which buffers everything until it knows the tag.
    pub(crate) fn from_json(kind: &str, text: &str) -> Option<serde_json::Result<Self>> {
        fn read<T: serde::de::DeserializeOwned>(
            text: &str,
            variant: impl FnOnce(T) -> ClientMessage,
        ) -> serde_json::Result<ClientMessage> {
            serde_json::from_str(text).map(variant)
        }
        Some(match kind {
            "hello" => read(text, Self::Hello),
            "send_message" => read(text, Self::SendMessage),
            "edit_message" => read(text, Self::EditMessage),
            "delete_message" => read(text, Self::DeleteMessage),
            "add_reaction" => read(text, Self::AddReaction),
            "remove_reaction" => read(text, Self::RemoveReaction),
            "pin_message" => read(text, Self::PinMessage),
            "unpin_message" => read(text, Self::UnpinMessage),
            "create_room" => read(text, Self::CreateRoom),
            "update_room" => read(text, Self::UpdateRoom),
            "join_room" => read(text, Self::JoinRoom),
            "leave_room" => read(text, Self::LeaveRoom),
            "invite" => read(text, Self::Invite),
            "kick" => read(text, Self::Kick),
            "ban" => read(text, Self::Ban),
            "unban" => read(text, Self::Unban),
            "set_role" => read(text, Self::SetRole),
            "history" => read(text, Self::History),
            "list_members" => read(text, Self::ListMembers),
            "list_rooms" => read(text, Self::ListRooms),
            "mark_read" => read(text, Self::MarkRead),
            "typing" => read(text, Self::Typing),
            "watch_presence" => read(text, Self::WatchPresence),
            "unwatch_presence" => read(text, Self::UnwatchPresence),
            "refresh" => read(text, Self::Refresh),
            "ping" => Ok(Self::Ping),
            _ => return None,
        })
    }

    /// The room that the frame names, if it names one.
    #[must_use]
    pub const fn room_id(&self) -> Option<RoomId> {
        Some(match self {
            Self::SendMessage(send) => send.room_id,
            Self::EditMessage(edit) => edit.room_id,
            Self::DeleteMessage(request) | Self::PinMessage(request) | Self::UnpinMessage(request) => {
                request.room_id
            }
            Self::AddReaction(request) | Self::RemoveReaction(request) => request.room_id,
            Self::UpdateRoom(update) => update.room_id,
            Self::JoinRoom(request) | Self::LeaveRoom(request) => request.room_id,
            Self::Invite(invite) => invite.room_id,
            Self::Kick(request) | Self::Ban(request) | Self::Unban(request) => request.room_id,
            Self::SetRole(request) => request.room_id,
            Self::History(history) => history.room_id,
            Self::ListMembers(list) => list.room_id,
            Self::MarkRead(mark) => mark.room_id,
            Self::Typing(typing) => typing.room_id,
            Self::WatchPresence(request) | Self::UnwatchPresence(request) => request.room_id,
            Self::Hello(_) | Self::CreateRoom(_) | Self::ListRooms(_) | Self::Ping | Self::Refresh(_) => {
                return None;
            }
        })
    }
}

/// The first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The access token.
    pub token: String,
    /// The protocol version that the client speaks.
    pub version: u32,
    /// What the client is.
    pub client: ClientInfo,
    /// For each room, the last event that the client has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "cursors")]
    pub cursors: BTreeMap<RoomId, Seq>,
    /// The epoch to which the cursors belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}

/// A client program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Its name, such as `web`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Says something in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendMessage {
    /// The client's name for this send.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The text.
    pub content: String,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
}

/// Changes the text of one's own message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditMessage {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The message.
    pub message_id: MessageId,
    /// The new text.
    pub content: String,
}

/// Does something to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRequest {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The message.
    pub message_id: MessageId,
}

/// Puts an emoji on a message or takes it off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionRequest {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The message.
    pub message_id: MessageId,
    /// The emoji.
    pub emoji: String,
}

/// Makes a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateRoom {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room's name.
    pub name: String,
    /// Who may find and join it.
    pub kind: RoomKind,
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
}

/// Changes a room's name or topic; what is absent stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateRoom {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// Joins or leaves a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRequest {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
}

/// Makes someone a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// Whom, by their unique name.
    pub username: String,
}

/// Does something to a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRequest {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// Whom.
    pub user_id: UserId,
}

/// Changes a member's role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRole {
    /// The client's name for this operation.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// Whose.
    pub user_id: UserId,
    /// The role from now on.
    pub role: Role,
}

/// Asks for a page of messages. At most one of `before`, `after` and `around`; none means the
/// newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The client's name for the request.
    pub request_id: RequestId,
    /// The room.
    pub room_id: RoomId,
    /// Messages just before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<MessageNo>,
    /// Messages just after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageNo>,
    /// Messages around this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<MessageNo>,
    /// Most messages of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only pinned messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

impl History {
    /// The one anchor that the request names.
    ///
    /// # Errors
    /// When it names more than one.
    pub fn anchor(&self) -> Result<Anchor, crate::validate::FieldError> {
        crate::validate::anchor(self.before, self.after, self.around)
    }
}

/// Asks for a page of a room's members, in order of their username.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMembers {
    /// The client's name for the request.
    pub request_id: RequestId,
    /// The room.
    pub room_id: RoomId,
    /// Those after this username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most members of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Asks for a page of public rooms and one's own, in order of their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRooms {
    /// The client's name for the request.
    pub request_id: RequestId,
    /// Only names that contain this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Those after this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most rooms of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Has read up to a message; never goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRead {
    /// The room.
    pub room_id: RoomId,
    /// The last message that was read.
    pub message_no: MessageNo,
}

/// Is writing something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// The room.
    pub room_id: RoomId,
}

/// Wants to know who of a room is online, or does not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceRequest {
    /// The room.
    pub room_id: RoomId,
}

/// Brings a new token before the old one ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The access token from now on.
    pub token: String,
}

/// JSON object keys are text: read as such, whatever they come through.
fn cursors<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<RoomId, Seq>, D::Error> {
    let by_text = BTreeMap::<String, Seq>::deserialize(deserializer)?;
    by_text
        .into_iter()
        .map(|(room_id, seq)| room_id.parse().map(|room_id| (room_id, seq)))
        .collect::<Result<_, _>>()
        .map_err(|error| serde::de::Error::custom(format_args!("cursors: room id: {error}")))
}
