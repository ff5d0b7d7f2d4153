//! What is read of the machine: its clock, its search path and who runs this. Nothing else here
//! reads them.

use std::path::PathBuf;
use std::time::Instant;

/// Monotonic time.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the one home of time in this crate")]
    Instant::now()
}

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The first program of this name on the path.
#[must_use]
pub fn which(program: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the one home of the environment in this crate")]
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
