//! The users who are connected to this node, and what its lease has yet to be told of them. Pure.

use protocol::UserId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Who came and who went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Users who are here now and were not.
    pub came: Vec<UserId>,
    /// Users who are not here any more.
    pub went: Vec<UserId>,
}

impl Changes {
    /// Whether nobody came or went.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }
}

/// The connections of each user: however many there are, it is one person.
#[derive(Debug)]
pub struct Own {
    linger: Duration,
    users: BTreeMap<UserId, Connected>,
    /// Users who are here and not yet in [`Changes`].
    came: BTreeSet<UserId>,
    /// Users whose last connection is gone, in the order of going.
    going: BTreeSet<(Instant, UserId)>,
}

#[derive(Debug, Default)]
struct Connected {
    connections: usize,
    gone_at: Option<Instant>,
}

impl Own {
    /// Nobody is here. A user without a connection stays for `linger`.
    #[must_use]
    pub const fn new(linger: Duration) -> Self {
        Self { linger, users: BTreeMap::new(), came: BTreeSet::new(), going: BTreeSet::new() }
    }

    /// A connection of a user is there; whether the user is new here.
    pub fn enter(&mut self, user_id: UserId) -> bool {
        let is_new = !self.users.contains_key(&user_id);
        let connected = self.users.entry(user_id).or_default();
        connected.connections += 1;
        if let Some(at) = connected.gone_at.take() {
            self.going.remove(&(at, user_id));
        }
        if is_new {
            self.came.insert(user_id);
        }
        is_new
    }

    /// A connection of a user is gone.
    pub fn leave(&mut self, user_id: UserId, now: Instant) {
        let Some(connected) = self.users.get_mut(&user_id) else { return };
        connected.connections = connected.connections.saturating_sub(1);
        if connected.connections == 0 && connected.gone_at.is_none() {
            connected.gone_at = Some(now);
            self.going.insert((now, user_id));
        }
    }

    /// Whether a user is here.
    #[must_use]
    pub fn is_here(&self, user_id: UserId) -> bool {
        self.users.contains_key(&user_id)
    }

    /// All who are here.
    #[must_use]
    pub fn all(&self) -> Vec<UserId> {
        self.users.keys().copied().collect()
    }

    /// How many are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Who came and went since the last call. One who came and went between is not told.
    pub fn poll_changes(&mut self, now: Instant) -> Changes {
        let mut went = Vec::new();
        while let Some(&(at, user_id)) = self.going.first()
            && at + self.linger <= now
        {
            self.going.pop_first();
            self.users.remove(&user_id);
            if !self.came.remove(&user_id) {
                went.push(user_id);
            }
        }
        Changes { came: std::mem::take(&mut self.came).into_iter().collect(), went }
    }

    /// When [`Self::poll_changes`] has something, if it has not now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.going.first().map(|(at, _)| *at + self.linger)
    }
}
