//! Settings.

pub mod duration;
