//! Plans that once failed, each with its story: none may fail again. The canaries must.

use crate::worker::{Canary, RUN_MAX, Work};
use crate::{batch, failure, mutants};
use anyhow::Context;
use protocol::planted::Bug;
use sim::plan::Plan;
use sim::run::{self, How};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a run may take that is known to hang.
const HANGS_MAX: Duration = Duration::from_secs(1);

/// Runs every kept plan; whether all is well.
pub(crate) fn check() -> anyhow::Result<bool> {
    let folder = failure::root().join("sim/regressions");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let mut well = canaries()?;
    for path in &paths {
        let plan = Plan::read(path)?;
        anyhow::ensure!(!plan.story.is_empty(), "{} has no story", failure::shown(path));
        let report = run::run(&plan, How { keeps_history: true, bug: None });
        if report.violation().is_some() {
            println!("once more: {}", plan.story);
            failure::show(&plan, path, &report, None);
            well = false;
        }
        well &= bites(&plan, path)?;
    }
    println!(
        "{} plans that once failed, and the canaries: {}",
        paths.len(),
        if well { "well" } else { "not well" }
    );
    Ok(well)
}

/// Whether a kept plan still fails with the bug that it names, as it must: one that does not proves nothing
/// any more.
fn bites(plan: &Plan, path: &Path) -> anyhow::Result<bool> {
    let name = plan.bug.as_deref();
    let name =
        name.with_context(|| format!("{} names no bug with which it must fail", failure::shown(path)))?;
    let bug = Bug::parse(name).with_context(|| format!("{} names no planted bug", failure::shown(path)))?;
    if !cfg!(feature = "planted-bugs") {
        return Ok(true);
    }
    let report = run::run(plan, How { keeps_history: false, bug: Some(bug) });
    let fails = report
        .violation()
        .is_some_and(|violation| mutants::is_of(bug, &format!("{:?}", violation.invariant), &violation.text));
    if !fails {
        println!(
            "{} does not fail as it must with {name} in place: {:?}",
            failure::shown(path),
            report.violation()
        );
    }
    Ok(fails)
}

/// Runs that must fail, through the runner that runs all others: with a message in the store that nobody said,
/// with a process that dies, and with one that hangs. A runner that lets one pass lets everything pass.
fn canaries() -> anyhow::Result<bool> {
    let mut well = true;
    for (canary, run_max, invariant, why) in [
        (Canary::Sings, RUN_MAX, "NothingInvented", "nobody said \"tweet\""),
        (Canary::Dies, RUN_MAX, "NoVerdict", "the run's process died"),
        (Canary::Hangs, HANGS_MAX, "NoVerdict", "the run hangs"),
    ] {
        // Two for each of two workers: what comes after a failure is run as well.
        let seeds = vec![0, 1, 2, 3];
        let work = Work { canary: Some(canary), run_max, ..Work::new(seeds.clone(), None) };
        let options = batch::Options { jobs: 2, keeps_going: true, wants_marks: false, ends: None };
        let tally = batch::tally(&work, options)?;
        let mut failed: Vec<u64> = tally.failures.iter().map(|verdict| verdict.seed).collect();
        failed.sort_unstable();
        let is_told = tally
            .failures
            .iter()
            .filter_map(|verdict| verdict.wrong.as_ref())
            .all(|(what, said)| what == invariant && said.contains(why));
        if tally.is_well(options) || failed != seeds || !is_told {
            println!("canary {canary:?}: runs that must fail came to {:?}", tally.failures);
            well = false;
        }
    }
    Ok(well)
}
