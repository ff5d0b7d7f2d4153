//! Leases in the memory of one process: for a node that runs alone, and for several nodes of one
//! process in tests.

use super::{Holders, Incarnation, Presence, PresenceError, PresenceTimes};
use async_trait::async_trait;
use parking_lot::Mutex;
use protocol::UserId;
use protocol::planted::{self, Bug};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The leases of the nodes of one process.
#[derive(Clone, Debug, Default)]
pub struct LocalLeases(Arc<Mutex<BTreeMap<Incarnation, Lease>>>);

#[derive(Debug)]
struct Lease {
    users: BTreeSet<UserId>,
    ends: Instant,
}

impl Lease {
    fn lives(&self, now: Instant) -> bool {
        self.ends > now || planted::has(Bug::PresenceForEver)
    }
}

/// One node's side of them.
#[derive(Debug)]
pub struct LocalPresence {
    leases: LocalLeases,
    incarnation: Incarnation,
    lease: Duration,
}

impl LocalPresence {
    /// The side of one more node.
    #[must_use]
    pub const fn new(leases: LocalLeases, incarnation: Incarnation, times: &PresenceTimes) -> Self {
        Self { leases, incarnation, lease: times.lease }
    }

    /// The leases of a node that runs alone.
    #[must_use]
    pub fn alone(incarnation: Incarnation) -> Self {
        Self::new(LocalLeases::default(), incarnation, &PresenceTimes::default())
    }

    fn with_lease<T>(&self, step: impl FnOnce(&mut BTreeSet<UserId>) -> T) -> T {
        let now = Instant::now();
        let mut leases = self.leases.0.lock();
        leases.retain(|_, lease| lease.lives(now));
        let lease = leases
            .entry(self.incarnation)
            .or_insert_with(|| Lease { users: BTreeSet::new(), ends: now + self.lease });
        lease.ends = now + self.lease;
        step(&mut lease.users)
    }
}

#[async_trait]
impl Presence for LocalPresence {
    fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    async fn change(&self, came: &[UserId], went: &[UserId]) -> Result<(), PresenceError> {
        self.with_lease(|users| {
            users.extend(came);
            for user in went {
                users.remove(user);
            }
        });
        Ok(())
    }

    async fn renew(&self, users: usize) -> Result<bool, PresenceError> {
        Ok(self.with_lease(|held| held.len() == users))
    }

    async fn rewrite(&self, users: &[UserId]) -> Result<(), PresenceError> {
        self.with_lease(|held| *held = users.iter().copied().collect());
        Ok(())
    }

    async fn holders(&self, users: &[UserId]) -> Result<Holders, PresenceError> {
        let now = Instant::now();
        let leases = self.leases.0.lock();
        let others = leases.iter().filter(|(other, lease)| **other != self.incarnation && lease.lives(now));
        let held = |lease: &Lease| users.iter().filter(|user| lease.users.contains(user)).copied().collect();
        Ok(others.map(|(other, lease)| (*other, held(lease))).collect())
    }

    async fn release(&self) -> Result<(), PresenceError> {
        self.leases.0.lock().remove(&self.incarnation);
        Ok(())
    }
}
