//! Whether the simulation finds bugs that were put in place: for each how many seeds it takes, what it is
//! found by, and how small the plan gets. A run that fails in another way than the bug should has not found it.

use crate::batch::now;
use crate::failure;
use crate::worker::{Verdict, Work, Workers};
use anyhow::Context;
use protocol::planted::Bug;
use sim::oracle::Invariant;
use sim::run::How;
use sim::{generate, shrink};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Runs that shrinking a plan may take.
const SHRINK_RUNS: usize = 250;
/// Between these lines stands the table in the documentation.
const MARKS: (&str, &str) = ("<!-- mutants: begin -->", "<!-- mutants: end -->");

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) bugs: Vec<Bug>,
    /// As many seeds for each, from zero: the table's.
    pub(crate) seeds: u64,
    pub(crate) jobs: usize,
    pub(crate) shrinks: bool,
    /// Write the table into the documentation.
    pub(crate) writes: bool,
}

struct Row {
    bug: Bug,
    /// The first seed that found it, and by what.
    found: Option<(u64, String)>,
    size: Option<String>,
}

/// What each bug breaks. A panic is no answer: it would come of anything.
const fn breaks(bug: Bug) -> &'static [Invariant] {
    match bug {
        Bug::RetryNotIdempotent => &[Invariant::NothingInvented, Invariant::StoredOnce],
        Bug::DedupWindow => &[Invariant::StoredOnce],
        Bug::NoSweep | Bug::TimerRearmed => {
            &[Invariant::Converges, Invariant::Revoked, Invariant::StateAgrees]
        }
        Bug::PublishBeforeCommit => &[Invariant::OneOrder],
        Bug::HeadBeforeListening | Bug::NoResync | Bug::WrongRoomKey | Bug::NoPublish | Bug::OneNodeName => {
            &[Invariant::Prompt]
        }
        Bug::LaterIsDamage => &[Invariant::Prompt, Invariant::Converges],
        Bug::NoBackfill => &[Invariant::Prompt, Invariant::Converges],
        Bug::AckBeforeCommit | Bug::DedupByBody => &[Invariant::AckedIsDurable],
        Bug::SeqWithHoles => &[Invariant::DenseLog],
        // A client that is given an event too early or leaves one out gives its node up.
        Bug::PushUnordered | Bug::ResumeFromHead | Bug::QueueDrops => {
            &[Invariant::Contiguous, Invariant::Readable]
        }
        Bug::LagOffByOne => &[Invariant::Contiguous, Invariant::Readable, Invariant::NoErrors],
        Bug::ReplayBeforeJoining | Bug::ForeignCursor | Bug::LeaveNotAwaited => &[Invariant::RoomsApart],
        Bug::RevokedLives => &[Invariant::Revoked],
        Bug::SilenceForEver => &[Invariant::Bounded, Invariant::Intruders],
        Bug::PageOffByOne => &[Invariant::HistoryIsLog],
        Bug::PresenceForEver => &[Invariant::Presence],
        Bug::NoHeartbeat => &[Invariant::Converges],
        Bug::NoJitter => &[Invariant::Spread],
        Bug::TwoSessions | Bug::OutboxUnbounded => &[Invariant::Bounded],
        Bug::CursorsNotTold => &[Invariant::NoSkips],
        Bug::CursorAhead => &[Invariant::CursorsAdvance, Invariant::Contiguous],
        Bug::DeliveredTwice => &[Invariant::Contiguous],
        Bug::OutboxForgets => &[Invariant::Converges, Invariant::Bounded],
        Bug::UnreadOwn => &[Invariant::StateAgrees],
    }
}

/// Looks for each bug; whether all were found.
pub(crate) fn check(options: &Options) -> anyhow::Result<bool> {
    anyhow::ensure!(
        cfg!(feature = "planted-bugs"),
        "built without planted bugs: start it by `cargo xtask sim mutants`"
    );
    let is_all = options.bugs.len() == Bug::ALL.len();
    anyhow::ensure!(
        is_all || !options.writes,
        "the table is of all bugs: --write goes without a choice of them"
    );
    let mut rows = Vec::new();
    for bug in &options.bugs {
        let began = now();
        let row = look(*bug, options)?;
        let name = bug.name();
        match &row.found {
            Some((seed, invariant)) => {
                let size = row.size.clone().unwrap_or_default();
                println!(
                    "found   {name:<28} seed {seed:>3}  {invariant:<16} {:>5.1} s  {size}",
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
    let Some(verdict) = first(bug, options)? else { return Ok(Row { bug, found: None, size: None }) };
    let how = How { keeps_history: false, bug: Some(bug) };
    let size = if options.shrinks {
        let plan = generate::plan(verdict.seed);
        shrink::shrink(&plan, how, SHRINK_RUNS).map(|(plan, _)| shrink::size(&plan))
    } else {
        None
    };
    let invariant = verdict.invariant().unwrap_or_default().to_owned();
    Ok(Row { bug, found: Some((verdict.seed, invariant)), size })
}

/// The first seed that finds a bug, by number: workers tell of theirs in any order.
fn first(bug: Bug, options: &Options) -> anyhow::Result<Option<Verdict>> {
    let seeds: Vec<u64> = (0..options.seeds).collect();
    let mut waited_for: BTreeSet<u64> = seeds.iter().copied().collect();
    let names: Vec<_> = breaks(bug).iter().map(|invariant| format!("{invariant:?}")).collect();
    let workers = Workers::start(&Work::new(seeds, Some(bug)), options.jobs)?;
    let mut found: Option<Verdict> = None;
    while let Some(verdict) = workers.next() {
        waited_for.remove(&verdict.seed);
        let fits = verdict.invariant().is_some_and(|invariant| names.iter().any(|name| name == invariant));
        if fits && found.as_ref().is_none_or(|found| verdict.seed < found.seed) {
            found = Some(verdict);
        }
        if found.as_ref().is_some_and(|found| waited_for.range(..found.seed).next().is_none()) {
            break;
        }
    }
    Ok(found)
}

fn write(rows: &[Row]) -> anyhow::Result<()> {
    let path = failure::root().join("docs/SIMULATION.md");
    let text = std::fs::read_to_string(&path).context("failed to read docs/SIMULATION.md")?;
    let (before, rest) = text.split_once(MARKS.0).context("docs/SIMULATION.md has no place for the table")?;
    let (_, after) = rest.split_once(MARKS.1).context("docs/SIMULATION.md has no place for the table")?;
    let mut table = String::from(
        "\n| Bug | What is wrong | Found by | First seed | Shrunk to (–: not measured) |\n|---|---|---|---|---|\n",
    );
    for Row { bug, found, size } in rows {
        let (seed, invariant) =
            found.as_ref().map_or_else(|| ("–".to_owned(), "not found"), |(seed, by)| (seed.to_string(), by));
        let size = size.as_deref().unwrap_or("–");
        // Writing to a string does not fail.
        writeln!(table, "| `{}` | {} | {invariant} | {seed} | {size} |", bug.name(), bug.what().trim()).ok();
    }
    std::fs::write(&path, format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1))?;
    Ok(())
}
