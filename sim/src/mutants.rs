//! Whether the simulation finds bugs that were put in place: for each how many seeds it takes, what it is
//! found by, and how small the plan gets. A run that fails in another way than the bug should has not found it.

use crate::batch::now;
use crate::failure;
use crate::worker::{Verdict, Work, Workers};
use anyhow::Context;
use parking_lot::Mutex;
use protocol::planted::Bug;
use sim::oracle::Invariant;
use sim::plan::Plan;
use sim::shrink;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// Runs that shrinking a plan may take.
const SHRINK_RUNS: usize = 600;
/// Most faults of a plan that was shrunk: with more of them it tells too little of its bug.
const FAULTS_MAX: usize = 3;
/// Where the shrunk plans are kept, below the project's folder.
const FOLDER: &str = "target/sim/mutants";
/// What a node says of an event that is not for the connection that gets it: the error that counts.
const NOT_NEXT: &str = "event is not next to the cursor";
/// What a node says of an event that it takes for damage.
const DAMAGE: &str = "unknown variant";
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
    small: Option<Plan>,
}

/// What each bug breaks. A panic is no answer: it would come of anything.
const fn breaks(bug: Bug) -> &'static [Invariant] {
    match bug {
        Bug::RetryNotIdempotent | Bug::DedupWindow => &[Invariant::StoredOnce],
        Bug::NoSweep | Bug::TimerRearmed => {
            &[Invariant::Converges, Invariant::Revoked, Invariant::StateAgrees]
        }
        Bug::PublishBeforeCommit => &[Invariant::OneOrder],
        Bug::HeadBeforeListening | Bug::NoResync | Bug::WrongRoomKey | Bug::NoPublish | Bug::OneNodeName => {
            &[Invariant::Prompt]
        }
        Bug::LaterIsDamage => &[Invariant::Prompt, Invariant::Converges, Invariant::NoErrors],
        Bug::NoBackfill => &[Invariant::Prompt, Invariant::Converges],
        Bug::AckBeforeCommit | Bug::OperationAckedEarly | Bug::DedupByBody | Bug::PinsForEver => {
            &[Invariant::AckedIsDurable]
        }
        Bug::LaterIsCut => &[Invariant::Readable, Invariant::OneOrder],
        Bug::RoleNotAsked | Bug::BanKeepsNobodyOut => &[Invariant::Allowed],
        Bug::FailureRefused => &[Invariant::Refused],
        Bug::SeqWithHoles | Bug::SeqFromClock => &[Invariant::DenseLog],
        Bug::SeqPerNode => &[Invariant::AckedIsDurable, Invariant::OneOrder],
        // A client that is given an event too early or leaves one out gives its node up.
        Bug::ResumeFromHead | Bug::QueueDrops => &[Invariant::Contiguous, Invariant::Readable],
        Bug::PushUnordered | Bug::LagOffByOne => {
            &[Invariant::Contiguous, Invariant::Readable, Invariant::NoErrors]
        }
        Bug::ReplayBeforeJoining | Bug::ForeignCursor | Bug::LeaveNotAwaited => &[Invariant::RoomsApart],
        Bug::RevokedLives => &[Invariant::Revoked],
        Bug::SilenceForEver => &[Invariant::Bounded, Invariant::Intruders],
        Bug::PageOffByOne | Bug::PageKeepsDeleted => &[Invariant::HistoryIsLog],
        Bug::LogKeepsDeleted => &[Invariant::Deleted],
        Bug::PresenceForEver => &[Invariant::Presence],
        Bug::NoHeartbeat => &[Invariant::Converges],
        Bug::NoJitter => &[Invariant::Spread],
        Bug::TwoSessions | Bug::OutboxUnbounded | Bug::QueueUnbounded | Bug::RingsUnbounded => {
            &[Invariant::Bounded]
        }
        Bug::CursorsNotTold => &[Invariant::NoSkips],
        Bug::CursorAhead => &[Invariant::CursorsAdvance, Invariant::Contiguous],
        Bug::DeliveredTwice => &[Invariant::Contiguous],
        Bug::OutboxForgets => &[Invariant::Converges],
        Bug::UnreadOwn | Bug::MarksForgotten => &[Invariant::StateAgrees],
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
    let rows = look_at_all(options)?;
    if options.writes {
        write(&rows)?;
    }
    let missed = rows.iter().filter(|row| row.found.is_none()).count();
    println!("{} of {} planted bugs found", rows.len() - missed, rows.len());
    let is_large = |row: &&Row| row.small.as_ref().is_some_and(|plan| shrink::faults(plan) > FAULTS_MAX);
    let large: Vec<_> = rows.iter().filter(is_large).map(|row| row.bug.name()).collect();
    if !large.is_empty() {
        println!("with more than {FAULTS_MAX} faults after shrinking: {}", large.join(", "));
    }
    Ok(missed == 0 && large.is_empty())
}

