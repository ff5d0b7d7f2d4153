//! Who is online in the rooms that the front end watches: asked for again after each reconnect, and
//! when no answer comes.

use super::config::{Outputs, Wire};
use super::time::Now;
use crate::frame::client::{ClientMessage, PresenceRequest};
use crate::frame::server::{Presence as Whole, PresenceChanged};
use crate::ids::{RoomId, UserId};
use crate::limits::{PRESENCE_MEMBERS_MAX, PRESENCE_TIMEOUT, PRESENCE_WATCHES_MAX};
use crate::view::ClientEvent;

/// The watched rooms, oldest first; beyond [`PRESENCE_WATCHES_MAX`] the oldest watch ends.
#[derive(Debug, Default)]
pub(super) struct Presence {
    watches: Vec<Watch>,
    /// Rooms whose watch ended and is still to be ended at the node; as many at most.
    ended: Vec<RoomId>,
}

#[derive(Debug)]
struct Watch {
    room_id: RoomId,
    state: State,
    /// What the front end was told last; kept over a reconnect.
    shown: Option<Shown>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    /// Asked; asked again if there is no answer until then.
    Asked(Now),
    Answered,
}

#[derive(Debug)]
struct Shown {
    /// In order: a set in a vector, which takes the least code in the browser.
    online: Vec<UserId>,
    more: bool,
}

impl Shown {
    fn add(&mut self, user_id: UserId) {
        if let Err(at) = self.online.binary_search(&user_id)
            && self.online.len() < PRESENCE_MEMBERS_MAX
        {
            self.online.insert(at, user_id);
        }
    }
}

impl Watch {
    fn event(&self) -> Option<ClientEvent> {
        let shown = self.shown.as_ref()?;
        Some(ClientEvent::Presence { room_id: self.room_id, online: shown.online.clone(), more: shown.more })
    }
}

impl Presence {
    pub(super) fn watch(&mut self, room_id: RoomId, out: &mut Outputs) {
        self.ended.retain(|ended| *ended != room_id);
        if let Some(watch) = self.watches.iter().find(|watch| watch.room_id == room_id) {
            // Whoever asks late is told at once.
            if let Some(event) = watch.event() {
                out.event(event);
            }
            return;
        }
        if self.watches.len() >= PRESENCE_WATCHES_MAX {
            let oldest = self.watches[0].room_id;
            self.unwatch(oldest);
        }
        self.watches.push(Watch { room_id, state: State::Queued, shown: None });
    }

    pub(super) fn unwatch(&mut self, room_id: RoomId) {
        let Some(at) = self.watches.iter().position(|watch| watch.room_id == room_id) else { return };
        let watch = self.watches.remove(at);
        if watch.state != State::Queued && self.ended.len() < PRESENCE_WATCHES_MAX {
            self.ended.push(room_id);
        }
    }

    /// The room is gone, and with it the watch.
    pub(super) fn forget(&mut self, room_id: RoomId) {
        self.watches.retain(|watch| watch.room_id != room_id);
        self.ended.retain(|ended| *ended != room_id);
    }

    /// Keeps only the watches of these rooms.
    pub(super) fn retain(&mut self, is_known: impl Fn(RoomId) -> bool) {
        self.watches.retain(|watch| is_known(watch.room_id));
    }

    /// The node forgot all watches with the connection.
    pub(super) fn handle_disconnected(&mut self) {
        self.ended.clear();
        for watch in &mut self.watches {
            watch.state = State::Queued;
        }
    }

    pub(super) fn pump(&mut self, wire: &mut Wire<'_>) {
        for room_id in self.ended.drain(..) {
            wire.send(crate::encode(&ClientMessage::UnwatchPresence(PresenceRequest { room_id })));
        }
        for watch in &mut self.watches {
            let due = match watch.state {
                State::Queued => true,
                State::Asked(until) => until <= wire.now,
                State::Answered => false,
            };
            if due {
                watch.state = State::Asked(wire.now + PRESENCE_TIMEOUT);
                let request = PresenceRequest { room_id: watch.room_id };
                wire.send(crate::encode(&ClientMessage::WatchPresence(request)));
            }
        }
    }

    pub(super) fn next_timeout(&self, live: bool) -> Option<Now> {
        let due = |watch: &Watch| match watch.state {
            State::Queued => Some(Now(0)),
            State::Asked(until) => Some(until),
            State::Answered => None,
        };
        self.watches.iter().filter(|_| live).filter_map(due).min()
    }

    pub(super) fn handle_whole(&mut self, whole: Whole, out: &mut Outputs) {
        let Some(watch) = self.watches.iter_mut().find(|watch| watch.room_id == whole.room_id) else {
            return;
        };
        watch.state = State::Answered;
        let mut shown = Shown { online: Vec::new(), more: whole.more };
        whole.online.iter().for_each(|user_id| shown.add(*user_id));
        watch.shown = Some(shown);
        if let Some(event) = watch.event() {
            out.event(event);
        }
    }

    pub(super) fn handle_changed(&mut self, changed: &PresenceChanged, out: &mut Outputs) {
        let Some(watch) = self.watches.iter_mut().find(|watch| watch.room_id == changed.room_id) else {
            return;
        };
        // What comes before the answer is part of an older watch.
        if watch.state != State::Answered {
            return;
        }
        let Some(shown) = &mut watch.shown else { return };
        shown.online.retain(|user_id| !changed.offline.contains(user_id));
        changed.online.iter().for_each(|user_id| shown.add(*user_id));
        if let Some(event) = watch.event() {
            out.event(event);
        }
    }

    /// Who is online in each watched room of which it is known.
    pub(super) fn snapshot(&self) -> impl Iterator<Item = ClientEvent> {
        self.watches.iter().filter_map(Watch::event)
    }
}
