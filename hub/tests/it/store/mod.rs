//! Every store, held to one contract; stores against each other; and what is SQLite's own.

mod contract;
mod differential;
mod factory;
mod script;
mod sqlite;
mod world;
