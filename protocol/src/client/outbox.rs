//! Durable operations on their way: each is sent until a node acknowledges or refuses it, always under
//! the same `client_id`. Operations of one room go out in the order in which they were asked for.

use super::backoff;
use super::config::{Config, OutboxEntry, Outputs, Persist, Refused, Wire};
use super::rng::Rng;
use super::time::{Now, earlier};
use crate::error::ErrorCode;
use crate::event::RoomEvent;
use crate::frame::client::{ClientMessage, SendMessage};
use crate::frame::server::{Ack, Error};
use crate::ids::{ClientId, RoomId, UserId};
use crate::planted::{self, Bug};
use crate::view::{ClientEvent, Delivery, PendingMessage};
use std::time::Duration;

/// How often an operation is tried that a node answers with `internal`, its own defect.
const INTERNAL_ATTEMPTS_MAX: u32 = 5;

/// Messages (kept beyond a reload) and other operations (kept in memory), oldest first. Bounded by
/// [`Config::outbox_messages_max`], [`Config::outbox_bytes_max`] and [`Config::operations_max`]; what
/// does not fit is refused.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: Vec<Entry>,
    next_order: u64,
}

#[derive(Debug)]
struct Entry {
    client_id: ClientId,
    /// Its lane: operations of one room keep their order. A room that does not exist yet has none.
    room_id: Option<RoomId>,
    work: Work,
    state: State,
    /// Transient errors in a row.
    attempts: u32,
}

#[derive(Debug)]
enum Work {
    Message { order: u64, message: PendingMessage },
    Operation { text: String, deadline: Now },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    /// A node asked to try again later.
    Waiting(Now),
    InFlight(Now),
    Failed,
}

impl Entry {
    fn bytes(&self) -> usize {
        match &self.work {
            Work::Message { message, .. } => message.content.len(),
            Work::Operation { text, .. } => text.len(),
        }
    }

    const fn is_message(&self) -> bool {
        matches!(self.work, Work::Message { .. })
    }

    const fn in_flight(&self) -> bool {
        matches!(self.state, State::InFlight(_))
    }

    fn text(&self) -> String {
        match &self.work {
            Work::Message { message, .. } => frame(message),
            Work::Operation { text, .. } => text.clone(),
        }
    }

    /// Sets how a message stands and tells it, if that is news.
    fn show(&mut self, delivery: Delivery, out: &mut Outputs) {
        if let Work::Message { message, .. } = &mut self.work
            && message.delivery != delivery
        {
            message.delivery = delivery;
            out.event(ClientEvent::MessagePending { message: message.clone() });
        }
    }

    fn keep(&self, out: &mut Outputs) {
        if let Work::Message { order, message } = &self.work {
            let entry = OutboxEntry { order: *order, message: message.clone() };
            out.persist(Persist::OutboxPut(entry));
        }
    }
}

/// A message as it goes over the wire.
pub(super) fn frame(message: &PendingMessage) -> String {
    crate::encode(&ClientMessage::SendMessage(SendMessage {
        client_id: message.client_id,
        room_id: message.room_id,
        content: message.content.clone(),
        reply_to: message.reply_to,
    }))
}

impl Outbox {
    /// An outbox with the messages that were kept. What was on its way is queued again.
    pub(super) fn restore(mut kept: Vec<OutboxEntry>) -> Self {
        kept.sort_by_key(|entry| entry.order);
        let next_order = kept.last().map_or(0, |entry| entry.order + 1);
        let entries = kept.into_iter().map(|OutboxEntry { order, mut message }| {
            let failed = matches!(message.delivery, Delivery::Failed { .. });
            if !failed {
                message.delivery = Delivery::Queued;
            }
            Entry {
                client_id: message.client_id,
                room_id: Some(message.room_id),
                state: if failed { State::Failed } else { State::Queued },
                work: Work::Message { order, message },
                attempts: 0,
            }
        });
        Self { entries: entries.collect(), next_order }
    }

    /// Queues a message: kept first, then shown.
    pub(super) fn send(
        &mut self,
        message: PendingMessage,
        config: &Config,
        out: &mut Outputs,
    ) -> Result<(), Refused> {
        let messages = self.entries.iter().filter(|entry| entry.is_message()).count();
        let is_full = messages >= config.outbox_messages_max && !planted::has(Bug::OutboxUnbounded);
        if is_full || !self.has_room_for(message.content.len(), config) {
            return Err(Refused::full("the outbox"));
        }
        let order = self.take_order();
        let entry = Entry {
            client_id: message.client_id,
            room_id: Some(message.room_id),
            work: Work::Message { order, message: message.clone() },
            state: State::Queued,
            attempts: 0,
        };
        entry.keep(out);
        out.event(ClientEvent::MessagePending { message });
        self.entries.push(entry);
        Ok(())
    }

