//! The browser's pump around `protocol::client`: sockets, timers, clocks and entropy go in, frames and
//! events come out. No ordering, retry or connection logic lives here, and no storage: what is to be
//! kept is handed to the host, the TypeScript object beside it in the worker.

mod api;
mod browser;
mod pump;
mod socket;

pub use api::ChatClient;
pub use browser::Host;
