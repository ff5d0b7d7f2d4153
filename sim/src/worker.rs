//! Runs seeds in processes of their own, as many as there are processors: runs share nothing, and one that
//! hangs or dies takes no other with it. What a worker says is one line of JSON a seed. Each seed comes to a
//! verdict, of that which killed its worker as well; the seeds after it go to the next worker.

use anyhow::Context;
use parking_lot::Mutex;
use protocol::planted::Bug;
use serde::{Deserialize, Serialize};
use sim::generate;
use sim::oracle::Violation;
use sim::plan::{Act, Op, Plan};
use sim::run::{self, How};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// How long one run may take.
pub(crate) const RUN_MAX: Duration = Duration::from_secs(120);
/// Most results that wait.
const RESULTS_MAX: usize = 256;
/// What is named in place of an invariant where a run came to no end.
const NO_VERDICT: &str = "NoVerdict";

/// What came of a seed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) seed: u64,
    /// The invariant and what was wrong, if anything was.
    pub(crate) wrong: Option<(String, String)>,
    /// How often each mark was hit, by its text.
    pub(crate) marks: BTreeMap<String, u64>,
    pub(crate) simulated_ms: u64,
    pub(crate) deliveries: u64,
    pub(crate) events: u64,
    pub(crate) faults: u64,
    pub(crate) fingerprint: (u64, u64),
}

impl Verdict {
    /// That of a run which came to no end.
    pub(crate) fn none(seed: u64, why: String) -> Self {
        Self { seed, wrong: Some((NO_VERDICT.to_owned(), why)), ..Self::default() }
    }

    /// The invariant that did not hold.
    pub(crate) fn invariant(&self) -> Option<&str> {
        self.wrong.as_ref().map(|(invariant, _)| invariant.as_str())
    }

    /// Whether the run came to no end, so that running it here would not either.
    pub(crate) fn is_missing(&self) -> bool {
        self.invariant() == Some(NO_VERDICT)
    }
}

/// What is done to each run so that it must fail, and the runner with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Canary {
    /// A message that nobody said is in the store.
    Sings,
    /// The process dies.
    Dies,
    /// The run comes to no end.
    Hangs,
}

/// Which seeds to run, and with what in place.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) seeds: Vec<u64>,
    pub(crate) bug: Option<Bug>,
    pub(crate) canary: Option<Canary>,
    /// How long one run may take.
    pub(crate) run_max: Duration,
}

impl Work {
    /// These seeds, with a bug in place or without.
    pub(crate) const fn new(seeds: Vec<u64>, bug: Option<Bug>) -> Self {
        Self { seeds, bug, canary: None, run_max: RUN_MAX }
    }
}

