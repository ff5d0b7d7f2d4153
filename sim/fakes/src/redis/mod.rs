//! A fake Redis. [`Core`] is a pure function of what came in and when: bytes in, bytes out, one command
//! after the other, and the ways in which a real one fails, by calls. [`FakeRedis`] serves it on streams.

mod commands;
mod host;
mod keyspace;
mod pubsub;
mod resp;
mod server;

pub use host::FakeRedis;
pub use server::{Counts, Lost};

use server::{Next, Server};
use std::collections::BTreeSet;

/// Most bytes that are fetched at a time.
const FETCH_BYTES_MAX: usize = 1 << 20;

/// The server without a network.
#[derive(Debug, Default)]
pub struct Core(Server);

impl Core {
    /// Someone connected.
    pub fn open(&mut self) -> u64 {
        self.0.open()
    }

    /// The other side is gone.
    pub fn close(&mut self, id: u64) {
        self.0.close(id);
    }

    /// Bytes came in, at a Unix time in milliseconds.
    pub fn input(&mut self, id: u64, bytes: &[u8], now: u64) {
        self.0.input(id, bytes, now);
    }

    /// Bytes to be sent, which may be none; `None` once the connection is to end.
    pub fn output(&mut self, id: u64) -> Option<Vec<u8>> {
        match self.0.next(id, FETCH_BYTES_MAX) {
            Next::Send(bytes) => Some(bytes),
            Next::End => None,
        }
    }

    /// Whether a connection is to end at once.
    #[must_use]
    pub fn is_cut(&self, id: u64) -> bool {
        self.0.is_cut(id)
    }

    /// Connections that have something to send, or an end, since this was last asked.
    pub fn take_touched(&mut self) -> BTreeSet<u64> {
        self.0.take_touched()
    }

    /// Asks for a password from now on.
    pub fn set_password(&mut self, password: Option<&str>) {
        self.0.password = password.map(str::to_owned);
    }

    /// Forgets everything and ends all connections; how many subscriptions there were.
    pub fn restart(&mut self) -> usize {
        self.0.restart()
    }

    /// A server takes over that never got the last writes; how many it lacks.
    pub fn fail_over(&mut self, writes: usize) -> usize {
        self.0.fail_over(writes)
    }

    /// Ends up to so many connections that subscribe, the oldest first; how many.
    pub fn kill_subscribers(&mut self, count: usize) -> usize {
        self.0.kill_subscribers(count)
    }

    /// Loses so many percent of the publications from now on, as the seed has it.
    pub fn lose_publications(&mut self, percent: u64, seed: u64) {
        self.0.lose_publications(percent, seed);
    }

    /// What was lost on purpose since this was last asked.
    pub fn take_lost(&mut self) -> Vec<Lost> {
        self.0.take_lost()
    }

    /// Cuts subscribers for whom more bytes than this wait.
    pub fn set_output_max(&mut self, bytes: Option<usize>) {
        self.0.set_output_max(bytes);
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}
