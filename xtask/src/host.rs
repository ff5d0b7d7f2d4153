//! What xtask reads of the machine: its clock, its environment and where the project lies.
//! Nothing else here reads them.

pub(crate) use ::cluster::which;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Monotonic time.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "xtask's one home of time")]
    Instant::now()
}

/// An environment variable, if it is set and not empty.
pub(crate) fn var(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "xtask's one home of the environment")]
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project's folder")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    var("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where xtask keeps logs and stamps.
pub(crate) fn state_dir() -> PathBuf {
    target_dir().join("xtask")
}
