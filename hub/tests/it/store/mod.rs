//! Every store, held to one contract; stores against each other; and what is of one database alone.

mod contract;
mod differential;
mod factory;
mod later;
mod plans;
mod postgres;
mod script;
mod sqlite;
mod world;
