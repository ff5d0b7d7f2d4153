//! The simulation: built in its own way, in a folder of its own, and run with what it is told.

use crate::cmd::Cmd;
use crate::host;

/// Builds the simulation and gives this process over to it. Returns only if it cannot start.
pub(crate) fn replace(args: &[String]) -> anyhow::Error {
    cargo().args(args).replace()
}

/// The folder's own settings for cargo set the build apart: see `sim/.cargo/config.toml`.
fn cargo() -> Cmd {
    Cmd::cargo(&["run", "--locked", "--quiet", "--profile", "sim", "--features", "planted-bugs", "--"])
        .dir(&host::root().join("sim"))
}
