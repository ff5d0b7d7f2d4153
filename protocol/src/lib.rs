//! Hubbub's wire protocol, its limits and the client state machine.
//!
//! Everything here is pure: no I/O, no clock, no randomness of its own, no runtime. The hub, the
//! browser client, the load generator and the simulation share these types and this client.

pub mod client;
pub mod close;
pub mod codec;
pub mod compact;
pub mod error;
pub mod event;
pub mod frame;
pub mod ids;
pub mod limits;
pub mod model;
pub mod planted;
pub mod validate;
pub mod view;

pub use close::CloseCode;
pub use codec::{DecodeError, decode_client, decode_server, encode};
pub use error::ErrorCode;
pub use event::RoomEvent;
pub use frame::client::ClientMessage;
pub use frame::server::ServerMessage;
pub use ids::{ClientId, Epoch, MessageId, MessageNo, NodeId, RequestId, RoomId, Seq, Timestamp, UserId};

/// The WebSocket subprotocol that names this version of the protocol.
pub const SUBPROTOCOL: &str = "hubbub.v1";

/// The protocol's version as `hello` and `welcome` carry it.
pub const PROTOCOL_VERSION: u32 = 1;
