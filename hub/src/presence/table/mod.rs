//! Who is online as far as this node has to know: the members of the rooms that somebody here
//! watches, and which runs of nodes hold them. Pure: no I/O, no clock.

mod own;
#[cfg(test)]
mod tests;
mod view;

pub use own::{Changes, Own};

use super::{Holders, Incarnation};
use crate::limits::bounds::{PRESENCE_PENDING_MAX, PRESENCE_TRACKED_MAX};
use bytes::Bytes;
use protocol::{RoomId, UserId};
use std::collections::{BTreeMap, BTreeSet};
use view::View;

/// What watchers of a room get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The version that is seen with this frame.
    pub version: u64,
    /// The frame.
    pub frame: Bytes,
}

/// Names one stay of a room in the table: what was read for an earlier one does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay(u64);

/// There are too many members of watched rooms to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A member came to or went from a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Is a member now.
    Joined(UserId),
    /// Is none any more.
    Left(UserId),
}

#[derive(Debug)]
struct Watched {
    stay: Stay,
    watchers: usize,
    view: View,
    /// While the members are being read: what happened meanwhile, none once they are known.
    loading: Option<Vec<MemberChange>>,
    is_dirty: bool,
}

#[derive(Debug, Default)]
struct Tracked {
    rooms: BTreeSet<RoomId>,
    holders: BTreeSet<Incarnation>,
}

/// News of other nodes that came while leases were read.
type Pending = Vec<(Incarnation, UserId, bool)>;

/// The watched rooms and their members.
#[derive(Debug, Default)]
pub struct Table {
    rooms: BTreeMap<RoomId, Watched>,
    users: BTreeMap<UserId, Tracked>,
    /// Members over all rooms.
    members: usize,
    stays: u64,
    /// One for each read under way.
    reads: BTreeMap<u64, Pending>,
    last_read: u64,
}

impl Table {
    /// One more watches a room. What is to be read first, if anything, belongs to this stay.
    pub fn watch(&mut self, room_id: RoomId) -> Stay {
        let stays = &mut self.stays;
        let watched = self.rooms.entry(room_id).or_insert_with(|| {
            *stays += 1;
            let (stay, view) = (Stay(*stays), View::new(room_id));
            Watched { stay, watchers: 0, view, loading: Some(Vec::new()), is_dirty: false }
        });
        watched.watchers += 1;
        watched.stay
    }

    /// One less does; with the last one the room is forgotten.
    pub fn unwatch(&mut self, room_id: RoomId, stay: Stay) {
        let Some(watched) = self.rooms.get_mut(&room_id).filter(|watched| watched.stay == stay) else {
            return;
        };
        watched.watchers -= 1;
        if watched.watchers == 0
            && let Some(watched) = self.rooms.remove(&room_id)
        {
            for user_id in &watched.view.members {
                self.untrack(room_id, *user_id);
            }
        }
    }

    /// How many rooms are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// The users that leases are asked about.
    #[must_use]
    pub fn tracked(&self) -> Vec<UserId> {
        self.users.keys().copied().collect()
    }

    /// Takes the members of a room, of which there are `more`; `is_here` tells who is connected to
    /// this node, `own`.
    ///
    /// # Errors
    /// [`Full`]: the room stays as it was.
    pub fn handle_members(
        &mut self,
        room_id: RoomId,
        stay: Stay,
        members: &[UserId],
        more: bool,
        own: (Incarnation, &Own),
    ) -> Result<(), Full> {
        let is_awaited = |watched: &&mut Watched| watched.stay == stay && watched.loading.is_some();
        let Some(watched) = self.rooms.get_mut(&room_id).filter(is_awaited) else { return Ok(()) };
        if self.members + members.len() > PRESENCE_TRACKED_MAX {
            return Err(Full);
        }
        watched.view.more = more;
        watched.is_dirty = true;
        let meanwhile = watched.loading.take().unwrap_or_default();
        for user_id in members {
            self.track(room_id, *user_id, own);
        }
        let is_cut = meanwhile.len() == PRESENCE_PENDING_MAX;
        for change in meanwhile {
            self.handle_member(room_id, change, own);
        }
        if let Some(watched) = self.rooms.get_mut(&room_id).filter(|_| is_cut) {
            watched.view.more = true;
        }
        Ok(())
    }

    /// A durable event made someone a member of a room, or ended that.
    pub fn handle_member(&mut self, room_id: RoomId, change: MemberChange, own: (Incarnation, &Own)) {
        let Some(watched) = self.rooms.get_mut(&room_id) else { return };
        if let Some(meanwhile) = &mut watched.loading {
            if meanwhile.len() < PRESENCE_PENDING_MAX {
                meanwhile.push(change);
            }
            return;
        }
        match change {
            MemberChange::Joined(user_id) => self.track(room_id, user_id, own),
            MemberChange::Left(user_id) => {
                watched.is_dirty |= watched.view.set_online(user_id, false);
                if watched.view.members.remove(&user_id) {
                    self.untrack(room_id, user_id);
                }
            }
        }
    }

