//! What was asked for and acknowledged has taken effect, or was so already.

use super::room::RoomLog;
use protocol::client::Operation;
use protocol::{ClientId, RoomEvent, Seq, UserId};

/// An operation other than a send, which a client was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What.
    pub operation: Operation,
    /// By whom.
    pub user: UserId,
    /// The newest event of its room then.
    pub head: Seq,
}

impl RoomLog {
    /// Whether the room's log has what was asked for under this name.
    pub(super) fn shows(&self, asked: &Asked, client_id: ClientId) -> bool {
        let Asked { operation, user, head } = asked;
        match operation {
            Operation::JoinRoom { .. } => self.was_member_since(*user, *head),
            Operation::LeaveRoom { .. } => self.was_away_since(*user, *head),
            // By the name of a plan's user, whom events name.
            Operation::Invite { username, .. } => self.events.iter().any(|event| {
                let named = if let RoomEvent::MemberJoined(joined) = event {
                    Some((joined.user_id, &joined.username))
                } else if let RoomEvent::RoomCreated(created) = event {
                    Some((created.user_id, &created.username))
                } else {
                    None
                };
                named.is_some_and(|(user, name)| name == username && self.was_member_since(user, *head))
            }),
            Operation::Kick { user_id, .. } | Operation::Ban { user_id, .. } => {
                self.was_away_since(*user_id, *head)
            }
            // That nobody is kept out is not in the log.
            Operation::Unban { .. } => true,
            Operation::CreateRoom { .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::RoomCreated(created)
                    if created.client_id == Some(client_id) && created.user_id == *user)
            }),
            Operation::UpdateRoom { topic, .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::RoomUpdated(updated)
                    if updated.actor_id == *user && topic.as_ref().is_none_or(|topic| updated.topic == *topic))
            }),
            Operation::SetRole { user_id, role, .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::RoleChanged(changed)
                    if changed.user_id == *user_id && changed.role == *role)
            }),
            Operation::EditMessage { message_id, content, .. } => self.events.iter().any(|event| {
                // Of one that was deleted since, the text is gone.
                matches!(event, RoomEvent::MessageEdited(edited)
                    if edited.message_id == *message_id
                        && (edited.content == *content || edited.content.is_empty()))
            }),
            Operation::DeleteMessage { message_id, .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::MessageDeleted(deleted) if deleted.message_id == *message_id)
            }),
            Operation::AddReaction { message_id, emoji, .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::ReactionAdded(added)
                    if (added.message_id, added.user_id, &added.emoji) == (*message_id, *user, emoji))
            }),
            Operation::RemoveReaction { message_id, emoji, .. } => {
                let is_on = |event: &&RoomEvent| {
                    matches!(event, RoomEvent::ReactionAdded(added)
                        if (added.message_id, added.user_id, &added.emoji) == (*message_id, *user, emoji))
                };
                let is_off = |event: &&RoomEvent| {
                    if let RoomEvent::ReactionRemoved(off) = event {
                        (off.message_id, off.user_id, &off.emoji) == (*message_id, *user, emoji)
                    } else {
                        matches!(event, RoomEvent::MessageDeleted(deleted) if deleted.message_id == *message_id)
                    }
                };
                let last = |is: &dyn Fn(&&RoomEvent) -> bool| self.events.iter().rfind(is).map(RoomEvent::seq);
                // It was put on again since, or it is not there.
                last(&is_on).is_none_or(|on| on > *head || last(&is_off).is_some_and(|off| off > on))
            }
            Operation::PinMessage { message_id, .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::MessagePinned(pinned) if pinned.message_id == *message_id)
            }),
            Operation::UnpinMessage { .. } => true,
        }
    }

    /// Whether a user was a member at some time since an event.
    fn was_member_since(&self, user: UserId, seq: Seq) -> bool {
        let reaches = |(_, to): &(Seq, Option<Seq>)| to.is_none_or(|to| to > seq);
        self.members.get(&user).is_some_and(|stays| stays.iter().any(reaches))
    }

    /// Whether a user was no member at some time since an event.
    fn was_away_since(&self, user: UserId, seq: Seq) -> bool {
        let covers = |(from, to): &(Seq, Option<Seq>)| *from <= seq && to.is_none();
        !self.members.get(&user).is_some_and(|stays| stays.iter().any(covers))
    }
}
