//! A run as people read it.

pub mod html;
pub mod text;
