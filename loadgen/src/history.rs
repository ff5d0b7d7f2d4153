//! What happened in a run, as plain data: what each client sent and was told, what the store holds at
//! the end, and which faults there were. Written by whatever drives clients, read by the oracle.

use protocol::{ClientId, MessageNo, RoomId, Seq, UserId};
use serde::Serialize;
use std::collections::BTreeMap;

/// A moment of a run, in microseconds since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct At(pub u64);

impl At {
    /// Microseconds since `earlier`; none if it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// In seconds.
    #[must_use]
    pub fn secs(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// A message, as someone was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Its place among the room's messages.
    pub message_no: MessageNo,
    /// The sender's name for it.
    pub client_id: Option<ClientId>,
    /// Who wrote it.
    pub user_id: UserId,
    /// The text.
    pub content: String,
}

/// What happened at a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// It follows a room: events after `head` are due.
    Follows {
        /// The room.
        room: RoomId,
        /// The room's newest event then.
        head: Seq,
    },
    /// It asked for a message to be sent.
    Sent {
        /// The room.
        room: RoomId,
        /// Its name for the send.
        client_id: ClientId,
        /// The text.
        content: String,
    },
    /// A node acknowledged a send.
    Acked {
        /// The room.
        room: RoomId,
        /// Its name for the send.
        client_id: ClientId,
        /// The event that it became.
        seq: Seq,
        /// Its place among the room's messages.
        message_no: MessageNo,
    },
    /// A send was refused for good.
    Failed {
        /// Its name for the send.
        client_id: ClientId,
        /// Why.
        reason: String,
    },
    /// It was given an event.
    Delivered {
        /// The room.
        room: RoomId,
        /// The event.
        seq: Seq,
        /// What the event says, if it is a message.
        said: Option<Said>,
    },
    /// It was told to skip events.
    Reset {
        /// The room.
        room: RoomId,
        /// Events follow from here.
        head: Seq,
    },
    /// A connection went live, be it the first, after a loss, or before the last one was left.
    Online {
        /// The node at the other end.
        node: String,
    },
    /// There is no live connection any more.
    Offline,
    /// It will not connect again.
    Ended {
        /// Why.
        reason: String,
    },
}

/// What happened at a client, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When.
    pub at: At,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// One client's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientHistory {
    /// Who it is.
    pub user_id: UserId,
    /// The rooms that it is a member of from before the run until after it.
    pub rooms: Vec<RoomId>,
    /// Whether it was there until the end, so that it must have everything.
    pub stays: bool,
    /// What happened, in order.
    pub records: Vec<Record>,
}

/// A message as the store holds it at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// The event that brought it.
    pub seq: Seq,
    /// The message.
    #[serde(flatten)]
    pub said: Said,
}

/// A room as the store holds it at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoomLog {
    /// The room's newest event.
    pub head: Seq,
    /// All messages, in order.
    pub messages: Vec<Logged>,
}

/// A fault, from its beginning until everything answered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultSpan {
    /// What was done.
    pub name: String,
    /// When it began.
    pub from: At,
    /// When all was healed.
    pub until: At,
}

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct History {
    /// The clients; their places are the names in [`crate::content::Content`].
    pub clients: Vec<ClientHistory>,
    /// What the store holds at the end.
    pub log: BTreeMap<RoomId, RoomLog>,
    /// The faults, in order of their beginning.
    pub faults: Vec<FaultSpan>,
}
