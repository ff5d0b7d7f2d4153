//! The frames of the WebSocket protocol: one closed, tagged enum each way.

pub mod client;
pub mod server;