    /// Queues an operation other than a send.
    pub(super) fn operate(
        &mut self,
        client_id: ClientId,
        room_id: Option<RoomId>,
        text: String,
        config: &Config,
        now: Now,
    ) -> Result<(), Refused> {
        let operations = self.entries.iter().filter(|entry| !entry.is_message()).count();
        if operations >= config.operations_max || !self.has_room_for(text.len(), config) {
            return Err(Refused::full("the list of open operations"));
        }
        let work = Work::Operation { text, deadline: now + config.operation_timeout };
        self.entries.push(Entry { client_id, room_id, work, state: State::Queued, attempts: 0 });
        Ok(())
    }

    fn has_room_for(&self, bytes: usize, config: &Config) -> bool {
        self.entries.iter().map(Entry::bytes).sum::<usize>() + bytes <= config.outbox_bytes_max
    }

    fn take_order(&mut self) -> u64 {
        let order = self.next_order;
        self.next_order += 1;
        order
    }

    /// Queues a failed message again, behind the others.
    pub(super) fn retry(&mut self, client_id: ClientId, out: &mut Outputs) {
        let Some(at) = self.position(client_id) else { return };
        if self.entries[at].state != State::Failed {
            return;
        }
        let mut entry = self.entries.remove(at);
        let new_order = self.take_order();
        if let Work::Message { order, .. } = &mut entry.work {
            *order = new_order;
        }
        entry.state = State::Queued;
        entry.attempts = 0;
        entry.show(Delivery::Queued, out);
        entry.keep(out);
        self.entries.push(entry);
    }

    /// Takes a message out that is queued or failed. One on its way stays: its answer decides.
    pub(super) fn discard(&mut self, client_id: ClientId, out: &mut Outputs) {
        let Some(at) = self.position(client_id) else { return };
        if self.entries[at].is_message() && !self.entries[at].in_flight() {
            let entry = self.entries.remove(at);
            forget(&entry, out);
        }
    }

    /// Sends what may go out: of each room the oldest, up to the limits in flight.
    pub(super) fn pump(&mut self, config: &Config, wire: &mut Wire<'_>) {
        let mut in_flight = self.entries.iter().filter(|entry| entry.in_flight()).count();
        // Rooms with operations ahead, and how many of them are on their way.
        let mut lanes: Vec<(RoomId, usize)> = Vec::new();
        for entry in &mut self.entries {
            if in_flight >= config.in_flight {
                return;
            }
            let ahead = match entry.room_id {
                None => &mut 0,
                Some(room_id) => {
                    let known = lanes.iter().position(|(lane, _)| *lane == room_id);
                    let at = known.unwrap_or_else(|| {
                        lanes.push((room_id, 0));
                        lanes.len() - 1
                    });
                    &mut lanes[at].1
                }
            };
            match entry.state {
                State::Failed => {}
                State::InFlight(_) => *ahead += 1,
                State::Waiting(until) if until > wire.now => *ahead = usize::MAX / 2,
                State::Queued | State::Waiting(_) => {
                    if *ahead >= config.in_flight_per_room {
                        *ahead = usize::MAX / 2;
                        continue;
                    }
                    *ahead += 1;
                    in_flight += 1;
                    wire.send(entry.text());
                    entry.state = State::InFlight(wire.now);
                    entry.show(Delivery::Sending, wire.out);
                }
            }
        }
    }

    /// The connection is gone: what was on its way is sent again over the next one. With `silent`, the
    /// next one is there already.
    pub(super) fn handle_disconnected(&mut self, silent: bool, out: &mut Outputs) {
        if planted::has(Bug::OutboxForgets) {
            self.entries.retain(|entry| !entry.in_flight());
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.in_flight()) {
            entry.state = State::Queued;
            if !silent {
                entry.show(Delivery::Queued, out);
            }
        }
    }

    /// An operation is durable. Gives false if the ack of a message does not say which it became.
    pub(super) fn handle_ack(&mut self, ack: &Ack, out: &mut Outputs) -> bool {
        let Some(at) = self.position(ack.client_id) else { return true };
        if !self.entries[at].is_message() {
            self.entries.remove(at);
            out.event(ClientEvent::OperationDone { client_id: ack.client_id, room_id: ack.room_id });
            return true;
        }
        let (Some(message_id), Some(message_no), Some(created_at)) =
            (ack.message_id, ack.message_no, ack.created_at)
        else {
            return false;
        };
        self.entries.remove(at);
        out.event(ClientEvent::MessageSent {
            client_id: ack.client_id,
            room_id: ack.room_id,
            message_id,
            message_no,
            seq: ack.seq,
            created_at,
        });
        out.persist(Persist::OutboxRemove { client_id: ack.client_id });
        true
    }

    /// An event that carries the name of an own operation is as good as its ack, which may be lost.
    pub(super) fn handle_event(&mut self, event: &RoomEvent, me: UserId, out: &mut Outputs) {
        let (room_id, seq) = (event.room_id(), event.seq());
        let plain =
            |client_id| Ack { client_id, room_id, seq, message_no: None, message_id: None, created_at: None };
        let ack = if let RoomEvent::NewMessage(message) = event
            && message.user_id == me
        {
            message.client_id.map(|client_id| Ack {
                message_no: Some(message.message_no),
                message_id: Some(message.message_id),
                created_at: Some(message.created_at),
                ..plain(client_id)
            })
        } else if let RoomEvent::RoomCreated(created) = event
            && created.user_id == me
        {
            created.client_id.map(plain)
        } else {
            None
        };
        if let Some(ack) = ack {
            self.handle_ack(&ack, out);
        }
    }

