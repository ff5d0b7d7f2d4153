//! What one client was told, as a page would keep it, and whether each thing it is told may come now.

use super::log::Log;
use super::{Check, Invariant, hold};
use crate::marks::{Mark, sometimes};
use protocol::client::Persisted;
use protocol::model::{Anchor, Room};
use protocol::view::{Connection, Delivery, PendingMessage};
use protocol::{ClientId, Epoch, RequestId, RoomEvent, RoomId, Seq, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// A client's page.
#[derive(Debug, Default)]
pub struct Page {
    /// The rooms that it shows.
    pub rooms: BTreeMap<RoomId, PageRoom>,
    /// Where rooms ended that were left since the last welcome.
    left: BTreeMap<RoomId, Seq>,
    /// How the connection stands.
    pub connection: Option<Connection>,
    /// What waits to be sent.
    pub pending: BTreeMap<ClientId, PendingMessage>,
    /// Who is online, in rooms that it watches.
    pub online: BTreeMap<RoomId, Vec<UserId>>,
    /// Rooms whose presence it watches.
    watched: BTreeSet<RoomId>,
    /// Pages that were asked for.
    asked: BTreeMap<RequestId, (Anchor, u32)>,
    /// Deliveries.
    pub events: u64,
    /// Times that it went online.
    pub times_online: u64,
    /// The cursors that were kept last.
    cursors: BTreeMap<RoomId, Seq>,
    was_offline: bool,
    /// Since when it has been online.
    pub online_since: u64,
    /// Where rooms stood when it last said so to a node. Over a connection that it is leaving more may come
    /// before it is welcomed.
    hello: BTreeMap<RoomId, Seq>,
}

/// A room on the page.
#[derive(Debug)]
pub struct PageRoom {
    /// The last event that was delivered or skipped.
    pub seq: Seq,
    /// As it was last told; `None` between a reload and the next welcome.
    pub room: Option<Room>,
}

impl Page {
    /// The page is opened again: what waited for its acknowledgement was kept.
    ///
    /// # Errors
    /// Where it was not.
    pub fn check_kept(&self, kept: &Persisted) -> Check {
        let lost = self
            .waiting()
            .find(|message| !kept.outbox.iter().any(|entry| entry.message.client_id == message.client_id));
        hold!(lost.is_none(), Kept, "a message is lost with the page: {lost:?}");
        Ok(())
    }

    /// The page is opened again with what was kept.
    pub fn reload(&mut self, kept: &Persisted) {
        self.rooms = kept.cursors.iter().map(|(id, seq)| (*id, PageRoom { seq: *seq, room: None })).collect();
        self.pending = kept.outbox.iter().map(|e| (e.message.client_id, e.message.clone())).collect();
        if self.waiting().next().is_some() {
            sometimes(Mark::OutboxSurvived);
        }
        self.connection = None;
        self.online.clear();
        self.watched.clear();
        self.asked.clear();
        self.left.clear();
    }

    /// How the connection stands now.
    pub fn connection(&mut self, connection: &Connection, now: u64) {
        if matches!(connection, Connection::Online { .. }) {
            self.times_online += 1;
            self.online_since = now;
        } else if self.times_online > 0 {
            self.was_offline = true;
        }
        self.connection = Some(connection.clone());
    }

    /// A connection is open, over which it says where it stands.
    pub fn says_hello(&mut self) {
        self.hello = self.rooms.iter().map(|(room_id, room)| (*room_id, room.seq)).collect();
    }

    /// The last event of a room that it had when it said where it stands, if it had the room then.
    #[must_use]
    pub fn resumes_after(&self, room_id: RoomId) -> Option<Seq> {
        self.hello.get(&room_id).copied()
    }

    /// It watches who of a room is online, from now on.
    pub fn watch(&mut self, room_id: RoomId) {
        if self.rooms.contains_key(&room_id) {
            self.watched.insert(room_id);
        }
    }

    /// A room that it watches and was never told anything of.
    #[must_use]
    pub fn unanswered_watch(&self) -> Option<RoomId> {
        self.watched.iter().copied().find(|room_id| !self.online.contains_key(room_id))
    }

    /// Whether it is online.
    #[must_use]
    pub const fn is_online(&self) -> bool {
        matches!(self.connection, Some(Connection::Online { .. }))
    }

    /// A welcome: all rooms.
    ///
    /// # Errors
    /// Where a room comes back from the past.
    pub fn ready(&mut self, rooms: &[Room]) -> Check {
        self.left.clear();
        self.rooms.retain(|room_id, _| rooms.iter().any(|room| room.id == *room_id));
        // A front end leaves what is not listed any more, and with it what it showed there.
        self.watched.retain(|room_id| self.rooms.contains_key(room_id));
        self.online.retain(|room_id, _| self.rooms.contains_key(room_id));
        rooms.iter().try_for_each(|room| self.know(room))
    }

    /// A room is new or changed.
    ///
    /// # Errors
    /// Where it comes back from the past.
    pub fn know(&mut self, room: &Room) -> Check {
        let left = self.left.get(&room.id).filter(|_| !self.rooms.contains_key(&room.id));
        hold!(
            left.is_none_or(|left| *left <= room.head_seq),
            Contiguous,
            "room {} comes back as of event {}, after it was left at {}",
            room.id,
            room.head_seq,
            left.copied().unwrap_or_default()
        );
        let known = self.rooms.entry(room.id);
        let known = known.or_insert_with(|| PageRoom { seq: room.head_seq, room: None });
        known.room = Some(room.clone());
        Ok(())
    }

    /// The rooms that a welcome leaves out, and where they stood when it was asked for.
    pub fn left_out(&self, rooms: &[Room]) -> Vec<(RoomId, Seq)> {
        let known = self.hello.iter().filter(|(room_id, _)| self.rooms.contains_key(room_id));
        known
            .filter(|(room_id, _)| !rooms.iter().any(|room| room.id == **room_id))
            .map(|(room_id, seq)| (*room_id, *seq))
            .collect()
    }

    /// A room is gone.
    ///
    /// # Errors
    /// Where it was gone before.
    pub fn removed(&mut self, room_id: RoomId) -> Check {
        let Some(room) = self.rooms.remove(&room_id) else {
            return Err((Invariant::Contiguous, format!("room {room_id} is removed twice")));
        };
        self.left.insert(room_id, room.seq);
        self.online.remove(&room_id);
        self.watched.remove(&room_id);
        sometimes(Mark::Removed);
        Ok(())
    }

    /// The next event of a room.
    ///
    /// # Errors
    /// Where it is not the next one.
    pub fn event(&mut self, event: &RoomEvent) -> Check {
        let (room_id, seq) = (event.room_id(), event.seq());
        let Some(room) = self.rooms.get_mut(&room_id) else {
            return Err((
                Invariant::RoomsApart,
                format!("event {seq} is of room {room_id}, which is not shown"),
            ));
        };
        hold!(
            seq == room.seq.next(),
            Contiguous,
            "room {room_id}: event {seq} comes where {} belongs",
            room.seq.next()
        );
        room.seq = seq;
        self.events += 1;
        if self.was_offline {
            sometimes(Mark::Resumed);
            self.was_offline = false;
        }
        Ok(())
    }

    /// Events of types that it does not know took their places, up to this one: it was told nothing of them.
    pub fn pass(&mut self, log: &Log, room_id: RoomId, up_to: Seq) {
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        let passed = log.past_unknown(room_id, room.seq).min(up_to);
        if passed > room.seq {
            sometimes(Mark::LaterVersion);
            room.seq = passed;
        }
    }

    /// A room's events up to here are skipped.
    ///
    /// # Errors
    /// Where the room is not shown, or goes back.
    pub fn reset(&mut self, room_id: RoomId, head: Seq) -> Check {
        sometimes(Mark::Reset);
        let Some(room) = self.rooms.get_mut(&room_id) else {
            return Err((Invariant::RoomsApart, format!("a reset is of room {room_id}, which is not shown")));
        };
        hold!(room.seq <= head, Contiguous, "room {room_id} is reset from {} back to {head}", room.seq);
        room.seq = head;
        Ok(())
    }

    /// A message waits, or stands otherwise than before.
    pub fn pending(&mut self, message: &PendingMessage) {
        self.pending.insert(message.client_id, message.clone());
    }

    /// A message is acknowledged or taken out of the outbox.
    ///
    /// # Errors
    /// Where it was before.
    pub fn settled(&mut self, client_id: ClientId) -> Check {
        let was = self.pending.remove(&client_id).is_some();
        hold!(was, StoredOnce, "{client_id} is acknowledged twice");
        Ok(())
    }

    /// What waits and has not failed for good.
    pub fn waiting(&self) -> impl Iterator<Item = &PendingMessage> {
        self.pending.values().filter(|message| !matches!(message.delivery, Delivery::Failed { .. }))
    }

    /// Cursors are kept.
    ///
    /// # Errors
    /// Where one goes back or is ahead.
    pub fn keep(&mut self, epoch: Epoch, cursors: &BTreeMap<RoomId, Seq>, before: Option<Epoch>) -> Check {
        for (room_id, seq) in cursors {
            let Some(room) = self.rooms.get(room_id) else { continue };
            hold!(
                *seq <= room.seq,
                CursorsAdvance,
                "room {room_id}: cursor {seq} is kept, {} was delivered",
                room.seq
            );
            let last = self.cursors.get(room_id).filter(|_| before == Some(epoch));
            hold!(
                last.is_none_or(|last| last <= seq),
                CursorsAdvance,
                "room {room_id}: cursor {seq} is kept after {}",
                last.copied().unwrap_or_default()
            );
        }
        let lost = self.rooms.keys().find(|room_id| !cursors.contains_key(room_id));
        hold!(lost.is_none(), Kept, "no cursor is kept of room {}", lost.copied().unwrap_or_default());
        self.cursors.clone_from(cursors);
        Ok(())
    }

    /// A page was asked for.
    pub fn ask(&mut self, request: RequestId, anchor: Anchor, limit: u32) {
        self.asked.insert(request, (anchor, limit));
    }

    /// A page will not come.
    pub fn failed(&mut self, request: RequestId) {
        self.asked.remove(&request);
    }

    /// How many pages were asked for, of which nothing came.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// A page came: what was asked for.
    ///
    /// # Errors
    /// Where nobody asked for it.
    pub fn answered(&mut self, request: RequestId) -> Result<(Anchor, u32), (Invariant, String)> {
        let asked = self.asked.remove(&request);
        asked.ok_or_else(|| (Invariant::HistoryIsLog, "a page comes that nobody asked for".to_owned()))
    }
}
