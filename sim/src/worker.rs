//! Runs seeds in processes of their own, as many as there are processors: runs share nothing, and one that
//! hangs or dies takes no other with it. What a worker says is one line of JSON a seed.

use anyhow::Context;
use protocol::planted::Bug;
use serde::{Deserialize, Serialize};
use sim::generate;
use sim::oracle::Violation;
use sim::run::{self, How};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long one run may take.
const RUN_MAX: Duration = Duration::from_secs(120);
/// Most results that wait.
const RESULTS_MAX: usize = 256;

/// What came of a seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// Which seeds to run, and with what in place.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) seeds: Vec<u64>,
    pub(crate) bug: Option<Bug>,
}

/// The worker's side: runs seeds as they come on standard input.
pub(crate) fn serve(bug: Option<Bug>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let seed: u64 = line?.trim().parse().context("a worker is told seeds")?;
        writeln!(out, "{}", serde_json::to_string(&verdict(seed, bug))?)?;
        out.flush()?;
    }
    Ok(())
}

/// Runs a seed in this process.
pub(crate) fn verdict(seed: u64, bug: Option<Bug>) -> Verdict {
    let report = run::run(&generate::plan(seed), How { keeps_history: false, bug });
    let outcome = &report.outcome;
    Verdict {
        seed,
        wrong: report.violation().map(wrong),
        marks: report.marks.iter().map(|(mark, hits)| (mark.text().to_owned(), *hits)).collect(),
        simulated_ms: u64::try_from(outcome.simulated.as_millis()).unwrap_or(u64::MAX),
        deliveries: outcome.deliveries,
        events: outcome.events,
        faults: outcome.faults,
        fingerprint: report.fingerprint(),
    }
}

fn wrong(violation: &Violation) -> (String, String) {
    (format!("{:?}", violation.invariant), violation.text.clone())
}

/// Workers that run seeds; their verdicts come in any order.
pub(crate) struct Workers {
    children: Vec<Child>,
    feeders: Vec<JoinHandle<()>>,
    verdicts: Receiver<Verdict>,
}

impl Workers {
    /// Starts so many workers on the work.
    pub(crate) fn start(work: &Work, jobs: usize) -> anyhow::Result<Self> {
        let (sender, verdicts) = sync_channel(RESULTS_MAX);
        let mut workers = Self { children: Vec::new(), feeders: Vec::new(), verdicts };
        for job in 0..jobs {
            let seeds: Vec<u64> = work.seeds.iter().copied().skip(job).step_by(jobs).collect();
            if seeds.is_empty() {
                continue;
            }
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped());
            if let Some(bug) = work.bug {
                command.args(["--bug", bug.name()]);
            }
            let mut child = command.spawn().context("failed to start a worker")?;
            let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
            let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { continue };
            workers.feeders.push(std::thread::spawn(move || {
                for seed in seeds {
                    if writeln!(stdin, "{seed}").is_err() {
                        return;
                    }
                }
            }));
            workers.feeders.push(read(BufReader::new(stdout), sender.clone()));
            workers.children.push(child);
        }
        Ok(workers)
    }

    /// The next verdict; none once all seeds have been run.
    pub(crate) fn next(&self) -> anyhow::Result<Option<Verdict>> {
        match self.verdicts.recv_timeout(RUN_MAX) {
            Ok(verdict) => Ok(Some(verdict)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                anyhow::bail!("a run hangs: no verdict for {} s", RUN_MAX.as_secs())
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn read(lines: impl BufRead + Send + 'static, verdicts: SyncSender<Verdict>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let Ok(verdict) = serde_json::from_str(&line) else { continue };
            if verdicts.send(verdict).is_err() {
                return;
            }
        }
    })
}
