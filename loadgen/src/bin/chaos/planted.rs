//! The proof that a run finds what it must: hubs with a bug on purpose are found out, by the invariant
//! that the bug violates, and hubs without one are not.

use crate::args::{Args, Schedule};
use crate::run::{self, Outcome};
use crate::{judge, show};
use anyhow::{Result, ensure};
use loadgen::latency;
use protocol::planted::Bug;
use std::collections::BTreeSet;
use std::fmt;

/// A bug, and what must find it.
struct Case {
    bug: Bug,
    /// Under which it must show.
    schedule: Schedule,
    /// What it must violate: found for another reason, it would prove nothing.
    violates: Invariant,
}

/// What a planted bug may violate.
#[derive(Clone, Copy)]
enum Invariant {
    StoredOnce,
    DeliveredToAll,
    DeliveredInTime,
}

const CASES: &[Case] = &[
    Case { bug: Bug::RetryNotIdempotent, schedule: Schedule::Retries, violates: Invariant::StoredOnce },
    Case { bug: Bug::NoSweep, schedule: Schedule::Silence, violates: Invariant::DeliveredToAll },
    Case { bug: Bug::NoBackfill, schedule: Schedule::Silence, violates: Invariant::DeliveredToAll },
    Case { bug: Bug::NoResync, schedule: Schedule::Subscribers, violates: Invariant::DeliveredInTime },
];

impl Invariant {
    const fn name(self) -> &'static str {
        match self {
            Self::StoredOnce => "each message is stored once",
            Self::DeliveredToAll => "what is stored reaches every member",
            Self::DeliveredInTime => "a lost doorbell costs no more than 2 s",
        }
    }

    /// How often a run violates it.
    fn violations(self, Outcome { history, verdict, .. }: &Outcome) -> u64 {
        match self {
            Self::StoredOnce => verdict.counts.duplicated as u64,
            Self::DeliveredToAll => verdict.counts.lost as u64,
            Self::DeliveredInTime => judge::late(&latency::measure(history)),
        }
    }
}

/// Runs with the bugs that are asked for, and without any; whether each was found, and nothing without.
pub(crate) fn run(args: &Args, which: &str) -> Result<bool> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| which == "all" || which == case.bug.name()).collect();
    ensure!(!cases.is_empty(), "there is no bug {which}");
    let mut rows = Vec::new();
    let schedules: BTreeSet<Schedule> = cases.iter().map(|case| case.schedule).collect();
    for schedule in schedules {
        let violations = judged(&args_of(args, schedule, None))?.verdict.violations as u64;
        rows.push(Row { bug: "none", schedule, violates: "any", violations, must_show: false });
    }
    for Case { bug, schedule, violates } in &cases {
        let args = args_of(args, *schedule, Some(*bug));
        let outcome = judged(&args)?;
        let violations = violates.violations(&outcome);
        let violates = violates.name();
        let row = Row { bug: bug.name(), schedule: *schedule, violates, violations, must_show: true };
        if !row.is_right() {
            show::keep(&args.dir, &outcome.history)?;
        }
        rows.push(row);
    }
    println!("\n  {:<22} {:<12} {:<38} {:>10}", "planted bug", "schedule", "invariant", "violations");
    for row in &rows {
        println!("{row}");
    }
    let found = rows.iter().filter(|row| row.must_show && row.is_right()).count();
    show::leave(&args.dir, &format!("{found} of {} planted bugs found", cases.len()))?;
    Ok(rows.iter().all(Row::is_right))
}

/// One of the runs, in a folder of its own.
fn args_of(args: &Args, schedule: Schedule, bug: Option<Bug>) -> Args {
    let folder = format!("{}-{}", schedule.name(), bug.map_or("none", Bug::name));
    Args { schedule, bug, dir: args.dir.join(folder), ..args.clone() }
}

/// A run's outcome. One in which the cluster failed would prove nothing.
fn judged(args: &Args) -> Result<Outcome> {
    let outcome = run::run(args)?;
    ensure!(!outcome.has_failed, "the cluster failed: {}", outcome.verdict.told.join("; "));
    Ok(outcome)
}

/// What came of one run.
struct Row {
    bug: &'static str,
    schedule: Schedule,
    violates: &'static str,
    violations: u64,
    must_show: bool,
}

impl Row {
    const fn is_right(&self) -> bool {
        self.must_show == (self.violations > 0)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bug, violates, violations, .. } = self;
        let verdict = match (self.must_show, self.is_right()) {
            (true, true) => "found",
            (true, false) => "NOT FOUND",
            (false, true) => "holds",
            (false, false) => "VIOLATED WITHOUT A BUG",
        };
        let schedule = self.schedule.name();
        write!(f, "  {bug:<22} {schedule:<12} {violates:<38} {violations:>10}  {verdict}")
    }
}
