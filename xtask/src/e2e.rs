//! The browser tests: real Chromium, a real hub where they need one.

use crate::cmd::Cmd;
use crate::report::{Outcome, Report};
use crate::{host, setup};
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// How long one project of tests may take.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Builds the hub that tests start.
pub(crate) fn hub(report: &Report) {
    report.step("hub", "building the hub for the tests that start it", || {
        Cmd::cargo(&["build", "--locked", "-p", "hub"]).quiet("hub-debug")?;
        Ok(Outcome::Done)
    });
}

/// Runs the browser tests: all projects, or the one that is named. They need the page, and
/// all but `page` the hub.
pub(crate) fn run(report: &Report, project: Option<&str>, args: &[String]) {
    report.step("browser", "looking for Chromium", setup::browser);
    if project != Some("live") {
        let what = "browser tests of the page alone";
        report.step_after(&["page", "browser"], "e2e page", what, || playwright("page", args));
    }
    if project != Some("page") {
        let what = "browser tests of page and hub together";
        report.step_after(&["page", "browser", "hub"], "e2e live", what, || playwright("live", args));
    }
}

fn playwright(project: &str, args: &[String]) -> Result<Outcome> {
    Cmd::npm("npx", &["--no-install", "playwright", "test", "--project", project])
        .args(args)
        .env("HUB_BIN", hub_binary())
        // Two runs on one machine do not meet.
        .env("HUBBUB_PAGE_PORT", cluster::free_port().to_string())
        .within(DEADLINE)
        .show()?;
    Ok(Outcome::Done)
}

/// The hub that tests start: the debug build, which reads the page from `web/dist`.
pub(crate) fn hub_binary() -> PathBuf {
    host::target_dir().join("debug/hub")
}