/// The worker's side: runs seeds as they come on standard input.
pub(crate) fn serve(bug: Option<Bug>, canary: Option<Canary>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let seed: u64 = line?.trim().parse().context("a worker is told seeds")?;
        let verdict = match canary {
            None => verdict(seed, bug),
            Some(Canary::Sings) => judged(&singing(seed), bug),
            Some(Canary::Dies) => std::process::abort(),
            Some(Canary::Hangs) => loop {
                thread::park();
            },
        };
        writeln!(out, "{}", serde_json::to_string(&verdict)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Runs a seed in this process.
pub(crate) fn verdict(seed: u64, bug: Option<Bug>) -> Verdict {
    judged(&generate::plan(seed), bug)
}

fn judged(plan: &Plan, bug: Option<Bug>) -> Verdict {
    let report = run::run(plan, How { keeps_history: false, bug });
    let outcome = &report.outcome;
    Verdict {
        seed: plan.seed,
        wrong: report.violation().map(wrong),
        marks: report.marks.iter().map(|(mark, hits)| (mark.text().to_owned(), *hits)).collect(),
        simulated_ms: u64::try_from(outcome.simulated.as_millis()).unwrap_or(u64::MAX),
        deliveries: outcome.deliveries,
        events: outcome.events,
        faults: outcome.faults,
        fingerprint: report.fingerprint(),
    }
}

/// A plan that does nothing but what must be found.
fn singing(seed: u64) -> Plan {
    let ops = vec![Op { at: 500, client: 0, act: Act::Canary { room: 0 } }];
    Plan { ops, faults: Vec::new(), ..generate::plan(seed) }
}

fn wrong(violation: &Violation) -> (String, String) {
    (format!("{:?}", violation.invariant), violation.text.clone())
}

/// Workers that run seeds; their verdicts come in any order.
pub(crate) struct Workers {
    jobs: Vec<Arc<Job>>,
    verdicts: Receiver<Verdict>,
}

impl Workers {
    /// Starts so many workers on the work.
    pub(crate) fn start(work: &Work, jobs: usize) -> anyhow::Result<Self> {
        let (sender, verdicts) = sync_channel(RESULTS_MAX);
        let mut workers = Self { jobs: Vec::new(), verdicts };
        for job in 0..jobs {
            let seeds: VecDeque<u64> = work.seeds.iter().copied().skip(job).step_by(jobs).collect();
            if seeds.is_empty() {
                continue;
            }
            let job = Arc::new(Job { work: work.clone(), process: Mutex::default() });
            let pipes = job.spawn()?.context("a worker was stopped before it began")?;
            let (own, sender) = (Arc::clone(&job), sender.clone());
            thread::spawn(move || own.run(seeds, pipes, &sender));
            workers.jobs.push(job);
        }
        Ok(workers)
    }

    /// The next verdict; none once all seeds have been run.
    pub(crate) fn next(&self) -> Option<Verdict> {
        self.verdicts.recv().ok()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for job in &self.jobs {
            job.stop();
        }
    }
}

/// One worker at a time, and what it is to do.
struct Job {
    work: Work,
    process: Mutex<Process>,
}

#[derive(Default)]
struct Process {
    child: Option<Child>,
    is_stopped: bool,
}

/// What a worker is told by and tells by.
type Pipes = (ChildStdin, ChildStdout);

impl Job {
    /// Runs all seeds, with another worker after each that dies or hangs.
    fn run(&self, mut seeds: VecDeque<u64>, mut pipes: Pipes, verdicts: &SyncSender<Verdict>) {
        loop {
            let Some(why) = self.feed(&mut seeds, pipes, verdicts) else { return };
            // The first that has no verdict is the one that it was at.
            let Some(seed) = seeds.pop_front() else { return };
            if verdicts.send(Verdict::none(seed, why)).is_err() || seeds.is_empty() {
                return;
            }
            pipes = match self.spawn() {
                Ok(Some(pipes)) => pipes,
                Ok(None) => return,
                Err(error) => {
                    for seed in seeds {
                        verdicts.send(Verdict::none(seed, format!("{error:#}"))).ok();
                    }
                    return;
                }
            };
        }
    }

    /// Hands seeds to a worker and its verdicts on, until all are there or there is a reason why no more come.
    fn feed(
        &self,
        seeds: &mut VecDeque<u64>,
        (mut stdin, stdout): Pipes,
        verdicts: &SyncSender<Verdict>,
    ) -> Option<String> {
        let told: Vec<u64> = seeds.iter().copied().collect();
        thread::spawn(move || {
            for seed in told {
                if writeln!(stdin, "{seed}").is_err() {
                    return;
                }
            }
        });
        let lines = lines(stdout);
        while !seeds.is_empty() {
            let line = match lines.recv_timeout(self.work.run_max) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(format!("the run's process died: {}", self.reap()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.reap();
                    return Some(format!("the run hangs: no verdict within {:?}", self.work.run_max));
                }
            };
            match serde_json::from_str::<Verdict>(&line) {
                Ok(verdict) if seeds.front() == Some(&verdict.seed) => {
                    seeds.pop_front();
                    verdicts.send(verdict).ok()?;
                }
                Ok(_) | Err(_) => {
                    self.reap();
                    return Some(format!("the run's process says {line:?}"));
                }
            }
        }
        None
    }

    /// Starts a worker, unless all is to stop.
    fn spawn(&self) -> anyhow::Result<Option<Pipes>> {
        let mut process = self.process.lock();
        if process.is_stopped {
            return Ok(None);
        }
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(bug) = self.work.bug {
            command.args(["--bug", bug.name()]);
        }
        if let Some(canary) = self.work.canary {
            command.args(["--canary", &format!("{canary:?}").to_lowercase()]);
            // What it says when it dies is wanted here, and would alarm who reads it.
            command.stderr(Stdio::null());
        }
        let mut child = command.spawn().context("failed to start a worker")?;
        let pipes = child.stdin.take().zip(child.stdout.take()).context("a worker has no pipes")?;
        process.child = Some(child);
        Ok(Some(pipes))
    }

    /// Ends the worker, if it has not ended by itself; how it ended.
    fn reap(&self) -> String {
        let Some(mut child) = self.process.lock().child.take() else { return "it was stopped".to_owned() };
        child.kill().ok();
        child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    fn stop(&self) {
        self.process.lock().is_stopped = true;
        self.reap();
    }
}

/// What a worker says, line by line.
fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = sync_channel(RESULTS_MAX);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
