//! Who is online, over all nodes: each node holds a lease for its users, and a node that dies loses
//! all of them with it. The trait that every keeper of leases implements; its drivers' errors stop
//! below it.

pub mod local;
pub mod redis;
pub mod table;

use async_trait::async_trait;
use protocol::UserId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// One run of a node, drawn at its start: a node that comes back under the same name does not
/// inherit what it held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub Uuid);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// How presence keeps time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresenceTimes {
    /// How long a node's lease holds without a renewal.
    pub lease: Duration,
    /// How often a node renews its lease.
    pub renew: Duration,
    /// How long a user without a connection stays online: a reload, or a move to another node.
    pub linger: Duration,
    /// A node with watchers asks who is online again after a pause drawn between the two: that is how
    /// lost news and dead nodes come to light.
    pub sweep: (Duration, Duration),
}

impl PresenceTimes {
    const DEFAULT: Self = Self {
        lease: Duration::from_secs(30),
        renew: Duration::from_secs(10),
        linger: Duration::from_secs(3),
        sweep: (Duration::from_secs(5), Duration::from_secs(10)),
    };
}

const _: () = {
    let times = PresenceTimes::DEFAULT;
    // Two renewals may fail.
    assert!(2 * times.renew.as_millis() < times.lease.as_millis());
    assert!(times.sweep.0.as_millis() < times.sweep.1.as_millis());
};

impl Default for PresenceTimes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The leases cannot be read or written now; a write may or may not have taken effect.
#[derive(Clone, Debug, thiserror::Error)]
#[error("presence is unavailable: {0}")]
pub struct PresenceError(pub String);

/// Which users a node holds a lease for, of those that were asked about.
pub type Holders = Vec<(Incarnation, Vec<UserId>)>;

/// Keeps leases: one a node, over the users that are connected to it.
#[async_trait]
pub trait Presence: Send + Sync + fmt::Debug + 'static {
    /// This node's run, under which it holds its lease.
    fn incarnation(&self) -> Incarnation;

    /// Adds users to this node's lease and takes others out of it; makes the lease if there is none.
    async fn change(&self, came: &[UserId], went: &[UserId]) -> Result<(), PresenceError>;

    /// Renews this node's lease, whose users are so many; whether it was there and held as many.
    async fn renew(&self, users: usize) -> Result<bool, PresenceError>;

    /// Makes this node's lease hold exactly these users, whatever it holds.
    async fn rewrite(&self, users: &[UserId]) -> Result<(), PresenceError>;

    /// Which of these users the other nodes hold leases for.
    async fn holders(&self, users: &[UserId]) -> Result<Holders, PresenceError>;

    /// Ends this node's lease.
    async fn release(&self) -> Result<(), PresenceError>;
}
