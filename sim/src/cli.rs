//! The command line: what there is to run. The work is done elsewhere.

use crate::{batch, determinism, failure, mutants, regressions, worker};
use anyhow::Context;
use clap::{Parser, Subcommand};
use protocol::planted::Bug;
use sim::history::Name;
use sim::plan::Plan;
use sim::report::{html, text};
use sim::rng::fnv;
use sim::run::{self, How};
use sim::shrink;
use std::path::PathBuf;
use std::time::Duration;

/// Fresh seeds, plans that are run three times, and planted bugs of each run of CI.
const CI_SEEDS: u64 = 300;
const CI_PAIRS: u64 = 20;
const CI_BUGS: usize = 6;

/// Simulates whole clusters of Hubbub, breaks them, and judges what everyone saw.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run seeds one after the other
    Run {
        /// How many
        #[arg(long, default_value_t = 300)]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        many: Many,
    },
    /// Run seeds drawn from a word, such as a commit's hash: fresh ones, the same for the same word
    Swarm {
        /// How many
        #[arg(long, default_value_t = 300)]
        seeds: u64,
        /// The word [default: the present commit]
        #[arg(long)]
        word: Option<String>,
        #[command(flatten)]
        many: Many,
    },
    /// Run fresh seeds for a while
    Soak {
        /// How long
        #[arg(long)]
        minutes: u64,
        #[command(flatten)]
        many: Many,
    },
    /// Run one plan and show what happened
    Replay {
        /// A seed, or a plan's file
        plan: String,
        /// Write the run as one page, a lane for each host and client
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Show everything that happened
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        planted: Planted,
    },
    /// Follow one message from the one who said it to everyone who got it
    Trace {
        /// A seed, or a plan's file
        plan: String,
        /// The message, as reports name it: CLIENT.NUMBER
        #[arg(long)]
        message: Name,
        #[command(flatten)]
        planted: Planted,
    },
    /// Make a failing plan as small as it gets
    Shrink {
        /// A seed, or a plan's file
        plan: String,
        /// Where to write it [default: beside the plan]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// What the plan is about, for those that are kept
        #[arg(long)]
        story: Option<String>,
        /// Most runs
        #[arg(long, default_value_t = 600)]
        runs: usize,
        #[command(flatten)]
        planted: Planted,
    },
    /// Put bugs in place one at a time and look whether they are found
    Mutants {
        /// Only these
        #[arg(long, value_name = "NAME", value_parser = bug)]
        bug: Vec<Bug>,
        /// Only so many, drawn from the word of --word
        #[arg(long)]
        sample: Option<usize>,
        /// Draws the sample
        #[arg(long, default_value = "")]
        word: String,
        /// Most seeds for each
        #[arg(long, default_value_t = 300)]
        seeds: u64,
        /// Do not shrink what is found
        #[arg(long)]
        quick: bool,
        /// Write the table into docs/SIMULATION.md
        #[arg(long)]
        write: bool,
        /// Processes at a time [default: processors]
        #[arg(long)]
        jobs: Option<usize>,
    },
    /// Run plans three times in two processes and compare every event and every byte
    Determinism {
        /// How many
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// The first of them
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Keep what they came to, for another build to compare
        #[arg(long, value_name = "FILE")]
        digests: Option<PathBuf>,
        /// Compare with what another build kept
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Run the plans that once failed, and the canaries, which must fail
    Regressions,
    /// Run what CI runs: kept plans, fresh seeds of the present commit, determinism, a sample of planted bugs
    Ci {
        /// Draws seeds and sample [default: the present commit]
        #[arg(long)]
        word: Option<String>,
    },
    /// Run seeds from standard input: for the other commands
    #[command(hide = true)]
    Worker {
        #[command(flatten)]
        planted: Planted,
        #[arg(long, value_enum)]
        canary: Option<worker::Canary>,
    },
}

/// How to run many.
#[derive(clap::Args)]
struct Many {
    /// Processes at a time [default: processors]
    #[arg(long)]
    jobs: Option<usize>,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    planted: Planted,
}

/// A bug in place.
#[derive(clap::Args)]
struct Planted {
    /// With this bug in place
    #[arg(long, value_name = "NAME", value_parser = bug)]
    bug: Option<Bug>,
}

fn bug(name: &str) -> Result<Bug, String> {
    let names = || Bug::ALL.iter().map(|bug| bug.name()).collect::<Vec<_>>().join(", ");
    Bug::parse(name).ok_or_else(|| format!("there is no such bug; there are {}", names()))
}

/// Does what the command line says; whether all was well.
pub(crate) fn main() -> anyhow::Result<bool> {
    match Cli::parse().command {
        Command::Run { seeds, from, many } => run_many((from..from + seeds).collect(), &many, None),
        Command::Swarm { seeds, word, many } => {
            let word = word.map_or_else(commit, Ok)?;
            println!("seeds of {word}");
            run_many(drawn(&word, seeds), &many, None)
        }
        Command::Soak { minutes, many } => {
            let ends = batch::now() + Duration::from_secs(60 * minutes);
            let word = std::time::UNIX_EPOCH.elapsed()?.as_secs().to_string();
            println!("seeds of {word}");
            run_many(drawn(&word, minutes * 60 * 200), &many, Some(ends))
        }
        Command::Replay { plan, html, all, planted } => replay(&plan, html, all, planted.bug),
        Command::Trace { plan, message, planted } => trace(&plan, message, planted.bug),
        Command::Shrink { plan, out, story, runs, planted } => {
            shrink_plan(&plan, out, story, runs, planted.bug)
        }
        Command::Mutants { bug, sample, word, seeds, quick, write, jobs } => {
            let bugs = if bug.is_empty() { Bug::ALL.to_vec() } else { bug };
            let bugs = sample.map_or_else(|| bugs.clone(), |count| sampled(&bugs, count, &word));
            let jobs = jobs.unwrap_or_else(processors);
            mutants::check(&mutants::Options { bugs, seeds, jobs, shrinks: !quick, writes: write })
        }
        Command::Determinism { seeds, from, digests, against } => {
            determinism::check(from, seeds, digests.as_deref(), against.as_deref())
        }
        Command::Regressions => regressions::check(),
        Command::Ci { word } => ci(&word.map_or_else(commit, Ok)?),
        Command::Worker { planted, canary } => worker::serve(planted.bug, canary).map(|()| true),
    }
}

