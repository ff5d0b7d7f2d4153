//! The nodes' side: one log for each room, and for each connection how far its client was told.

use super::super::rig::{error, kind, message_by, room, welcome_with, with};
use super::steps::{Act, ROOMS};
use protocol::{ClientMessage, Seq, decode_client};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The client's user, and another.
const ME: u64 = 1;
const OTHER: u64 = 2;

#[derive(Debug)]
pub(super) struct Nodes {
    /// Each room's events: the name of the send that it came of, if it was the client's.
    logs: BTreeMap<u64, Vec<Option<String>>>,
    members: BTreeSet<u64>,
    /// Sends that were committed, and where.
    committed: BTreeMap<String, (u64, u64)>,
    conns: BTreeMap<u32, Conn>,
}

#[derive(Debug, Default)]
struct Conn {
    is_open: bool,
    /// The cursors of its `hello`.
    hello: Option<BTreeMap<u64, u64>>,
    is_welcomed: bool,
    /// Events after these are to be told.
    cursors: BTreeMap<u64, u64>,
    /// Durable operations that wait for an answer: name, room, whether it is a message.
    asked: Vec<(String, Option<u64>, bool)>,
    pinged: bool,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            logs: (1..=ROOMS).map(|room| (room, vec![None; 3])).collect(),
            members: [1, 2].into(),
            committed: BTreeMap::new(),
            conns: BTreeMap::new(),
        }
    }
}

impl Nodes {
    pub(super) fn dialled(&mut self, conn: u32) {
        self.conns.insert(conn, Conn::default());
    }

    /// The oldest connection that is not open yet.
    pub(super) fn open(&mut self) -> Option<u32> {
        let (id, conn) = self.conns.iter_mut().find(|(_, conn)| !conn.is_open)?;
        conn.is_open = true;
        Some(*id)
    }

    /// One of the connections is lost.
    pub(super) fn close(&mut self, pick: usize) -> Option<u32> {
        let ids: Vec<u32> = self.conns.keys().copied().collect();
        let id = *ids.get(pick % ids.len().max(1))?;
        self.conns.remove(&id);
        Some(id)
    }

    /// The client closed a connection; now and then that is news late.
    pub(super) fn closed(&mut self, conn: u32) {
        if !conn.is_multiple_of(3) {
            self.conns.remove(&conn);
        }
    }

    pub(super) fn lose_all(&mut self) {
        self.conns.clear();
    }

    /// A frame of the client's.
    pub(super) fn hear(&mut self, conn: u32, text: &str) {
        let Some(conn) = self.conns.get_mut(&conn) else { return };
        let frame: Value = serde_json::from_str(text).expect("it is JSON");
        let message = decode_client(text).expect("a node can read it");
        if let ClientMessage::Hello(hello) = message {
            conn.hello = Some(hello.cursors.iter().map(|(room, seq)| (room.0, seq.0)).collect());
        } else if matches!(message, ClientMessage::Ping) {
            conn.pinged = true;
        } else if let Some(name) = frame["client_id"].as_str() {
            let is_message = frame["type"] == "send_message";
            conn.asked.push((name.to_owned(), frame["room_id"].as_u64(), is_message));
        }
    }

    pub(super) fn head(&self, room: u64) -> Seq {
        Seq(self.logs[&room].len() as u64)
    }

    pub(super) const fn members(&self) -> &BTreeSet<u64> {
        &self.members
    }

    /// A node does something on one of the connections: what the client is told.
    pub(super) fn act(&mut self, pick: usize, act: &Act) -> Option<(u32, String)> {
        let ids: Vec<u32> = self.conns.keys().copied().collect();
        // Mostly the newest one, else any.
        let id = if pick.is_multiple_of(4) { *ids.get(pick / 4 % ids.len().max(1))? } else { *ids.last()? };
        let conn = self.conns.get(&id)?;
        let (is_greeted, is_welcomed) = (conn.hello.is_some(), conn.is_welcomed);
        if matches!(act, Act::Welcome) {
            return (is_greeted && !is_welcomed).then(|| (id, self.welcome(id)));
        }
        if !is_welcomed {
            return None;
        }
        let frame = match act {
            Act::Welcome => return None,
            Act::Next(room) => self.next(id, *room, false)?,
            Act::Later(room) => self.next(id, *room, true)?,
            Act::Again(room) => {
                let told = self.conns.get(&id)?.cursors.get(room).copied().filter(|told| *told > 0)?;
                self.event(*room, told)
            }
            Act::TooEarly(room) => {
                let told = self.conns.get(&id)?.cursors.get(room).copied()?;
                message_by(OTHER, *room, told + 2, told + 2)
            }
            Act::Commit(pick, acks) => return self.commit(id, *pick, *acks),
            Act::Refuse(pick, for_good) => self.refuse(id, *pick, *for_good)?,
            Act::Reset(room) => {
                let head = self.head(*room).0;
                *self.conns.get_mut(&id)?.cursors.get_mut(room)? = head;
                json!({ "type": "reset", "room_id": room, "head_seq": head })
            }
            Act::Member(room, is_in) => self.member(id, *room, *is_in)?,
            Act::Drain => json!({ "type": "drain", "reconnect_within_ms": 800 }),
            Act::Pong => kind("pong"),
            Act::Raw(text) => return Some((id, (*text).to_owned())),
        };
        Some((id, frame.to_string()))
    }

