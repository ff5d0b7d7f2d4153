//! The Rust tests: nextest where it is installed, else cargo's own runner; doc tests by cargo.

use crate::cmd::Cmd;
use crate::report::{Outcome, Report};
use crate::setup;
use std::time::Duration;

/// How long building and running the tests may take.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Runs all Rust tests.
pub(crate) fn run(report: &Report) {
    report.step("servers", "looking for what the Rust tests start", setup::servers);
    report.step("unit", "building and running the Rust tests", || {
        if has_nextest() {
            Cmd::cargo(&["nextest", "run", "--locked", "--workspace", "--profile", "ci"])
                .within(DEADLINE)
                .show()?;
            return Ok(Outcome::Done);
        }
        let targets = ["--lib", "--bins", "--tests"];
        Cmd::cargo(&["test", "--locked", "--workspace", "--no-fail-fast"])
            .args(targets)
            .within(DEADLINE)
            .show()?;
        Ok(Outcome::Told("by cargo test; `cargo install --locked cargo-nextest` is quicker".to_owned()))
    });
    report.step("doc tests", "running the examples in the documentation", || {
        Cmd::cargo(&["test", "--locked", "--quiet", "--workspace", "--doc"]).within(DEADLINE).show()?;
        Ok(Outcome::Done)
    });
}

fn has_nextest() -> bool {
    Cmd::cargo(&["nextest", "--version"]).succeeds()
}
