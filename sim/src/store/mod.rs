//! The store of a simulated cluster: durable whatever its nodes do, and failing as it is told.
