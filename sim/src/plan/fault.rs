//! What breaks, and the machines that it breaks.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that breaks, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// From when, in milliseconds.
    pub at: u64,
    /// Until when.
    pub until: u64,
    /// What.
    pub harm: Harm,
}

/// What can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the fields say what they are")]
pub enum Harm {
    /// Nothing passes between two hosts.
    Cut { a: Host, b: Host },
    /// Nothing passes from one host to another; the other way it does.
    CutOneWay { from: Host, to: Host },
    /// What is sent between two hosts waits.
    Stall { a: Host, b: Host },
    /// What is sent between two hosts takes that long.
    Slow { a: Host, b: Host, latency: u64 },
    /// A process dies, and its system says goodbye for it; it comes back at the end.
    Crash { host: Host },
    /// A machine is gone without a word; it comes back at the end.
    PowerCut { host: Host },
    /// A client does not read.
    SlowReader { client: u32 },
    /// A node leaves in order; it comes back at the end.
    Drain { hub: u32 },
    /// A node's wall clock is wrong: by a step, and by so many parts per million.
    Clock { hub: u32, step: i64, drift: i64 },
    /// Redis forgets everything and drops every connection.
    RedisRestart,
    /// Redis answers nothing.
    RedisStall,
    /// Redis drops connections that subscribe, so many.
    RedisKill { connections: u32 },
    /// Redis loses publications, in percent.
    RedisLoss { percent: u32 },
    /// Redis drops connections that do not read fast enough.
    RedisOutput { bytes: u32 },
    /// Redis fails over to a replica that lacks the newest writes, so many.
    RedisFailover { writes: u32 },
    /// The store fails before it commits, so often.
    StoreFails { calls: u32 },
    /// The store commits, and its answer is lost, so often.
    StoreLosesReplies { calls: u32 },
    /// The store takes that long for each call.
    StoreSlow { latency: u64 },
    /// The store answers nothing.
    StoreStall,
    /// The store takes so many connections and no more.
    StoreExhausted { connections: u32 },
    /// The store restarts: what is under way fails, or its answer is lost.
    StoreRestart,
}

impl Harm {
    /// The machines that it names.
    #[must_use]
    pub fn hosts(self) -> Vec<Host> {
        match self {
            Self::Cut { a, b }
            | Self::CutOneWay { from: a, to: b }
            | Self::Stall { a, b }
            | Self::Slow { a, b, .. } => vec![a, b],
            Self::Crash { host } | Self::PowerCut { host } => vec![host],
            Self::Drain { hub } | Self::Clock { hub, .. } => vec![Host::Hub(hub)],
            Self::RedisRestart
            | Self::RedisStall
            | Self::RedisKill { .. }
            | Self::RedisLoss { .. }
            | Self::RedisOutput { .. }
            | Self::RedisFailover { .. } => vec![Host::Redis],
            Self::StoreFails { .. }
            | Self::StoreLosesReplies { .. }
            | Self::StoreSlow { .. }
            | Self::StoreStall
            | Self::StoreExhausted { .. }
            | Self::StoreRestart => vec![Host::Store],
            Self::SlowReader { .. } => Vec::new(),
        }
    }
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Host {
    /// A node's.
    Hub(u32),
    /// That on which clients run.
    Clients(u32),
    /// That of Redis.
    Redis,
    /// That of the store.
    Store,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub(number) => write!(f, "hub{number}"),
            Self::Clients(number) => write!(f, "clients{number}"),
            Self::Redis => f.write_str("redis"),
            Self::Store => f.write_str("store"),
        }
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |prefix| text.strip_prefix(prefix).and_then(|number: &str| number.parse().ok());
        if text == "redis" {
            return Ok(Self::Redis);
        }
        if text == "store" {
            return Ok(Self::Store);
        }
        let host = number("hub").map(Self::Hub).or_else(|| number("clients").map(Self::Clients));
        host.ok_or_else(|| format!("there is no host {text}"))
    }
}
