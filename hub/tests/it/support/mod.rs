//! Nodes and plain clients for tests: real sockets, JSON written by hand.

mod client;
mod node;
pub mod postgres;
pub mod redis;

pub use client::{Client, Ended};
pub use node::{NodeBuilder, TestNode, incarnation};

use std::time::Duration;

/// Waits until something holds that comes by itself.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    const PAUSE: Duration = Duration::from_millis(10);
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
