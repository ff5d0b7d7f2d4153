//! The protocol's tests: the client against scripts, every frame against its golden text, the decoder
//! against anything.

mod client;
mod compact;
mod golden;
