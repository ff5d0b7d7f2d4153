//! The WebSocket side of a node, over real sockets.

mod bad_input;
mod chat;
mod nodes;
mod slow_reader;
