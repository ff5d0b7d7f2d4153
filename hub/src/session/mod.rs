//! The logical client on a connection: who it is, what it may ask, and how far it has got in each
//! room. Pure: frames, answers and events go in, actions come out; no I/O, no clock.

mod action;
#[cfg(test)]
mod any;
mod cursors;
mod dispatch;
#[cfg(test)]
mod tests;

pub use action::{Action, Admission, Failure, Request, SessionConfig, Snapshot, Subject};

use crate::limits::bounds::BAD_FRAMES_MAX;
use crate::store::{Committed, Event};
use cursors::Cursors;
use protocol::frame::client::{ClientMessage, Hello};
use protocol::frame::server::{Ack, Drain, Error, Refreshed, RoomAdded, ServerMessage, Welcome};
use protocol::model::{Room, User};
use protocol::planted::{self, Bug};
use protocol::{ClientId, CloseCode, DecodeError, ErrorCode, RequestId, RoomId, Seq};
use serde::Deserialize;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

#[derive(Debug)]
enum Phase {
    AwaitingHello,
    Authenticating(Box<Hello>),
    Joining(Box<Hello>, Box<Subject>),
    Live(Box<Subject>),
    Closed,
}

/// The logical client on one connection.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    phase: Phase,
    cursors: Cursors,
    /// Rooms whose presence the client watches, at most [`PRESENCE_WATCHES_MAX`] of its own.
    ///
    /// [`PRESENCE_WATCHES_MAX`]: protocol::limits::PRESENCE_WATCHES_MAX
    watched: BTreeSet<RoomId>,
    actions: VecDeque<Action>,
    /// When the phase ends by itself: `hello` is late, the client is silent.
    deadline: Instant,
    bad_frames: u32,
    is_draining: bool,
    /// Something changed for the user while the snapshot was on its way.
    is_outdated: bool,
}

