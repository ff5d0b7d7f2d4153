//! The simulation: built in its own way, in a folder of its own, and run with what it is told.

use crate::cmd::Cmd;
use crate::host;
use crate::report::{Outcome, Report};
use anyhow::Result;
use std::time::Duration;

/// How long building may take, and running all that CI runs.
const BUILD_DEADLINE: Duration = Duration::from_secs(10 * 60);
const RUN_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// The same for two builds of everything, one after the other.
const BUILDS_DEADLINE: Duration = Duration::from_secs(40 * 60);
/// Where one build's runs are noted for the other, below the project's folder.
const DIGESTS: &str = "target/sim/digests";

/// Cargo's profile of the simulation, unless another is named.
const PROFILE: &str = "sim";

/// Builds the simulation, as `--profile NAME` says if that comes first, and gives this process over to it.
/// Returns only if it cannot start.
pub(crate) fn replace(args: &[String]) -> anyhow::Error {
    let (profile, args) = match args {
        [flag, profile, rest @ ..] if flag == "--profile" => (profile.as_str(), rest),
        _ => (PROFILE, args),
    };
    cargo("run", profile).arg("--").args(args).replace()
}

/// Runs the same plans in a build of everything without optimisation and in a release build, and compares
/// everything that happened and every byte on the wire. Takes as long as both builds take.
///
/// # Errors
/// When a build fails, or the plans do not come to the same.
pub(crate) fn compare_builds() -> Result<()> {
    for (profile, does) in [("dev", "--digests"), ("release", "--against")] {
        cargo("build", profile).within(BUILDS_DEADLINE).quiet("simulation-build")?;
        cargo("run", profile).args(["--", "determinism", does, DIGESTS]).within(BUILDS_DEADLINE).show()?;
    }
    Ok(())
}

/// Kept plans, fresh seeds of the present commit, determinism and a sample of planted bugs.
pub(crate) fn check(report: &Report) {
    report.step("simulation", "whole clusters with faults, from plans", || {
        cargo("build", PROFILE).within(BUILD_DEADLINE).quiet("simulation")?;
        cargo("run", PROFILE).args(["--", "ci"]).within(RUN_DEADLINE).show()?;
        Ok(Outcome::Done)
    });
}

/// The folder's own settings for cargo set the build apart: see `sim/.cargo/config.toml`.
fn cargo(verb: &str, profile: &str) -> Cmd {
    Cmd::cargo(&[verb, "--locked", "--quiet", "--profile", profile, "--features", "planted-bugs"])
        .dir(&host::root().join("sim"))
}