/// All parts, so that one that fails does not hide another.
fn ci(word: &str) -> anyhow::Result<bool> {
    println!("seeds of {word}");
    let (jobs, began) = (processors(), batch::now());
    let kept = part("kept plans", regressions::check());
    let work = worker::Work::new(drawn(word, CI_SEEDS), None);
    let options = batch::Options { jobs, keeps_going: false, wants_marks: true, ends: None };
    let fresh = part("fresh seeds", batch::run(&work, options));
    let same = part("determinism", determinism::check(first(word), CI_PAIRS, None, None));
    // The table's seeds: some bugs are rare, and fresh seeds would miss them now and then.
    let bugs = sampled(Bug::ALL, CI_BUGS, word);
    let options = mutants::Options { bugs, seeds: 300, jobs, shrinks: false, writes: false };
    let found = part("planted bugs", mutants::check(&options));
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    Ok(kept && fresh && same && found)
}

/// Whether a part was well; one that could not be run was not.
fn part(name: &str, result: anyhow::Result<bool>) -> bool {
    result.unwrap_or_else(|error| {
        println!("{name}: {error:#}");
        false
    })
}

fn run_many(seeds: Vec<u64>, many: &Many, ends: Option<std::time::Instant>) -> anyhow::Result<bool> {
    let work = worker::Work::new(seeds, many.planted.bug);
    let jobs = many.jobs.unwrap_or_else(processors).max(1);
    let wants_marks = many.planted.bug.is_none();
    batch::run(&work, batch::Options { jobs, keeps_going: many.keep_going, wants_marks, ends })
}

fn replay(plan: &str, html: Option<PathBuf>, all: bool, bug: Option<Bug>) -> anyhow::Result<bool> {
    let (plan, path) = failure::plan(plan)?;
    let report = run::run(&plan, How { keeps_history: true, bug });
    if all {
        print!("{}", text::all(&report.outcome.history));
    }
    if let Some(html) = html {
        // As one would type it in the project's folder.
        let html = failure::root().join(html);
        std::fs::write(&html, html::page(&plan, &report)).context("failed to write the page")?;
        println!("{}", failure::shown(&html));
    }
    if report.violation().is_some() {
        failure::show(&plan, &path, &report, bug);
        return Ok(false);
    }
    let (outcome, size) = (&report.outcome, shrink::size(&plan));
    let (events, deliveries) = (outcome.events, outcome.deliveries);
    println!("{size}: all is well after {:?}, {events} events, {deliveries} deliveries", outcome.simulated);
    Ok(true)
}

fn trace(plan: &str, message: Name, bug: Option<Bug>) -> anyhow::Result<bool> {
    let (plan, _) = failure::plan(plan)?;
    let report = run::run(&plan, How { keeps_history: true, bug });
    let text = text::trace(&report.outcome.history, message);
    print!("{}", text.with_context(|| format!("nobody says {message} in this run"))?);
    Ok(true)
}

fn shrink_plan(
    plan: &str,
    out: Option<PathBuf>,
    story: Option<String>,
    runs: usize,
    bug: Option<Bug>,
) -> anyhow::Result<bool> {
    let (plan, path) = failure::plan(plan)?;
    println!("{}", shrink::size(&plan));
    let how = How { keeps_history: false, bug };
    let tell = |best: &Plan, runs: usize| println!("  after {runs} runs: {}", shrink::size(best));
    let (mut small, invariant) = shrink::shrink(&plan, how, runs, tell).context("the plan does not fail")?;
    small.story = story.unwrap_or(plan.story);
    small.bug = bug.map(|bug| bug.name().to_owned()).or(plan.bug);
    let out = out.map_or_else(|| path.with_extension("small.json"), |out| failure::root().join(out));
    small.write(&out)?;
    println!("{}: still {invariant:?}", shrink::size(&small));
    println!("{}", failure::shown(&out));
    Ok(true)
}

/// So many seeds of a word.
fn drawn(word: &str, seeds: u64) -> Vec<u64> {
    (first(word)..first(word) + seeds).collect()
}

/// The first seed of a word; that of no word is zero.
fn first(word: &str) -> u64 {
    if word.is_empty() { 0 } else { fnv(word.as_bytes()) >> 20 }
}

fn sampled(bugs: &[Bug], count: usize, word: &str) -> Vec<Bug> {
    let mut rng = sim::rng::Rng::new(fnv(word.as_bytes()), "sample");
    let mut left = bugs.to_vec();
    (0..count.min(left.len())).map(|_| left.remove(rng.index(left.len()))).collect()
}

fn commit() -> anyhow::Result<String> {
    let git = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let output = git.context("failed to ask git for the present commit; name a word by --word")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
