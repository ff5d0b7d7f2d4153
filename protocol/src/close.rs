//! Close codes: 4000–4499 ask the client to connect again, 4500–4999 tell it not to.

use std::fmt;

macro_rules! close_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        /// Why a node closes a connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CloseCode { $($(#[$doc])* $name,)* }

        impl CloseCode {
            /// Every close code, in order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number in the close frame.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason text in the close frame.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }

            /// The close code with this number, if it is one of ours.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

close_codes! {
    /// The node is leaving; connect to another.
    Drain = 4000, "node is draining";
    /// The access token ended; refresh it, then connect again.
    TokenExpired = 4001, "access token expired";
    /// The client did not read for longer than the node allows.
    SlowReader = 4002, "stopped reading";
    /// The client was silent for longer than the node allows.
    IdleTimeout = 4003, "no heartbeat";
    /// The node has no room for the connection; connect again later.
    Overloaded = 4004, "too many connections";
    /// The node cannot reach what it needs; connect again later.
    Unavailable = 4005, "temporarily unavailable";
    /// Too many frames in too short a time.
    RateLimited = 4006, "too many frames";
    /// `hello` did not come in time.
    HelloTimeout = 4007, "no hello in time";
    /// The client broke the protocol.
    ProtocolViolation = 4500, "protocol violation";
    /// The access token is not valid.
    Unauthorized = 4501, "access token is not valid";
    /// The login behind the token was ended.
    LoginRevoked = 4502, "login was ended";
    /// The user's account is disabled.
    AccountDisabled = 4503, "account is disabled";
    /// A frame was longer than the node allows.
    FrameTooLarge = 4504, "frame is too large";
    /// The client speaks a version that this node does not.
    UnsupportedVersion = 4505, "protocol version is not supported";
}

impl CloseCode {
    /// Whether the client should connect again by itself.
    #[must_use]
    pub const fn reconnects(self) -> bool {
        may_reconnect(self.code())
    }
}

/// Whether a client should connect again by itself after this close code, its own or any other.
///
/// A code outside 4500–4999 (the transport failed, a proxy closed) says nothing against it.
#[must_use]
pub const fn may_reconnect(code: u16) -> bool {
    !matches!(code, 4500..=4999)
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason(), self.code())
    }
}
