//! Native clients of Hubbub: the client core that the browser runs, over sockets of one's choice, in
//! numbers. Holds no rule of the protocol: those are in `protocol::client`.

pub mod driver;
pub mod socket;
