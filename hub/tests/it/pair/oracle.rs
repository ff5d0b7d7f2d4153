//! What must hold, judged at each event that a page gets.

use hub::store::memory::MemoryStore;
use hub::store::{Event, Store};
use protocol::client::Persisted;
use protocol::event::NewMessage;
use protocol::model::Room;
use protocol::view::{ClientEvent, Connection, Delivery, PendingMessage};
use protocol::{ClientId, Epoch, MessageId, RoomEvent, RoomId, Seq, UserId};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A page as it would be: it knows rooms and what comes next in each.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) rooms: BTreeMap<RoomId, PageRoom>,
    /// Where the rooms ended that were left since the last welcome.
    left: BTreeMap<RoomId, Seq>,
    pub(super) connection: Option<Connection>,
    pub(super) pending: BTreeMap<ClientId, PendingMessage>,
    /// What was acknowledged: the event of each send, and the store's incarnation.
    pub(super) acked: BTreeMap<ClientId, (Epoch, RoomId, Seq)>,
    pub(super) events: usize,
    pub(super) resets: usize,
    pub(super) times_offline: usize,
    was_online: bool,
}

#[derive(Debug)]
pub(super) struct PageRoom {
    /// The last event that was given out or skipped.
    pub(super) seq: Seq,
    /// As it was last told; `None` between a reload and the next welcome.
    pub(super) room: Option<Room>,
}

impl Page {
    /// Everything is forgotten but what was kept. A cursor may be older than what was given out, never
    /// newer.
    pub(super) fn reload(&mut self, kept: &Persisted) {
        let before = std::mem::take(&mut self.rooms);
        for (room_id, seq) in &kept.cursors {
            if let Some(room) = before.get(room_id) {
                assert!(*seq <= room.seq, "room {room_id}: kept {seq}, given out {}", room.seq);
            }
            self.rooms.insert(*room_id, PageRoom { seq: *seq, room: None });
        }
        self.pending = kept.outbox.iter().map(|e| (e.message.client_id, e.message.clone())).collect();
        self.connection = None;
        self.was_online = false;
    }

    pub(super) fn handle(&mut self, event: &ClientEvent, user: UserId, log: &Log) {
        match event {
            ClientEvent::Connection { connection } => {
                if matches!(connection, Connection::Offline { .. }) && self.was_online {
                    self.times_offline += 1;
                }
                self.was_online |= matches!(connection, Connection::Online { .. });
                assert!(!matches!(connection, Connection::Ended { .. }), "ended: {connection:?}");
                self.connection = Some(connection.clone());
            }
            ClientEvent::Ready { rooms, .. } => {
                self.left.clear();
                self.rooms.retain(|room_id, _| rooms.iter().any(|room| room.id == *room_id));
                rooms.iter().for_each(|room| self.know(room));
            }
            ClientEvent::RoomChanged { room } => self.know(room),
            ClientEvent::RoomRemoved { room_id } => {
                let room = self.rooms.remove(room_id).unwrap_or_else(|| panic!("removed twice: {room_id}"));
                self.left.insert(*room_id, room.seq);
            }
            ClientEvent::Event { event } => self.take(event, user, log),
            ClientEvent::RoomReset { room_id, head_seq } => {
                self.resets += 1;
                self.rooms.get_mut(room_id).expect("a reset is of a known room").seq = *head_seq;
            }
            ClientEvent::MessagePending { message } => {
                self.pending.insert(message.client_id, message.clone());
            }
            ClientEvent::MessageSent { client_id, room_id, message_id, seq, .. } => {
                assert!(self.pending.remove(client_id).is_some(), "sent twice: {client_id}");
                log.check_sent(user, *client_id, *room_id, *seq, *message_id);
                self.acked.insert(*client_id, (log.epoch, *room_id, *seq));
            }
            ClientEvent::MessageDiscarded { client_id, .. } => {
                assert!(self.pending.remove(client_id).is_some(), "discarded twice: {client_id}");
            }
            ClientEvent::OperationDone { .. }
            | ClientEvent::OperationFailed { .. }
            | ClientEvent::HistoryPage { .. }
            | ClientEvent::MembersPage { .. }
            | ClientEvent::RoomsPage { .. }
            | ClientEvent::RequestFailed { .. }
            | ClientEvent::Typing { .. }
            | ClientEvent::Presence { .. } => {}
        }
    }

    fn know(&mut self, room: &Room) {
        let left = self.left.get(&room.id).filter(|_| !self.rooms.contains_key(&room.id));
        assert!(left.is_none_or(|left| *left <= room.head_seq), "room {} comes back from the past", room.id);
        let known = self.rooms.entry(room.id);
        let known = known.or_insert_with(|| PageRoom { seq: room.head_seq, room: None });
        known.room = Some(room.clone());
    }