/// Looks for several bugs at a time, each with a process of its own.
fn look_at_all(options: &Options) -> anyhow::Result<Vec<Row>> {
    let left: Mutex<VecDeque<(usize, Bug)>> = Mutex::new(options.bugs.iter().copied().enumerate().collect());
    let rows = Mutex::new(BTreeMap::new());
    let work = || -> anyhow::Result<()> {
        loop {
            let Some((number, bug)) = left.lock().pop_front() else { return Ok(()) };
            let row = look(bug, options)?;
            rows.lock().insert(number, row);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(rows.into_inner().into_values().collect())
}

fn look(bug: Bug, options: &Options) -> anyhow::Result<Row> {
    let (began, name) = (now(), bug.name());
    let Some(verdict) = first(bug, options)? else {
        println!("MISSED  {name:<28} in {} seeds: {}", options.seeds, bug.what().trim());
        return Ok(Row { bug, found: None, small: None });
    };
    let (seed, invariant) = (verdict.seed, verdict.invariant().unwrap_or_default().to_owned());
    let small = if options.shrinks { Some(shrunk(bug, seed)?) } else { None };
    println!(
        "found   {name:<28} seed {seed:>3}  {invariant:<16} {:>5.1} s  {}",
        began.elapsed().as_secs_f64(),
        small.as_ref().map(shrink::size).unwrap_or_default()
    );
    Ok(Row { bug, found: Some((seed, invariant)), small })
}

/// The first seed that finds a bug.
fn first(bug: Bug, options: &Options) -> anyhow::Result<Option<Verdict>> {
    let seeds: Vec<u64> = (0..options.seeds).collect();
    let workers = Workers::start(&Work::new(seeds, Some(bug)), 1)?;
    while let Some(verdict) = workers.next() {
        if verdict.wrong.as_ref().is_some_and(|(invariant, text)| is_of(bug, invariant, text)) {
            return Ok(Some(verdict));
        }
    }
    Ok(None)
}

/// Whether a run failed in a way that the bug explains.
pub(crate) fn is_of(bug: Bug, invariant: &str, text: &str) -> bool {
    let error = if bug == Bug::LaterIsDamage { DAMAGE } else { NOT_NEXT };
    let explained = |known: &Invariant| {
        format!("{known:?}") == invariant && (*known != Invariant::NoErrors || text.contains(error))
    };
    breaks(bug).iter().any(explained)
}

/// The plan of a seed, as small as it gets. Shrunk in a process of its own: runs beside each other in one
/// process differ from those alone.
fn shrunk(bug: Bug, seed: u64) -> anyhow::Result<Plan> {
    let path = kept(bug);
    let status = Command::new(std::env::current_exe()?)
        .args(["shrink", "--bug", bug.name(), "--runs", &SHRINK_RUNS.to_string(), "--out"])
        .arg(&path)
        .arg(seed.to_string())
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "failed to shrink seed {seed} of {}: {status}", bug.name());
    Plan::read(&path)
}

fn kept(bug: Bug) -> PathBuf {
    failure::root().join(FOLDER).join(format!("{}.json", bug.name()))
}

fn write(rows: &[Row]) -> anyhow::Result<()> {
    let path = failure::root().join("docs/SIMULATION.md");
    let text = std::fs::read_to_string(&path).context("failed to read docs/SIMULATION.md")?;
    let (before, rest) = text.split_once(MARKS.0).context("docs/SIMULATION.md has no place for the table")?;
    let (_, after) = rest.split_once(MARKS.1).context("docs/SIMULATION.md has no place for the table")?;
    let mut table = String::from(
        "\n| Bug | What is wrong | Found by | First seed | Shrunk to (–: not measured) |\n|---|---|---|---|---|\n",
    );
    for Row { bug, found, small } in rows {
        let (seed, invariant) =
            found.as_ref().map_or_else(|| ("–".to_owned(), "not found"), |(seed, by)| (seed.to_string(), by));
        let size = small.as_ref().map_or_else(|| "–".to_owned(), shrink::size);
        // Writing to a string does not fail.
        writeln!(table, "| `{}` | {} | {invariant} | {seed} | {size} |", bug.name(), bug.what().trim()).ok();
    }
    std::fs::write(&path, format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1))?;
    Ok(())
}
