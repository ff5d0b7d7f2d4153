//! Requests for pages: reads without effect, so that they are simply sent again when in doubt.

use super::backoff;
use super::config::{Config, Outputs, Refused, Wire};
use super::rng::Rng;
use super::time::{Now, earlier};
use crate::error::ErrorCode;
use crate::ids::RequestId;
use crate::view::ClientEvent;
use std::time::Duration;

/// Requests that wait for an answer; at most [`Config::requests_max`], what does not fit is refused.
#[derive(Debug, Default)]
pub(super) struct Requests {
    entries: Vec<Entry>,
    last_id: u64,
}

#[derive(Debug)]
struct Entry {
    id: RequestId,
    text: String,
    deadline: Now,
    attempts: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    Waiting(Now),
    Sent,
}

impl Requests {
    /// The name of the next request.
    pub(super) const fn next_id(&self) -> RequestId {
        RequestId(self.last_id + 1)
    }

    pub(super) fn add(&mut self, text: String, config: &Config, now: Now) -> Result<RequestId, Refused> {
        if self.entries.len() >= config.requests_max {
            return Err(Refused::full("the list of open requests"));
        }
        let id = self.next_id();
        self.last_id = id.0;
        let deadline = now + config.request_timeout;
        self.entries.push(Entry { id, text, deadline, attempts: 0, state: State::Queued });
        Ok(id)
    }

    pub(super) fn pump(&mut self, wire: &mut Wire<'_>) {
        for entry in &mut self.entries {
            let due = match entry.state {
                State::Queued => true,
                State::Waiting(until) => until <= wire.now,
                State::Sent => false,
            };
            if due {
                entry.state = State::Sent;
                wire.send(entry.text.clone());
            }
        }
    }

    pub(super) fn handle_disconnected(&mut self) {
        for entry in &mut self.entries {
            entry.state = State::Queued;
        }
    }

    /// Whether the answer was waited for.
    pub(super) fn handle_answer(&mut self, id: RequestId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.id != id);
        self.entries.len() < before
    }

    /// A node refused a request. If only for now and there is time, it is sent again.
    pub(super) fn handle_error(
        &mut self,
        id: RequestId,
        error: crate::frame::server::Error,
        config: &Config,
        rng: &mut Rng,
        out: &mut Outputs,
        now: Now,
    ) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) else { return };
        let asked = Duration::from_millis(u64::from(error.retry_after_ms.unwrap_or(0)));
        let delay = backoff::delay(config.backoff_base, config.backoff_cap, entry.attempts, rng);
        let again = now + delay.max(asked);
        if error.code.is_transient() && again < entry.deadline {
            entry.attempts += 1;
            entry.state = State::Waiting(again);
            return;
        }
        self.entries.retain(|entry| entry.id != id);
        let event = ClientEvent::RequestFailed { request_id: id, code: error.code, message: error.message };
        out.event(event);
    }

    pub(super) fn handle_timeout(&mut self, out: &mut Outputs, now: Now) {
        self.fail_until(now, out);
    }

    pub(super) fn next_timeout(&self, live: bool) -> Option<Now> {
        self.entries.iter().fold(None, |next, entry| {
            let wake = match entry.state {
                State::Waiting(until) if live => until.min(entry.deadline),
                State::Waiting(_) | State::Queued | State::Sent => entry.deadline,
            };
            earlier(next, Some(wake))
        })
    }

    /// The client ended: nothing will be answered.
    pub(super) fn end(&mut self, out: &mut Outputs) {
        self.fail_until(Now(u64::MAX), out);
    }

    fn fail_until(&mut self, until: Now, out: &mut Outputs) {
        self.entries.retain(|entry| {
            if entry.deadline > until {
                return true;
            }
            let (code, message) = (ErrorCode::Unavailable, "no answer in time".to_owned());
            out.event(ClientEvent::RequestFailed { request_id: entry.id, code, message });
            false
        });
    }
}
