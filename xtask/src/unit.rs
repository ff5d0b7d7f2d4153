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
    report.step("races", "running the fan-out's threads in many orders", || {
        // Apart from the others: its locks work under its scheduler alone.
        let tests = ["--locked", "--package", "hub", "--features", "races", "--lib", "room::tests"];
        let runner: &[&str] = if has_nextest() { &["nextest", "run", "--profile", "ci"] } else { &["test"] };
        Cmd::cargo(runner).args(tests).within(DEADLINE).show()?;
        Ok(Outcome::Done)
    });
    report.step("doc tests", "running the examples in the documentation", || {
        Cmd::cargo(&["test", "--locked", "--quiet", "--workspace", "--doc"]).within(DEADLINE).show()?;
        Ok(Outcome::Done)
    });
}

fn has_nextest() -> bool {
    Cmd::cargo(&["nextest", "--version"]).succeeds()
}
