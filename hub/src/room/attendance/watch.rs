//! A connection's watch of a room: woken when the room's presence changed, it takes what is new since
//! it last looked. Nothing is queued for it.

use super::{Attendance, State};
use crate::broker::BrokerError;
use crate::limits::bounds::QUESTION_DEADLINE;
use crate::presence::table::Stay;
use crate::room::bell::Bell;
use crate::room::topics::Lease;
use crate::store::StoreError;
use bytes::Bytes;
use protocol::limits::PRESENCE_MEMBERS_MAX;
use protocol::{RoomId, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::timeout;

/// Why a room cannot be watched now.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The user is not in the room.
    #[error("not a member")]
    NotMember,
    /// This node watches as much as it can.
    #[error("this node watches as many members as it can")]
    Full,
    /// The store did not tell the members.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker did not confirm the subscription.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// Whom to wake.
#[derive(Debug)]
pub(super) struct Watcher {
    room_id: RoomId,
    /// Rung and not yet looked at.
    is_dirty: AtomicBool,
    bell: Arc<Bell>,
}

impl Watcher {
    pub(super) fn ring(&self) {
        if !self.is_dirty.swap(true, Ordering::AcqRel) {
            self.bell.ring_presence(self.room_id);
        }
    }
}

/// A connection's watch; it ends with this.
#[derive(Debug)]
pub struct Watch {
    attendance: Arc<Attendance>,
    watcher: Arc<Watcher>,
    reader: UserId,
    stay: Stay,
    /// The version that the client has seen.
    seen: Option<u64>,
    /// Other nodes are heard as long as somebody watches.
    _heard: Lease,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.attendance.state.lock();
        let State { table, watchers, loads, .. } = &mut *state;
        let room_id = self.watcher.room_id;
        table.unwatch(room_id, self.stay);
        if let Some(others) = watchers.get_mut(&room_id) {
            others.retain(|other| !Arc::ptr_eq(other, &self.watcher));
            if others.is_empty() {
                watchers.remove(&room_id);
                loads.remove(&self.stay);
            }
        }
    }
}

impl Watch {
    /// The frame that brings the client up to date, if there is one. What comes after this rings again.
    pub fn read(&mut self) -> Option<Bytes> {
        self.watcher.is_dirty.store(false, Ordering::Release);
        let mut state = self.attendance.state.lock();
        let read = state.table.read(self.watcher.room_id, self.reader, self.seen)?;
        self.seen = Some(read.version);
        Some(read.frame)
    }
}

impl Attendance {
    /// Watches a room for one of its members. The first read gives all who are online.
    ///
    /// # Errors
    /// [`WatchError`]; nothing is watched then.
    pub(in super::super) async fn watch(
        self: &Arc<Self>,
        room_id: RoomId,
        reader: UserId,
        bell: Arc<Bell>,
        heard: Lease,
    ) -> Result<Watch, WatchError> {
        let watcher = Arc::new(Watcher { room_id, is_dirty: AtomicBool::new(false), bell });
        let (stay, load) = {
            let mut state = self.state.lock();
            let stay = state.table.watch(room_id);
            state.watchers.entry(room_id).or_default().push(Arc::clone(&watcher));
            (stay, Arc::clone(state.loads.entry(stay).or_default()))
        };
        // From here on dropping it undoes this.
        let watch = Watch { attendance: Arc::clone(self), watcher, reader, stay, seen: None, _heard: heard };
        load.get_or_try_init(|| self.load(room_id, reader, stay)).await?;
        Ok(watch)
    }

    /// Reads the members, then which of them other nodes hold.
    async fn load(&self, room_id: RoomId, reader: UserId, stay: Stay) -> Result<(), WatchError> {
        let limit = u32::try_from(PRESENCE_MEMBERS_MAX).unwrap_or(u32::MAX);
        let page = timeout(QUESTION_DEADLINE, self.store.members(reader, room_id, None, limit))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the answer took too long".into())))?
            .ok_or(WatchError::NotMember)?;
        let members: Vec<_> = page.members.iter().map(|member| member.user_id).collect();
        {
            let mut state = self.state.lock();
            let State { own, table, .. } = &mut *state;
            let own = (self.presence.incarnation(), &*own);
            table
                .handle_members(room_id, stay, &members, page.more, own)
                .map_err(|_full| WatchError::Full)?;
        }
        self.read_leases(&members).await;
        Ok(())
    }
}
