//! The life of connections: dialling, `hello`, going live, losing, moving to another node on `drain`,
//! heartbeats and tokens.

use super::config::{ConnId, Kick, Output, Token, TokenError};
use super::heartbeat::{Beat, Heartbeat};
use super::time::{Now, earlier, millis};
use super::{Client, Phase};
use crate::PROTOCOL_VERSION;
use crate::close::{CloseCode, may_reconnect};
use crate::frame::client::{ClientMessage, Hello, Refresh};
use crate::frame::server::{Drain, Welcome};
use crate::ids::{RoomId, Seq};
use crate::planted::{self, Bug};
use crate::view::{Connection, EndReason};
use std::collections::BTreeMap;
use std::time::Duration;

/// The close code of a connection that is not needed any more.
const CLOSE_NORMAL: u16 = 1000;
/// The close code of a connection that does not answer (IANA WebSocket close codes: 3008, timeout).
const CLOSE_TIMEOUT: u16 = 3008;
/// How often at most a kick starts an attempt.
const KICK_INTERVAL: Duration = Duration::from_secs(1);
/// The next connection is opened within this time after `drain`.
const DRAIN_SPREAD_MAX: Duration = Duration::from_secs(1);

/// A connection that was welcomed.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: ConnId,
    pub(super) heartbeat: Heartbeat,
    since: Now,
    /// The token that the node knows.
    serial: u32,
    draining: bool,
}

/// A connection on its way.
#[derive(Debug)]
pub(super) struct Dialing {
    id: ConnId,
    deadline: Now,
    serial: u32,
    /// The cursors that the node was given.
    hello: BTreeMap<RoomId, Seq>,
}

