//! The closed list of error codes, shared by WebSocket and REST.

use serde::{Deserialize, Serialize};

/// What went wrong, for programs. The text beside it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ts", ts(export))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame or body is not JSON of the expected shape.
    InvalidMessage,
    /// The frame's `type` is none of the protocol's.
    UnknownType,
    /// A field's value is not allowed; `field` names it.
    InvalidField,
    /// A field, a frame or a body is longer than its limit.
    TooLarge,
    /// No valid token, or wrong credentials.
    Unauthorized,
    /// The user may not do this.
    Forbidden,
    /// The user is not a member of the room, or the room does not exist for this user.
    NotMember,
    /// The room, message or user does not exist.
    NotFound,
    /// The name is taken, or the state does not allow it.
    Conflict,
    /// This `client_id` was used before for something else.
    ClientIdReused,
    /// Too many requests; `retry_after_ms` says when to try again.
    RateLimited,
    /// The node cannot reach what it needs; nothing was lost, try again.
    Unavailable,
    /// A defect of the node; it is in its log.
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of PROTOCOL.md.
    pub const ALL: &'static [Self] = &[
        Self::InvalidMessage,
        Self::UnknownType,
        Self::InvalidField,
        Self::TooLarge,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotMember,
        Self::NotFound,
        Self::Conflict,
        Self::ClientIdReused,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Whether the same request may succeed later without a change. The client's outbox keeps such
    /// a send and tries again; any other error ends it.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable | Self::Internal)
    }
}
