//! Who is there: tells this node's lease and the other nodes who came and went here, and keeps the
//! watched rooms true. Decides nothing itself: `presence::table` does.

mod keep;
mod watch;

pub use watch::{Watch, WatchError};

use super::now;
use super::publication::PresencePublication;
use crate::broker::{Broker, Topic};
use crate::limits::bounds::PRESENCE_BATCH_MAX;
use crate::presence::table::{Changes, MemberChange, Own, Stay, Table};
use crate::presence::{Presence, PresenceTimes};
use crate::store::{Event, Membership, Store};
use crate::sync::Mutex;
use protocol::{RoomId, UserId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, OnceCell};
use watch::Watcher;

/// The presence of this node's users, and what its connections watch.
#[derive(Debug)]
pub struct Attendance {
    presence: Arc<dyn Presence>,
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    times: PresenceTimes,
    state: Mutex<State>,
    /// Somebody came or went here.
    lease_news: Notify,
    /// A watched room changed.
    view_news: Notify,
    /// The leases of other nodes are to be read soon.
    doubt: Notify,
}

#[derive(Debug)]
struct State {
    own: Own,
    table: Table,
    watchers: BTreeMap<RoomId, Vec<Arc<Watcher>>>,
    /// Set once what a room needs was read, one for each stay in the table.
    loads: BTreeMap<Stay, Arc<OnceCell<()>>>,
    /// When the leases of other nodes were read last.
    read_at: Option<Instant>,
}

/// A user's connection, as long as it is there.
#[derive(Debug)]
pub struct Present {
    attendance: Arc<Attendance>,
    user_id: UserId,
}

impl Drop for Present {
    fn drop(&mut self) {
        let now = now();
        self.attendance.state.lock().own.leave(self.user_id, now);
        self.attendance.lease_news.notify_one();
    }
}

impl Attendance {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(
        presence: Arc<dyn Presence>,
        broker: Arc<dyn Broker>,
        store: Arc<dyn Store>,
        times: PresenceTimes,
    ) -> Arc<Self> {
        let state = State {
            own: Own::new(times.linger),
            table: Table::default(),
            watchers: BTreeMap::new(),
            loads: BTreeMap::new(),
            read_at: None,
        };
        Arc::new(Self {
            presence,
            broker,
            store,
            times,
            state: Mutex::new(state),
            lease_news: Notify::new(),
            view_news: Notify::new(),
            doubt: Notify::new(),
        })
    }

    /// A user's connection is there.
    pub fn enter(self: &Arc<Self>, user_id: UserId) -> Present {
        let is_new = {
            let mut state = self.state.lock();
            let is_new = state.own.enter(user_id);
            if is_new {
                let changes = Changes { came: vec![user_id], went: Vec::new() };
                state.table.handle_changes(self.presence.incarnation(), &changes);
            }
            is_new
        };
        if is_new {
            self.lease_news.notify_one();
            self.view_news.notify_one();
        }
        Present { attendance: Arc::clone(self), user_id }
    }

    /// Takes events of a room in their order: members come and go by them.
    pub(super) fn handle_events(&self, room_id: RoomId, events: &[Event]) {
        let change = |event: &Event| match event.membership? {
            Membership::Joined(user_id) => Some(MemberChange::Joined(user_id)),
            Membership::Left(user_id) => Some(MemberChange::Left(user_id)),
            Membership::Changed(_) => None,
        };
        let mut changes = events.iter().filter_map(change).peekable();
        if changes.peek().is_none() {
            return;
        }
        {
            let mut state = self.state.lock();
            let State { own, table, .. } = &mut *state;
            for change in changes {
                table.handle_member(room_id, change, (self.presence.incarnation(), own));
            }
        }
        self.view_news.notify_one();
    }

    /// Takes what another node told.
    pub(super) fn handle_publication(&self, payload: &str) {
        match serde_json::from_str(payload) {
            Ok(PresencePublication::Presence { node, came, went }) => {
                if node != self.presence.incarnation() {
                    self.state.lock().table.handle_changes(node, &Changes { came, went });
                    self.view_news.notify_one();
                }
            }
            Ok(PresencePublication::PresenceRewritten { .. }) => self.handle_doubt(),
            Err(error) => {
                tracing::debug!(%error, "publication is not understood");
                self.handle_doubt();
            }
        }
    }

    /// Something may have been missed.
    pub(super) fn handle_doubt(&self) {
        self.doubt.notify_one();
    }

    /// How many users are here, or were until a moment ago.
    #[must_use]
    pub fn users(&self) -> usize {
        self.state.lock().own.len()
    }

    /// How many rooms are watched.
    #[must_use]
    pub fn watched_rooms(&self) -> usize {
        self.state.lock().table.len()
    }

    fn publish(&self, changes: &Changes) {
        let node = self.presence.incarnation();
        let came = changes.came.chunks(PRESENCE_BATCH_MAX).map(|came| (came.to_vec(), Vec::new()));
        let went = changes.went.chunks(PRESENCE_BATCH_MAX).map(|went| (Vec::new(), went.to_vec()));
        for (came, went) in came.chain(went) {
            self.tell(&PresencePublication::Presence { node, came, went });
        }
    }

    fn tell(&self, publication: &PresencePublication) {
        self.broker.publish(Topic::Presence, protocol::encode(publication).into());
    }
}
