//! The browser tests: real Chromium, a real hub where they need one.

use crate::cmd::Cmd;
use crate::report::{Outcome, Report};
use crate::{host, setup};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// How long one project of tests may take.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Runs the browser tests: all projects, or the one that is named.
pub(crate) fn run(report: &Report, project: Option<&str>, args: &[String]) {
    report.step("browser", "looking for Chromium", setup::browser);
    report.step("hub", "building the hub for the browser tests", || {
        Cmd::cargo(&["build", "--locked", "-p", "hub"]).quiet("hub-debug")?;
        Ok(Outcome::Done)
    });
    for (name, step, what) in [
        ("page", "e2e page", "browser tests of the page alone"),
        ("live", "e2e live", "browser tests of page and hub together"),
    ] {
        if project.is_none_or(|project| project == name) {
            let needed = ["page", "browser", "hub"];
            report.step_after(&needed, step, what, || playwright(name, args));
        }
    }
}

fn playwright(project: &str, args: &[String]) -> Result<Outcome> {
    Cmd::npm("npx", &["--no-install", "playwright", "test", "--project", project])
        .args(args)
        .env("HUB_BIN", hub_binary())
        .within(DEADLINE)
        .show()?;
    Ok(Outcome::Done)
}

/// The hub that the browser tests start: the debug build, which reads the page from `web/dist`.
fn hub_binary() -> PathBuf {
    host::target_dir().join("debug/hub")
}