impl Session {
    /// A session on a connection that just opened.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let deadline = now + config.hello_timeout;
        Self {
            config,
            phase: Phase::AwaitingHello,
            cursors: Cursors::default(),
            watched: BTreeSet::new(),
            actions: VecDeque::new(),
            deadline,
            bad_frames: 0,
            is_draining: false,
            is_outdated: false,
        }
    }

    /// Whether the next frame may be read: not while who is there is being found out.
    #[must_use]
    pub const fn reads_frames(&self) -> bool {
        matches!(self.phase, Phase::AwaitingHello | Phase::Live(_))
    }

    /// Whether the client was welcomed: nothing is written to it before.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
    }

    /// The user, once known.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match &self.phase {
            Phase::Joining(_, subject) | Phase::Live(subject) => Some(&subject.user),
            Phase::AwaitingHello | Phase::Authenticating(_) | Phase::Closed => None,
        }
    }

    /// Takes a text frame from the client.
    pub fn handle_frame(&mut self, text: &str, now: Instant) {
        self.deadline = match self.phase {
            Phase::Live(_) => now + self.config.idle_timeout,
            Phase::AwaitingHello | Phase::Authenticating(_) | Phase::Joining(..) | Phase::Closed => {
                self.deadline
            }
        };
        match protocol::decode_client(text) {
            Ok(message) => {
                self.bad_frames = 0;
                self.handle_message(message);
            }
            Err(error) => self.handle_bad_frame(text, &error),
        }
    }

    fn handle_message(&mut self, message: ClientMessage) {
        match (&self.phase, message) {
            (Phase::AwaitingHello, ClientMessage::Hello(hello)) => self.handle_hello(hello),
            (Phase::Live(_), message) => self.dispatch(message),
            (Phase::Closed, _) => {}
            (Phase::AwaitingHello | Phase::Authenticating(_) | Phase::Joining(..), _) => {
                self.refuse(
                    None,
                    None,
                    Failure::new(ErrorCode::InvalidMessage, "the first frame must be hello"),
                );
                self.close(CloseCode::ProtocolViolation);
            }
        }
    }

    fn handle_hello(&mut self, hello: Hello) {
        if hello.version != protocol::PROTOCOL_VERSION {
            let text = format!("version {} is not supported, this node speaks 1", hello.version);
            self.refuse(None, None, Failure::field(ErrorCode::InvalidField, "version", text));
            return self.close(CloseCode::UnsupportedVersion);
        }
        if let Err(failure) = dispatch::check_hello(&hello) {
            self.refuse(None, None, failure);
            return self.close(CloseCode::ProtocolViolation);
        }
        self.actions.push_back(Action::Authenticate { token: hello.token.clone() });
        self.phase = Phase::Authenticating(Box::new(hello));
    }

    /// Takes a frame that is longer than allowed and was not read.
    pub fn handle_oversized_frame(&mut self) {
        self.close(CloseCode::FrameTooLarge);
    }

    /// Takes a frame that is not text.
    pub fn handle_binary_frame(&mut self) {
        self.refuse(None, None, Failure::new(ErrorCode::InvalidMessage, "frames are JSON text, not binary"));
        self.close(CloseCode::ProtocolViolation);
    }

    fn handle_bad_frame(&mut self, text: &str, error: &DecodeError) {
        /// The names under which a client waits for an answer, from a frame that is wrong elsewhere.
        #[derive(Default, Deserialize)]
        struct Names {
            #[serde(default)]
            client_id: Option<ClientId>,
            #[serde(default)]
            request_id: Option<RequestId>,
        }
        let names: Names = match error {
            DecodeError::TooLarge { .. } => return self.close(CloseCode::FrameTooLarge),
            DecodeError::UnknownType { .. } | DecodeError::Invalid { .. } => {
                serde_json::from_str(text).unwrap_or_default()
            }
        };
        self.refuse(names.client_id, names.request_id, Failure::new(error.code(), error.to_string()));
        self.bad_frames += 1;
        if !matches!(self.phase, Phase::Live(_)) || self.bad_frames > BAD_FRAMES_MAX {
            self.close(CloseCode::ProtocolViolation);
        }
    }

    /// Takes the user that a token names, for `hello` and `refresh`.
    pub fn handle_subject(&mut self, subject: Subject, now: Instant) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Authenticating(hello) => {
                self.phase = Phase::Joining(hello, Box::new(subject));
                self.deadline = now + self.config.idle_timeout;
                self.actions.push_back(Action::Join);
            }
            Phase::Live(current) if current.user.id == subject.user.id => {
                self.send(ServerMessage::Refreshed(Refreshed { token_expires_at: subject.expires_at }));
                self.phase = Phase::Live(Box::new(subject));
            }
            other @ Phase::Live(_) => {
                self.phase = other;
                self.close(CloseCode::ProtocolViolation);
            }
            other @ (Phase::AwaitingHello | Phase::Joining(..) | Phase::Closed) => self.phase = other,
        }
    }

    /// Takes the refusal of a token, or any other reason to end.
    pub fn handle_refused(&mut self, code: CloseCode) {
        self.close(code);
    }

    /// Takes what the session starts from; the connection is attached to all its rooms.
    pub fn handle_joined(&mut self, snapshot: Snapshot, now: Instant) {
        let (hello, subject) = match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Joining(hello, subject) => (hello, subject),
            other @ (Phase::AwaitingHello | Phase::Authenticating(_) | Phase::Live(_) | Phase::Closed) => {
                self.phase = other;
                return;
            }
        };
        let resets = self.cursors.start(&hello, &snapshot, self.config.resume_events_max);
        if planted::has(Bug::ForeignCursor) {
            self.attach_all(&hello, &snapshot);
        }
        let limits = protocol::limits::Limits {
            resume_events_max: u32::try_from(self.config.resume_events_max).unwrap_or(u32::MAX),
            ..Default::default()
        };
        self.send(ServerMessage::Welcome(Welcome {
            version: protocol::PROTOCOL_VERSION,
            user: subject.user.clone(),
            node: self.config.node.clone(),
            epoch: snapshot.epoch,
            now: snapshot.now,
            token_expires_at: subject.expires_at,
            heartbeat_ms: u32::try_from(self.config.heartbeat.as_millis()).unwrap_or(u32::MAX),
            rooms: snapshot.rooms,
            limits,
        }));
        for reset in resets {
            self.send(ServerMessage::Reset(reset));
        }
        self.phase = Phase::Live(subject);
        self.deadline = now + self.config.idle_timeout;
        if std::mem::take(&mut self.is_outdated) {
            self.actions.push_back(Action::Reload);
        }
    }

    /// Lets the user into every room that has a cursor: for a planted bug.
    fn attach_all(&mut self, hello: &Hello, snapshot: &Snapshot) {
        let Some(known) = snapshot.rooms.first() else { return };
        for (room_id, seq) in hello.cursors.iter().filter(|(room_id, _)| !self.cursors.contains(**room_id)) {
            let room = Room { id: *room_id, head_seq: *seq, ..known.clone() };
            self.actions.push_back(Action::Attach(Box::new(room)));
        }
    }

    /// The user's rooms, logins or read markers may have changed.
    pub fn handle_user_changed(&mut self) {
        match self.phase {
            Phase::Live(_) => self.actions.push_back(Action::Reload),
            // The snapshot may have been read before.
            Phase::Joining(..) => self.is_outdated = true,
            Phase::AwaitingHello | Phase::Authenticating(_) | Phase::Closed => {}
        }
    }

    /// Takes the user's rooms as they are now.
    pub fn handle_reloaded(&mut self, rooms: Vec<Room>) {
        for room in rooms {
            match self.cursors.read_marker(&room) {
                None => self.actions.push_back(Action::Attach(Box::new(room))),
                Some(Some(marker)) => self.send(ServerMessage::ReadMarker(marker)),
                Some(None) => {}
            }
        }
    }

    /// Takes a room to which the connection is attached now; its events follow its head.
    pub fn handle_attached(&mut self, room: Room) {
        if self.cursors.attach(&room) {
            self.send(ServerMessage::RoomAdded(RoomAdded { room }));
        }
    }

    /// A room has events that the client may not have.
    pub fn handle_dirty(&mut self, room_id: RoomId) {
        self.cursors.mark_dirty(room_id);
    }

    /// The next room to read and the event after which to read it. It stays due until
    /// [`Self::handle_up_to_date`] says that nothing is left.
    #[must_use]
    pub fn poll_pull(&self) -> Option<(RoomId, Seq)> {
        if matches!(self.phase, Phase::Live(_)) { self.cursors.next_dirty() } else { None }
    }

    /// The room has nothing after the cursor.
    pub fn handle_up_to_date(&mut self, room_id: RoomId) {
        self.cursors.mark_clean(room_id);
    }

    /// Other rooms are read first, before this one goes on.
    pub fn handle_page_sent(&mut self, room_id: RoomId) {
        self.cursors.rotate(room_id);
    }

    /// Judges the next event of a room, by the state that the events before it left.
    pub fn admit(&mut self, event: &Event) -> Admission {
        let Phase::Live(subject) = &self.phase else { return Admission::Skip };
        let admission = self.cursors.admit(event, subject.user.id);
        if admission == Admission::SendLast {
            self.watched.remove(&event.room_id);
            // Who comes back right away is let in again by the reload.
            self.actions.push_back(Action::Detach(event.room_id));
            self.actions.push_back(Action::Send(Box::new(cursors::removed(event.room_id))));
            self.actions.push_back(Action::Reload);
        }
        admission
    }

    /// Takes a committed operation.
    pub fn handle_committed(&mut self, client_id: ClientId, committed: &Committed) {
        let message = committed.message;
        self.send(ServerMessage::Ack(Ack {
            client_id,
            room_id: committed.room_id,
            seq: committed.seq,
            message_no: message.map(|message| message.message_no),
            message_id: message.map(|message| message.message_id),
            created_at: message.map(|message| message.created_at),
        }));
    }

    /// Takes the failure of an operation.
    pub fn handle_failed(&mut self, client_id: ClientId, failure: Failure) {
        self.refuse(Some(client_id), None, failure);
    }

    /// Whether the client watches the presence of a room.
    #[must_use]
    pub fn watches(&self, room_id: RoomId) -> bool {
        self.watched.contains(&room_id)
    }

    /// Takes the failure of a watch.
    pub fn handle_watch_failed(&mut self, room_id: RoomId, failure: Failure) {
        if self.watched.remove(&room_id) {
            self.refuse(None, None, failure);
        }
    }

    /// Takes the answer to a question.
    pub fn handle_answer(&mut self, request_id: RequestId, answer: Result<ServerMessage, Failure>) {
        match answer {
            Ok(message) => self.send(message),
            Err(failure) => self.refuse(None, Some(request_id), failure),
        }
    }

    /// Takes the refusal of a frame that was not looked at, by a rate limit.
    pub fn handle_rate_limited(&mut self, text: &str, retry_after: Duration) {
        let failure = Failure {
            code: ErrorCode::RateLimited,
            message: "too many requests".into(),
            field: None,
            retry_after: Some(retry_after),
        };
        match protocol::decode_client(text) {
            Ok(message) => {
                let (client_id, request_id) = dispatch::names(&message);
                self.refuse(client_id, request_id, failure);
            }
            Err(error) => self.handle_bad_frame(text, &error),
        }
    }

    /// Whether the client was asked to go.
    #[must_use]
    pub const fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// The node is leaving.
    pub fn handle_drain(&mut self, within: Duration) {
        self.is_draining = true;
        if matches!(self.phase, Phase::Live(_)) {
            let reconnect_within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
            self.send(ServerMessage::Drain(Drain { reconnect_within_ms }));
        } else {
            self.close(CloseCode::Drain);
        }
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Closed => None,
            Phase::Live(subject) if planted::has(Bug::SilenceForEver) => Some(subject.expires),
            Phase::Live(subject) => Some(self.deadline.min(subject.expires)),
            Phase::AwaitingHello | Phase::Authenticating(_) | Phase::Joining(..) => Some(self.deadline),
        }
    }

    /// Ends what is late.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Live(subject) = &self.phase
            && subject.expires <= now
        {
            return self.close(CloseCode::TokenExpired);
        }
        if self.deadline <= now {
            let code = match self.phase {
                Phase::AwaitingHello => CloseCode::HelloTimeout,
                Phase::Authenticating(_) | Phase::Joining(..) => CloseCode::Unavailable,
                Phase::Live(_) => CloseCode::IdleTimeout,
                Phase::Closed => return,
            };
            self.close(code);
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn send(&mut self, message: ServerMessage) {
        self.actions.push_back(Action::Send(Box::new(message)));
    }

    fn refuse(&mut self, client_id: Option<ClientId>, request_id: Option<RequestId>, failure: Failure) {
        self.send(ServerMessage::Error(Error {
            client_id,
            request_id,
            code: failure.code,
            message: failure.message,
            field: failure.field,
            retry_after_ms: failure
                .retry_after
                .map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
        }));
    }

    fn close(&mut self, code: CloseCode) {
        if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Closed;
            self.actions.push_back(Action::Close(code));
        }
    }
}