    /// The next event: nothing is skipped, doubled or of another room's making.
    fn take(&mut self, event: &RoomEvent, user: UserId, log: &Log) {
        let (room_id, seq) = (event.room_id(), event.seq());
        let room = self.rooms.get_mut(&room_id).expect("an event is of a known room");
        assert_eq!(seq, room.seq.next(), "room {room_id}: not the next event");
        room.seq = seq;
        self.events += 1;
        log.check_event(event, user);
    }

    pub(super) fn failed(&self) -> Option<ClientId> {
        let failed = self.pending.values().find(|m| matches!(m.delivery, Delivery::Failed { .. }));
        failed.map(|message| message.client_id)
    }
}

/// The events of each room, by incarnation. Their text may have been deleted since.
pub(super) type ReadLogs = RefCell<BTreeMap<(Epoch, RoomId), Vec<RoomEvent>>>;

/// The store's log, read by the oracle.
pub(super) struct Log<'a> {
    pub(super) store: &'a MemoryStore,
    pub(super) epoch: Epoch,
    /// What was read of it before.
    pub(super) read: &'a ReadLogs,
}

impl Log<'_> {
    /// Lets `look` see all events of a room.
    fn look<T>(&self, room_id: RoomId, look: impl FnOnce(&[RoomEvent]) -> T) -> T {
        let mut logs = self.read.borrow_mut();
        let log = logs.entry((self.epoch, room_id)).or_default();
        let after = log.last().map_or(Seq(0), RoomEvent::seq);
        let events = super::world::now(self.store.events(room_id, after, u32::MAX));
        log.extend(
            events
                .iter()
                .map(|event: &Event| serde_json::from_str::<RoomEvent>(&event.json).expect("it is an event")),
        );
        look(log)
    }

    pub(super) fn events(&self, room_id: RoomId) -> Vec<RoomEvent> {
        self.look(room_id, <[RoomEvent]>::to_vec)
    }

    fn event(&self, room_id: RoomId, seq: Seq) -> RoomEvent {
        let at = usize::try_from(seq.0 - 1).expect("it is small");
        let event = self.look(room_id, |events| events.get(at).cloned());
        event.unwrap_or_else(|| panic!("room {room_id} has no event {seq}"))
    }

    /// Whether messages of the room were edited or deleted.
    pub(super) fn changes_text(&self, room_id: RoomId) -> bool {
        self.look(room_id, |events| {
            events.iter().any(|e| matches!(e, RoomEvent::MessageEdited(_) | RoomEvent::MessageDeleted(_)))
        })
    }

    /// The event is the log's, but for text that was deleted since; the user was a member.
    fn check_event(&self, event: &RoomEvent, user: UserId) {
        let logged = self.event(event.room_id(), event.seq());
        assert_eq!(without_text(event), without_text(&logged));
        assert!(self.is_member_at(user, event.room_id(), event.seq()), "user {user} is no member: {event:?}");
    }

    /// Whether the user may hear this event: from joining to leaving, both included.
    fn is_member_at(&self, user: UserId, room_id: RoomId, seq: Seq) -> bool {
        let is = |events: &[RoomEvent]| {
            let mut member = false;
            for event in events.iter().take_while(|event| event.seq() <= seq) {
                match event {
                    RoomEvent::RoomCreated(created) if created.user_id == user => member = true,
                    RoomEvent::MemberJoined(joined) if joined.user_id == user => member = true,
                    RoomEvent::MemberLeft(left) if left.user_id == user => member = left.seq == seq,
                    RoomEvent::NewMessage(_)
                    | RoomEvent::MessageEdited(_)
                    | RoomEvent::MessageDeleted(_)
                    | RoomEvent::ReactionAdded(_)
                    | RoomEvent::ReactionRemoved(_)
                    | RoomEvent::MessagePinned(_)
                    | RoomEvent::MessageUnpinned(_)
                    | RoomEvent::RoomCreated(_)
                    | RoomEvent::RoomUpdated(_)
                    | RoomEvent::MemberJoined(_)
                    | RoomEvent::MemberLeft(_)
                    | RoomEvent::RoleChanged(_) => {}
                }
            }
            member
        };
        self.look(room_id, is)
    }

    fn check_sent(
        &self,
        user: UserId,
        client_id: ClientId,
        room_id: RoomId,
        seq: Seq,
        message_id: MessageId,
    ) {
        let RoomEvent::NewMessage(message) = self.event(room_id, seq) else {
            panic!("{client_id} became something else");
        };
        assert_eq!(
            (message.client_id, message.user_id, message.message_id),
            (Some(client_id), user, message_id)
        );
    }

    /// The messages of a room with the names of their sends.
    pub(super) fn messages(&self, room_id: RoomId) -> Vec<NewMessage> {
        let events = self.events(room_id).into_iter();
        events.filter_map(|event| if let RoomEvent::NewMessage(m) = event { Some(m) } else { None }).collect()
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
