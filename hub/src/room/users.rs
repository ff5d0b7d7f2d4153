//! Users connected to this node: the bells of their connections, and their version in the store.

use crate::room::bell::Bell;
use crate::room::topics::Lease;
use crate::sync::RwLock;
use bytes::Bytes;
use protocol::UserId;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug)]
struct Connected {
    bells: Vec<Arc<Bell>>,
    version: u64,
}

/// The users connected to this node.
#[derive(Debug, Default)]
pub(super) struct Users {
    connected: RwLock<BTreeMap<UserId, Connected>>,
}

/// A connection's stay on its user's stream; given up with it.
#[derive(Debug)]
pub struct UserStream {
    users: Arc<Users>,
    user_id: UserId,
    bell: Arc<Bell>,
    _lease: Lease,
}

impl Drop for UserStream {
    fn drop(&mut self) {
        let mut connected = self.users.connected.write();
        let Some(user) = connected.get_mut(&self.user_id) else { return };
        user.bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
        if user.bells.is_empty() {
            connected.remove(&self.user_id);
        }
    }
}

impl Users {
    /// Enters a connection of a user whose version was read after the lease began, and before the
    /// connection reads anything else of the user.
    pub(super) fn enter(
        self: &Arc<Self>,
        user_id: UserId,
        version: u64,
        bell: Arc<Bell>,
        lease: Lease,
    ) -> UserStream {
        self.connected
            .write()
            .entry(user_id)
            .or_insert_with(|| Connected { bells: Vec::new(), version })
            .bells
            .push(Arc::clone(&bell));
        UserStream { users: Arc::clone(self), user_id, bell, _lease: lease }
    }

    pub(super) fn ring_reload(&self, user_id: UserId) {
        if let Some(user) = self.connected.read().get(&user_id) {
            for bell in &user.bells {
                bell.ring_reload();
            }
        }
    }

    pub(super) fn ring_frame(&self, user_id: UserId, frame: &Bytes) {
        if let Some(user) = self.connected.read().get(&user_id) {
            for bell in &user.bells {
                bell.ring_user_frame(frame.clone());
            }
        }
    }

    pub(super) fn ids(&self) -> Vec<UserId> {
        self.connected.read().keys().copied().collect()
    }

    /// Takes a version to which this node brought the user by a change that it told itself.
    pub(super) fn handle_own_change(&self, user_id: UserId, version: u64) {
        if let Some(user) = self.connected.write().get_mut(&user_id)
            && user.version + 1 == version
        {
            user.version = version;
        }
    }

    /// Compares versions with the store's, and has those who changed read again.
    pub(super) fn handle_versions(&self, versions: &[(UserId, u64)]) {
        let mut connected = self.connected.write();
        for (user_id, version) in versions {
            let Some(user) = connected.get_mut(user_id) else { continue };
            if user.version != *version {
                user.version = *version;
                user.bells.iter().for_each(|bell| bell.ring_reload());
            }
        }
    }
}
