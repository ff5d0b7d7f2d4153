//! What travels over the broker beside durable events, which travel as they are stored.

use crate::presence::Incarnation;
use crate::store::Event;
use protocol::frame::server::{ReadMarker, UserTyping};
use protocol::{NodeId, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A publication on a room's topic.
#[derive(Debug)]
pub enum RoomPublication {
    /// A durable event.
    Event(Event),
    /// Something that may be lost.
    Ephemeral(Ephemeral),
    /// Something of a later version that may be lost.
    Unknown,
}

/// Something in a room that may be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ephemeral {
    /// Someone is writing.
    Typing {
        /// The node where they are connected.
        node: NodeId,
        /// Who and where.
        typing: UserTyping,
    },
}

/// A publication on a user's topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserPublication {
    /// The user's rooms or logins may have changed: read them again.
    UserChanged {
        /// The node that changed them.
        node: NodeId,
    },
    /// The user read something.
    ReadMarker {
        /// The node on which they did.
        node: NodeId,
        /// How far.
        marker: ReadMarker,
    },
}

/// A publication on the topic of presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PresencePublication {
    /// Users came to a node and went from it; its lease says so already.
    Presence {
        /// The node's run.
        node: Incarnation,
        /// Who came.
        came: Vec<UserId>,
        /// Who went.
        went: Vec<UserId>,
    },
    /// A node's lease was written anew: read it.
    PresenceRewritten {
        /// The node's run.
        node: Incarnation,
    },
}

impl RoomPublication {
    /// Reads what was published on a room's topic.
    #[must_use]
    pub fn parse(payload: Arc<str>) -> Self {
        if let Ok(ephemeral) = serde_json::from_str(&payload) {
            return Self::Ephemeral(ephemeral);
        }
        Event::from_json(payload).map_or(Self::Unknown, Self::Event)
    }
}
