//! Judges a run while it goes on: each thing that a client is told is held against the store's log
//! and against what it was told before. Stops at the first that is wrong.

pub mod effect;
pub mod end;
pub mod log;
pub mod page;
mod roles;
mod room;
pub mod said;

use serde::Serialize;
use std::fmt;

macro_rules! invariants {
    ($($name:ident = $text:literal,)+) => {
        /// What must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[expect(missing_docs, reason = "each has its text")]
        pub enum Invariant { $($name,)+ }

        impl Invariant {
            /// What it says.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

invariants! {
    AckedIsDurable = "an acknowledged message is in the store, as what it was acknowledged as",
    Contiguous = "a client gets a room's events one after the other, none twice, none left out",
    OneOrder = "an event is the same for everyone, and the store's",
    SenderOrder = "what one client says in a room is stored in the order in which it said it",
    DenseLog = "a room's log has no hole",
    NothingInvented = "nothing is stored or delivered that was not said, and texts stay what they were",
    RoomsApart = "nobody gets an event of a room that they were no member of",
    StoredOnce = "what is said once is stored once",
    CursorsAdvance = "a cursor that is kept never goes back, nor ahead of what was delivered",
    Deleted = "what was deleted is not kept",
    Stays = "who is a member and stays one is not told that the room is gone",
    Allowed = "nobody does what their role in a room does not allow",
    Refused = "what is refused for good is refused for a reason",
    Kept = "what a client needs to go on, it keeps",
    HistoryIsLog = "a page of history is what the log says",
    Converges = "once all faults have ended, everyone is connected and has everything, without further traffic",
    StateAgrees = "what a client knows of its rooms is what the store says",
    Presence = "once all faults have ended, those who are shown as online are those who are",
    Revoked = "one who signed out gets nothing any more",
    Readable = "a client can read every frame, and no node takes a client's frame for a violation",
    Bounded = "queues keep to their bounds, and what is held for clients is let go of when they are gone",
    NoSkips = "no event is skipped that a node could have replayed",
    Prompt = "before anything breaks, who is connected is told at once, and by a sweep when only Redis is broken",
    Spread = "clients that lost their node do not come back in step",
    NoPanic = "nothing panics",
    NoErrors = "nothing is logged as an error but what a fault explains",
    FewReconnects = "clients do not reconnect without end",
    Intruders = "one who speaks the protocol badly is told so, and gets nothing that is not theirs",
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What did not hold.
    pub invariant: Invariant,
    /// How that showed.
    pub text: String,
    /// When, in milliseconds.
    pub at: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.at / 1000, self.at % 1000);
        write!(
            f,
            "{:?} at {seconds}.{millis:03} s: {}\n  that is: {}",
            self.invariant,
            self.text,
            self.invariant.text()
        )
    }
}

/// What a check finds.
pub type Check = Result<(), (Invariant, String)>;

/// Fails with an invariant and a text where a condition does not hold.
macro_rules! hold {
    ($condition:expr, $invariant:ident, $($text:tt)+) => {
        if !$condition {
            return Err(($crate::oracle::Invariant::$invariant, format!($($text)+)));
        }
    };
}
pub(crate) use hold;
