//! Frames as text: sizes are checked before parsing, nothing panics on any input.

use crate::error::ErrorCode;
use crate::event::RoomEvent;
use crate::frame::client::ClientMessage;
use crate::frame::server::ServerMessage;
use crate::ids::{RoomId, Seq};
use crate::limits::FRAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// Why a frame could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("frame is {bytes} bytes, at most {FRAME_BYTES_MAX} are allowed")]
    TooLarge {
        /// The frame's length.
        bytes: usize,
    },
    /// A `type` that this version does not know.
    #[error("unknown type {kind:?}")]
    UnknownType {
        /// The type, cut to 64 characters.
        kind: String,
    },
    /// Not JSON, or not of the shape that its `type` asks for.
    #[error("invalid frame: {detail}")]
    Invalid {
        /// What the parser found.
        detail: String,
    },
}

impl DecodeError {
    /// The code under which a node reports it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::UnknownType { .. } => ErrorCode::UnknownType,
            Self::Invalid { .. } => ErrorCode::InvalidMessage,
        }
    }
}

/// What a client makes of a node's frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A frame of this version.
    Known(Box<ServerMessage>),
    /// A durable event of a later version: it takes its place in the order and shows nothing.
    UnknownEvent {
        /// The room.
        room_id: RoomId,
        /// The event's position in the room's log.
        seq: Seq,
    },
    /// Any other frame of a later version: ignored.
    UnknownFrame,
}

/// The fields by which a frame of unknown shape is placed.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    #[serde(default)]
    room_id: Option<RoomId>,
    #[serde(default)]
    seq: Option<Seq>,
}

/// Reads a client's frame.
///
/// # Errors
/// [`DecodeError`], which says what to tell the client.
pub fn decode_client(text: &str) -> Result<ClientMessage, DecodeError> {
    if text.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::TooLarge { bytes: text.len() });
    }
    serde_json::from_str(text).map_err(|error| explain(text, &error))
}

/// Reads a node's frame. A type of a later version is no error.
///
/// # Errors
/// [`DecodeError::Invalid`] when the text is not a frame at all.
pub fn decode_server(text: &str) -> Result<Incoming, DecodeError> {
    let error = match serde_json::from_str::<ServerMessage>(text) {
        Ok(message) => return Ok(Incoming::Known(Box::new(message))),
        Err(error) => error,
    };
    match explain(text, &error) {
        DecodeError::UnknownType { .. } => Ok(match serde_json::from_str::<Head>(text) {
            Ok(Head { room_id: Some(room_id), seq: Some(seq), .. }) => {
                Incoming::UnknownEvent { room_id, seq }
            }
            Ok(_) | Err(_) => Incoming::UnknownFrame,
        }),
        error @ (DecodeError::Invalid { .. } | DecodeError::TooLarge { .. }) => Err(error),
    }
}

/// Tells an unknown `type` from a malformed frame.
fn explain(text: &str, error: &serde_json::Error) -> DecodeError {
    let detail = error.to_string();
    if detail.starts_with("unknown variant")
        && let Ok(head) = serde_json::from_str::<Head>(text)
        && !is_known(&head.r#type)
    {
        return DecodeError::UnknownType { kind: head.r#type.chars().take(64).collect() };
    }
    DecodeError::Invalid { detail }
}

/// Whether some frame has this `type`: an inner enum's unknown variant is no unknown frame.
fn is_known(kind: &str) -> bool {
    RoomEvent::KINDS.contains(&kind)
        || [
            "hello",
            "send_message",
            "edit_message",
            "delete_message",
            "add_reaction",
            "remove_reaction",
            "pin_message",
            "unpin_message",
            "create_room",
            "update_room",
            "join_room",
            "leave_room",
            "invite",
            "kick",
            "ban",
            "unban",
            "set_role",
            "history",
            "list_members",
            "list_rooms",
            "mark_read",
            "typing",
            "ping",
            "refresh",
            "welcome",
            "ack",
            "error",
            "reset",
            "room_added",
            "room_removed",
            "history_page",
            "members_page",
            "rooms_page",
            "read_marker",
            "refreshed",
            "drain",
            "pong",
        ]
        .contains(&kind)
}

/// Writes a frame.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("wire types have text keys and no failing serializer")
}
