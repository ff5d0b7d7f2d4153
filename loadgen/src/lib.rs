//! Native clients of Hubbub: the client core that the browser runs, over sockets of one's choice, in
//! numbers. Holds no rule of the protocol: those are in `protocol::client`.

pub mod content;
pub mod driver;
pub mod history;
pub mod latency;
pub mod oracle;
pub mod socket;
