//! Every limit of the protocol, with the relations between them asserted.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest frame that a node accepts, in bytes of JSON text.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Longest message, in bytes of UTF-8.
pub const CONTENT_BYTES_MAX: usize = 16 * 1024;
/// Shortest and longest username, in characters (all of them ASCII).
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 2..=32;
/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARS_MAX: usize = 64;
/// Shortest and longest password, in bytes.
pub const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=256;
/// Longest room name, in characters.
pub const ROOM_NAME_CHARS_MAX: usize = 64;
/// Longest room topic, in characters.
pub const TOPIC_CHARS_MAX: usize = 250;
/// Longest emoji, in bytes: a family with skin tones takes 41.
pub const EMOJI_BYTES_MAX: usize = 64;
/// Most different emoji on one message.
pub const REACTIONS_PER_MESSAGE_MAX: usize = 50;
/// Most users that one message mentions; further names are plain text.
pub const MENTIONS_MAX: usize = 50;
/// Longest access token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Longest client name and version in `hello`, in bytes.
pub const CLIENT_NAME_BYTES_MAX: usize = 64;
/// Most entries of one page (messages, members, rooms).
pub const PAGE_MAX: u32 = 100;
/// Entries of a page when the request names no limit.
pub const PAGE_DEFAULT: u32 = 50;
/// Most rooms one user is a member of.
pub const ROOMS_PER_USER_MAX: usize = 1_000;
/// Most events that a resume replays for one room; beyond it the node answers `reset`.
pub const RESUME_EVENTS_MAX: u64 = 10_000;
/// How often a client sends `ping` when it has nothing else to say.
pub const HEARTBEAT: Duration = Duration::from_secs(25);
/// How long a client waits for `pong` before it takes the connection for dead.
pub const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a node lets a connection be silent.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a node waits for `hello`.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client waits for the transport and then for `welcome`.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How often at most a client says `typing` in one room.
pub const TYPING_INTERVAL: Duration = Duration::from_secs(3);
/// How long a `typing` is shown.
pub const TYPING_SHOWN: Duration = Duration::from_secs(6);
/// Most rooms whose presence one connection watches.
pub const PRESENCE_WATCHES_MAX: usize = 16;
/// Most members of one room that are looked at for its presence.
pub const PRESENCE_MEMBERS_MAX: usize = 1_000;
/// How long a client waits for `presence` before it asks again.
pub const PRESENCE_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = assert!(HEARTBEAT.as_millis() + PONG_TIMEOUT.as_millis() < IDLE_TIMEOUT.as_millis());
const _: () = assert!(HELLO_TIMEOUT.as_millis() < CONNECT_TIMEOUT.as_millis());
const _: () = assert!(TYPING_INTERVAL.as_millis() < TYPING_SHOWN.as_millis());
const _: () = assert!(TOKEN_BYTES_MAX < FRAME_BYTES_MAX);
// JSON may escape each byte of the content as six (`\u0001`); that much must still fit a frame
// of a node, which is not bounded by FRAME_BYTES_MAX. A client's frame is, and a message of the
// longest content with ordinary escapes fits.
const _: () = assert!(CONTENT_BYTES_MAX * 2 + 1024 < FRAME_BYTES_MAX);
const _: () = assert!(PAGE_DEFAULT <= PAGE_MAX);

/// The limits that `welcome` tells a client, so that it can check before it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(export))]
pub struct Limits {
    /// Longest message, in bytes of UTF-8.
    pub content_bytes_max: u32,
    /// Longest frame, in bytes.
    pub frame_bytes_max: u32,
    /// Most entries of one page.
    pub page_max: u32,
    /// Most events that a resume replays for one room.
    pub resume_events_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            content_bytes_max: CONTENT_BYTES_MAX as u32,
            frame_bytes_max: FRAME_BYTES_MAX as u32,
            page_max: PAGE_MAX,
            resume_events_max: RESUME_EVENTS_MAX as u32,
        }
    }
}
