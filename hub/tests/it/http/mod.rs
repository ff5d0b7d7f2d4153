//! The REST API, health and the page over real sockets.

mod accounts;
mod binary;
mod config;
mod errors;
mod limits;
mod live;
mod members;
mod messages;
mod node;
mod pages;
mod rooms;
mod support;
mod tokens;
mod unavailable;
