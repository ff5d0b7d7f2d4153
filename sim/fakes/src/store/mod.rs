//! A store on a machine of its own: [`StoreHost`] carries out calls on the store that holds the truth, and
//! fails as told; [`SimStore`] is a node's way to it, over a pool of streams, and means by its errors what
//! the hub's store in Postgres means by them.
//!
//! What goes over a stream is a call's number; the call itself waits at the `desk` that both share. So a
//! network decides what becomes of a call, and a commit may take effect after its node gave up or died.

mod desk;
mod host;
mod node;
mod pool;
mod wire;
mod within;

pub use host::{StoreCounts, StoreHost};
pub use node::SimStore;
