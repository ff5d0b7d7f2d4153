//! The access token: when to ask for the next one, and what to do until it comes.

use super::backoff::Backoff;
use super::config::Token;
use super::rng::Rng;
use super::time::Now;
use std::time::Duration;

/// How long the driver may take for a new token before it is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A token is exchanged when a fifth of its life is left, at most this much.
const MARGIN_MAX: Duration = Duration::from_secs(120);
/// However short a token's life is, it is not exchanged sooner, nor taken for ended.
const REFRESH_MIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Tokens {
    access: Option<String>,
    /// Grows with each token, so that a connection knows whether it was opened with this one.
    serial: u32,
    expires_at: Option<Now>,
    refresh_at: Option<Now>,
    asked_at: Option<Now>,
    retry_at: Option<Now>,
    backoff: Backoff,
    /// A node refused a token that was taken for valid, and none was accepted since.
    rejected: bool,
}

impl Tokens {
    pub(super) fn new(base: Duration, cap: Duration) -> Self {
        Self {
            access: None,
            serial: 0,
            expires_at: None,
            refresh_at: None,
            asked_at: None,
            retry_at: None,
            backoff: Backoff::new(base, cap),
            rejected: false,
        }
    }

    pub(super) const fn serial(&self) -> u32 {
        self.serial
    }

    /// The token, if it is valid as far as is known.
    pub(super) fn valid(&self, now: Now) -> Option<&str> {
        self.access.as_deref().filter(|_| self.expires_at.is_none_or(|at| at > now))
    }

    /// The newest token, valid or not; empty if there is none.
    pub(super) fn latest(&self) -> &str {
        self.access.as_deref().unwrap_or_default()
    }

    /// Whether to ask the driver for a new token now; notes that it was asked.
    pub(super) fn ask(&mut self, now: Now) -> bool {
        let waits = self.asked_at.is_some_and(|at| at + ANSWER_TIMEOUT > now)
            || self.retry_at.is_some_and(|at| at > now);
        if waits {
            return false;
        }
        self.retry_at = None;
        self.asked_at = Some(now);
        true
    }

    pub(super) fn set(&mut self, token: Token, now: Now) {
        self.access = Some(token.access_token);
        self.serial += 1;
        self.asked_at = None;
        self.retry_at = None;
        self.backoff.reset();
        self.set_life(token.expires_in, now);
    }

    pub(super) fn set_life(&mut self, expires_in: Option<Duration>, now: Now) {
        self.expires_at = expires_in.map(|life| now + life.max(REFRESH_MIN));
        self.refresh_at = expires_in.map(|life| now + (life - (life / 5).min(MARGIN_MAX)).max(REFRESH_MIN));
    }

    /// There is no new token for now; gives the wait before the next try.
    pub(super) fn handle_failure(&mut self, rng: &mut Rng, now: Now) -> Duration {
        let delay = self.backoff.next(rng);
        self.asked_at = None;
        self.retry_at = Some(now + delay);
        delay
    }

    /// A node says that the token has ended.
    pub(super) fn handle_expired(&mut self, serial: u32) {
        if serial == self.serial {
            self.access = None;
        }
    }

    /// A node refused the token. Gives false if it refused the one before, too: there is no hope.
    pub(super) fn handle_rejected(&mut self, serial: u32) -> bool {
        if serial != self.serial {
            return true;
        }
        self.access = None;
        !std::mem::replace(&mut self.rejected, true)
    }

    pub(super) fn handle_accepted(&mut self) {
        self.rejected = false;
    }

    /// Asks at once instead of waiting.
    pub(super) fn kick(&mut self) {
        self.retry_at = None;
    }

    /// Whether it is time to exchange the token before it ends.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.refresh_at.is_some_and(|at| at <= now)
    }

    /// When to ask next. `wanted`: there is no connection without a new token. `live`: there is one
    /// that the token keeps.
    pub(super) fn next_timeout(&self, wanted: bool, live: bool) -> Option<Now> {
        let needed = if wanted { Some(Now(0)) } else { self.refresh_at.filter(|_| live) }?;
        let allowed = match self.asked_at {
            Some(at) => Some(at + ANSWER_TIMEOUT),
            None => self.retry_at,
        };
        Some(allowed.map_or(needed, |at| at.max(needed)))
    }
}