    /// What a node that does what it should would tell next.
    pub(super) fn behave(&mut self) -> Option<(u32, String)> {
        let waits = |conn: &Conn| conn.hello.is_some() && !conn.is_welcomed;
        if let Some(id) = self.conns.iter().find(|(_, conn)| waits(conn)).map(|(id, _)| *id) {
            return Some((id, self.welcome(id)));
        }
        let ids: Vec<u32> = self.conns.keys().copied().collect();
        for id in ids {
            let conn = self.conns.get_mut(&id)?;
            if std::mem::take(&mut conn.pinged) {
                return Some((id, kind("pong").to_string()));
            }
            if !conn.asked.is_empty() {
                let (name, room, is_message) = conn.asked[0].clone();
                return Some((id, self.answer(id, name, room, is_message).to_string()));
            }
            if conn.is_welcomed {
                let rooms: BTreeSet<u64> = conn.cursors.keys().copied().collect();
                if let Some(room) = rooms.symmetric_difference(&self.members).next().copied() {
                    let is_in = self.members.contains(&room);
                    return self.member(id, room, is_in).map(|frame| (id, frame.to_string()));
                }
            }
            let conn = self.conns.get(&id)?;
            let behind = conn.cursors.iter().find(|(room, told)| **told < self.logs[room].len() as u64);
            if let Some(room) = behind.map(|(room, _)| *room) {
                return self.next(id, room, false).map(|frame| (id, frame.to_string()));
            }
        }
        None
    }

    fn welcome(&mut self, id: u32) -> String {
        let rooms: Vec<Value> = self.members.iter().map(|room_id| self.room(*room_id)).collect();
        let conn = self.conns.get_mut(&id).expect("it is there");
        conn.is_welcomed = true;
        let hello = conn.hello.clone().unwrap_or_default();
        let from = |room: &u64| hello.get(room).copied().unwrap_or(self.logs[room].len() as u64);
        conn.cursors = self.members.iter().map(|room| (*room, from(room))).collect();
        welcome_with("n1", 9, &rooms).to_string()
    }

    fn room(&self, room_id: u64) -> Value {
        let head = self.head(room_id).0;
        room(room_id, head, head)
    }

    fn next(&mut self, id: u32, room: u64, is_later: bool) -> Option<Value> {
        let told = self.conns.get_mut(&id)?.cursors.get_mut(&room)?;
        *told += 1;
        let seq = *told;
        let log = self.logs.get_mut(&room)?;
        if log.len() as u64 + 1 == seq {
            log.push(None);
        }
        if is_later && log[usize::try_from(seq - 1).ok()?].is_none() {
            return Some(json!({ "type": "of_a_later_version", "room_id": room, "seq": seq }));
        }
        Some(self.event(room, seq))
    }

    fn event(&self, room: u64, seq: u64) -> Value {
        match &self.logs[&room][usize::try_from(seq - 1).expect("it is small")] {
            Some(name) => with(message_by(ME, room, seq, seq), &json!({ "client_id": name })),
            None => message_by(OTHER, room, seq, seq),
        }
    }

    fn take_asked(&mut self, id: u32, pick: usize) -> Option<(String, Option<u64>, bool)> {
        let asked = &mut self.conns.get_mut(&id)?.asked;
        let at = pick % asked.len().max(1);
        (at < asked.len()).then(|| asked.remove(at))
    }

    fn commit(&mut self, id: u32, pick: usize, acks: bool) -> Option<(u32, String)> {
        let (name, room, is_message) = self.take_asked(id, pick)?;
        let frame = self.answer(id, name, room, is_message);
        acks.then(|| (id, frame.to_string()))
    }

    /// Commits what was asked for, once, and gives the ack.
    fn answer(&mut self, id: u32, name: String, room: Option<u64>, is_message: bool) -> Value {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.asked.retain(|(asked, ..)| *asked != name);
        }
        let room = room.unwrap_or(1);
        let (room, seq) = match self.committed.get(&name) {
            Some(place) => *place,
            None if is_message => {
                let log = self.logs.entry(room).or_default();
                log.push(Some(name.clone()));
                (room, log.len() as u64)
            }
            None => (room, self.head(room).0),
        };
        self.committed.insert(name.clone(), (room, seq));
        let ack = json!({ "type": "ack", "client_id": name, "room_id": room, "seq": seq });
        let named = json!({ "message_no": seq, "message_id": 100 + seq, "created_at": 5 });
        if is_message { with(ack, &named) } else { ack }
    }

    fn refuse(&mut self, id: u32, pick: usize, for_good: bool) -> Option<Value> {
        let (name, ..) = self.take_asked(id, pick)?;
        // What is committed is acknowledged whenever it is asked for.
        let for_good = for_good && !self.committed.contains_key(&name);
        Some(error(&name, if for_good { "not_member" } else { "unavailable" }))
    }

    fn member(&mut self, id: u32, room: u64, is_in: bool) -> Option<Value> {
        let conn = self.conns.get_mut(&id)?;
        if is_in == conn.cursors.contains_key(&room) {
            return None;
        }
        if is_in {
            self.members.insert(room);
            let head = self.logs[&room].len() as u64;
            self.conns.get_mut(&id)?.cursors.insert(room, head);
            return Some(json!({ "type": "room_added", "room": self.room(room) }));
        }
        self.members.remove(&room);
        conn.cursors.remove(&room);
        Some(json!({ "type": "room_removed", "room_id": room }))
    }
}
