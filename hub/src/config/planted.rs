//! Puts the bug in place that the environment names, in builds that can.

use protocol::planted::{Bug, plant_everywhere};

/// Names a bug of [`Bug::ALL`].
const PLANTED_BUG: &str = "HUB_PLANTED_BUG";

/// Plants the bug that `HUB_PLANTED_BUG` names, if it is set.
///
/// # Panics
/// When there is no such bug: a test of a test would pass for nothing.
pub(super) fn plant_from_environment() {
    #[expect(clippy::disallowed_methods, reason = "this is the configuration, in builds for tests of tests")]
    let Ok(name) = std::env::var(PLANTED_BUG) else { return };
    let bug = Bug::parse(&name).unwrap_or_else(|| panic!("{PLANTED_BUG}={name}: there is no such bug"));
    plant_everywhere(bug);
    tracing::warn!("planted bug {name}: {}", bug.what());
}
