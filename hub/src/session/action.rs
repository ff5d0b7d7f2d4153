//! What goes into a session and what comes out of it, beside frames and events.

use crate::store::Op;
use protocol::frame::server::ServerMessage;
use protocol::model::{Anchor, Room, User};
use protocol::{ClientId, CloseCode, Epoch, ErrorCode, MessageNo, NodeId, RequestId, RoomId, Timestamp};
use std::time::{Duration, Instant};

/// What a session is told of its node.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The node's name.
    pub node: NodeId,
    /// How long `hello` may take.
    pub hello_timeout: Duration,
    /// How long the client may be silent.
    pub idle_timeout: Duration,
    /// How often the client is asked to say something.
    pub heartbeat: Duration,
    /// Most events that a resume replays for one room.
    pub resume_events_max: u64,
}

/// Who a token names.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The user.
    pub user: User,
    /// When the token ends, by the monotonic clock.
    pub expires: Instant,
    /// When the token ends, by the wall clock.
    pub expires_at: Timestamp,
}

/// What a session starts from: read after the node subscribed to the user's stream.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The store's incarnation.
    pub epoch: Epoch,
    /// The node's wall clock.
    pub now: Timestamp,
    /// The user's rooms.
    pub rooms: Vec<Room>,
}

/// A question that the store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A page of messages.
    History {
        /// The room.
        room_id: RoomId,
        /// Where the page starts.
        anchor: Anchor,
        /// Only pinned messages.
        pinned: bool,
        /// Most messages.
        limit: u32,
    },
    /// A page of members.
    Members {
        /// The room.
        room_id: RoomId,
        /// Those after this username.
        after: Option<String>,
        /// Most members.
        limit: u32,
    },
    /// A page of rooms to join.
    Rooms {
        /// What their names contain.
        query: String,
        /// Those after this name.
        after: Option<String>,
        /// Most rooms.
        limit: u32,
    },
}

/// What the connection is to do for its session, in order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Write a frame. Answers only: events come by [`super::Session::admit`].
    Send(Box<ServerMessage>),
    /// Verify a token and answer by [`super::Session::handle_subject`] or [`super::Session::handle_refused`].
    Authenticate {
        /// The token.
        token: String,
    },
    /// Subscribe to the user's stream, read the [`Snapshot`], attach to its rooms, and answer by
    /// [`super::Session::handle_joined`].
    Join,
    /// Read the user's rooms again and answer by [`super::Session::handle_reloaded`].
    Reload,
    /// Attach to a room and answer by [`super::Session::handle_attached`].
    Attach(Box<Room>),
    /// Detach from a room, and end a watch of it.
    Detach(RoomId),
    /// Submit a durable operation and answer by [`super::Session::handle_committed`] or
    /// [`super::Session::handle_failed`].
    Submit {
        /// The client's name for it.
        client_id: ClientId,
        /// The operation.
        op: Op,
    },
    /// Ask the store and answer by [`super::Session::handle_answer`].
    Ask {
        /// The client's name for the request.
        request_id: RequestId,
        /// The question.
        request: Request,
    },
    /// Move the user's read marker.
    MarkRead {
        /// The room.
        room_id: RoomId,
        /// Read up to here.
        message_no: MessageNo,
    },
    /// Tell a room that the user is writing.
    Typing(RoomId),
    /// Watch who of a room is online, from the whole on; a watch that is there begins anew. Answer a
    /// failure by [`super::Session::handle_watch_failed`].
    WatchPresence(RoomId),
    /// Watch it no more.
    UnwatchPresence(RoomId),
    /// Close the connection, after what was to be sent before.
    Close(CloseCode),
}

/// A failure to tell the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, for programs.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// The field at fault.
    pub field: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

/// What to do with an event that is next in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send it.
    Send,
    /// Send it; the session is then out of the room.
    SendLast,
    /// The client has it, or may not have it.
    Skip,
    /// Earlier ones are missing: read the store after the cursor.
    Gap,
}

impl Failure {
    /// A failure without a field.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None, retry_after: None }
    }

    /// A failure of one field.
    #[must_use]
    pub fn field(code: ErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(code, message) }
    }
}

impl From<protocol::validate::FieldError> for Failure {
    fn from(error: protocol::validate::FieldError) -> Self {
        Self::field(error.code, error.field, error.to_string())
    }
}
