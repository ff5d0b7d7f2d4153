//! The protocol's tests: the client against scripts, every frame against its golden text, the decoder
//! against anything.

mod client;
mod close;
mod codec;
mod compact;
mod golden;
mod ids;
mod validate;
