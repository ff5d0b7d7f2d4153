//! One watched room: who of its members is online, and what changed lately, so that each connection
//! gets what is new since it last looked, however long ago that was. Pure.

use crate::limits::bounds::PRESENCE_CHANGES_MAX;
use bytes::Bytes;
use protocol::frame::server::{Presence, PresenceChanged, ServerMessage};
use protocol::limits::PRESENCE_MEMBERS_MAX;
use protocol::{RoomId, UserId};
use std::collections::{BTreeSet, VecDeque};

/// A room as its watchers see it.
#[derive(Debug)]
pub(super) struct View {
    room_id: RoomId,
    pub(super) members: BTreeSet<UserId>,
    /// There are more members than [`PRESENCE_MEMBERS_MAX`].
    pub(super) more: bool,
    online: BTreeSet<UserId>,
    /// Counts changes.
    version: u64,
    /// The last changes, as many as the version went up by.
    changes: VecDeque<UserId>,
    /// The frame that was made last, for those at the same place: from, to, text.
    made: Option<(Option<u64>, u64, Bytes)>,
}

impl View {
    pub(super) const fn new(room_id: RoomId) -> Self {
        Self {
            room_id,
            members: BTreeSet::new(),
            more: false,
            online: BTreeSet::new(),
            version: 0,
            changes: VecDeque::new(),
            made: None,
        }
    }

    /// Takes in a member, if there is room for one more; whether it is new.
    pub(super) fn admit(&mut self, user_id: UserId) -> bool {
        if self.members.len() >= PRESENCE_MEMBERS_MAX && !self.members.contains(&user_id) {
            self.more = true;
            return false;
        }
        self.members.insert(user_id)
    }

    /// Says whether a member is online; whether that is news.
    pub(super) fn set_online(&mut self, user_id: UserId, is_online: bool) -> bool {
        let is_news = if is_online && self.members.contains(&user_id) {
            self.online.insert(user_id)
        } else {
            self.online.remove(&user_id)
        };
        if is_news {
            self.version += 1;
            self.changes.push_back(user_id);
            if self.changes.len() > PRESENCE_CHANGES_MAX {
                self.changes.pop_front();
            }
        }
        is_news
    }

    /// Whether a user may see it: members only, as far as they are known.
    pub(super) fn may_see(&self, reader: UserId) -> bool {
        self.more || self.members.contains(&reader)
    }

    /// The frame that brings one who saw a version up to date, and the version that is then seen;
    /// none if there is nothing new.
    pub(super) fn read(&mut self, seen: Option<u64>) -> Option<(u64, Bytes)> {
        if seen == Some(self.version) {
            return None;
        }
        if let Some((from, to, frame)) = &self.made
            && *from == seen
            && *to == self.version
        {
            return Some((self.version, frame.clone()));
        }
        let frame = Bytes::from(protocol::encode(&self.frame(seen)));
        self.made = Some((seen, self.version, frame.clone()));
        Some((self.version, frame))
    }

    fn frame(&self, seen: Option<u64>) -> ServerMessage {
        let behind = seen.and_then(|seen| usize::try_from(self.version - seen).ok());
        let room_id = self.room_id;
        match behind.and_then(|behind| self.changes.len().checked_sub(behind)) {
            Some(first) => {
                let changed: BTreeSet<_> = self.changes.range(first..).copied().collect();
                let (online, offline) = changed.into_iter().partition(|user| self.online.contains(user));
                ServerMessage::PresenceChanged(PresenceChanged { room_id, online, offline })
            }
            None => {
                let online = self.online.iter().copied().collect();
                ServerMessage::Presence(Presence { room_id, online, more: self.more })
            }
        }
    }
}
