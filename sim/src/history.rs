//! What happened in a run, in order: what people did and were told, what broke, what was logged.

use crate::plan::Host;
use crate::rng::fnv_more;
use loadgen::content::Content;
use protocol::{RoomId, Seq};
use std::fmt;

/// Most entries that are kept; a run that has more goes on without them, and its report says so.
const ENTRIES_MAX: usize = 400_000;

/// Where something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// To the whole world.
    World,
    /// On a machine.
    Host(Host),
    /// To a client.
    Client(u32),
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.write_str("world"),
            Self::Host(host) => host.fmt(f),
            Self::Client(number) => write!(f, "client{number}"),
        }
    }
}

/// A message's name in reports: which client said it, and its how manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The client.
    pub client: u32,
    /// Counted from zero.
    pub number: u32,
}

impl Name {
    /// The text of the message in a room, with so many bytes more.
    #[must_use]
    pub fn text(self, room: RoomId, padding: usize) -> String {
        let content = Content { client: self.client as usize, number: u64::from(self.number), room };
        content.padded(padding)
    }

    /// Which message a text says that it is, and of which room; `None` if it was changed or nobody said it.
    #[must_use]
    pub fn of(text: &str) -> Option<(Self, RoomId)> {
        let Content { client, number, room } = Content::parse(text)?;
        Some((Self { client: client.try_into().ok()?, number: number.try_into().ok()? }, room))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.client, self.number)
    }
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is no message: they are named CLIENT.NUMBER, as in 2.17");
        let (client, number) = text.split_once('.').ok_or_else(wrong)?;
        let number = number.split('.').next().unwrap_or_default();
        Ok(Self {
            client: client.parse().map_err(|_| wrong())?,
            number: number.parse().map_err(|_| wrong())?,
        })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the fields say what they are")]
pub enum What {
    /// Something was done that is no message.
    Did(String),
    Said {
        name: Name,
        room: RoomId,
    },
    /// It is in the store.
    Stored {
        name: Option<Name>,
        room: RoomId,
        seq: Seq,
        kind: &'static str,
    },
    Acked {
        name: Name,
        room: RoomId,
        seq: Seq,
    },
    Failed {
        name: Name,
        why: String,
    },
    Delivered {
        name: Option<Name>,
        room: RoomId,
        seq: Seq,
        kind: &'static str,
    },
    /// How a connection stands, and the like.
    Told(String),
    FaultBegins(usize, String),
    FaultEnds(usize, String),
    Logged(String),
}

impl What {
    /// The message that it is about.
    #[must_use]
    pub const fn name(&self) -> Option<Name> {
        match self {
            Self::Said { name, .. } | Self::Acked { name, .. } | Self::Failed { name, .. } => Some(*name),
            Self::Stored { name, .. } | Self::Delivered { name, .. } => *name,
            Self::Did(_) | Self::Told(_) | Self::FaultBegins(..) | Self::FaultEnds(..) | Self::Logged(_) => {
                None
            }
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |name: &Option<Name>| name.map_or_else(String::new, |name| format!(" {name}"));
        match self {
            Self::Did(text) | Self::Told(text) => f.write_str(text),
            Self::Said { name, room } => write!(f, "says {name} in room {room}"),
            Self::Stored { name, room, seq, kind } => {
                write!(f, "{kind}{} is event {seq} of room {room}", named(name))
            }
            Self::Acked { name, room, seq } => write!(f, "ack of {name}: event {seq} of room {room}"),
            Self::Failed { name, why } => write!(f, "{name} failed: {why}"),
            Self::Delivered { name, room, seq, kind } => {
                write!(f, "gets event {seq} of room {room}: {kind}{}", named(name))
            }
            Self::FaultBegins(number, text) => write!(f, "fault {number} begins: {text}"),
            Self::FaultEnds(number, text) => write!(f, "fault {number} ends: {text}"),
            Self::Logged(text) => write!(f, "log: {text}"),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in milliseconds.
    pub at: u64,
    /// Where.
    pub lane: Lane,
    /// What.
    pub what: What,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.at / 1000, self.at % 1000);
        write!(f, "{seconds:>4}.{millis:03}  {:<9}  {}", self.lane.to_string(), self.what)
    }
}

/// All that happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Entry>,
    hash: u64,
    left_out: usize,
    is_kept: bool,
}

impl History {
    /// An empty one. One that is not kept only hashes what happens, which is quicker.
    #[must_use]
    pub fn new(is_kept: bool) -> Self {
        Self { is_kept, ..Self::default() }
    }

    /// Adds something.
    pub fn add(&mut self, at: u64, lane: Lane, what: What) {
        let entry = Entry { at, lane, what };
        self.hash = fnv_more(self.hash, entry.to_string().as_bytes());
        if !self.is_kept || self.entries.len() >= ENTRIES_MAX {
            self.left_out += 1;
        } else {
            self.entries.push(entry);
        }
    }

    /// What was kept, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries were not kept.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// A hash of everything.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }
}
