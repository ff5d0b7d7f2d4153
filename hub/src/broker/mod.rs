//! Cross-node pub/sub: a doorbell that may lose, repeat and reorder. The store is the truth.

pub mod commands;
pub mod local;
pub mod redis;
pub mod redis_url;

use async_trait::async_trait;
use protocol::{RoomId, UserId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What one subscribes to and publishes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A room's durable events and its ephemeral ones: `room:{id}`.
    Room(RoomId),
    /// What concerns one user: `user:{id}`.
    User(UserId),
    /// Who came and went on each node, for nodes where someone watches: `presence`.
    Presence,
}

/// The name of [`Topic::Presence`].
const PRESENCE: &str = "presence";

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(id) => write!(f, "room:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Presence => f.write_str(PRESENCE),
        }
    }
}

impl Topic {
    /// Reads a topic's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == PRESENCE {
            return Some(Self::Presence);
        }
        let (kind, id) = name.split_once(':')?;
        match kind {
            "room" => id.parse().ok().map(Self::Room),
            "user" => id.parse().ok().map(Self::User),
            _ => None,
        }
    }
}

/// What a broker hands to the node.
#[derive(Clone, Debug)]
pub enum BrokerEvent {
    /// Something was published on a topic that the node subscribes to.
    Publication {
        /// The topic.
        topic: Topic,
        /// The JSON text, as it was published.
        payload: Arc<str>,
    },
    /// Publications may have been lost (connection lost, failover, hand-over full): compare every
    /// active room's head and every connected user's version with the store.
    Resync,
}

/// Takes what a broker hands over. Must not block: a full hand-over drops and asks for `Resync`.
pub trait BrokerSink: Send + Sync + 'static {
    /// Takes one event, on the broker's own task.
    fn handle_broker_event(&self, event: BrokerEvent);
}

/// The broker did not take a request; what was published may or may not have gone out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("broker is unavailable: {0}")]
pub struct BrokerError(pub String);

/// How a broker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStatus {
    /// For how long publications may have been getting lost, if they may now: delivery between
    /// nodes then goes through the store, and the sweep is to go faster.
    pub degraded_for: Option<Duration>,
    /// Topics that are subscribed to, or are to be.
    pub topics: usize,
    /// Connections that were lost and made again.
    pub reconnects: u64,
    /// Publications that went out.
    pub published: u64,
    /// Publications that wait to go out, or to be confirmed.
    pub publications_waiting: usize,
    /// Publications of other nodes that came in.
    pub received: u64,
    /// Publications that came in and wait for the node.
    pub handover_waiting: usize,
    /// Publications that were given up, for the queue was full or they were refused.
    pub publications_dropped: u64,
    /// Publications that came in and were dropped, for the node was too slow to take them.
    pub handover_dropped: u64,
}

/// How long [`Broker::subscribe`] takes at most.
pub const SUBSCRIBE_WAIT_MAX: Duration = Duration::from_secs(4);

/// Cross-node pub/sub.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug + 'static {
    /// Names where events go. Called once, before anything else.
    fn start(&self, sink: Arc<dyn BrokerSink>);

    /// Whether there may be other nodes.
    fn is_shared(&self) -> bool;

    /// Publishes on a topic to every other subscribed node; this one may get it back or not. Does
    /// not wait for delivery, and losing it costs latency only.
    fn publish(&self, topic: Topic, payload: Arc<str>);

    /// Subscribes; returns once the subscription is confirmed, so that nothing published after
    /// that is missed but by a loss that `Resync` reports. While the link is down it returns at
    /// once all the same, and at the latest after [`SUBSCRIBE_WAIT_MAX`], for a user is not to wait for a doorbell: the wish is kept, the broker
    /// is degraded, and `Resync` comes once the subscription is there.
    async fn subscribe(&self, topic: Topic) -> Result<(), BrokerError>;

    /// Unsubscribes. Publications may still arrive for a moment.
    async fn unsubscribe(&self, topic: Topic);

    /// Round trip to the broker, for `/ready`.
    async fn check(&self) -> Result<(), BrokerError>;

    /// How it does. A broker that cannot fail is always well.
    fn status(&self) -> BrokerStatus {
        BrokerStatus::default()
    }

    /// Sends what is still queued, within a moment, and ends.
    async fn close(&self) {}
}
