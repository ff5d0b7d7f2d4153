//! The store's log as the oracle reads it: every event once, judged when it is first seen.

use super::room::RoomLog;
use super::said::{Sayings, shorten};
use super::{Check, hold};
use crate::history::Name;
use fakes::version::LATER;
use futures_util::FutureExt;
use hub::store::Store;
use protocol::model::{Anchor, MessagePage};
use protocol::{ClientId, ErrorCode, MessageId, RoomEvent, RoomId, Seq, UserId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The log, and what was said.
#[derive(Debug)]
pub struct Log {
    store: Arc<dyn Store>,
    pub(super) rooms: BTreeMap<RoomId, RoomLog>,
    /// Who said what.
    said: Sayings,
}

/// An event that the oracle saw for the first time.
#[derive(Debug)]
pub struct Seen {
    /// The message that it is about, if it is one of ours.
    pub name: Option<Name>,
    /// The room.
    pub room: RoomId,
    /// Its place.
    pub seq: Seq,
    /// Its kind.
    pub kind: &'static str,
}

impl Log {
    /// The log of a store, for what is said.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, said: Sayings) -> Self {
        Self { store, rooms: BTreeMap::new(), said }
    }

    /// A user said something in a room.
    pub fn say(&mut self, client_id: ClientId, name: Name, user: UserId, room: RoomId, text: String) {
        let head = self.head(room);
        self.said.say(client_id, name, user, room, text, head);
    }

    /// Whether what was said is in the store.
    #[must_use]
    pub fn is_stored(&self, client_id: ClientId) -> bool {
        self.said.is_stored(client_id)
    }

    /// A user is told that what was said is refused for good. Only one who may not say anything is: who was a
    /// member all the while is refused nothing.
    ///
    /// # Errors
    /// Where there was no reason.
    pub fn check_refused(
        &mut self,
        user: UserId,
        client_id: ClientId,
        room_id: RoomId,
        code: ErrorCode,
    ) -> Check {
        let Some(from) = self.said.refuse(client_id) else { return Ok(()) };
        hold!(code == ErrorCode::NotMember, Refused, "user {user} is refused {client_id} as {code:?}");
        let was_member = self.rooms.get(&room_id).is_some_and(|room| room.is_member_after(user, from));
        hold!(
            !was_member || !self.stayed(user, room_id, from, self.head(room_id)),
            Refused,
            "user {user} is refused {client_id} as no member of room {room_id}, and was one from event {from} on"
        );
        Ok(())
    }

    /// The newest event that was read of a room.
    #[must_use]
    pub fn head(&self, room_id: RoomId) -> Seq {
        self.rooms.get(&room_id).and_then(|room| room.events.last()).map_or(Seq(0), RoomEvent::seq)
    }

    /// Reads what is new of a room.
    ///
    /// # Errors
    /// What does not hold of it.
    pub fn look(&mut self, room_id: RoomId) -> Result<Vec<Seen>, (super::Invariant, String)> {
        let after = self.rooms.get(&room_id).map_or(Seq(0), |room| Seq(room.events.len() as u64));
        let read = self.store.events(room_id, after, u32::MAX).now_or_never();
        let events = read.and_then(Result::ok).expect("the truth answers at once");
        let mut seen = Vec::new();
        for event in events {
            let event: RoomEvent = serde_json::from_str(&event.json).map_err(|error| {
                (super::Invariant::Readable, format!("room {room_id}: an event cannot be read: {error}"))
            })?;
            let name = self.take(room_id, &event)?;
            seen.push(Seen { name, room: room_id, seq: event.seq(), kind: event.kind() });
            self.rooms.entry(room_id).or_default().events.push(event);
        }
        Ok(seen)
    }

    /// What was seen of the log is there still, all of it, in the same places.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_lasts(&self) -> Check {
        for (room_id, room) in &self.rooms {
            let read = self.store.events(*room_id, Seq(0), u32::MAX).now_or_never();
            let events = read.and_then(Result::ok).expect("the truth answers at once");
            let same = |(logged, event): (&RoomEvent, &hub::store::Event)| {
                serde_json::from_str(&event.json)
                    .is_ok_and(|event: RoomEvent| without_text(&event) == without_text(logged))
            };
            let lasting = room.events.iter().zip(&events).take_while(|pair| same(*pair)).count();
            hold!(
                lasting == room.events.len(),
                AckedIsDurable,
                "room {room_id}: event {} was in the log and is not any more",
                lasting + 1
            );
            for event in &events {
                room.check_scrubbed(*room_id, &event.json)?;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        room_id: RoomId,
        event: &RoomEvent,
    ) -> Result<Option<Name>, (super::Invariant, String)> {
        let room = self.rooms.entry(room_id).or_default();
        let (seq, expected) = (event.seq(), room.events.len() as u64 + 1);
        hold!(
            seq.0 == expected && event.room_id() == room_id,
            DenseLog,
            "room {room_id} has event {seq} where {expected} belongs"
        );
        room.roles.check(event)?;
        match event {
            RoomEvent::NewMessage(message) => {
                room.numbers.insert(message.message_id, room.messages.len());
                let number = room.messages.len() as u64 + 1;
                hold!(
                    message.message_no.0 == number,
                    DenseLog,
                    "room {room_id}: message {number} is {}",
                    message.message_no
                );
                hold!(
                    room.is_member_at(message.user_id, seq),
                    RoomsApart,
                    "room {room_id}: event {seq} is a message of user {}, who was no member",
                    message.user_id
                );
                let text = if message.deleted { String::new() } else { message.content.clone() };
                room.messages.push((message.message_id, seq, vec![(seq, text)]));
                let name = self.said.check_stored(
                    room_id,
                    message.client_id,
                    message.user_id,
                    &message.content,
                    message.deleted,
                )?;
                return Ok(name);
            }
            RoomEvent::MessageEdited(edited) => {
                let at = room.numbers.get(&edited.message_id).copied();
                let message = at.and_then(|at| room.messages.get_mut(at));
                hold!(message.is_some(), OneOrder, "room {room_id}: event {seq} edits an unknown message");
                if let Some((.., texts)) = message {
                    texts.push((seq, edited.content.clone()));
                }
                if !edited.content.is_empty() {
                    self.said.check_text(room_id, edited.user_id, &edited.content)?;
                }
            }
            RoomEvent::MessageDeleted(deleted) => {
                if let Some(at) = room.numbers.get(&deleted.message_id) {
                    room.messages[*at].2.push((seq, String::new()));
                }
            }
            RoomEvent::RoomCreated(created) => room.join(created.user_id, seq),
            RoomEvent::MemberJoined(joined) => {
                room.check_ban(room_id, joined.user_id, seq)?;
                room.join(joined.user_id, seq);
            }
            RoomEvent::MemberLeft(left) => room.leave(left.user_id, seq),
            RoomEvent::ReactionAdded(_)
            | RoomEvent::ReactionRemoved(_)
            | RoomEvent::MessagePinned(_)
            | RoomEvent::MessageUnpinned(_)
            | RoomEvent::RoomUpdated(_)
            | RoomEvent::RoleChanged(_) => {}
        }
        Ok(None)
    }

    /// An event that a user got is the log's, and the user was a member.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_event(
        &mut self,
        event: &RoomEvent,
        user: UserId,
    ) -> Result<Vec<Seen>, (super::Invariant, String)> {
        let (room_id, seq) = (event.room_id(), event.seq());
        // A text that is gone was taken away by something that may not have been seen yet.
        let is_new =
            self.event(room_id, seq).is_none() || text_of(event).is_some_and(|(_, text)| text.is_empty());
        let seen = if is_new { self.look(room_id)? } else { Vec::new() };
        let Some(logged) = self.event(room_id, seq) else {
            return Err((
                super::Invariant::OneOrder,
                format!("room {room_id}: event {seq} is delivered and not in the store"),
            ));
        };
        hold!(
            without_text(event) == without_text(logged),
            OneOrder,
            "room {room_id}: event {seq} is {event:?} where the store has {logged:?}"
        );
        self.check_content(event)?;
        hold!(
            self.is_member_at(user, room_id, seq),
            RoomsApart,
            "user {user} gets event {seq} of room {room_id} and was no member then"
        );
        Ok(seen)
    }

    /// The text that came is the one that was stored; it is gone if the message was deleted.
    fn check_content(&self, event: &RoomEvent) -> Check {
        let Some((id, content)) = text_of(event) else { return Ok(()) };
        let (room_id, seq) = (event.room_id(), event.seq());
        let room = self.rooms.get(&room_id);
        let message = room.and_then(|room| room.messages.get(*room.numbers.get(&id)?));
        let texts = message.map_or(&[][..], |(.., texts)| texts);
        let is_deleted = texts.last().is_some_and(|(_, text)| text.is_empty());
        // Of one that was deleted before the oracle saw it, only who said it knows the text.
        let said = if let RoomEvent::NewMessage(new) = event { new.client_id } else { None };
        let was_said = said.is_none_or(|client_id| self.said.may_be_text(client_id, content));
        let is_stored = texts.iter().any(|(at, text)| *at == seq && (text == content || text.is_empty()));
        hold!(
            if content.is_empty() { is_deleted } else { is_stored && was_said },
            NothingInvented,
            "room {room_id}: event {seq} comes with another text: {:?}",
            shorten(content)
        );
        Ok(())
    }

    /// An event, if it was seen.
    #[must_use]
    pub fn event(&self, room_id: RoomId, seq: Seq) -> Option<&RoomEvent> {
        let at = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        self.rooms.get(&room_id)?.events.get(at)
    }

    /// The last of the events right after this one that are of a type which the earlier version does not know.
    #[must_use]
    pub fn past_unknown(&self, room_id: RoomId, mut seq: Seq) -> Seq {
        let is_unknown = |event: &RoomEvent| event.kind() == LATER;
        while self.event(room_id, seq.next()).is_some_and(is_unknown) {
            seq = seq.next();
        }
        seq
    }

    /// The rooms that were seen.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> + '_ {
        self.rooms.keys().copied()
    }

    /// How many events were seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rooms.values().map(|room| room.events.len()).sum()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages of a room were seen.
    #[must_use]
    pub fn messages(&self, room_id: RoomId) -> u64 {
        self.rooms.get(&room_id).map_or(0, |room| room.messages.len() as u64)
    }

    /// Whether texts of the room were changed or deleted.
    #[must_use]
    pub fn changes_text(&self, room_id: RoomId) -> bool {
        self.rooms.get(&room_id).is_some_and(|room| room.messages.iter().any(|(.., texts)| texts.len() > 1))
    }

    /// The newest message of a room, of this user or of anyone, that is not deleted.
    #[must_use]
    pub fn newest(&self, room_id: RoomId, of: Option<UserId>) -> Option<MessageId> {
        let room = self.rooms.get(&room_id)?;
        let mut messages = room.messages.iter().rev();
        let newest = messages.find(|(_, seq, texts)| {
            let RoomEvent::NewMessage(message) = &room.events[usize::try_from(seq.0 - 1).unwrap_or(0)] else {
                return false;
            };
            of.is_none_or(|of| of == message.user_id)
                && texts.last().is_some_and(|(_, text)| !text.is_empty())
        });
        newest.map(|(id, ..)| *id)
    }

    /// Whether a user who had this event and was away until the other one was a member all the while.
    #[must_use]
    pub fn stayed(&self, user: UserId, room_id: RoomId, from: Seq, to: Seq) -> bool {
        let stays = self.rooms.get(&room_id).and_then(|room| room.members.get(&user));
        let covers =
            |(begin, end): &(Seq, Option<Seq>)| *begin <= from.next() && end.is_none_or(|end| to < end);
        stays.is_some_and(|stays| stays.iter().any(covers))
    }

    /// Whether a user was a member at this event and has not ceased to be one since, as far as the log was read.
    #[must_use]
    pub fn stays_on(&self, user: UserId, room_id: RoomId, seq: Seq) -> bool {
        let stays = self.rooms.get(&room_id).and_then(|room| room.members.get(&user));
        stays.is_some_and(|stays| stays.iter().any(|(begin, end)| *begin <= seq && end.is_none()))
    }

    /// The event that last made someone a member.
    #[must_use]
    pub fn joined(&self, user: UserId, room_id: RoomId) -> Option<Seq> {
        Some(self.rooms.get(&room_id)?.members.get(&user)?.last()?.0)
    }

    /// Whether a user may get this event: from joining to leaving, both included.
    #[must_use]
    pub fn is_member_at(&self, user: UserId, room_id: RoomId, seq: Seq) -> bool {
        self.rooms.get(&room_id).is_some_and(|room| room.is_member_at(user, seq))
    }

    /// What was acknowledged is the log's.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_acked(
        &mut self,
        user: UserId,
        client_id: ClientId,
        room_id: RoomId,
        seq: Seq,
        message_id: MessageId,
    ) -> Result<Vec<Seen>, (super::Invariant, String)> {
        let seen = if self.event(room_id, seq).is_none() { self.look(room_id)? } else { Vec::new() };
        let Some(RoomEvent::NewMessage(message)) = self.event(room_id, seq) else {
            return Err((
                super::Invariant::AckedIsDurable,
                format!(
                    "room {room_id}: {client_id} is acknowledged as event {seq}, which is no such message"
                ),
            ));
        };
        hold!(
            (message.client_id, message.user_id, message.message_id) == (Some(client_id), user, message_id),
            AckedIsDurable,
            "room {room_id}: {client_id} is acknowledged as event {seq}, which is another one's"
        );
        Ok(seen)
    }

    /// A page is what the log says, as of the event that it names, and what was asked for.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_page(
        &mut self,
        user: UserId,
        room_id: RoomId,
        (anchor, limit): (Anchor, u32),
        page: &MessagePage,
    ) -> Result<Vec<Seen>, (super::Invariant, String)> {
        let seen = self.look(room_id)?;
        let room = self.rooms.entry(room_id).or_default();
        let total = room.messages.partition_point(|(_, seq, _)| *seq <= page.as_of_seq) as u64;
        let limit = u64::from(limit);
        // So many messages lie before where the page is split, and so many of each side it shows.
        let (before, shown_before, shown_after) = match anchor {
            Anchor::Latest => (total, limit, 0),
            Anchor::Before(no) => (no.0.saturating_sub(1), limit, 0),
            Anchor::After(no) => (no.0, 0, limit),
            Anchor::Around(no) => (no.0.saturating_sub(1), limit / 2, limit - limit / 2),
        };
        let before = before.min(total);
        let (first, last) =
            (before - before.min(shown_before) + 1, before + (total - before).min(shown_after));
        let numbers: Vec<u64> = page.messages.iter().map(|message| message.message_no.0).collect();
        hold!(
            numbers.iter().copied().eq(first..=last)
                && (page.more_before, page.more_after) == (first > 1, last < total),
            HistoryIsLog,
            "room {room_id}: a page of at most {limit} from {anchor:?} of {total} messages has {numbers:?} where \
             {first} to {last} belong, and says there is {}before and {}after",
            if page.more_before { "more " } else { "nothing " },
            if page.more_after { "more " } else { "nothing " }
        );
        for message in &page.messages {
            room.check_message(room_id, message, page.as_of_seq)?;
        }
        hold!(
            room.is_member_after(user, page.as_of_seq),
            RoomsApart,
            "user {user} reads the history of room {room_id} as of {}, and was no member",
            page.as_of_seq
        );
        Ok(seen)
    }
}

/// The message that an event gives a text, and the text.
pub(super) const fn text_of(event: &RoomEvent) -> Option<(MessageId, &String)> {
    if let RoomEvent::NewMessage(new) = event {
        Some((new.message_id, &new.content))
    } else if let RoomEvent::MessageEdited(edited) = event {
        Some((edited.message_id, &edited.content))
    } else {
        None
    }
}

/// An event without what a deletion takes away.
fn without_text(event: &RoomEvent) -> RoomEvent {
    let mut event = event.clone();
    if let RoomEvent::NewMessage(message) = &mut event {
        message.content.clear();
        message.mentions.clear();
        message.deleted = false;
    } else if let RoomEvent::MessageEdited(edited) = &mut event {
        edited.content.clear();
        edited.mentions.clear();
    }
    event
}
