//! The Hubbub node as a library: everything that serves, with its store, broker, clock and
//! randomness handed in from outside.

pub mod auth;
pub mod broker;
pub mod clock;
pub mod config;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod presence;
pub mod random;
pub mod room;
pub mod rules;
pub mod server;
pub mod session;
pub mod store;
mod sync;
pub mod telemetry;
pub mod ws;
