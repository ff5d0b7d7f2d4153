//! Plans that once failed, each with its story: none may fail again. The canary must.

use crate::failure;
use anyhow::Context;
use sim::oracle::Invariant;
use sim::plan::{Act, Op, Plan};
use sim::run::{self, How};
use std::path::PathBuf;

/// Runs every kept plan; whether all is well.
pub(crate) fn check() -> anyhow::Result<bool> {
    let folder = failure::root().join("sim/regressions");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let mut well = canary();
    for path in &paths {
        let plan = Plan::read(path)?;
        anyhow::ensure!(!plan.story.is_empty(), "{} has no story", failure::shown(path));
        let report = run::run(&plan, How { keeps_history: true, bug: None });
        if report.violation().is_some() {
            println!("once more: {}", plan.story);
            failure::show(&plan, path, &report, None);
            well = false;
        }
    }
    println!(
        "{} plans that once failed, and the canary: {}",
        paths.len(),
        if well { "well" } else { "not well" }
    );
    Ok(well)
}

/// A plan that must fail: a message is put into the store that nobody said. A runner that lets it pass
/// lets everything pass.
fn canary() -> bool {
    let mut plan = sim::generate::plan(0);
    plan.faults.clear();
    plan.ops = vec![Op { at: 500, client: 0, act: Act::Canary { room: 0 } }];
    let report = run::run(&plan, How::default());
    let invariant = report.violation().map(|violation| violation.invariant);
    if invariant != Some(Invariant::NothingInvented) {
        println!("the canary sang: a run that must fail came to {invariant:?}");
    }
    invariant == Some(Invariant::NothingInvented)
}
