//! What hands to the judge what one client is told.

use super::judge::{Judge, Shared};
use crate::marks::{Mark, sometimes};
use crate::oracle::{Check, hold};
use loadgen::driver::Observer;
use protocol::CloseCode;
use protocol::client::Persist;
use protocol::view::ClientEvent;

/// Hands what one client is told to the judge.
#[derive(Debug)]
pub(super) struct Ear {
    /// The judge.
    pub(super) judge: Shared,
    /// Which client.
    pub(super) index: u32,
    /// Which of its lives.
    pub(super) life: u64,
}

impl Ear {
    fn hear(&self, check: impl FnOnce(&mut Judge) -> Check) {
        let mut judge = self.judge.lock();
        if judge.client(self.index).life != self.life || judge.violation.is_some() {
            return;
        }
        if let Err((invariant, text)) = check(&mut judge) {
            judge.fail(invariant, format!("client{}: {text}", self.index));
        }
    }
}

impl Observer for Ear {
    fn handle_event(&mut self, event: ClientEvent) {
        self.hear(|judge| judge.event(self.index, &event));
    }

    fn handle_persist(&mut self, persist: Persist) {
        self.hear(|judge| judge.persist(self.index, persist));
    }

    fn handle_opening(&mut self, beside: usize) {
        self.hear(|_| {
            hold!(beside <= 1, Bounded, "opens a connection beside {beside}");
            Ok(())
        });
    }

    fn handle_opened(&mut self) {
        self.hear(|judge| {
            judge.client(self.index).page.says_hello();
            Ok(())
        });
    }

    fn handle_closing(&mut self, code: u16, reason: &'static str) {
        self.hear(|_| {
            if reason == "no pong in time" {
                sometimes(Mark::SilentPeer);
            }
            hold!(code != CloseCode::ProtocolViolation.code(), Readable, "gives up its node: {reason}");
            Ok(())
        });
    }

    fn handle_closed(&mut self, code: u16) {
        if CloseCode::from_code(code) == Some(CloseCode::TokenExpired) {
            sometimes(Mark::TokenEnded);
        }
    }
}
