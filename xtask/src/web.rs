//! Builds and checks the page. What it is made of and how belongs to `web/package.json`.

use crate::cmd::Cmd;
use crate::host;
use crate::report::{Outcome, Report};
use crate::stamp::Stamp;
use crate::{setup, wasm};
use anyhow::Result;

/// Makes sure that Node.js and the page's packages are there.
pub(crate) fn packages(report: &Report) {
    report.step("node", "looking for Node.js", setup::node);
    report.step_after(&["node"], "npm", "installing the page's packages", setup::npm);
}

/// Builds the page, the client included.
pub(crate) fn build(report: &Report) {
    wasm::build(report);
    packages(report);
    bundle(report);
}

/// Builds the page from what is there.
pub(crate) fn bundle(report: &Report) {
    report.step_after(&["wasm", "npm"], "page", "building the page", || {
        let stamp = Stamp::of("page", &["web"], &[])?;
        if stamp.is_fresh(&[host::root().join("web/dist/index.html")]) {
            return Ok(Outcome::Fresh);
        }
        Cmd::npm("npm", &["run", "build"]).quiet("page")?;
        stamp.keep()?;
        Ok(Outcome::Done)
    });
}

/// Lint, format and types of the page.
pub(crate) fn lint(report: &Report) {
    let script = |name: &'static str| {
        move || -> Result<Outcome> {
            Cmd::npm("npm", &["run", name]).show()?;
            Ok(Outcome::Done)
        }
    };
    report.step_after(&["npm"], "page style", "biome", script("lint"));
    // The page's types include those of the client's module.
    report.step_after(&["npm", "wasm"], "page types", "svelte-check", script("check"));
}

/// The page's unit tests.
pub(crate) fn unit(report: &Report) {
    report.step_after(&["npm", "wasm"], "page unit", "the page's own tests", || {
        Cmd::npm("npm", &["run", "test"]).show()?;
        Ok(Outcome::Done)
    });
}
