//! The servers beside the nodes, as the simulation has them: a Redis and a store that keep to what the
//! real ones do and fail when told to. They speak over streams of one's choice, know no network and no
//! clock, and are held against the real servers in this crate's tests and the hub's.

pub mod redis;
pub mod rng;
pub mod store;
pub mod version;
