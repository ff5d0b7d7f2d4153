//! Every store, held to one contract.

mod contract;
mod world;
