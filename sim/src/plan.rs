//! What happens in a run, as data: a plan is generated from a seed, kept as a file, replayed and
//! shrunk. Nothing is decided by dice while a run is under way but what `seed` and `net_seed` fix.

mod fault;

pub use fault::{Fault, Harm, Host};

use fakes::version::Version;
use hub::limits::bounds::{OUT_FRAMES_MAX, PULL_EVENTS_MAX};
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is about, for those kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub story: String,
    /// For those kept: a planted bug with which it must fail, so that it is known to bite still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// Names of sends, jitter of nodes, secrets.
    pub seed: u64,
    /// Latencies, the order in which hosts run, the scheduler's choices.
    pub net_seed: u64,
    /// Who there is.
    pub topology: Topology,
    /// Of which version everyone is.
    #[serde(default, skip_serializing_if = "Versions::is_one")]
    pub versions: Versions,
    /// How everything is set.
    pub knobs: Knobs,
    /// What people do, in order of time.
    pub ops: Vec<Op>,
    /// What breaks.
    pub faults: Vec<Fault>,
    /// A node that nobody reaches any more, also once all else has healed: everyone has everything without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// Who is of an earlier version than the others: reactions are events of a type that they do not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// Nodes that begin as such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<u32>,
    /// Clients that begin as such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<u32>,
    /// Whether who starts again is of the other version, as while nodes are upgraded one after another, or taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub change: bool,
}

impl Versions {
    /// Whether there is only one.
    #[must_use]
    pub fn is_one(&self) -> bool {
        *self == Self::default()
    }

    /// Of which version a node begins.
    #[must_use]
    pub fn of_hub(&self, hub: u32) -> Version {
        if self.hubs.contains(&hub) { Version::Earlier } else { Version::Later }
    }

    /// Of which version a client begins.
    #[must_use]
    pub fn of_client(&self, client: u32) -> Version {
        if self.clients.contains(&client) { Version::Earlier } else { Version::Later }
    }

    /// Of which version one is that starts again.
    #[must_use]
    pub const fn next(&self, version: Version) -> Version {
        match version {
            Version::Earlier if self.change => Version::Later,
            Version::Later if self.change => Version::Earlier,
            Version::Earlier | Version::Later => version,
        }
    }
}

/// A node that is cut off from everyone until the others have got on without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// From when, in milliseconds.
    pub at: u64,
    /// Which.
    pub hub: u32,
}

/// Who there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Nodes.
    pub hubs: u32,
    /// Machines on which clients run.
    pub hosts: u32,
    /// People.
    pub users: u32,
    /// Clients: who uses each, and on which machine. Two of one user are two tabs.
    pub clients: Vec<Device>,
    /// Rooms that exist from the beginning.
    pub rooms: Vec<RoomPlan>,
    /// A node that is alone has Redis all the same; several nodes always have.
    pub redis: bool,
}

impl Topology {
    /// Whether there is a Redis.
    #[must_use]
    pub const fn has_redis(&self) -> bool {
        self.redis || self.hubs > 1
    }
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Who uses it.
    pub user: u32,
    /// The machine that it runs on.
    pub host: u32,
}

/// A room that exists from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomPlan {
    /// Only by invitation.
    pub private: bool,
    /// Users; the first is its owner.
    pub members: Vec<u32>,
}

/// How everything is set. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knobs {
    /// How far time goes at each step.
    pub tick: u64,
    /// Latency of messages, least and most.
    pub latency: (u64, u64),
    /// Writes that a connection holds before its writer waits.
    pub tcp_capacity: usize,
    /// Whether streams are cut into odd pieces.
    pub segments: bool,
    /// How many publications Redis loses where nothing else is wrong, in percent.
    pub doorbells_lost: u64,
    /// Most events of a ring.
    pub ring_events: usize,
    /// Most bytes of all rings of a node.
    pub ring_bytes: usize,
    /// Most events that a resume replays.
    pub resume_events: u64,
    /// How often a client says that it is there.
    pub heartbeat: u64,
    /// How long a client waits for an answer to that.
    pub pong_timeout: u64,
    /// How long a node lets a client be silent.
    pub idle_timeout: u64,
    /// How long a node lets a client not read.
    pub slow_reader: u64,
    /// How long a leaving node takes.
    pub drain_grace: u64,
    /// The first and the longest wait before a reconnect.
    pub backoff: (u64, u64),
    /// How long a client waits for a connection.
    pub connect_timeout: u64,
    /// How long a send waits for its answer before it is sent again.
    pub answer_timeout: u64,
    /// How often cursors are kept.
    pub persist_interval: u64,
    /// Sends of one room on their way at a time.
    pub in_flight_per_room: usize,
    /// Most messages of an outbox.
    #[serde(default = "outbox_messages")]
    pub outbox_messages: usize,
    /// How long an access token lives, in seconds.
    pub token_life: u64,
    /// How long the store takes for a step of a call.
    pub store_latency: u64,
    /// How many connections a node has for reading the store.
    #[serde(default = "store_readers")]
    pub store_readers: u32,
    /// From so many frames that wait to be written a connection takes no more.
    #[serde(default = "queue_frames")]
    pub queue_frames: usize,
    /// Most events of a room that a connection takes at a time.
    #[serde(default = "pull_events")]
    pub pull_events: usize,
}

