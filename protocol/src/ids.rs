//! Typed identifiers and counters. Parsed at the edge and trusted from there on.
//!
//! Every number stays below 2^53, so that JavaScript reads it exactly.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest integer that JavaScript represents exactly together with all smaller ones.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "ts", ts(as = "f64"))]
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 9_007_199_254_740_991_u64))]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The value as the signed integer that SQL stores.
            #[must_use]
            pub const fn as_i64(self) -> i64 {
                self.0.cast_signed()
            }

            /// The value that SQL stored; a negative one, which no table holds, becomes zero.
            #[must_use]
            pub const fn from_i64(value: i64) -> Self {
                Self(if value < 0 { 0 } else { value.cast_unsigned() })
            }

            /// The next value.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                // `parse` alone would take a plus sign.
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(IdError);
                }
                let value: u64 = text.parse().map_err(|_| IdError)?;
                if value > MAX_SAFE_INTEGER { Err(IdError) } else { Ok(Self(value)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_u64(NumberVisitor($field)).map(Self)
            }
        }
    };
}

/// Reads a number; says which field it belongs to when it is none.
struct NumberVisitor(&'static str);

impl serde::de::Visitor<'_> for NumberVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: an integer from 0 to {MAX_SAFE_INTEGER}", self.0)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<u64, E> {
        if value > MAX_SAFE_INTEGER {
            return Err(E::invalid_value(serde::de::Unexpected::Unsigned(value), &self));
        }
        Ok(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<u64, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(value), &self)),
        }
    }
}

/// A number that is not an identifier: negative, not an integer, or 2^53 and above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an integer from 0 to 9007199254740991")]
pub struct IdError;

number! {
    /// Names a room.
    RoomId, "room_id"
}
number! {
    /// Names a user.
    UserId, "user_id"
}
number! {
    /// Names a message in APIs. Never a cursor: ids are not handed out in commit order.
    MessageId, "message_id"
}
number! {
    /// Position in a room's event log: dense, from 1. Zero means "before the first event".
    Seq, "seq"
}
number! {
    /// Counts a room's messages only: dense, from 1. Zero means "before the first message".
    MessageNo, "message_no"
}
number! {
    /// The client's name for a request whose answer is a page or a small fact, unique per connection.
    RequestId, "request_id"
}
number! {
    /// Incarnation of the store. A client whose epoch differs drops its cursors.
    Epoch, "epoch"
}
number! {
    /// Unix time in milliseconds, by the clock of the node that wrote it.
    Timestamp, "timestamp"
}

/// The client's name for a durable operation. A retry under the same name, to any node, returns
/// the first result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ts", ts(as = "String"))]
#[serde(transparent)]
pub struct ClientId(pub uuid::Uuid);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for ClientId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        uuid::Uuid::try_parse(text).map(Self)
    }
}

/// Names a node of the cluster, for people and logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct NodeId(pub String);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
