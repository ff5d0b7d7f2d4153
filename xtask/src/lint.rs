//! Everything that judges the code without running it.

use crate::cmd::Cmd;
use crate::report::{Outcome, Report};
use crate::{tidy, web};

/// Format, tidy, clippy, licences, and the page's style and types.
pub(crate) fn run(report: &Report) {
    rust(report);
    crate::wasm::build(report);
    web::packages(report);
    web::lint(report);
}

/// The part that needs no page.
pub(crate) fn rust(report: &Report) {
    report.step("format", "rustfmt", || {
        Cmd::cargo(&["fmt", "--all", "--check"]).show()?;
        Ok(Outcome::Done)
    });
    tidy::step(report);
    report.step("clippy", "warnings are errors", || {
        let strict = ["--", "-D", "warnings"];
        // These stand behind features, so that the workspace builds without what they depend on.
        let features = ["--features", "fuzz/libfuzzer,xtask-codegen/run,xtask-wasm-bind/run"];
        // Nothing is linked, so that the fuzzer itself, which is C++, need not be built.
        Cmd::cargo(&["clippy", "--locked", "--workspace", "--all-targets"])
            .args(features)
            .args(strict)
            .env("CUSTOM_LIBFUZZER_PATH", "./libfuzzer.a")
            .show()?;
        // The tests of races have locks of their own.
        let races = ["-p", "hub", "--features", "races", "--lib", "--tests"];
        Cmd::cargo(&["clippy", "--locked"]).args(races).args(strict).show()?;
        Ok(Outcome::Done)
    });
    report.step("deny", "licences, bans and sources of dependencies", || {
        if !Cmd::cargo(&["deny", "--version"]).succeeds() {
            let reason = "cargo-deny is not installed: `cargo install --locked cargo-deny`";
            return Ok(Outcome::Skipped(reason.to_owned()));
        }
        // Advisories come from the network and change by themselves.
        Cmd::cargo(&["deny", "--locked", "check", "licenses", "bans", "sources"]).show()?;
        Ok(Outcome::Done)
    });
}
