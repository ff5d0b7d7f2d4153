//! The client: a pure state machine that connects, resumes, puts events in order, keeps an outbox and
//! retries. No I/O, no clock, no randomness of its own; the browser, the load generator and the
//! simulation drive the same code.
//!
//! A driver calls a command or `handle_*` with the time, then takes every [`Client::poll_output`] and
//! does what it says in that order, and calls [`Client::handle_timeout`] at [`Client::poll_timeout`].
//! Calling it early or late does no harm.

mod backoff;
mod command;
mod config;
mod heartbeat;
mod link;
mod marks;
mod outbox;
mod presence;
mod receive;
mod requests;
mod rng;
mod rooms;
mod time;
mod tokens;
mod typing;
mod unread;

pub use command::{Operation, Request};
pub use config::{Config, ConnId, Kick, OutboxEntry, Output, Persist, Persisted, Refused, Token, TokenError};
pub use time::Now;

use crate::frame::client::ClientMessage;
use crate::ids::UserId;
use crate::view::{ClientEvent, Connection};
use backoff::Backoff;
use config::{Outputs, Wire};
use link::{Dialing, Live};
use marks::Marks;
use outbox::Outbox;
use presence::Presence;
use requests::Requests;
use rng::Rng;
use rooms::Rooms;
use time::earlier;
use tokens::Tokens;
use typing::Typing;

/// A client of one user.
///
/// What it promises above its outputs: each event of a room is given out once, in order of `seq`,
/// whatever connections do; a message is kept until a node acknowledges or refuses it; one sender's
/// operations in a room are committed in the order in which they were asked for (see
/// [`Config::in_flight_per_room`]).
#[derive(Debug)]
pub struct Client {
    config: Config,
    rng: Rng,
    out: Outputs,
    phase: Phase,
    /// How the connection was last told to stand, and when.
    connection: Option<Connection>,
    shown_at: Now,
    live: Option<Live>,
    dialing: Option<Dialing>,
    /// When to dial next.
    retry_at: Option<Now>,
    /// There is to be a connection as soon as there is a token.
    dial_wanted: bool,
    kicked_at: Option<Now>,
    next_conn: u32,
    backoff: Backoff,
    tokens: Tokens,
    /// Whose outbox and cursors these are, as far as is known.
    owner: Option<UserId>,
    rooms: Rooms,
    outbox: Outbox,
    requests: Requests,
    marks: Marks,
    typing: Typing,
    presence: Presence,
    /// The cursors moved since they were last given out to be kept.
    unkept: bool,
    kept_at: Option<Now>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    Ended,
}

