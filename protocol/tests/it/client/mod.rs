//! The client state machine against scripts, in virtual time.

mod any;
mod connecting;
mod counting;
mod draining;
mod keeping;
mod ordering;
mod outbox;
mod requesting;
mod rig;
mod tokens;
mod watching;
mod window;