/// What plans of before there was such a setting have.
const fn store_readers() -> u32 {
    8
}

/// As many as a node's own.
const fn queue_frames() -> usize {
    OUT_FRAMES_MAX
}

/// As many as a node's own.
const fn pull_events() -> usize {
    PULL_EVENTS_MAX
}

/// As many as a browser's outbox holds.
const fn outbox_messages() -> usize {
    500
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            tick: 4,
            latency: (1, 20),
            tcp_capacity: 1_024,
            segments: false,
            doorbells_lost: 0,
            ring_events: 1_024,
            ring_bytes: 1 << 20,
            resume_events: 10_000,
            heartbeat: 5_000,
            pong_timeout: 2_000,
            idle_timeout: 12_000,
            slow_reader: 8_000,
            drain_grace: 2_000,
            backoff: (200, 3_000),
            connect_timeout: 3_000,
            answer_timeout: 5_000,
            persist_interval: 500,
            in_flight_per_room: 1,
            outbox_messages: outbox_messages(),
            token_life: 3_600,
            store_latency: 1,
            store_readers: store_readers(),
            queue_frames: queue_frames(),
            pull_events: pull_events(),
        }
    }
}

/// Something that someone does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Op {
    /// When, in milliseconds.
    pub at: u64,
    /// With which client.
    pub client: u32,
    /// What.
    pub act: Act,
}

/// What one can do. Rooms are counted from zero, those made on the way after those of the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the fields say what they are")]
pub enum Act {
    /// Says something; with so many bytes of padding.
    Say {
        room: u32,
        padding: u32,
    },
    /// Says something that is not allowed, or at the edge of it.
    SayOdd {
        room: u32,
        odd: Odd,
    },
    /// Changes the newest own message.
    Edit {
        room: u32,
    },
    /// Deletes the newest own message.
    Delete {
        room: u32,
    },
    /// Puts an emoji on the newest message.
    React {
        room: u32,
    },
    /// Takes it off.
    Unreact {
        room: u32,
    },
    /// Pins the newest message.
    Pin {
        room: u32,
    },
    /// Takes the newest message's pin off.
    Unpin {
        room: u32,
    },
    Join {
        room: u32,
    },
    Leave {
        room: u32,
    },
    Invite {
        room: u32,
        user: u32,
    },
    Kick {
        room: u32,
        user: u32,
    },
    Ban {
        room: u32,
        user: u32,
    },
    Unban {
        room: u32,
        user: u32,
    },
    Promote {
        room: u32,
        user: u32,
    },
    CreateRoom {
        private: bool,
    },
    Rename {
        room: u32,
    },
    /// Marks all but the newest so many as read.
    MarkRead {
        room: u32,
        unread: u64,
    },
    Typing {
        room: u32,
    },
    /// Asks for a page that begins so far from the newest message.
    History {
        room: u32,
        back: u64,
        limit: u32,
        way: Way,
    },
    /// Looks who of the room is online.
    Watch {
        room: u32,
    },
    /// Loses its connections as if the network had cut them.
    Cut,
    /// All clients lose their connections at once.
    Storm,
    /// The page is closed and opened again.
    Reload,
    /// The page is closed for good.
    Quit,
    /// The device says that it is on a network again.
    Nudge,
    /// Signs out everywhere.
    Revoke,
    /// Speaks the protocol by itself, and badly.
    Intrude {
        room: u32,
        how: Intrusion,
    },
    /// A message that nobody said is in the store: this must be found.
    Canary {
        room: u32,
    },
}

/// Text at the edge of what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say what they are")]
pub enum Odd {
    Empty,
    Largest,
    TooLarge,
    Nul,
    Emoji,
}

/// Which way a page goes from where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say what they are")]
pub enum Way {
    Latest,
    Before,
    After,
    Around,
}

/// What one that speaks the protocol by itself does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intrusion {
    /// Resumes from an event that does not exist yet.
    FutureCursor,
    /// Resumes from the beginning.
    OldCursor,
    /// Resumes in a room that is not its user's.
    ForeignCursor,
    /// Sends a frame of no known type, and half a frame.
    BadFrames,
    /// Uses a name twice for different texts.
    NameReused,
    /// Sends into a room that is not its user's.
    ForeignRoom,
    /// Sends texts that are empty, that hold a NUL, or that are too long.
    OddTexts,
    /// Says hello with a token that someone else signed.
    ForgedToken,
    /// Says hello with a token that has ended.
    OldToken,
    /// Says nothing.
    Silence,
}

impl Plan {
    /// Every machine.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        let hubs = (0..self.topology.hubs).map(Host::Hub);
        let clients = (0..self.topology.hosts).map(Host::Clients);
        hubs.chain(clients)
            .chain(self.topology.has_redis().then_some(Host::Redis))
            .chain([Host::Store])
            .collect()
    }

    /// When the last fault has ended and the last thing was done.
    #[must_use]
    pub fn heals_at(&self) -> u64 {
        let ops = self.ops.iter().map(|op| op.at);
        let lost = self.lost.iter().map(|lost| lost.at);
        ops.chain(self.faults.iter().map(|fault| fault.until)).chain(lost).max().unwrap_or(0)
    }
}
