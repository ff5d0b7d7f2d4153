//! Frames as text: sizes are checked before parsing, nothing panics on any input.

use crate::compact;
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

/// What every frame has.
#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

/// Where an event of unknown type belongs.
#[derive(Deserialize)]
struct Place {
    room_id: RoomId,
    seq: Seq,
}

impl Place {
    const fn into_event(self) -> Incoming {
        Incoming::UnknownEvent { room_id: self.room_id, seq: self.seq }
    }
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
    if cfg!(target_arch = "wasm32") { decode_server_compact(text) } else { decode_server_quick(text) }
}

/// With serde_json: as quick as can be.
fn decode_server_quick(text: &str) -> Result<Incoming, DecodeError> {
    let invalid = |error: serde_json::Error| DecodeError::Invalid { detail: error.to_string() };
    let Kind { r#type } = serde_json::from_str(text).map_err(invalid)?;
    let mut input = serde_json::Deserializer::from_str(text);
    match ServerMessage::of_kind(&r#type, &mut input) {
        Ok(message) => Ok(Incoming::Known(Box::new(message.map_err(invalid)?))),
        Err(_) => Ok(serde_json::from_str(text).map_or(Incoming::UnknownFrame, Place::into_event)),
    }
}

/// The same in as little code as can be, for the browser.
///
/// # Errors
/// As [`decode_server`], with less detail.
pub fn decode_server_compact(text: &str) -> Result<Incoming, DecodeError> {
    let invalid = |error: compact::Invalid| DecodeError::Invalid { detail: error.to_string() };
    let json = compact::parse(text).map_err(invalid)?;
    let kind = json.text("type").ok_or(compact::Invalid).map_err(invalid)?.to_owned();
    match ServerMessage::of_kind(&kind, json) {
        Ok(message) => Ok(Incoming::Known(Box::new(message.map_err(invalid)?))),
        Err(json) => Ok(Place::deserialize(json).map_or(Incoming::UnknownFrame, Place::into_event)),
    }
}

/// Tells an unknown `type` from a malformed frame.
fn explain(text: &str, error: &serde_json::Error) -> DecodeError {
    let detail = error.to_string();
    if detail.starts_with("unknown variant")
        && let Ok(Kind { r#type }) = serde_json::from_str(text)
        && !is_known(&r#type)
    {
        return DecodeError::UnknownType { kind: r#type.chars().take(64).collect() };
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
    // Not `expect`: that would print the error, and carry the code for it into the browser.
    serde_json::to_string(message).unwrap_or_else(|_| unreachable!("wire types have text keys"))
}
