//! What was asked for and acknowledged has taken effect, or was so already.

use super::log::Log;
use super::room::{Ban, RoomLog};
use super::{Check, hold};
use protocol::client::Operation;
use protocol::{ClientId, ErrorCode, RoomEvent, RoomId, Seq, UserId};

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

impl Log {
    /// An operation that was acknowledged took effect, as far as the log was read.
    ///
    /// # Errors
    /// Where it did not.
    pub fn check_done(&mut self, asked: &Asked, client_id: ClientId, room_id: RoomId) -> Check {
        self.note_ban(asked);
        let shows = self.rooms.get(&room_id).is_some_and(|room| room.shows(asked, client_id));
        let user = asked.user;
        hold!(
            shows,
            AckedIsDurable,
            "user {user} is told that {:?} was done, which it was not",
            asked.operation
        );
        Ok(())
    }

    /// An operation of one who was a member all the while is not refused as that of no member.
    ///
    /// # Errors
    /// Where it was.
    pub fn check_not_done(&self, asked: &Asked, room_id: RoomId, code: ErrorCode) -> Check {
        let Asked { operation, user, head } = asked;
        let was_member = self.rooms.get(&room_id).is_some_and(|room| room.is_member_after(*user, *head));
        hold!(
            code != ErrorCode::NotMember
                || !was_member
                || !self.stayed(*user, room_id, *head, self.head(room_id)),
            Refused,
            "user {user} is refused {operation:?} as no member of room {room_id}, and was one all the while"
        );
        Ok(())
    }

    /// Someone asks for something that may lift a ban.
    pub fn ask(&mut self, asked: &Asked) {
        if let Operation::Unban { room_id, user_id } = asked.operation {
            *self.ban(room_id, user_id) = Ban { since: None, may_be_lifted: true };
        }
    }

    /// It was done, and all that was before it in the log was read.
    fn note_ban(&mut self, asked: &Asked) {
        if let Operation::Ban { room_id, user_id } = asked.operation {
            let head = self.head(room_id);
            let ban = self.ban(room_id, user_id);
            ban.since = (!ban.may_be_lifted).then_some(head);
        }
    }

    fn ban(&mut self, room_id: RoomId, user_id: UserId) -> &mut Ban {
        self.rooms.entry(room_id).or_default().bans.entry(user_id).or_default()
    }
}

type Is<'a> = &'a dyn Fn(&&RoomEvent) -> bool;

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
                self.is_off_since(*head, &is_on, &is_off)
            }
            Operation::PinMessage { message_id, .. } => self.events.iter().any(|event| {
                matches!(event, RoomEvent::MessagePinned(pinned) if pinned.message_id == *message_id)
            }),
            Operation::UnpinMessage { message_id, .. } => {
                let is_on = |event: &&RoomEvent| {
                    matches!(event, RoomEvent::MessagePinned(pinned) if pinned.message_id == *message_id)
                };
                let is_off = |event: &&RoomEvent| {
                    matches!(event, RoomEvent::MessageUnpinned(unpinned) if unpinned.message_id == *message_id)
                        || matches!(event, RoomEvent::MessageDeleted(deleted) if deleted.message_id == *message_id)
                };
                self.is_off_since(*head, &is_on, &is_off)
            }
        }
    }

    /// Whether something is not there, or was put on again since an event.
    fn is_off_since(&self, seq: Seq, is_on: Is<'_>, is_off: Is<'_>) -> bool {
        let last = |is: Is<'_>| self.events.iter().rfind(is).map(RoomEvent::seq);
        last(is_on).is_none_or(|on| on > seq || last(is_off).is_some_and(|off| off > on))
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
