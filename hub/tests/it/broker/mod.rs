//! Brokers: one contract for all, and what each does when its servers fail.

mod cluster;
mod contract;
pub mod inbox;
mod nodes;
mod sentinel;
mod single;
mod tls;
