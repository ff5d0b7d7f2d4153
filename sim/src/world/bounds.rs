//! What is bounded, whatever happens: what nodes keep in memory, and how often clients come back.

use super::judge::{Judge, now};
use crate::oracle::{Check, Invariant, hold};

/// Times that a client may go online in any minute.
const CONNECTS_MAX: usize = 60;
/// From so many equal pauses on, nobody draws them.
const PAUSES_MIN: usize = 8;

impl Judge {
    /// What waits at a node for one connection is bounded, whatever the client does: so many frames waited when it
    /// was given more.
    pub fn check_queue(&mut self, hub: u32, frames: u64) {
        let full = self.terms.queue_frames;
        if frames >= full {
            let text = format!(
                "{frames} frames waited at hub{hub} for a connection that was given more, {full} are enough"
            );
            self.fail(Invariant::Bounded, text);
        }
    }

    /// What a node keeps of rooms is bounded: so many bytes it kept at most.
    pub fn check_rings(&mut self, hub: u32, bytes: u64) {
        let most = self.terms.ring_bytes;
        if bytes > most {
            self.fail(Invariant::Bounded, format!("the rings of hub{hub} held {bytes} bytes, {most} may be"));
        }
    }

    /// A client goes online, and did not too often.
    pub(super) fn check_connects(&mut self, index: u32) -> Check {
        let at = now();
        let client = self.client(index);
        client.connects.retain(|before| before + 60_000 > at);
        client.connects.push(at);
        let connects = client.connects.len();
        hold!(
            connects <= CONNECTS_MAX,
            FewReconnects,
            "client{index} went online {connects} times within a minute"
        );
        Ok(())
    }

    /// Who lost a node draws a pause; many who draw the same do not draw.
    pub(super) fn check_spread(&mut self, attempt: u32, pause: u32) -> Check {
        let pauses = self.pauses.entry(attempt).or_default();
        pauses.push(pause);
        let same = pauses.len() >= PAUSES_MIN && pauses.iter().all(|other| *other == pause);
        hold!(!same, Spread, "{} times the pause before attempt {attempt} was {pause} ms", pauses.len());
        Ok(())
    }
}
