//! From a clone to a running page: builds the client, the page and the hub, and starts the hub.

use crate::cli::RunArgs;
use crate::cmd::Cmd;
use crate::report::{self, Outcome, Report};
use crate::stamp::Stamp;
use crate::{host, web};
use anyhow::Result;
use std::path::PathBuf;
use std::thread;

/// Builds everything and becomes the hub. Returns only if that failed.
pub(crate) fn run(report: &Report, args: &RunArgs) -> Result<()> {
    build_all(report, &args.profile);
    if !report.close() {
        anyhow::bail!("the hub was not started");
    }
    if args.build_only {
        return Ok(());
    }
    start(args)
}

/// Builds the page and the hub with the page in it.
pub(crate) fn build_all(report: &Report, profile: &str) {
    thread::scope(|scope| {
        // The library does not depend on the page, so it compiles beside it.
        scope.spawn(|| {
            report.step("hub library", "compiling the hub (the first time takes minutes)", || {
                build("--lib", profile).quiet("hub-library")?;
                Ok(Outcome::Done)
            });
        });
        web::build(report);
    });
    report.step_after(&["hub library", "page"], "hub", "linking the hub with the page", || {
        build("--bins", profile)
            .env("HUB_PAGE_PRINT", Stamp::of("embedded", &["web/dist"], &[])?.print())
            .quiet("hub")?;
        Ok(Outcome::Done)
    });
}

/// Where a profile's hub is.
pub(crate) fn binary(profile: &str) -> PathBuf {
    let folder = if profile == "dev" { "debug" } else { profile };
    host::target_dir().join(folder).join("hub")
}

/// Incremental also where it is optimised: a changed line costs seconds rather than a minute, and
/// the code is slower by little.
fn build(targets: &str, profile: &str) -> Cmd {
    Cmd::cargo(&["build", "--locked", "-p", "hub", targets, "--profile", profile])
        .env("CARGO_INCREMENTAL", "1")
}

fn start(args: &RunArgs) -> Result<()> {
    let mut hub = Cmd::new(binary(&args.profile));
    if let Some(listen) = &args.listen {
        hub = hub.env("LISTEN", listen);
    }
    if let Some(data) = &args.data {
        hub = hub.arg("--data").arg(data);
    }
    report::line("\nstarting the hub; Ctrl-C stops it");
    Err(hub.args(&args.hub_args).replace())
}
