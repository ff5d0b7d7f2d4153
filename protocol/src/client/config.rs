//! What the driver of a client gives it and gets from it.

use super::time::Now;
use crate::error::ErrorCode;
use crate::frame::client::ClientInfo;
use crate::ids::{ClientId, Epoch, RoomId, Seq, UserId};
use crate::limits;
use crate::view::{ClientEvent, PendingMessage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a client behaves. The defaults suit a browser.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the client is, for `hello`.
    pub client: ClientInfo,
    /// The first reconnect comes within this time, each further one within twice the time before.
    pub backoff_base: Duration,
    /// The longest wait before a reconnect.
    pub backoff_cap: Duration,
    /// A connection that lived this long starts the backoff anew.
    pub stable_after: Duration,
    /// How long to wait for the transport, and then for `welcome`.
    pub connect_timeout: Duration,
    /// How long to wait for `pong`.
    pub pong_timeout: Duration,
    /// Durable operations of one room on their way at a time. With one, a sender's operations in a
    /// room are committed in the order in which they were asked for, whatever happens (but for a
    /// refused one of which an older copy is still on its way). With more, that holds as long as no
    /// node answers one of them with a transient error: a later one may then be committed before it.
    pub in_flight_per_room: usize,
    /// Durable operations on their way at a time, over all rooms.
    pub in_flight: usize,
    /// Most messages in the outbox, failed ones included. When it is full, sending is refused.
    pub outbox_messages_max: usize,
    /// Most bytes of text in the outbox. When it is full, sending is refused.
    pub outbox_bytes_max: usize,
    /// Most operations other than sends that wait for an answer. When there are more, the new one
    /// is refused.
    pub operations_max: usize,
    /// How long an operation other than a send waits before it fails.
    pub operation_timeout: Duration,
    /// Most requests for pages that wait for an answer. When there are more, the new one is refused.
    pub requests_max: usize,
    /// How long a request for a page waits before it fails.
    pub request_timeout: Duration,
    /// How long a durable operation or a read marker waits for its answer on a live connection before it is sent
    /// again.
    pub answer_timeout: Duration,
    /// How often at most the front end is told that rooms changed.
    pub room_changed_interval: Duration,
    /// How often at most read markers are sent.
    pub mark_read_interval: Duration,
    /// How often at most cursors are given out to be kept.
    pub persist_interval: Duration,
}

impl Config {
    /// The defaults under a client's name and version.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            client: ClientInfo { name: name.to_owned(), version: version.to_owned() },
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
            stable_after: Duration::from_secs(5),
            connect_timeout: limits::CONNECT_TIMEOUT,
            pong_timeout: limits::PONG_TIMEOUT,
            in_flight_per_room: 1,
            in_flight: 32,
            outbox_messages_max: 500,
            outbox_bytes_max: 4 * 1024 * 1024,
            operations_max: 200,
            operation_timeout: Duration::from_secs(60),
            requests_max: 64,
            request_timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(30),
            room_changed_interval: Duration::from_millis(50),
            mark_read_interval: Duration::from_millis(300),
            persist_interval: Duration::from_secs(2),
        }
    }
}

/// What a client had when its driver last kept it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persisted {
    /// Whose it is. A client that is welcomed as someone else drops all of it.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The store's incarnation to which the cursors belong.
    #[serde(default)]
    pub epoch: Option<Epoch>,
    /// For each room, an event up to which everything was delivered; older ones do no harm.
    #[serde(default)]
    pub cursors: BTreeMap<RoomId, Seq>,
    /// The messages of the outbox.
    #[serde(default)]
    pub outbox: Vec<OutboxEntry>,
}

/// A message of the outbox, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Messages go out in ascending order of this.
    pub order: u64,
    /// The message.
    pub message: PendingMessage,
}

