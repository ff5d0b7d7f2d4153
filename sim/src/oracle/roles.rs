//! Who may do what in a room, as the README promises it: held against every event of the log, and known from
//! events alone. The node's own rules are not asked.

use super::{Check, hold};
use protocol::event::{LeaveReason, MemberJoined, MemberLeft};
use protocol::model::{Role, RoomKind};
use protocol::{MessageId, RoomEvent, UserId};
use std::collections::BTreeMap;

/// One room's members and what they are there.
#[derive(Debug, Default)]
pub(super) struct Roles {
    roles: BTreeMap<UserId, Role>,
    writers: BTreeMap<MessageId, UserId>,
    is_private: bool,
}

impl Roles {
    /// The next event of the room was allowed to the one who brought it about.
    pub(super) fn check(&mut self, event: &RoomEvent) -> Check {
        let (room_id, seq) = (event.room_id(), event.seq());
        let allowed = self.allows(event);
        hold!(
            allowed,
            Allowed,
            "room {room_id}: event {seq} was not allowed: {event:?} among {:?}",
            self.roles
        );
        match event {
            RoomEvent::RoomCreated(created) => {
                self.is_private = created.kind == RoomKind::Private;
                self.roles.insert(created.user_id, Role::Owner);
            }
            RoomEvent::NewMessage(message) => {
                self.writers.insert(message.message_id, message.user_id);
            }
            RoomEvent::MemberJoined(joined) => {
                self.roles.insert(joined.user_id, joined.role);
            }
            RoomEvent::MemberLeft(left) => {
                self.roles.remove(&left.user_id);
            }
            RoomEvent::RoleChanged(changed) => {
                self.roles.insert(changed.user_id, changed.role);
            }
            RoomEvent::MessageEdited(_)
            | RoomEvent::MessageDeleted(_)
            | RoomEvent::ReactionAdded(_)
            | RoomEvent::ReactionRemoved(_)
            | RoomEvent::MessagePinned(_)
            | RoomEvent::MessageUnpinned(_)
            | RoomEvent::RoomUpdated(_) => {}
        }
        Ok(())
    }

    fn allows(&self, event: &RoomEvent) -> bool {
        let leads = |user: UserId| self.roles.get(&user).is_some_and(|role| *role >= Role::Admin);
        let is_member = |user: UserId| self.roles.contains_key(&user);
        match event {
            RoomEvent::RoomCreated(created) => self.roles.is_empty() && created.seq.0 == 1,
            RoomEvent::NewMessage(message) => is_member(message.user_id),
            RoomEvent::MessageEdited(edited) => {
                is_member(edited.user_id) && self.writers.get(&edited.message_id) == Some(&edited.user_id)
            }
            RoomEvent::MessageDeleted(deleted) => {
                let writer = self.writers.get(&deleted.message_id).copied();
                let is_own = writer == Some(deleted.actor_id) && is_member(deleted.actor_id);
                writer == Some(deleted.user_id) && (is_own || leads(deleted.actor_id))
            }
            RoomEvent::ReactionAdded(reaction) => is_member(reaction.user_id),
            RoomEvent::ReactionRemoved(reaction) => is_member(reaction.user_id),
            RoomEvent::MessagePinned(pinned) => leads(pinned.actor_id),
            RoomEvent::MessageUnpinned(unpinned) => leads(unpinned.actor_id),
            RoomEvent::RoomUpdated(updated) => leads(updated.actor_id),
            RoomEvent::MemberJoined(joined) => self.allows_joining(joined),
            RoomEvent::MemberLeft(left) => self.allows_leaving(left),
            // Who gives the room away is its owner until the event after that.
            RoomEvent::RoleChanged(changed) => {
                is_member(changed.user_id) && self.roles.get(&changed.actor_id) == Some(&Role::Owner)
            }
        }
    }

    /// By oneself into a public room, by a member otherwise; into a private one by an admin.
    fn allows_joining(&self, joined: &MemberJoined) -> bool {
        let role = if self.roles.is_empty() { Role::Owner } else { Role::Member };
        let by = self.roles.get(&joined.actor_id);
        let is_let_in = match by {
            None => joined.actor_id == joined.user_id && !self.is_private,
            Some(role) => !self.is_private || *role >= Role::Admin,
        };
        is_let_in && joined.role == role && !self.roles.contains_key(&joined.user_id)
    }

    /// By oneself, unless a room would be without its owner; by an admin, of those below.
    fn allows_leaving(&self, left: &MemberLeft) -> bool {
        let (Some(theirs), Some(by)) = (self.roles.get(&left.user_id), self.roles.get(&left.actor_id)) else {
            return false;
        };
        match left.reason {
            LeaveReason::Left => {
                left.user_id == left.actor_id && (*theirs != Role::Owner || self.roles.len() == 1)
            }
            LeaveReason::Kicked | LeaveReason::Banned => *by >= Role::Admin && theirs < by,
        }
    }
}
