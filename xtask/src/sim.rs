//! The simulation: built in its own way, in a folder of its own, and run with what it is told.

use crate::cmd::Cmd;
use crate::host;
use crate::report::{Outcome, Report};
use std::time::Duration;

/// How long building may take, and running all that CI runs.
const BUILD_DEADLINE: Duration = Duration::from_secs(10 * 60);
const RUN_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// Builds the simulation and gives this process over to it. Returns only if it cannot start.
pub(crate) fn replace(args: &[String]) -> anyhow::Error {
    cargo("run").arg("--").args(args).replace()
}

/// Kept plans, fresh seeds of the present commit, determinism and a sample of planted bugs.
pub(crate) fn check(report: &Report) {
    report.step("simulation", "whole clusters with faults, from plans", || {
        cargo("build").within(BUILD_DEADLINE).quiet("simulation")?;
        cargo("run").args(["--", "ci"]).within(RUN_DEADLINE).show()?;
        Ok(Outcome::Done)
    });
}

/// The folder's own settings for cargo set the build apart: see `sim/.cargo/config.toml`.
fn cargo(verb: &str) -> Cmd {
    Cmd::cargo(&[verb, "--locked", "--quiet", "--profile", "sim", "--features", "planted-bugs"])
        .dir(&host::root().join("sim"))
}
