//! Whether the simulation finds bugs that were put in place: for each how many seeds it takes, what it is
//! found by, and how small the plan gets.

use crate::batch::now;
use crate::failure;
use crate::worker::{Work, Workers};
use anyhow::Context;
use protocol::planted::Bug;
use sim::run::How;
use sim::{generate, shrink};
use std::fmt::Write as _;

/// Runs that shrinking a plan may take.
const SHRINK_RUNS: usize = 250;
/// Between these lines stands the table in the documentation.
const MARKS: (&str, &str) = ("<!-- mutants: begin -->", "<!-- mutants: end -->");

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) bugs: Vec<Bug>,
    pub(crate) from: u64,
    pub(crate) seeds: u64,
    pub(crate) jobs: usize,
    pub(crate) shrinks: bool,
    /// Write the table into the documentation.
    pub(crate) writes: bool,
}

struct Row {
    bug: Bug,
    /// Seeds until it was found, and by what.
    found: Option<(u64, String)>,
    size: Option<String>,
}

/// Bugs of parts that runs do not have: what Redis is suspected to have lost.
const ELSEWHERE: &[Bug] = &[Bug::NoResync];

/// The bugs that runs can have.
pub(crate) fn all() -> Vec<Bug> {
    Bug::ALL.iter().copied().filter(|bug| !ELSEWHERE.contains(bug)).collect()
}

/// Looks for each bug; whether all were found.
pub(crate) fn check(options: &Options) -> anyhow::Result<bool> {
    anyhow::ensure!(
        cfg!(feature = "planted-bugs"),
        "built without planted bugs: start it by `cargo xtask sim mutants`"
    );
    let mut rows = Vec::new();
    for bug in &options.bugs {
        let began = now();
        let row = look(*bug, options)?;
        let name = bug.name();
        match &row.found {
            Some((seeds, invariant)) => {
                let size = row.size.clone().unwrap_or_default();
                println!(
                    "found   {name:<28} seed {seeds:>3}  {invariant:<16} {:>5.1} s  {size}",
                    began.elapsed().as_secs_f64()
                );
            }
            None => println!("MISSED  {name:<28} in {} seeds: {}", options.seeds, bug.what().trim()),
        }
        rows.push(row);
    }
    if options.writes {
        write(&rows)?;
    }
    let missed = rows.iter().filter(|row| row.found.is_none()).count();
    println!("{} of {} planted bugs found", rows.len() - missed, rows.len());
    Ok(missed == 0)
}

fn look(bug: Bug, options: &Options) -> anyhow::Result<Row> {
    let seeds: Vec<u64> = (options.from..options.from + options.seeds).collect();
    let workers = Workers::start(&Work::new(seeds, Some(bug)), options.jobs)?;
    let mut ran = 0;
    let mut failed = None;
    while let Some(verdict) = workers.next() {
        ran += 1;
        if verdict.wrong.is_some() {
            failed = Some(verdict);
            break;
        }
    }
    drop(workers);
    let Some(verdict) = failed else { return Ok(Row { bug, found: None, size: None }) };
    let invariant = verdict.wrong.map(|(invariant, _)| invariant).unwrap_or_default();
    let how = How { keeps_history: false, bug: Some(bug) };
    let size = if options.shrinks {
        let plan = generate::plan(verdict.seed);
        shrink::shrink(&plan, how, SHRINK_RUNS).map(|(plan, _)| shrink::size(&plan))
    } else {
        None
    };
    Ok(Row { bug, found: Some((ran, invariant)), size })
}

fn write(rows: &[Row]) -> anyhow::Result<()> {
    let path = failure::root().join("docs/SIMULATION.md");
    let text = std::fs::read_to_string(&path).context("failed to read docs/SIMULATION.md")?;
    let (before, rest) = text.split_once(MARKS.0).context("docs/SIMULATION.md has no place for the table")?;
    let (_, after) = rest.split_once(MARKS.1).context("docs/SIMULATION.md has no place for the table")?;
    let mut table = String::from(
        "\n| Bug | What is wrong | Found by | Seeds | Shrunk to (–: not measured) |\n|---|---|---|---|---|\n",
    );
    for Row { bug, found, size } in rows {
        let (seeds, invariant) = found
            .as_ref()
            .map_or_else(|| ("–".to_owned(), "not found"), |(seeds, by)| (seeds.to_string(), by));
        let size = size.as_deref().unwrap_or("–");
        // Writing to a string does not fail.
        writeln!(table, "| `{}` | {} | {invariant} | {seeds} | {size} |", bug.name(), bug.what().trim()).ok();
    }
    std::fs::write(&path, format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1))?;
    Ok(())
}
