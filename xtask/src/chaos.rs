//! Chaos from the command line: builds the hub and the native clients, and has them talk through a real
//! cluster while its parts die (`loadgen/src/bin/chaos`).

use crate::cli::ChaosArgs;
use crate::cmd::Cmd;
use crate::report::{Outcome, Report};
use crate::{host, run, setup};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one run may take.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Does what the command line says.
pub(crate) fn run(report: &Report, args: &ChaosArgs) {
    report.step("servers", "looking for Postgres, Redis and Nginx", setup::cluster);
    let seed = args.seed.to_string();
    if args.planted {
        report.step("hub", "building a hub that bugs can be planted in", build_planted);
        build(report);
        let what = "each planted bug must be found, and nothing without one";
        let more = ["--planted", "--seed", &seed];
        report.step_after(&["servers", "hub", "chaos clients"], "planted", what, || {
            talk(&planted_hub(), "planted", &more)
        });
        return;
    }
    report.step("hub", "building the hub", || {
        Cmd::cargo(&["build", "--locked", "-p", "hub", "--profile", &args.profile]).quiet("hub-chaos")?;
        Ok(Outcome::Done)
    });
    build(report);
    let hub = run::binary(&args.profile);
    if !args.rolling {
        faults(report, &hub, args.short, &seed);
    }
    rolling(report, &hub, args.short, &seed);
}

/// The short form, for a run of all tests: `hub` is built, and what it needs beside it is there.
pub(crate) fn short(report: &Report, hub: &Path) {
    build(report);
    faults(report, hub, true, "1");
    rolling(report, hub, true, "1");
}

fn build(report: &Report) {
    report.step("chaos clients", "building the native clients", || {
        Cmd::cargo(&["build", "--locked", "-p", "loadgen", "--bin", "chaos"]).quiet("chaos-clients")?;
        Ok(Outcome::Done)
    });
}

fn faults(report: &Report, hub: &Path, short: bool, seed: &str) {
    let what = "clients talk while parts of a cluster die";
    schedule(report, hub, ("chaos", what), "mixed", seed, short);
}

fn rolling(report: &Report, hub: &Path, short: bool, seed: &str) {
    let what = "clients talk while one hub after another is restarted";
    schedule(report, hub, ("rolling restart", what), "rolling", seed, short);
}

fn schedule(report: &Report, hub: &Path, (step, what): (&str, &str), name: &str, seed: &str, short: bool) {
    let short: &[&str] = if short { &["--short"] } else { &[] };
    let args = [&["--schedule", name, "--seed", seed], short].concat();
    report.step_after(&["servers", "hub", "chaos clients"], step, what, || talk(hub, name, &args));
}

/// Each kind of run has a folder of its own: the next kind leaves what a failed one is looked into by.
fn talk(hub: &Path, folder: &str, args: &[&str]) -> Result<Outcome> {
    let dir = host::target_dir().join("chaos").join(folder);
    Cmd::new(host::target_dir().join("debug/chaos"))
        .arg("--hub")
        .arg(hub)
        .arg("--nginx-conf")
        .arg(host::root().join("nginx.conf"))
        .arg("--dir")
        .arg(&dir)
        .args(args)
        .within(DEADLINE)
        .show()?;
    let summary = fs::read_to_string(dir.join("summary")).unwrap_or_default();
    Ok(if summary.is_empty() { Outcome::Done } else { Outcome::Told(summary) })
}

fn planted_hub() -> PathBuf {
    host::state_dir().join("hub-planted")
}

/// Kept apart: whoever takes `debug/hub` for the product must never get this one.
fn build_planted() -> Result<Outcome> {
    let build =
        |more: &[&str]| Cmd::cargo(&["build", "--locked", "-p", "hub"]).args(more).quiet("hub-planted");
    build(&["--features", "planted-bugs"])?;
    let built = host::target_dir().join("debug/hub");
    fs::create_dir_all(host::state_dir())?;
    fs::copy(&built, planted_hub())?;
    // The product's, which was built before or is built now, takes its place again.
    build(&[])?;
    Ok(Outcome::Done)
}