impl Client {
    /// Begins to connect. Without a token, the driver is asked for one first.
    pub fn start(&mut self, token: Option<Token>, now: Now) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Running;
        if let Some(token) = token {
            self.tokens.set(token, now);
        }
        self.dial(now);
    }

    /// A connection's transport is open.
    pub fn handle_opened(&mut self, conn: ConnId, now: Now) {
        let hello = self.rooms.hello_cursors();
        let Some(dialing) = self.dialing.as_mut().filter(|dialing| dialing.id == conn) else { return };
        // A token that ended on the way is for the node to judge: its clock is the one that counts.
        let token = self.tokens.latest().to_owned();
        dialing.serial = self.tokens.serial();
        dialing.deadline = now + self.config.connect_timeout;
        dialing.hello.clone_from(&hello);
        let frame = ClientMessage::Hello(Hello {
            token,
            version: PROTOCOL_VERSION,
            client: self.config.client.clone(),
            epoch: self.rooms.epoch().filter(|_| !hello.is_empty()),
            cursors: hello,
        });
        self.out.push(Output::Send { conn, text: crate::encode(&frame) });
    }

    /// A connection closed, or could not be opened. `code` is the close code, 1006 without one.
    pub fn handle_closed(&mut self, conn: ConnId, code: u16, now: Now) {
        let serial = match (&self.live, &self.dialing) {
            (Some(live), _) if live.id == conn => live.serial,
            (_, Some(dialing)) if dialing.id == conn => dialing.serial,
            _ => return,
        };
        let end = match CloseCode::from_code(code) {
            Some(CloseCode::TokenExpired) => {
                self.tokens.handle_expired(serial);
                None
            }
            // Keys may have changed: a new token gets one chance.
            Some(CloseCode::Unauthorized) if self.tokens.handle_rejected(serial) => None,
            Some(CloseCode::Unauthorized | CloseCode::LoginRevoked) => Some(EndReason::SignedOut),
            Some(CloseCode::AccountDisabled) => Some(EndReason::AccountDisabled),
            Some(CloseCode::UnsupportedVersion) => Some(EndReason::UpdateNeeded),
            Some(
                CloseCode::Drain
                | CloseCode::SlowReader
                | CloseCode::IdleTimeout
                | CloseCode::Overloaded
                | CloseCode::Unavailable
                | CloseCode::RateLimited
                | CloseCode::HelloTimeout,
            ) => None,
            Some(CloseCode::ProtocolViolation | CloseCode::FrameTooLarge) => Some(EndReason::ProtocolError),
            None => (!may_reconnect(code)).then_some(EndReason::ProtocolError),
        };
        self.forget(conn, now);
        match end {
            Some(reason) => self.end(reason, now),
            None => self.reconnect(now),
        }
    }

    /// The driver's answer to [`Output::RefreshToken`], or a token that it got otherwise.
    pub fn handle_token(&mut self, token: Result<Token, TokenError>, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        match token {
            Ok(token) => {
                self.tokens.set(token, now);
                self.tell_token(now);
                if self.dial_wanted {
                    self.dial(now);
                }
            }
            Err(TokenError::Transient) => {
                let delay = self.tokens.handle_failure(&mut self.rng, now);
                if self.dial_wanted && self.live.is_none() {
                    let attempt = self.backoff.attempt().max(1);
                    self.show(Connection::Offline { attempt, retry_in_ms: saturate(delay) }, now);
                }
            }
            Err(TokenError::Ended) => self.end(EndReason::SignedOut, now),
        }
    }

    /// Opens the next connection, as soon as there is a token for it.
    fn dial(&mut self, now: Now) {
        self.retry_at = None;
        if self.phase != Phase::Running || self.dialing.is_some() {
            return;
        }
        self.dial_wanted = self.tokens.valid(now).is_none();
        if self.live.is_none() {
            self.show(Connection::Connecting { attempt: self.backoff.attempt() }, now);
        }
        if self.dial_wanted {
            self.ask_token(now);
            return;
        }
        let id = ConnId(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(1);
        let deadline = now + self.config.connect_timeout;
        self.dialing = Some(Dialing { id, deadline, serial: self.tokens.serial(), hello: BTreeMap::new() });
        self.out.push(Output::Connect { conn: id });
    }

    fn ask_token(&mut self, now: Now) {
        if self.tokens.ask(now) {
            self.out.push(Output::RefreshToken);
        }
    }

    /// Brings the newest token to a node that knows an older one.
    fn tell_token(&mut self, now: Now) {
        let serial = self.tokens.serial();
        let Some(live) = self.live.as_mut().filter(|live| live.serial != serial) else { return };
        live.serial = serial;
        let token = self.tokens.latest().to_owned();
        self.send_frame(&ClientMessage::Refresh(Refresh { token }), now);
    }

    /// Whether a frame of this connection may be the `welcome` that is waited for.
    pub(super) fn is_dialing(&self, conn: ConnId) -> bool {
        self.dialing.as_ref().is_some_and(|dialing| dialing.id == conn)
    }

    /// The new connection is live; an old one is closed only now.
    pub(super) fn on_welcome(&mut self, welcome: Welcome, now: Now) {
        let Some(dialing) = self.dialing.take() else { return };
        if welcome.version > PROTOCOL_VERSION {
            self.close_conn(dialing.id, CLOSE_NORMAL, "update needed");
            self.end(EndReason::UpdateNeeded, now);
            return;
        }
        self.check_owner(&welcome);
        let moved = self.live.is_some();
        if let Some(old) = self.live.take() {
            self.note_stability(&old, now);
            self.close_conn(old.id, CLOSE_NORMAL, "moved to another connection");
        }
        self.disconnect_queues(moved);
        let interval = Duration::from_millis(u64::from(welcome.heartbeat_ms));
        let heartbeat = Heartbeat::new(interval, self.config.pong_timeout, now);
        self.live =
            Some(Live { id: dialing.id, heartbeat, since: now, serial: dialing.serial, draining: false });
        self.retry_at = None;
        self.dial_wanted = false;
        self.tokens.handle_accepted();
        let life = welcome.token_expires_at.0.saturating_sub(welcome.now.0);
        if dialing.serial == self.tokens.serial() && life > 0 {
            self.tokens.set_life(Some(Duration::from_millis(life)), now);
        }
        self.show(Connection::Online { node: welcome.node.clone() }, now);
        if self.rooms.epoch().is_some_and(|epoch| epoch != welcome.epoch) {
            // In another incarnation of the store their numbers name other messages, or none.
            self.marks.clear();
        }
        for room in &welcome.rooms {
            self.marks.handle_marker(room.id, room.last_read_no);
        }
        self.rooms.handle_welcome(welcome, &dialing.hello, &mut self.out);
        self.presence.retain(|room_id| self.rooms.room(room_id).is_some());
        for (room_id, message_no) in self.marks.unconfirmed() {
            self.rooms.mark_read(room_id, message_no);
        }
        self.tell_token(now);
        self.keep_session(now, true);
    }

    /// A node is leaving: the next connection is opened while this one still works.
    pub(super) fn on_drain(&mut self, drain: Drain, now: Now) {
        let Some(live) = self.live.as_mut().filter(|live| !live.draining) else { return };
        live.draining = true;
        let within = Duration::from_millis(u64::from(drain.reconnect_within_ms));
        if self.dialing.is_none() {
            self.retry_at = Some(now + self.rng.up_to((within / 4).min(DRAIN_SPREAD_MAX)));
        }
    }

    /// The node broke the protocol or lost something: a new connection resumes from the cursors.
    pub(super) fn fault(&mut self, conn: ConnId, reason: &'static str, now: Now) {
        self.close_conn(conn, CloseCode::ProtocolViolation.code(), reason);
        self.forget(conn, now);
        self.reconnect(now);
    }

    /// Ends the client.
    pub(super) fn end(&mut self, reason: EndReason, now: Now) {
        if self.has_ended() {
            return;
        }
        self.phase = Phase::Ended;
        let open = self.live.take().map(|live| live.id);
        let opening = self.dialing.take().map(|dialing| dialing.id);
        for conn in [open, opening].into_iter().flatten() {
            self.close_conn(conn, CLOSE_NORMAL, "client ended");
        }
        self.outbox.end(&mut self.out);
        self.requests.end(&mut self.out);
        self.rooms.tell_changes(Duration::ZERO, &mut self.out, now);
        self.keep_session(now, true);
        self.show(Connection::Ended { reason }, now);
    }

    pub(super) fn link_kick(&mut self, kick: Kick, now: Now) {
        if self.phase != Phase::Running {
            return;
        }
        if let Some(live) = &mut self.live {
            if kick != Kick::Asked && live.heartbeat.ping(now) {
                self.send_frame(&ClientMessage::Ping, now);
            }
            return;
        }
        if self.kicked_at.is_some_and(|at| at + KICK_INTERVAL > now) {
            return;
        }
        self.kicked_at = Some(now);
        self.tokens.kick();
        self.dial(now);
    }

    /// What is due of connections and tokens.
    pub(super) fn link_timeout(&mut self, now: Now) {
        if let Some(id) = self.dialing.as_ref().filter(|dialing| dialing.deadline <= now).map(|d| d.id) {
            self.close_conn(id, CLOSE_TIMEOUT, "no welcome in time");
            self.forget(id, now);
            self.reconnect(now);
        }
        if let Some(live) = &mut self.live {
            let id = live.id;
            match live.heartbeat.handle_timeout(now) {
                Beat::Nothing => {}
                Beat::Ping => self.send_frame(&ClientMessage::Ping, now),
                Beat::Dead => {
                    self.close_conn(id, CLOSE_TIMEOUT, "no pong in time");
                    self.forget(id, now);
                    self.reconnect(now);
                }
            }
        }
        let dial_due = self.retry_at.is_some_and(|at| at <= now);
        if dial_due || self.dial_wanted {
            self.dial(now);
        }
        if self.live.is_some() && self.tokens.is_due(now) {
            self.ask_token(now);
        }
    }

    pub(super) fn link_next_timeout(&self) -> Option<Now> {
        let dialing = self.dialing.as_ref().map(|dialing| dialing.deadline);
        let beat = self.live.as_ref().map(|live| live.heartbeat.next_timeout());
        let token = self.tokens.next_timeout(self.dial_wanted, self.live.is_some());
        earlier(earlier(dialing, beat), earlier(token, self.retry_at))
    }

    /// Forgets a connection that is gone or was closed.
    fn forget(&mut self, conn: ConnId, now: Now) {
        if self.is_dialing(conn) {
            self.dialing = None;
        } else if self.live.as_ref().is_some_and(|live| live.id == conn)
            && let Some(live) = self.live.take()
        {
            self.note_stability(&live, now);
            self.disconnect_queues(false);
        }
    }

    /// After a connection was lost or an attempt failed: the next attempt, unless one is under way or
    /// none is needed.
    fn reconnect(&mut self, now: Now) {
        let needed = self.live.as_ref().is_none_or(|live| live.draining);
        if self.phase != Phase::Running || !needed {
            return;
        }
        if self.dialing.is_some() || self.dial_wanted {
            if self.live.is_none() {
                self.show(Connection::Connecting { attempt: self.backoff.attempt() }, now);
            }
            return;
        }
        let delay = self.backoff.next(&mut self.rng);
        self.retry_at = Some(now + delay);
        if self.live.is_none() {
            let attempt = self.backoff.attempt();
            self.show(Connection::Offline { attempt, retry_in_ms: saturate(delay) }, now);
        }
    }

    /// A connection that held for a while starts the backoff anew; one that did not may be the next
    /// of a row of failures.
    fn note_stability(&mut self, live: &Live, now: Now) {
        if now.since(live.since) >= self.config.stable_after {
            self.backoff.reset();
        }
    }

    fn close_conn(&mut self, conn: ConnId, code: u16, reason: &'static str) {
        if planted::has(Bug::TwoSessions) && !self.has_ended() {
            return;
        }
        self.out.push(Output::Close { conn, code, reason });
    }
}

fn saturate(duration: Duration) -> u32 {
    u32::try_from(millis(duration)).unwrap_or(u32::MAX)
}
