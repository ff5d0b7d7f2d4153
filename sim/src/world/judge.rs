//! The judge of a run: what every client is told comes here, is held against what must be so, and goes
//! into the history. One for all hosts; everything runs on one thread.

use super::terms::Terms;
use crate::entropy;
use crate::history::{History, Lane, Name, What};
use crate::marks::{Mark, sometimes};
use crate::oracle::effect::Asked;
use crate::oracle::log::{Log, Seen};
use crate::oracle::page::Page;
use crate::oracle::{Check, Invariant, Violation, hold};
use crate::plan::Versions;
use fakes::version::Version;
use hub::store::LoginId;
use loadgen::driver::Handle;
use parking_lot::Mutex;
use protocol::client::{OutboxEntry, Persist, Persisted};
use protocol::view::{ClientEvent, Connection, Delivery, EndReason};
use protocol::{ClientId, NodeId, RoomEvent, RoomId, Seq, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The judge, as everyone reaches it.
pub type Shared = Arc<Mutex<Judge>>;

/// How long it takes at most until everyone has something, while nothing is broken: less than until a
/// sweep, which makes up for what was not told.
const PROMPT_MAX: u64 = 2_500;
/// The same while nothing but Redis is broken: a sweep, at most 6 s after the one before, and what it reads.
const SWEPT_MAX: u64 = 10_000;
/// How long one who signed out may still be told something, in milliseconds, once faults have ended.
const REVOKED_MAX: u64 = 20_000;
/// The same as long as nothing is broken: until a sweep, at most 6 s, and what it asks for.
const REVOKED_MAX_CALM: u64 = 8_000;

/// A run's judge.
#[derive(Debug)]
pub struct Judge {
    /// What happened.
    pub history: History,
    /// The store's log.
    pub log: Log,
    /// Everyone.
    pub clients: Vec<Client>,
    /// What the plan allows.
    pub terms: Terms,
    /// Who begins of which version.
    pub(super) versions: Versions,
    /// Of which version nodes are.
    pub(super) versions_of_hubs: BTreeMap<NodeId, Version>,
    /// The first thing that was wrong.
    pub violation: Option<Violation>,
    /// Events whose publication was lost on its way to a node.
    pub doorbells_lost: BTreeSet<(NodeId, RoomId, Seq)>,
    stored_at: BTreeMap<(RoomId, Seq), u64>,
    /// Pauses before reconnects, by the number of the attempt.
    pub(super) pauses: BTreeMap<u32, Vec<u32>>,
}

/// A client, as the judge knows it.
#[derive(Debug)]
pub struct Client {
    /// Who uses it.
    pub user: UserId,
    /// The user's login.
    pub login: LoginId,
    /// What it was told.
    pub page: Page,
    /// What it keeps.
    pub kept: Persisted,
    /// To ask it for something; none while it is not there.
    pub handle: Option<Handle>,
    /// Of which version it is.
    pub version: Version,
    /// Grows each time it is opened: what an earlier one is told counts no more.
    pub life: u64,
    /// It is to be opened again when it ends.
    pub reopens: bool,
    /// It is not to be opened again.
    pub quits: bool,
    /// The number of what it says next.
    pub number: u32,
    /// What it said.
    pub names: BTreeMap<ClientId, Name>,
    /// What else it was asked for, and not yet told the end of.
    pub asked: BTreeMap<ClientId, (Option<RoomId>, Asked)>,
    /// When its user signed out.
    pub revoked_at: Option<u64>,
    /// It ended for good.
    pub ended: bool,
    /// The run is over: it is being closed.
    pub closing: bool,
    /// When it went online within the last minute.
    pub(super) connects: Vec<u64>,
}

impl Client {
    /// A client that was never opened.
    #[must_use]
    pub fn new(user: UserId, login: LoginId, version: Version) -> Self {
        Self {
            user,
            login,
            version,
            page: Page::default(),
            kept: Persisted::default(),
            handle: None,
            life: 0,
            reopens: false,
            quits: false,
            number: 0,
            names: BTreeMap::new(),
            asked: BTreeMap::new(),
            revoked_at: None,
            ended: false,
            closing: false,
            connects: Vec::new(),
        }
    }

    /// It is opened, with what was kept.
    pub fn open(&mut self) -> Persisted {
        self.life += 1;
        self.reopens = false;
        if self.life > 1 {
            self.page.reload(&self.kept);
        }
        self.kept.clone()
    }
}

impl Judge {
    /// A judge of these clients.
    #[must_use]
    pub fn new(log: Log, clients: Vec<Client>, terms: Terms, versions: Versions, keeps: bool) -> Shared {
        Arc::new(Mutex::new(Self {
            history: History::new(keeps),
            log,
            clients,
            terms,
            versions,
            versions_of_hubs: BTreeMap::new(),
            violation: None,
            doorbells_lost: BTreeSet::new(),
            stored_at: BTreeMap::new(),
            pauses: BTreeMap::new(),
        }))
    }

    /// Adds to the history.
    pub fn tell(&mut self, lane: Lane, what: What) {
        self.history.add(now(), lane, what);
    }

    /// Something does not hold. Only the first counts.
    pub fn fail(&mut self, invariant: Invariant, text: String) {
        if self.violation.is_none() {
            self.tell(Lane::World, What::Told(format!("VIOLATION {invariant:?}: {text}")));
            self.violation = Some(Violation { invariant, text, at: now() });
        }
    }

    /// Reads what is new in the log.
    pub fn look(&mut self, room_id: RoomId) {
        match self.log.look(room_id) {
            Ok(seen) => self.note_stored(seen),
            Err((invariant, text)) => self.fail(invariant, text),
        }
    }

    /// A client says something in a room, of which the log is read first: what happened before is no reason for
    /// what follows.
    pub fn say(&mut self, index: u32, client_id: ClientId, name: Name, room: RoomId, text: String) {
        self.look(room);
        let user = self.client(index).user;
        self.log.say(client_id, name, user, room, text);
        self.client(index).names.insert(client_id, name);
        self.tell(Lane::Client(index), What::Said { name, room });
    }

    fn note_stored(&mut self, seen: Vec<Seen>) {
        for Seen { name, room, seq, kind } in seen {
            if room.0 > self.terms.rooms {
                sometimes(Mark::RoomMade);
            }
            self.stored_at.insert((room, seq), now());
            self.tell(Lane::World, What::Stored { name, room, seq, kind });
        }
    }

    fn name_of(&self, event: &RoomEvent) -> Option<Name> {
        let RoomEvent::NewMessage(message) = event else { return None };
        let client_id = message.client_id?;
        self.clients.iter().find_map(|client| client.names.get(&client_id).copied())
    }

    pub(super) fn event(&mut self, index: u32, event: &ClientEvent) -> Check {
        let user = self.client(index).user;
        match event {
            ClientEvent::Connection { connection } => return self.connection(index, connection),
            ClientEvent::Ready { rooms, .. } => {
                for (room_id, seq) in self.client(index).page.left_out(rooms) {
                    self.check_gone(index, room_id, seq)?;
                }
                self.client(index).page.ready(rooms)?;
            }
            ClientEvent::RoomChanged { room } => {
                if !self.client(index).page.rooms.contains_key(&room.id) {
                    sometimes(Mark::JoinedLater);
                    self.look(room.id);
                    if let Some(joined) = self.log.joined(user, room.id) {
                        self.check_prompt(index, room.id, joined)?;
                    }
                }
                self.client(index).page.know(room)?;
            }
            ClientEvent::RoomRemoved { room_id } => {
                if let Some(seq) = self.client(index).page.rooms.get(room_id).map(|room| room.seq) {
                    self.check_gone(index, *room_id, seq)?;
                }
                self.client(index).page.removed(*room_id)?;
                self.tell(Lane::Client(index), What::Told(format!("leaves room {room_id}")));
            }
            ClientEvent::Event { event } => self.delivered(index, event)?,
            ClientEvent::RoomReset { room_id, head_seq } => {
                self.check_skip(index, *room_id, *head_seq)?;
                self.client(index).page.reset(*room_id, *head_seq)?;
                let text = format!("skips room {room_id} up to event {head_seq}");
                self.tell(Lane::Client(index), What::Told(text));
            }
            ClientEvent::MessagePending { message } => {
                let most = self.terms.outbox_messages;
                let page = &mut self.client(index).page;
                page.pending(message);
                let waiting = page.pending.len();
                hold!(waiting <= most, Bounded, "{waiting} messages are in an outbox for {most}");
                self.look(message.room_id);
                match message.delivery {
                    Delivery::Sending if self.log.is_stored(message.client_id) => sometimes(Mark::Retried),
                    Delivery::Queued if self.log.is_stored(message.client_id) => {
                        sometimes(Mark::UnackedStored)
                    }
                    Delivery::Queued | Delivery::Sending | Delivery::Failed { .. } => {}
                }
                if let Delivery::Failed { code, message: why } = &message.delivery
                    && let Some(name) = self.client(index).names.get(&message.client_id).copied()
                {
                    let (client_id, code, room_id) = (message.client_id, *code, message.room_id);
                    let why = format!("{code:?}: {why}");
                    self.tell(Lane::Client(index), What::Failed { name, why });
                    self.log.check_refused(user, client_id, room_id, code)?;
                }
            }
            ClientEvent::MessageSent { client_id, room_id, message_id, seq, .. } => {
                self.client(index).page.settled(*client_id)?;
                let seen = self.log.check_acked(user, *client_id, *room_id, *seq, *message_id)?;
                self.note_stored(seen);
                if let Some(name) = self.client(index).names.get(client_id).copied() {
                    self.tell(Lane::Client(index), What::Acked { name, room: *room_id, seq: *seq });
                }
            }
            ClientEvent::MessageDiscarded { client_id, .. } => self.client(index).page.settled(*client_id)?,
            ClientEvent::HistoryPage { request_id, room_id, page } => {
                let asked = self.client(index).page.answered(*request_id)?;
                let seen = self.log.check_page(user, *room_id, asked, page)?;
                if !page.messages.is_empty() {
                    sometimes(Mark::Asked);
                }
                if !seen.is_empty() {
                    sometimes(Mark::PageWhileWriting);
                }
                self.note_stored(seen);
            }
            ClientEvent::Typing { users, .. } if !users.is_empty() => sometimes(Mark::TypingSeen),
            ClientEvent::Presence { room_id, online, .. } => {
                let text = format!("sees {online:?} online in room {room_id}");
                self.tell(Lane::Client(index), What::Told(text));
                if self.client(index).page.online.insert(*room_id, online.clone()).is_some() {
                    sometimes(Mark::PresenceSeen);
                }
            }
            ClientEvent::OperationDone { client_id, room_id } => self.done(index, *client_id, *room_id)?,
            ClientEvent::RequestFailed { request_id, .. } => self.client(index).page.failed(*request_id),
            ClientEvent::OperationFailed { client_id, code, message, .. } => {
                self.refused(index, *client_id, *code)?;
                self.tell(Lane::Client(index), What::Told(format!("is refused: {code:?}: {message}")));
            }
            ClientEvent::MembersPage { .. } | ClientEvent::RoomsPage { .. } | ClientEvent::Typing { .. } => {}
        }
        Ok(())
    }

    fn delivered(&mut self, index: u32, event: &RoomEvent) -> Check {
        let Terms { heals_at, calm_until, .. } = self.terms;
        let client = self.client(index);
        let user = client.user;
        let is_late = client.revoked_at.is_some_and(|at| {
            at.max(heals_at) + REVOKED_MAX < now()
                || at + REVOKED_MAX_CALM < now() && at + REVOKED_MAX_CALM < calm_until
        });
        hold!(!is_late, Revoked, "client{index} gets {event:?} and has signed out");
        let seen = self.log.check_event(event, user)?;
        self.note_stored(seen);
        let (room, seq) = (event.room_id(), event.seq());
        self.pass(index, room, Seq(seq.0.saturating_sub(1)));
        self.client(index).page.event(event)?;
        if self.stored_at.get(&(room, seq)).is_some_and(|at| at + 3_000 < now()) {
            sometimes(Mark::NotDelivered);
        }
        self.check_prompt(index, room, seq)?;
        if let Some(Connection::Online { node }) = &self.client(index).page.connection {
            let bell = (node.clone(), room, seq);
            self.note_later(&bell.0, event);
            if self.doorbells_lost.remove(&bell) {
                sometimes(Mark::LostAndFound);
            }
        }
        let (name, kind) = (self.name_of(event), event.kind());
        self.tell(Lane::Client(index), What::Delivered { name, room, seq, kind });
        Ok(())
    }

    /// Notes a room with members on three nodes, of which one just came.
    fn note_spread(&self, index: u32) {
        for room_id in self.clients[index as usize].page.rooms.keys() {
            let there = self.clients.iter().filter(|client| client.page.rooms.contains_key(room_id));
            let nodes = there.filter_map(|client| match &client.page.connection {
                Some(Connection::Online { node }) => Some(node),
                Some(_) | None => None,
            });
            if nodes.collect::<BTreeSet<_>>().len() >= 3 {
                sometimes(Mark::ManyHubsOneRoom);
            }
        }
    }

    /// As long as nothing is broken, nobody who is connected waits for a sweep.
    fn check_prompt(&mut self, index: u32, room: RoomId, seq: Seq) -> Check {
        let Some(stored_at) = self.stored_at.get(&(room, seq)).copied() else { return Ok(()) };
        let (due, since) = (stored_at + PROMPT_MAX, self.client(index).page.online_since);
        let is_late = since <= stored_at && due < now() && due < self.terms.calm_until;
        hold!(!is_late, Prompt, "event {seq} of room {room} takes {} ms", now() - stored_at);
        let due = stored_at + SWEPT_MAX;
        let is_unswept = since <= stored_at && due < now() && due < self.terms.store_calm_until;
        hold!(!is_unswept, Prompt, "event {seq} of room {room} takes {} ms without Redis", now() - stored_at);
        Ok(())
    }

    /// A client that comes or moves to a node is given what it lacked when it said hello, unless that is too
    /// much or it was out of the room.
    fn check_skip(&mut self, index: u32, room_id: RoomId, head: Seq) -> Check {
        self.look(room_id);
        let most = self.terms.resume_events;
        let client = self.client(index);
        let user = client.user;
        let Some(had) = client.page.resumes_after(room_id) else { return Ok(()) };
        let could = head.0.saturating_sub(had.0) <= most && self.log.stayed(user, room_id, had, head);
        hold!(!could, NoSkips, "room {room_id} is skipped from {had} to {head}, {most} events are replayed");
        Ok(())
    }

    /// A room goes only from those who ceased to be members after what they have of it.
    fn check_gone(&mut self, index: u32, room_id: RoomId, seq: Seq) -> Check {
        self.look(room_id);
        let user = self.client(index).user;
        hold!(
            !self.log.stays_on(user, room_id, seq),
            Stays,
            "room {room_id} is taken from user {user}, who is a member since before event {seq}"
        );
        Ok(())
    }

    /// A client is opened, with what it kept.
    pub fn open(&mut self, index: u32) -> Persisted {
        let client = &mut self.clients[index as usize];
        let check = client.page.check_kept(&client.kept);
        if client.life > 0 {
            client.version = self.versions.next(client.version);
        }
        let (kept, version) = (client.open(), client.version);
        self.tell_version(Lane::Client(index), version);
        if let Err((invariant, text)) = check {
            self.fail(invariant, format!("client{index}: {text}"));
        }
        kept
    }

    fn connection(&mut self, index: u32, connection: &Connection) -> Check {
        let client = self.client(index);
        if let (Some(Connection::Online { .. }), Connection::Online { .. }) =
            (&client.page.connection, connection)
        {
            sometimes(Mark::Drained);
        }
        client.page.connection(connection, now());
        let (expects_end, signed_out) =
            (client.closing || client.reopens || client.quits, client.revoked_at.is_some());
        let text = match connection {
            Connection::Online { node } => {
                self.check_connects(index)?;
                self.note_spread(index);
                format!("is online on {node}")
            }
            Connection::Connecting { attempt } => format!("connects, attempt {attempt}"),
            Connection::Offline { attempt, retry_in_ms } => {
                let (attempt, pause) = (*attempt, *retry_in_ms);
                self.check_spread(attempt, pause)?;
                format!("is offline, tries again in {pause} ms")
            }
            Connection::Ended { reason } => {
                client.ended = !client.reopens;
                let fits = match reason {
                    EndReason::Closed => expects_end,
                    EndReason::SignedOut => signed_out,
                    EndReason::AccountDisabled | EndReason::UpdateNeeded | EndReason::ProtocolError => false,
                };
                hold!(fits, Readable, "client{index} is ended: {reason:?}");
                format!("ends: {reason:?}")
            }
        };
        self.tell(Lane::Client(index), What::Told(text));
        Ok(())
    }

    pub(super) fn persist(&mut self, index: u32, persist: Persist) -> Check {
        if let Persist::Session { cursors, .. } = &persist {
            for (room_id, seq) in cursors {
                self.pass(index, *room_id, *seq);
            }
        }
        let client = self.client(index);
        let forget = |kept: &mut Persisted, client_id: ClientId| {
            kept.outbox.retain(|OutboxEntry { message, .. }| message.client_id != client_id);
        };
        match persist {
            Persist::OutboxPut(entry) => {
                forget(&mut client.kept, entry.message.client_id);
                client.kept.outbox.push(entry);
            }
            Persist::OutboxRemove { client_id } => forget(&mut client.kept, client_id),
            Persist::Session { user_id, epoch, cursors } => {
                client.page.keep(epoch, &cursors, client.kept.epoch)?;
                client.kept.user_id = Some(user_id);
                client.kept.epoch = Some(epoch);
                client.kept.cursors = cursors;
            }
        }
        Ok(())
    }

    /// Whether a user signed out.
    #[must_use]
    pub fn is_revoked(&self, user: UserId) -> bool {
        self.clients.iter().any(|client| client.user == user && client.revoked_at.is_some())
    }

    /// A client.
    ///
    /// # Panics
    /// When there is none of that number.
    pub fn client(&mut self, index: u32) -> &mut Client {
        &mut self.clients[index as usize]
    }
}

/// Milliseconds since the beginning.
#[must_use]
pub fn now() -> u64 {
    u64::try_from(entropy::elapsed().as_millis()).unwrap_or(u64::MAX)
}
