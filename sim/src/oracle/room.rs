//! One room of the log, as the oracle read it.

use super::log::text_of;
use super::roles::Roles;
use super::said::shorten;
use super::{Check, hold};
use protocol::model::Message;
use protocol::{MessageId, RoomEvent, RoomId, Seq, UserId};
use std::collections::BTreeMap;

/// A message's texts with the events that set them; an empty one is that of a deletion.
pub(super) type Texts = Vec<(Seq, String)>;

/// What is known of a room from its log.
#[derive(Debug, Default)]
pub(super) struct RoomLog {
    pub(super) events: Vec<RoomEvent>,
    /// The event that made someone a member, and the one that ended it.
    pub(super) members: BTreeMap<UserId, Vec<(Seq, Option<Seq>)>>,
    /// By number: the message's id, its event, and its texts.
    pub(super) messages: Vec<(MessageId, Seq, Texts)>,
    pub(super) numbers: BTreeMap<MessageId, usize>,
    pub(super) roles: Roles,
    pub(super) bans: BTreeMap<UserId, Ban>,
}

/// Whether a user is kept out of a room, as far as it is known: bans are not in the log.
#[derive(Debug, Default)]
pub(super) struct Ban {
    /// The room's newest event when a ban was acknowledged: none after it lets the user in.
    pub(super) since: Option<Seq>,
    /// It was asked to lift it. That leaves no event by which a copy that comes later is known, so that from then on
    /// it may happen at any time.
    pub(super) may_be_lifted: bool,
}

impl RoomLog {
    pub(super) fn is_member_at(&self, user: UserId, seq: Seq) -> bool {
        let covers = |(from, to): &(Seq, Option<Seq>)| *from <= seq && to.is_none_or(|to| seq <= to);
        self.members.get(&user).is_some_and(|stays| stays.iter().any(covers))
    }

    /// Whether a user was a member when this event had happened and nothing after it.
    pub(super) fn is_member_after(&self, user: UserId, seq: Seq) -> bool {
        let covers = |(from, to): &(Seq, Option<Seq>)| *from <= seq && to.is_none_or(|to| seq < to);
        self.members.get(&user).is_some_and(|stays| stays.iter().any(covers))
    }

    /// Nobody is let in who is banned.
    pub(super) fn check_ban(&self, room_id: RoomId, user: UserId, seq: Seq) -> Check {
        let since = self.bans.get(&user).and_then(|ban| ban.since);
        hold!(
            since.is_none(),
            Allowed,
            "room {room_id}: event {seq} lets user {user} in, who is banned since event {}",
            since.unwrap_or_default()
        );
        Ok(())
    }

    pub(super) fn join(&mut self, user: UserId, seq: Seq) {
        self.members.entry(user).or_default().push((seq, None));
    }

    pub(super) fn leave(&mut self, user: UserId, seq: Seq) {
        if let Some((_, to)) = self.members.entry(user).or_default().last_mut() {
            *to = Some(seq);
        }
    }

    /// What was deleted is nowhere in the log any more.
    pub(super) fn check_scrubbed(&self, room_id: RoomId, json: &str) -> Check {
        let Ok(event) = serde_json::from_str::<RoomEvent>(json) else { return Ok(()) };
        let Some((id, text)) = text_of(&event) else { return Ok(()) };
        let message = self.numbers.get(&id).and_then(|at| self.messages.get(*at));
        let is_deleted =
            message.is_some_and(|(.., texts)| texts.last().is_some_and(|(_, text)| text.is_empty()));
        hold!(
            !is_deleted || text.is_empty(),
            Deleted,
            "room {room_id}: event {} keeps a deleted text",
            event.seq()
        );
        Ok(())
    }

    pub(super) fn check_message(&self, room_id: RoomId, message: &Message, as_of: Seq) -> Check {
        let at = usize::try_from(message.message_no.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some((id, seq, texts)) = self.messages.get(at) else {
            return Err((
                super::Invariant::HistoryIsLog,
                format!("room {room_id} has no message {}", message.message_no),
            ));
        };
        hold!(
            (*id, *seq) == (message.message_id, message.seq),
            HistoryIsLog,
            "room {room_id}: message {} of a page is another one",
            message.message_no
        );
        let then = texts.iter().rfind(|(at, _)| *at <= as_of).map(|(_, text)| text.as_str());
        let deleted_at = texts.last().filter(|(_, text)| text.is_empty()).map(|(at, _)| *at);
        let is_later = deleted_at.is_some_and(|at| at > as_of);
        // What was deleted before its text was seen had a text that only who said it knows; and a page may be
        // read after what it says that it is as of.
        let is_unknown = is_later && (then == Some("") || message.content.is_empty());
        hold!(
            then == Some(message.content.as_str()) || is_unknown,
            HistoryIsLog,
            "room {room_id}: message {} of a page has the text {:?}, which it did not have then",
            message.message_no,
            shorten(&message.content)
        );
        Ok(())
    }
}
