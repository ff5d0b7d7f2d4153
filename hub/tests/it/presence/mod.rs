//! Who is online: the leases of every kind held to one contract, and whole nodes that share them.

mod contract;
mod nodes;

use hub::presence::PresenceTimes;
use std::time::Duration;

/// As in earnest, but in a hurry.
const TIMES: PresenceTimes = PresenceTimes {
    lease: Duration::from_millis(1_500),
    renew: Duration::from_millis(300),
    linger: Duration::from_millis(300),
    sweep: (Duration::from_millis(300), Duration::from_millis(600)),
};