    fn track(&mut self, room_id: RoomId, user_id: UserId, (run, own): (Incarnation, &Own)) {
        let Some(watched) = self.rooms.get_mut(&room_id) else { return };
        if self.members >= PRESENCE_TRACKED_MAX {
            watched.view.more = true;
            return;
        }
        if !watched.view.admit(user_id) {
            return;
        }
        self.members += 1;
        let tracked = self.users.entry(user_id).or_default();
        tracked.rooms.insert(room_id);
        if own.is_here(user_id) {
            tracked.holders.insert(run);
        }
        watched.is_dirty |= watched.view.set_online(user_id, !tracked.holders.is_empty());
    }

    fn untrack(&mut self, room_id: RoomId, user_id: UserId) {
        self.members -= 1;
        if let Some(tracked) = self.users.get_mut(&user_id) {
            tracked.rooms.remove(&room_id);
            if tracked.rooms.is_empty() {
                self.users.remove(&user_id);
            }
        }
    }

    /// A node tells, or this one sees, who came and went there.
    pub fn handle_changes(&mut self, run: Incarnation, changes: &Changes) {
        let came = changes.came.iter().map(|user_id| (*user_id, true));
        let went = changes.went.iter().map(|user_id| (*user_id, false));
        for (user_id, is_here) in came.chain(went) {
            if !self.users.contains_key(&user_id) {
                continue;
            }
            for pending in self.reads.values_mut() {
                if pending.len() < PRESENCE_PENDING_MAX {
                    pending.push((run, user_id, is_here));
                }
            }
            self.set_holder(run, user_id, is_here);
        }
    }

    fn set_holder(&mut self, run: Incarnation, user_id: UserId, is_here: bool) {
        let Some(tracked) = self.users.get_mut(&user_id) else { return };
        if is_here {
            tracked.holders.insert(run)
        } else {
            tracked.holders.remove(&run)
        };
        let is_online = !tracked.holders.is_empty();
        for room_id in &tracked.rooms {
            if let Some(watched) = self.rooms.get_mut(room_id) {
                watched.is_dirty |= watched.view.set_online(user_id, is_online);
            }
        }
    }

    /// Leases are about to be read; names the read.
    pub fn begin_read(&mut self) -> u64 {
        self.last_read += 1;
        self.reads.insert(self.last_read, Pending::new());
        self.last_read
    }

    /// Leases could not be read.
    pub fn abort_read(&mut self, read: u64) {
        self.reads.remove(&read);
    }

    /// Takes what the leases of other nodes say of the users that were asked about. What came
    /// meanwhile is newer. `own` is this node's run, of which it knows better.
    pub fn handle_holders(&mut self, read: u64, asked: &[UserId], holders: &Holders, own: Incarnation) {
        let pending = self.reads.remove(&read).unwrap_or_default();
        let mut held = BTreeMap::<UserId, BTreeSet<Incarnation>>::new();
        for (run, users) in holders.iter().filter(|(run, _)| *run != own) {
            for user_id in users {
                held.entry(*user_id).or_default().insert(*run);
            }
        }
        for user_id in asked {
            let now = held.remove(user_id).unwrap_or_default();
            let Some(before) = self.users.get(user_id).map(|tracked| tracked.holders.clone()) else {
                continue;
            };
            // First those who came, so that one who moved is not gone between.
            for run in now.difference(&before) {
                self.set_holder(*run, *user_id, true);
            }
            for run in before.difference(&now).filter(|run| **run != own) {
                let is_news = pending.iter().any(|(on, user, _)| on == run && user == user_id);
                if !is_news {
                    self.set_holder(*run, *user_id, false);
                }
            }
        }
        for (run, user_id, is_here) in pending {
            self.set_holder(run, user_id, is_here);
        }
    }

    /// Nothing is known of other nodes any more.
    pub fn forget_others(&mut self, own: Incarnation) {
        for user_id in self.tracked() {
            let holders = self.users.get(&user_id).map(|tracked| tracked.holders.clone()).unwrap_or_default();
            for run in holders.into_iter().filter(|run| *run != own) {
                self.set_holder(run, user_id, false);
            }
        }
    }

    /// Rooms with news for their watchers, each once.
    pub fn poll_dirty(&mut self) -> Vec<RoomId> {
        let rooms = self.rooms.iter_mut();
        rooms
            .filter_map(|(room_id, watched)| std::mem::take(&mut watched.is_dirty).then_some(*room_id))
            .collect()
    }

    /// What one who saw a version of a room has yet to see, if there is something and it may.
    pub fn read(&mut self, room_id: RoomId, reader: UserId, seen: Option<u64>) -> Option<Read> {
        let watched = self.rooms.get_mut(&room_id).filter(|watched| watched.loading.is_none())?;
        if !watched.view.may_see(reader) {
            return None;
        }
        watched.view.read(seen).map(|(version, frame)| Read { version, frame })
    }
}