/// What the driver keeps beyond a reload or a crash, in the order in which it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Persist {
    /// Keeps a message of the outbox, under its `client_id`, in place of what was there.
    OutboxPut(OutboxEntry),
    /// Forgets a message of the outbox.
    OutboxRemove {
        /// Which.
        client_id: ClientId,
    },
    /// Keeps who is signed in and the cursors, in place of what was there. Everything up to a
    /// cursor was given out as an event before this, so that a cursor is never ahead of the front end.
    Session {
        /// Who.
        user_id: UserId,
        /// The store's incarnation.
        epoch: Epoch,
        /// For each room, the last event given out.
        cursors: BTreeMap<RoomId, Seq>,
    },
}

/// Names one connection of a client; the client picks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// What the driver has to do, in the order in which it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a WebSocket under this name, then call `handle_opened` or `handle_closed`.
    Connect {
        /// The new connection.
        conn: ConnId,
    },
    /// Send a text frame. A connection that is gone meanwhile drops it.
    Send {
        /// The connection.
        conn: ConnId,
        /// The frame.
        text: String,
    },
    /// Close a connection and forget it: what it reports afterwards is ignored.
    Close {
        /// The connection.
        conn: ConnId,
        /// The close code: 1000, or one of 3000–4999, as browsers allow.
        code: u16,
        /// The reason.
        reason: &'static str,
    },
    /// Exchange the refresh token (`POST /api/refresh`), then call `handle_token`. Never asked for
    /// twice at a time, unless no answer came for a minute: the driver gives up sooner.
    RefreshToken,
    /// Keep something beyond a reload.
    Persist(Persist),
    /// Tell the front end.
    Event(ClientEvent),
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token itself.
    pub access_token: String,
    /// How long it is valid from now; `None` if the driver does not know.
    pub expires_in: Option<Duration>,
}

/// Why there is no new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// The node could not be reached or could not do it; try again.
    Transient,
    /// The login ended.
    Ended,
}

/// Why a front end calls [`super::Client::kick`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kick {
    /// Someone pressed "connect now".
    Asked,
    /// The device says that it is on a network again.
    Online,
    /// The page became visible; the device may have slept.
    Visible,
}

/// A command that the client does not take. Nothing happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, for people.
    pub message: String,
    /// The field at fault.
    pub field: Option<&'static str>,
}

impl Refused {
    pub(super) fn full(what: &str) -> Self {
        let message = [what, " is full; wait for the connection"].concat();
        Self { code: ErrorCode::RateLimited, message, field: None }
    }

    pub(super) fn ended() -> Self {
        Self { code: ErrorCode::Unauthorized, message: "the client was closed".to_owned(), field: None }
    }

    pub(super) fn frame_too_large() -> Self {
        Self {
            code: ErrorCode::TooLarge,
            message: "the request is too large to send".to_owned(),
            field: None,
        }
    }
}

impl From<crate::validate::FieldError> for Refused {
    fn from(error: crate::validate::FieldError) -> Self {
        let message = [error.field, " ", &error.problem].concat();
        Self { code: error.code, message, field: Some(error.field) }
    }
}

/// What the client hands out, in order. Every input adds a bounded number of outputs; the driver takes
/// all of them before the next input.
#[derive(Debug, Default)]
pub(super) struct Outputs(pub(super) std::collections::VecDeque<Output>);

impl Outputs {
    pub(super) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(super) fn event(&mut self, event: ClientEvent) {
        self.0.push_back(Output::Event(event));
    }

    pub(super) fn persist(&mut self, persist: Persist) {
        self.0.push_back(Output::Persist(persist));
    }
}

/// The live connection, for those who have something to send.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    pub(super) conn: ConnId,
    pub(super) out: &'a mut Outputs,
    pub(super) now: Now,
    pub(super) sent: bool,
}

impl Wire<'_> {
    pub(super) fn send(&mut self, text: String) {
        self.sent = true;
        self.out.push(Output::Send { conn: self.conn, text });
    }
}
