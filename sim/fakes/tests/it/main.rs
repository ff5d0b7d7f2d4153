//! The fakes against the real servers, and what they do wrong when told to.

#![expect(unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod redis;
mod store;