    /// A node refused an operation: for now, or for good.
    pub(super) fn handle_error(
        &mut self,
        client_id: ClientId,
        error: Error,
        config: &Config,
        rng: &mut Rng,
        out: &mut Outputs,
        now: Now,
    ) {
        let Some(at) = self.position(client_id) else { return };
        let entry = &mut self.entries[at];
        if entry.state == State::Failed {
            return;
        }
        let hopeless = error.code == ErrorCode::Internal && entry.attempts + 1 >= INTERNAL_ATTEMPTS_MAX;
        if error.code.is_transient() && !hopeless {
            let delay = backoff::delay(config.backoff_base, config.backoff_cap, entry.attempts, rng);
            let asked = Duration::from_millis(u64::from(error.retry_after_ms.unwrap_or(0)));
            entry.attempts += 1;
            entry.state = State::Waiting(now + delay.max(asked));
            entry.show(Delivery::Queued, out);
        } else if entry.is_message() {
            entry.state = State::Failed;
            entry.show(Delivery::Failed { code: error.code, message: error.message }, out);
            entry.keep(out);
        } else {
            self.entries.remove(at);
            let Error { code, message, field, .. } = error;
            out.event(ClientEvent::OperationFailed { client_id, code, message, field });
        }
    }

    /// Operations that waited for too long fail; what a live connection does not answer is sent again.
    pub(super) fn handle_timeout(&mut self, config: &Config, out: &mut Outputs, now: Now) {
        self.entries.retain(|entry| {
            let Work::Operation { deadline, .. } = entry.work else { return true };
            if deadline <= now {
                fail(entry.client_id, "no answer in time; it may have taken effect", out);
            }
            deadline > now
        });
        for entry in &mut self.entries {
            let is_due = match entry.state {
                State::InFlight(since) => since + config.answer_timeout <= now,
                // It may not go out yet, for others ahead of it: then it is no timer's matter.
                State::Waiting(until) => until <= now,
                State::Queued | State::Failed => false,
            };
            if is_due {
                entry.state = State::Queued;
            }
        }
    }

    /// When there is something to do next, with or without a connection.
    pub(super) fn next_timeout(&self, live: bool, config: &Config) -> Option<Now> {
        self.entries.iter().fold(None, |next, entry| {
            let deadline = match entry.work {
                Work::Message { .. } => None,
                Work::Operation { deadline, .. } => Some(deadline),
            };
            let wake = match entry.state {
                State::Waiting(until) if live => Some(until),
                State::InFlight(since) => Some(since + config.answer_timeout),
                State::Waiting(_) | State::Queued | State::Failed => None,
            };
            earlier(next, earlier(deadline, wake))
        })
    }

    /// The messages, for a late tab.
    pub(super) fn messages(&self) -> impl Iterator<Item = &PendingMessage> {
        self.entries.iter().filter_map(|entry| match &entry.work {
            Work::Message { message, .. } => Some(message),
            Work::Operation { .. } => None,
        })
    }

    /// The messages as they are to be kept.
    pub(super) fn kept(&self) -> Vec<OutboxEntry> {
        let entries = self.entries.iter().filter_map(|entry| match &entry.work {
            Work::Message { order, message } => Some(OutboxEntry { order: *order, message: message.clone() }),
            Work::Operation { .. } => None,
        });
        entries.collect()
    }

    /// The client ended: operations fail, messages stay kept for the next sign-in.
    pub(super) fn end(&mut self, out: &mut Outputs) {
        self.entries.retain_mut(|entry| {
            if entry.is_message() {
                if entry.state != State::Failed {
                    entry.state = State::Queued;
                    entry.show(Delivery::Queued, out);
                }
                return true;
            }
            fail(entry.client_id, "the client was closed; it may have taken effect", out);
            false
        });
    }

    /// Someone else is signed in: none of this is theirs.
    pub(super) fn clear(&mut self, out: &mut Outputs) {
        for entry in std::mem::take(&mut self.entries) {
            if entry.is_message() {
                forget(&entry, out);
            } else {
                fail(entry.client_id, "someone else signed in", out);
            }
        }
    }

    /// Whether there is an operation of this name.
    pub(super) fn contains(&self, client_id: ClientId) -> bool {
        self.position(client_id).is_some()
    }

    fn position(&self, client_id: ClientId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.client_id == client_id)
    }
}

fn fail(client_id: ClientId, message: &str, out: &mut Outputs) {
    let (code, message) = (ErrorCode::Unavailable, message.to_owned());
    out.event(ClientEvent::OperationFailed { client_id, code, message, field: None });
}

fn forget(entry: &Entry, out: &mut Outputs) {
    let client_id = entry.client_id;
    out.persist(Persist::OutboxRemove { client_id });
    if let Some(room_id) = entry.room_id {
        out.event(ClientEvent::MessageDiscarded { client_id, room_id });
    }
}
