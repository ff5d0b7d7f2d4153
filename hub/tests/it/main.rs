//! The hub from outside: one binary for all integration tests.
#![expect(unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod broker;
mod cluster;
mod http;
mod metrics;
mod pair;
mod presence;
mod store;
mod support;
mod ws;
