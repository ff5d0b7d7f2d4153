//! Watches what a client does, knowing nothing of how it does it.

use super::node::Nodes;
use super::{Counts, config};
use protocol::client::{ConnId, Now, Output, Persist, Persisted, Refused};
use protocol::view::{ClientEvent, Connection, Delivery};
use protocol::{ClientId, ClientMessage, Epoch, RoomId, Seq, UserId, decode_client};
use std::collections::{BTreeMap, BTreeSet};

/// What is to happen in some of the cases.
pub(super) const HAPPENS: [&str; 13] = [
    "an event is given out",
    "a message is sent",
    "a message is sent again",
    "a message fails",
    "a message is discarded",
    "a failed message is retried",
    "the outbox is full",
    "a room is skipped",
    "a room goes",
    "a connection is given up",
    "a connection replaces another",
    "a page is reloaded with messages waiting",
    "a page is reloaded with cursors",
];

/// How long a driver may take for a token before it is asked again.
const TOKEN_TIMEOUT: u64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Watch {
    conns: BTreeMap<ConnId, Conn>,
    live: Option<ConnId>,
    /// What was kept, as a driver keeps it.
    kept: Persisted,
    /// What the front end was shown of each room.
    shown: BTreeMap<RoomId, Seq>,
    /// Messages of the outbox: their room, their order and whether they failed.
    pending: BTreeMap<ClientId, Pending>,
    done: BTreeSet<ClientId>,
    sent_before: BTreeSet<ClientId>,
    asked_token: Option<Now>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Conn {
    said_hello: bool,
    /// Messages that wait for an answer over it, with their room.
    asked: BTreeMap<ClientId, RoomId>,
}

#[derive(Debug)]
struct Pending {
    room: RoomId,
    order: u64,
    failed: bool,
}

impl Watch {
    pub(super) fn counts(self) -> Counts {
        self.counts
    }

    fn count(&mut self, what: &'static str) {
        assert!(HAPPENS.contains(&what), "{what} is not listed");
        *self.counts.entry(what).or_default() += 1;
    }

    /// One of the messages that wait.
    pub(super) fn pending(&self, pick: usize) -> Option<ClientId> {
        self.pending.keys().nth(pick % self.pending.len().max(1)).copied()
    }

    pub(super) fn said(&mut self, said: Result<ClientId, Refused>) {
        let is_full = self.pending.len() >= config().outbox_messages_max;
        assert!(said.is_ok() || is_full, "{said:?}");
        if said.is_err() {
            self.count("the outbox is full");
        }
    }

    /// A frame comes in: answers free the place of what they answer.
    pub(super) fn hears(&mut self, conn: u32, text: &str) {
        let Ok(frame) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let name = frame["client_id"].as_str().and_then(|name| name.parse::<ClientId>().ok());
        if let (Some(conn), Some(name)) = (self.conns.get_mut(&ConnId(conn)), name) {
            conn.asked.remove(&name);
        }
        // It only takes its place.
        if frame["type"] == "of_a_later_version"
            && self.live == Some(ConnId(conn))
            && let (Some(room), Some(seq)) = (frame["room_id"].as_u64(), frame["seq"].as_u64())
            && let Some(shown) = self.shown.get_mut(&RoomId(room)).filter(|shown| shown.next() == Seq(seq))
        {
            *shown = Seq(seq);
        }
    }

    pub(super) fn reload(&mut self) -> Persisted {
        if self.pending.values().any(|message| !message.failed) {
            self.count("a page is reloaded with messages waiting");
        }
        if !self.kept.cursors.is_empty() {
            self.count("a page is reloaded with cursors");
        }
        self.conns.clear();
        self.live = None;
        self.asked_token = None;
        self.shown.clone_from(&self.kept.cursors);
        self.kept.clone()
    }

    /// What was given out to be kept is what one would go on from.
    pub(super) fn compare(&self, persisted: &Persisted) {
        let names = |kept: &Persisted| {
            let mut entries: Vec<_> =
                kept.outbox.iter().map(|entry| (entry.order, entry.message.client_id)).collect();
            entries.sort_unstable();
            entries
        };
        assert_eq!(names(&self.kept), names(persisted), "the outbox that was kept is not the client's");
        assert!(self.kept.outbox.len() <= config().outbox_messages_max);
        assert_eq!(persisted.cursors, self.shown, "a cursor is not where the front end is");
    }

    pub(super) fn output(&mut self, output: &Output, now: Now) {
        match output {
            Output::Connect { conn } => {
                assert!(
                    self.conns.insert(*conn, Conn::default()).is_none(),
                    "a connection's name comes again"
                );
                assert!(self.conns.len() <= 2, "more than one beside the one that works: {:?}", self.conns);
            }
            Output::Send { conn, text } => self.sends(*conn, text),
            Output::Close { conn, code, reason } => {
                assert!(self.conns.remove(conn).is_some(), "{conn:?} is closed and not open");
                assert!(*code == 1000 || (3000..5000).contains(code));
                if self.live == Some(*conn) {
                    self.live = None;
                    let moved = *reason == "moved to another connection";
                    self.count(if moved {
                        "a connection replaces another"
                    } else {
                        "a connection is given up"
                    });
                }
            }
            Output::RefreshToken => {
                let waits = self.asked_token.is_some_and(|at| at.0 + TOKEN_TIMEOUT > now.0);
                assert!(!waits, "it asks for a token while it waits for one");
                self.asked_token = Some(now);
            }
            Output::Persist(persist) => self.keeps(persist),
            Output::Event(event) => self.shows(event),
        }
    }

    /// A connection is gone.
    pub(super) fn gone(&mut self, conn: u32) {
        self.conns.remove(&ConnId(conn));
        if self.live == Some(ConnId(conn)) {
            self.live = None;
        }
    }

    /// The driver answered.
    pub(super) fn got_token(&mut self) {
        self.asked_token = None;
    }

    fn sends(&mut self, id: ConnId, text: &str) {
        let conn = self.conns.get_mut(&id).expect("it sends over a connection that is open");
        let message = decode_client(text).expect("a node can read it");
        let is_hello = matches!(message, ClientMessage::Hello(_));
        assert_eq!(is_hello, !conn.said_hello, "hello comes first, once: {text}");
        conn.said_hello = true;
        let ClientMessage::SendMessage(send) = message else { return };
        let name = send.client_id;
        let Some(sent) = self.pending.get(&name) else { panic!("{text} was not kept before it is sent") };
        assert!(!sent.failed, "{text} has failed");
        let earlier = |other: &&Pending| other.room == sent.room && !other.failed && other.order < sent.order;
        assert_eq!(self.pending.values().find(earlier).map(|other| other.order), None, "{text} overtakes");
        let beside = conn.asked.iter().filter(|(other, room)| **room == sent.room && **other != name);
        assert_eq!(beside.count(), 0, "two of one room are on their way");
        conn.asked.insert(name, sent.room);
        if !self.sent_before.insert(name) {
            self.count("a message is sent again");
        }
    }

    fn keeps(&mut self, persist: &Persist) {
        match persist {
            Persist::OutboxPut(entry) => {
                let message = &entry.message;
                assert!(!self.done.contains(&message.client_id), "{message:?} was done");
                let failed = matches!(message.delivery, Delivery::Failed { .. });
                self.kept.outbox.retain(|kept| kept.message.client_id != message.client_id);
                self.kept.outbox.push(entry.clone());
                let pending = Pending { room: message.room_id, order: entry.order, failed };
                let before = self.pending.insert(message.client_id, pending);
                if failed {
                    self.count("a message fails");
                } else if before.is_some_and(|before| before.failed) {
                    self.count("a failed message is retried");
                }
            }
            Persist::OutboxRemove { client_id } => {
                let before = self.kept.outbox.len();
                self.kept.outbox.retain(|kept| kept.message.client_id != *client_id);
                assert_eq!(self.kept.outbox.len() + 1, before, "{client_id} was not kept");
            }
            Persist::Session { user_id, epoch, cursors } => {
                assert_eq!((*user_id, *epoch), (UserId(1), Epoch(9)));
                for (room, seq) in cursors {
                    assert!(
                        self.shown.get(room).is_some_and(|shown| seq <= shown),
                        "room {room}: {seq} is ahead"
                    );
                }
                self.kept.user_id = Some(*user_id);
                self.kept.epoch = Some(*epoch);
                self.kept.cursors.clone_from(cursors);
            }
        }
    }

    fn shows(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Connection { connection: Connection::Ended { reason } } => {
                panic!("it ends: {reason:?}");
            }
            ClientEvent::Ready { rooms, .. } => {
                assert_eq!(self.live, None, "the old connection is closed before the new one counts");
                self.live = self.conns.iter().rev().find(|(_, conn)| conn.said_hello).map(|(id, _)| *id);
                self.shown.retain(|room_id, _| rooms.iter().any(|room| room.id == *room_id));
                for room in rooms {
                    self.shown.entry(room.id).or_insert(room.head_seq);
                }
            }
            ClientEvent::RoomChanged { room } => {
                self.shown.entry(room.id).or_insert(room.head_seq);
            }
            ClientEvent::RoomRemoved { room_id } => {
                assert!(self.shown.remove(room_id).is_some(), "a room goes that was not there");
                self.count("a room goes");
            }
            ClientEvent::RoomReset { room_id, head_seq } => {
                self.count("a room is skipped");
                self.shown.insert(*room_id, *head_seq);
            }
            ClientEvent::Event { event } => {
                let shown = self.shown.get_mut(&event.room_id()).expect("it is of one of the user's rooms");
                assert_eq!(event.seq(), shown.next(), "an event is left out or comes twice");
                *shown = event.seq();
                self.count("an event is given out");
            }
            ClientEvent::MessageSent { client_id, .. } => {
                self.settles(*client_id);
                self.count("a message is sent");
            }
            ClientEvent::MessageDiscarded { client_id, .. } => {
                self.settles(*client_id);
                self.count("a message is discarded");
            }
            ClientEvent::Connection { .. }
            | ClientEvent::MessagePending { .. }
            | ClientEvent::OperationDone { .. }
            | ClientEvent::OperationFailed { .. }
            | ClientEvent::HistoryPage { .. }
            | ClientEvent::MembersPage { .. }
            | ClientEvent::RoomsPage { .. }
            | ClientEvent::RequestFailed { .. }
            | ClientEvent::Typing { .. }
            | ClientEvent::Presence { .. } => {}
        }
    }

    fn settles(&mut self, client_id: ClientId) {
        for conn in self.conns.values_mut() {
            conn.asked.remove(&client_id);
        }
        assert!(self.pending.remove(&client_id).is_some(), "{client_id} does not wait");
        assert!(self.done.insert(client_id), "{client_id} is done twice");
    }

    /// Whether nothing waits but what failed, and all is shown of all rooms.
    pub(super) fn has_all(&self, nodes: &Nodes) -> bool {
        let is_there = |(room, seq): (&RoomId, &Seq)| nodes.head(room.0) == *seq;
        self.live.is_some()
            && self.pending.values().all(|message| message.failed)
            && self.shown.keys().map(|room| room.0).eq(nodes.members().iter().copied())
            && self.shown.iter().all(is_there)
    }
}
