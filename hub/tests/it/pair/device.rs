//! A device of a user: the client, what it keeps, and what its page was told.

use super::oracle::Page;
use protocol::client::{Client, Config, ConnId, Now, OutboxEntry, Persist, Persisted};
use protocol::{ClientId, UserId};
use std::collections::BTreeMap;

pub(super) struct Device {
    pub(super) user: UserId,
    pub(super) client: Client,
    /// Grows with each reload: what was meant for an earlier client does not reach the next.
    pub(super) life: u64,
    pub(super) page: Page,
    /// What would survive a crash.
    pub(super) kept: Persisted,
    /// The world's connection of each of the client's.
    pub(super) conns: BTreeMap<ConnId, u64>,
    /// When the client wants to be woken, as far as that is arranged.
    pub(super) wakes_at: Option<Now>,
    pub(super) offline_until: u64,
    /// What was said, in order, by name; a retry comes again.
    pub(super) said: Vec<ClientId>,
}

impl Device {
    pub(super) fn new(user: UserId, seed: u64) -> Self {
        let kept = Persisted::default();
        Self {
            user,
            client: client(seed, kept.clone()),
            life: 0,
            page: Page::default(),
            kept,
            conns: BTreeMap::new(),
            wakes_at: None,
            offline_until: 0,
            said: Vec::new(),
        }
    }

    /// The page is opened again, with what was kept.
    pub(super) fn reload(&mut self, seed: u64) {
        self.page.reload(&self.kept);
        self.client = client(seed, self.kept.clone());
        self.life += 1;
        self.conns.clear();
        self.wakes_at = None;
    }

    pub(super) fn keep(&mut self, persist: Persist) {
        match persist {
            Persist::OutboxPut(entry) => {
                self.forget(entry.message.client_id);
                self.kept.outbox.push(entry);
            }
            Persist::OutboxRemove { client_id } => self.forget(client_id),
            Persist::Session { user_id, epoch, cursors } => {
                self.kept.user_id = Some(user_id);
                self.kept.epoch = Some(epoch);
                self.kept.cursors = cursors;
            }
        }
    }

    fn forget(&mut self, client_id: ClientId) {
        self.kept.outbox.retain(|OutboxEntry { message, .. }| message.client_id != client_id);
    }
}

fn client(seed: u64, kept: Persisted) -> Client {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Client::new(Config::new("pair", "1"), bytes, kept)
}
