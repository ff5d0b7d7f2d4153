//! What the client core tells a front end: the page's types, kept apart from wire frames.

use crate::error::ErrorCode;
use crate::event::RoomEvent;
use crate::ids::{ClientId, MessageId, MessageNo, NodeId, RequestId, RoomId, Seq, Timestamp, UserId};
use crate::limits::Limits;
use crate::model::{Member, MessagePage, Room, RoomListing, User};
use serde::{Deserialize, Serialize};

/// How the connection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Connection {
    /// On the way: the transport, `hello`, or the wait for `welcome`.
    Connecting {
        /// Attempts since the last time it was online; zero at the first.
        attempt: u32,
    },
    /// Live.
    Online {
        /// The node at the other end.
        node: NodeId,
    },
    /// Waiting to try again.
    Offline {
        /// Attempts since the last time it was online.
        attempt: u32,
        /// The next attempt, in milliseconds from now.
        retry_in_ms: u32,
    },
    /// Ended for good: the front end has to sign in again or reload.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Why a client does not connect any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The login ended, or the tokens are not valid any more: sign in again.
    SignedOut,
    /// The account is disabled.
    AccountDisabled,
    /// The node speaks a later version: reload the page.
    UpdateNeeded,
    /// The node and this client disagree on the protocol: a defect.
    ProtocolError,
    /// The front end closed it.
    Closed,
}

/// How a durable operation in the outbox stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "state", rename_all = "snake_case", try_from = "FlatDelivery")]
pub enum Delivery {
    /// Waits for the connection.
    Queued,
    /// On its way; not yet acknowledged.
    Sending,
    /// Refused for good; `retry` or `discard` it.
    Failed {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
    },
}

/// [`Delivery`] as it is read: plain fields, which [`crate::compact`] can read, too.
#[derive(Deserialize)]
struct FlatDelivery {
    state: DeliveryState,
    #[serde(default)]
    code: Option<ErrorCode>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeliveryState {
    Queued,
    Sending,
    Failed,
}

impl TryFrom<FlatDelivery> for Delivery {
    type Error = &'static str;

    fn try_from(flat: FlatDelivery) -> Result<Self, Self::Error> {
        Ok(match flat.state {
            DeliveryState::Queued => Self::Queued,
            DeliveryState::Sending => Self::Sending,
            DeliveryState::Failed => Self::Failed {
                code: flat.code.ok_or("code is missing")?,
                message: flat.message.ok_or("message is missing")?,
            },
        })
    }
}

/// A message that is not acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PendingMessage {
    /// The client's name for the send.
    pub client_id: ClientId,
    /// The room.
    pub room_id: RoomId,
    /// The text.
    pub content: String,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reply_to: Option<MessageId>,
    /// When it was written, by the client's clock.
    pub created_at: Timestamp,
    /// How it stands.
    pub delivery: Delivery,
}

/// What the client core tells a front end, in order. A front end shows it and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(export))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientEvent {
    /// The connection changed.
    Connection {
        /// How it stands now.
        connection: Connection,
    },
    /// The connection went live: the user and all rooms, replacing what was known of them. Events
    /// of a room that the client had before continue after its cursor; a room whose `reset` is
    /// told needs its history loaded again.
    Ready {
        /// Who is signed in.
        user: User,
        /// The user's rooms.
        rooms: Vec<Room>,
        /// The node's limits.
        limits: Limits,
    },
    /// A room is new, or what is known of it changed (name, topic, role, unread counts, heads).
    RoomChanged {
        /// The room as it is now.
        room: Room,
    },
    /// The user is no longer a member of a room.
    RoomRemoved {
        /// The room.
        room_id: RoomId,
    },
    /// The next durable event of a room: each once, in order of `seq`.
    Event {
        /// The event.
        event: RoomEvent,
    },
    /// The room's events up to `head_seq` are skipped: drop its messages and load its history.
    RoomReset {
        /// The room.
        room_id: RoomId,
        /// Events follow from here.
        head_seq: Seq,
    },
    /// A message waits in the outbox, or how it stands changed.
    MessagePending {
        /// The message.
        message: PendingMessage,
    },
    /// A message is acknowledged: durable. Its `new_message` event may come before or after.
    MessageSent {
        /// The client's name for the send.
        client_id: ClientId,
        /// The room.
        room_id: RoomId,
        /// The message.
        message_id: MessageId,
        /// Its place among the room's messages.
        message_no: MessageNo,
        /// The event that it became.
        seq: Seq,
        /// When it was stored.
        created_at: Timestamp,
    },
    /// A message was taken out of the outbox before it was sent.
    MessageDiscarded {
        /// The client's name for the send.
        client_id: ClientId,
        /// The room.
        room_id: RoomId,
    },
    /// A durable operation other than a send (edit, delete, reaction, room, member) is committed.
    OperationDone {
        /// The client's name for the operation.
        client_id: ClientId,
        /// The room.
        room_id: RoomId,
    },
    /// A durable operation other than a send was refused, or the connection was lost for longer
    /// than such an operation waits.
    OperationFailed {
        /// The client's name for the operation.
        client_id: ClientId,
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
        /// The field at fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        field: Option<String>,
    },
    /// The answer to `history`.
    HistoryPage {
        /// The request.
        request_id: RequestId,
        /// The room.
        room_id: RoomId,
        /// The messages.
        page: MessagePage,
    },
    /// The answer to `list_members`.
    MembersPage {
        /// The request.
        request_id: RequestId,
        /// The room.
        room_id: RoomId,
        /// The members, in order of their username.
        members: Vec<Member>,
        /// Whether there are more after the last of them.
        more: bool,
    },
    /// The answer to `list_rooms`.
    RoomsPage {
        /// The request.
        request_id: RequestId,
        /// The rooms, in order of their name.
        rooms: Vec<RoomListing>,
        /// Whether there are more after the last of them.
        more: bool,
    },
    /// A request for a page failed; nothing was lost, ask again.
    RequestFailed {
        /// The request.
        request_id: RequestId,
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
    },
    /// Who is writing in a room now, the user aside. Told on every change.
    Typing {
        /// The room.
        room_id: RoomId,
        /// Who.
        users: Vec<TypingUser>,
    },
    /// Who of a watched room is online now, the user included. Told on every change.
    Presence {
        /// The room.
        room_id: RoomId,
        /// Those who are online, in order of their id.
        online: Vec<UserId>,
        /// The room has more members than are looked at.
        more: bool,
    },
}

/// Someone who is writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TypingUser {
    /// Who.
    pub user_id: UserId,
    /// Their name for people.
    pub display_name: String,
}
