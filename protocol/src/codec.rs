//! Frames as text: sizes are checked before parsing, nothing panics on any input.

use crate::compact;
use crate::error::ErrorCode;
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

/// The longest text of an error, in characters: it may quote what was sent.
const DETAIL_CHARS_MAX: usize = 200;

/// What every frame has.
#[derive(Deserialize)]
#[serde(expecting = "an object with a type")]
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
    let kind = read_kind(text)?;
    match ClientMessage::from_json(&kind, text) {
        Some(message) => message.map_err(|error| invalid(&error)),
        None => Err(DecodeError::UnknownType { kind: kind.chars().take(64).collect() }),
    }
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
    let kind = read_kind(text)?;
    let mut input = serde_json::Deserializer::from_str(text);
    match ServerMessage::of_kind(&kind, &mut input) {
        Ok(message) => Ok(Incoming::Known(Box::new(message.map_err(|error| invalid(&error))?))),
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

/// The frame's `type`; the whole text is JSON then.
fn read_kind(text: &str) -> Result<String, DecodeError> {
    // serde would take a list for an object.
    if text.trim_ascii_start().starts_with('[') {
        return Err(DecodeError::Invalid { detail: "a list, expected an object with a type".into() });
    }
    serde_json::from_str(text).map(|Kind { r#type }| r#type).map_err(|error| invalid(&error))
}

fn invalid(error: &serde_json::Error) -> DecodeError {
    DecodeError::Invalid { detail: error.to_string().chars().take(DETAIL_CHARS_MAX).collect() }
}

/// Writes a frame.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> String {
    // Not `expect`: that would print the error, and carry the code for it into the browser.
    serde_json::to_string(message).unwrap_or_else(|_| unreachable!("wire types have text keys"))
}
