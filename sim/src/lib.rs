//! Whole clusters of Hubbub in one process: the real node, the real Redis supervisor and the real
//! client core over a simulated network, with faults from a plan and an oracle that judges what
//! everyone was told. Everything that happens follows from the plan.

pub mod entropy;
pub mod generate;
pub mod history;
pub mod marks;
pub mod oracle;
pub mod plan;
mod plan_file;
pub mod report;
pub mod run;
mod scenes;
pub mod shrink;
pub mod world;

pub use fakes::rng;
