//! What is told of a failure: how to see it again, what did not hold, and what went on around it.

use crate::worker::Verdict;
use anyhow::Context;
use protocol::planted::Bug;
use sim::plan::Plan;
use sim::report::text;
use sim::run::{self, How, Report};
use sim::{generate, shrink};
use std::path::{Path, PathBuf};

/// Where plans that failed are kept, below the project's folder.
const FOLDER: &str = "target/sim/failures";

/// Runs a failing seed again, keeps its plan and tells of it. One that came to no end is not run again: it
/// would take this process with it.
pub(crate) fn tell(verdict: &Verdict, bug: Option<Bug>) -> anyhow::Result<()> {
    let seed = verdict.seed;
    let plan = generate::plan(seed);
    let path = root().join(FOLDER).join(format!("{seed}.json"));
    plan.write(&path)?;
    if verdict.is_missing() {
        let why = verdict.wrong.as_ref().map_or("", |(_, why)| why.as_str());
        println!("\nFAILED, seed {seed}: {why}");
        commands(&plan, &path, bug);
        return Ok(());
    }
    let report = run::run(&plan, How { keeps_history: true, bug });
    if report.violation().is_none() {
        let (invariant, why) = verdict.wrong.clone().unwrap_or_default();
        println!("\nFAILED, seed {seed}: {invariant}: {why}");
        println!("  run again in another process nothing is wrong: it does not follow from the plan alone");
        commands(&plan, &path, bug);
        return Ok(());
    }
    show(&plan, &path, &report, bug);
    Ok(())
}

/// Tells of a run that failed; of one that did not there is nothing to tell.
pub(crate) fn show(plan: &Plan, path: &Path, report: &Report, bug: Option<Bug>) {
    let Some(violation) = report.violation() else { return };
    println!("\nFAILED, seed {}: {violation}", plan.seed);
    commands(plan, path, bug);
    let before = report.outcome.history.entries().iter().filter(|entry| entry.at <= violation.at);
    if let Some(name) = before.rev().find_map(|entry| entry.what.name()) {
        println!("  one message of those last spoken of:");
        println!("           cargo xtask sim trace{} {} --message {name}", flag(bug), shown(path));
    }
    println!("\n{}", text::around(&report.outcome.history, violation.at));
}

fn commands(plan: &Plan, path: &Path, bug: Option<Bug>) {
    println!("  plan: {} ({})", shown(path), shrink::size(plan));
    let bug = flag(bug);
    println!("  again:   cargo xtask sim replay{bug} {}", shown(path));
    let page = path.with_extension("html");
    println!("  drawn:   cargo xtask sim replay{bug} {} --html {}", shown(path), shown(&page));
    println!("  smaller: cargo xtask sim shrink{bug} {}", shown(path));
}

/// What commands are told so that a bug is in place.
fn flag(bug: Option<Bug>) -> String {
    bug.map(|bug| format!(" --bug {}", bug.name())).unwrap_or_default()
}

/// A plan by its seed or its file.
pub(crate) fn plan(which: &str) -> anyhow::Result<(Plan, PathBuf)> {
    if let Ok(seed) = which.parse() {
        let plan = generate::plan(seed);
        let path = root().join(FOLDER).join(format!("{seed}.json"));
        plan.write(&path)?;
        return Ok((plan, path));
    }
    let path = [PathBuf::from(which), root().join(which)].into_iter().find(|path| path.exists());
    let path = path.with_context(|| format!("{which} is neither a seed nor the file of a plan"))?;
    Ok((Plan::read(&path)?, path))
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A path as one would type it in the project's folder.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
