//! Whole clusters of Hubbub in one process: the real node, the real Redis supervisor and the real
//! client core over a simulated network, with faults from a plan and an oracle that judges what
//! everyone was told. Everything that happens follows from the plan.

pub mod redis;
pub mod store;
