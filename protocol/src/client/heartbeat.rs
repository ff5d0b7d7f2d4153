//! Whether the other end still lives: `ping` after silence, and a deadline for its answer.

use super::time::Now;
use crate::limits::IDLE_TIMEOUT;
use crate::planted::{self, Bug};
use std::time::Duration;

/// The heartbeat of one live connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    pong_timeout: Duration,
    sent_at: Now,
    received_at: Now,
    pinged_at: Option<Now>,
}

/// What a heartbeat asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, pong_timeout: Duration, now: Now) -> Self {
        // A node that asks for a ping each moment, or for none, is kept to a sane rhythm.
        let interval = interval.clamp(Duration::from_secs(1), IDLE_TIMEOUT / 2);
        Self { interval, pong_timeout, sent_at: now, received_at: now, pinged_at: None }
    }

    pub(super) fn handle_sent(&mut self, now: Now) {
        self.sent_at = now;
    }

    pub(super) fn handle_received(&mut self, now: Now) {
        self.received_at = now;
    }

    pub(super) fn handle_pong(&mut self) {
        self.pinged_at = None;
    }

    /// Notes that a ping goes out; false if one is under way already.
    pub(super) fn ping(&mut self, now: Now) -> bool {
        if self.pinged_at.is_some() {
            return false;
        }
        self.pinged_at = Some(now);
        true
    }

    /// Silence of either side asks for a ping: the node wants to hear the client, and the client wants
    /// to know that what it hears nothing of is alive.
    pub(super) fn next_timeout(&self) -> Now {
        match self.pinged_at {
            _ if planted::has(Bug::NoHeartbeat) => self.received_at + Duration::from_secs(1 << 32),
            None => self.sent_at.min(self.received_at) + self.interval,
            // A pong may stand behind much else on a slow link: as long as frames arrive, it has time,
            // but not for ever, since a link may be dead in one direction only.
            Some(at) => (at.max(self.received_at) + self.pong_timeout).min(at + IDLE_TIMEOUT),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) -> Beat {
        if self.next_timeout() > now {
            return Beat::Nothing;
        }
        if self.ping(now) { Beat::Ping } else { Beat::Dead }
    }
}
