//! Nodes and plain clients for tests: real sockets, JSON written by hand.

mod client;
mod node;

pub use client::{Client, Ended};
pub use node::{NodeBuilder, TestNode};
