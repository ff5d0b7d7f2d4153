//! Runs many seeds, says how far it is, and stops at what is wrong.

use crate::failure;
use crate::worker::{Verdict, Work, Workers};
use sim::marks::Mark;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often it is said how far it is.
const PROGRESS: Duration = Duration::from_secs(1);
/// The same where nobody looks.
const PROGRESS_LOGGED: Duration = Duration::from_secs(20);
/// From so many seeds on, each mark must have been hit.
const MARKS_FROM: u64 = 300;

/// What many runs came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) failures: Vec<Verdict>,
    marks: BTreeMap<String, u64>,
    /// Seeds that were left on purpose.
    left: u64,
    simulated_ms: u64,
    deliveries: u64,
    events: u64,
    faults: u64,
}

impl Tally {
    fn add(&mut self, verdict: Verdict) {
        self.seeds += 1;
        self.simulated_ms += verdict.simulated_ms;
        self.deliveries += verdict.deliveries;
        self.events += verdict.events;
        self.faults += verdict.faults;
        for (mark, hits) in &verdict.marks {
            *self.marks.entry(mark.clone()).or_default() += hits;
        }
        if verdict.wrong.is_some() {
            self.failures.push(verdict);
        }
    }

    /// Whether nothing was wrong, and enough was seen.
    pub(crate) fn is_well(&self, options: Options) -> bool {
        let lacks_marks = options.wants_marks && self.seeds >= MARKS_FROM && !self.missing().is_empty();
        self.failures.is_empty() && !lacks_marks
    }

    fn missing(&self) -> Vec<&'static str> {
        Mark::ALL.iter().map(|mark| mark.text()).filter(|text| !self.marks.contains_key(*text)).collect()
    }
}

/// How to run many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) jobs: usize,
    /// Goes on after a failure.
    pub(crate) keeps_going: bool,
    /// Marks that no run hit are a failure, if there were enough runs.
    pub(crate) wants_marks: bool,
    /// Ends then, whatever is left.
    pub(crate) ends: Option<Instant>,
}

/// Runs seeds; whether all was well.
pub(crate) fn run(work: &Work, options: Options) -> anyhow::Result<bool> {
    let began = now();
    let tally = tally(work, options)?;
    for verdict in &tally.failures {
        failure::tell(verdict, work.bug)?;
    }
    summary(&tally, began.elapsed(), options.jobs);
    let missing = tally.missing();
    if !missing.is_empty() && tally.failures.is_empty() {
        println!("never seen in these runs: {}", missing.join("; "));
    }
    Ok(tally.is_well(options))
}

/// Runs seeds, and tells nothing of what is wrong.
pub(crate) fn tally(work: &Work, options: Options) -> anyhow::Result<Tally> {
    let began = now();
    let mut tally = Tally::default();
    let workers = Workers::start(work, options.jobs)?;
    let is_watched = std::io::stderr().is_terminal();
    let mut told = began;
    let mut waited_for: BTreeSet<u64> = work.seeds.iter().copied().collect();
    while let Some(verdict) = workers.next() {
        let fails = verdict.wrong.is_some();
        waited_for.remove(&verdict.seed);
        tally.add(verdict);
        if fails && !options.keeps_going || options.ends.is_some_and(|ends| ends <= now()) {
            tally.left = waited_for.len() as u64;
            waited_for.clear();
            break;
        }
        let pause = if is_watched { PROGRESS } else { PROGRESS_LOGGED };
        if told.elapsed() >= pause {
            told = now();
            let of = if options.ends.is_some() { String::new() } else { format!("/{}", work.seeds.len()) };
            progress(&tally, &of, began.elapsed(), is_watched);
        }
    }
    drop(workers);
    if is_watched {
        eprint!("\r\x1b[K");
    }
    for seed in waited_for {
        tally.add(Verdict::none(seed, "no worker told what came of it".to_owned()));
    }
    Ok(tally)
}

fn progress(tally: &Tally, of: &str, took: Duration, is_watched: bool) {
    let rate = rate(tally.seeds, took);
    let (done, failures, marks) = (tally.seeds, tally.failures.len(), tally.marks.len());
    let line =
        format!("{done}{of} seeds · {rate:.1}/s · {failures} failed · {marks}/{} marks", Mark::ALL.len());
    if is_watched {
        eprint!("\r\x1b[K{line}");
        // Nothing depends on its being seen.
        std::io::stderr().flush().ok();
    } else {
        eprintln!("{line}");
    }
}

fn summary(tally: &Tally, took: Duration, jobs: usize) {
    let hours = Duration::from_millis(tally.simulated_ms).as_secs_f64() / 3600.0;
    println!(
        "{} seeds, {} failed{}: {hours:.1} simulated hours, {} faults, {} events, {} deliveries, {}/{} marks; \
         {:.1} seeds/s with {jobs} at a time",
        tally.seeds,
        tally.failures.len(),
        if tally.left > 0 { format!(", {} not run", tally.left) } else { String::new() },
        tally.faults,
        tally.events,
        tally.deliveries,
        Mark::ALL.len() - tally.missing().len(),
        Mark::ALL.len(),
        rate(tally.seeds, took),
    );
}

fn rate(seeds: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
    let seeds = seeds as f64;
    seeds / took.as_secs_f64().max(0.001)
}

/// The machine's time, outside of every simulation.
#[expect(clippy::disallowed_methods, reason = "how quick the simulation is, is a matter of real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