impl Client {
    /// A client that has yet to be started. `seed` is fresh entropy at every start: the names of
    /// sends are drawn from it, and they have to differ between devices and between starts.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], restored: Persisted) -> Self {
        let Persisted { user_id, epoch, cursors, outbox } = restored;
        Self {
            rng: Rng::new(seed),
            out: Outputs::default(),
            phase: Phase::Idle,
            connection: None,
            shown_at: Now::default(),
            live: None,
            dialing: None,
            retry_at: None,
            dial_wanted: false,
            kicked_at: None,
            next_conn: 1,
            backoff: Backoff::new(config.backoff_base, config.backoff_cap),
            tokens: Tokens::new(config.backoff_base, config.backoff_cap),
            owner: user_id,
            rooms: Rooms::restore(epoch, cursors),
            outbox: Outbox::restore(outbox),
            requests: Requests::default(),
            marks: Marks::default(),
            typing: Typing::default(),
            presence: Presence::default(),
            unkept: false,
            kept_at: None,
            config,
        }
    }

    /// The next thing to do. Take all of them after each input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.0.pop_front()
    }

    /// When to call [`Self::handle_timeout`], if nothing comes before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Now> {
        if self.phase != Phase::Running {
            return None;
        }
        let live = self.live.is_some();
        let marks = self.marks.next_timeout(&self.config).filter(|_| live);
        let kept = self.kept_at.filter(|_| self.unkept).map(|at| at + self.config.persist_interval);
        let timers = [
            self.outbox.next_timeout(live, &self.config),
            self.requests.next_timeout(live),
            self.typing.next_timeout(),
            self.presence.next_timeout(live),
            self.rooms.next_timeout(self.config.room_changed_interval),
            marks,
            kept,
        ];
        timers.into_iter().fold(self.link_next_timeout(), earlier)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        self.link_timeout(now);
        self.outbox.handle_timeout(&self.config, &mut self.out, now);
        self.requests.handle_timeout(&mut self.out, now);
        self.typing.handle_timeout(&mut self.out, now);
        self.settle(now);
    }

    /// Everything that a front end needs which comes late, in the order in which to take it.
    #[must_use]
    pub fn snapshot(&self, now: Now) -> Vec<ClientEvent> {
        let mut connection = self.connection.clone().unwrap_or(Connection::Connecting { attempt: 0 });
        if let Connection::Offline { retry_in_ms, .. } = &mut connection {
            let passed = time::millis(now.since(self.shown_at));
            *retry_in_ms = retry_in_ms.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
        }
        let mut events = vec![ClientEvent::Connection { connection }];
        events.extend(self.rooms.snapshot());
        let pending = self.outbox.messages().cloned();
        events.extend(pending.map(|message| ClientEvent::MessagePending { message }));
        events.extend(self.typing.snapshot());
        events.extend(self.presence.snapshot());
        events
    }

    /// What to restore a client from that goes on where this one stands.
    #[must_use]
    pub fn persisted(&self) -> Persisted {
        Persisted {
            user_id: self.owner,
            epoch: self.rooms.epoch(),
            cursors: self.rooms.cursors().clone(),
            outbox: self.outbox.kept(),
        }
    }

    /// What was on its way over a lost connection goes over the next one. `moved`: that is there.
    fn disconnect_queues(&mut self, moved: bool) {
        self.outbox.handle_disconnected(moved, &mut self.out);
        self.requests.handle_disconnected();
        self.marks.handle_disconnected();
        self.presence.handle_disconnected();
    }

    /// After an input: sends what may go out, tells and keeps what changed.
    fn settle(&mut self, now: Now) {
        self.pump(now);
        self.rooms.tell_changes(self.config.room_changed_interval, &mut self.out, now);
        self.keep_session(now, false);
    }

    /// Sends what may go out.
    fn pump(&mut self, now: Now) {
        let Some(live) = &mut self.live else { return };
        let mut wire = Wire { conn: live.id, out: &mut self.out, now, sent: false };
        self.outbox.pump(&self.config, &mut wire);
        self.requests.pump(&mut wire);
        self.marks.pump(&self.config, &mut wire);
        self.presence.pump(&mut wire);
        if wire.sent {
            live.heartbeat.handle_sent(now);
        }
    }

    fn send_frame(&mut self, frame: &ClientMessage, now: Now) {
        if let Some(live) = &mut self.live {
            live.heartbeat.handle_sent(now);
            self.out.push(Output::Send { conn: live.id, text: crate::encode(frame) });
        }
    }

    /// Gives the cursors out to be kept: at most once in a while, unless it is `urgent`.
    fn keep_session(&mut self, now: Now, urgent: bool) {
        let due = self.unkept && self.kept_at.is_none_or(|at| at + self.config.persist_interval <= now);
        let (Some(me), Some(epoch)) = (self.rooms.me(), self.rooms.epoch()) else { return };
        if due || urgent {
            let cursors = self.rooms.cursors().clone();
            self.out.persist(Persist::Session { user_id: me.id, epoch, cursors });
            self.unkept = false;
            self.kept_at = Some(now);
        }
    }

    /// Tells how the connection stands, if that is news.
    fn show(&mut self, connection: Connection, now: Now) {
        if self.connection.as_ref() != Some(&connection) {
            self.connection = Some(connection.clone());
            self.shown_at = now;
            self.out.event(ClientEvent::Connection { connection });
        }
    }

    fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }
}
