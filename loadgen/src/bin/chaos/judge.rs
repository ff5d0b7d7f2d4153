//! The judgement of a run: the oracle's of its history, and what only a run with real processes has.

use crate::args::{Args, Schedule};
use cluster::Component;
use loadgen::history::History;
use loadgen::latency;
use loadgen::oracle::{self, Verdict};
use std::time::Duration;

/// The longest that a message may take when nothing but subscriptions die: nodes find out at once what
/// they missed, and do not wait for their sweep, which takes from three to six seconds.
const LATE_MS: f64 = 2_000.0;
/// The longest that 99 of 100 clients may be without a connection when hubs leave in order.
const GAP_MS: f64 = 1_000.0;

/// How a run ended.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Components that ended by themselves.
    pub(crate) dead: Vec<Component>,
    /// What panicked.
    pub(crate) panics: Vec<String>,
    /// Clients that had not everything in time.
    pub(crate) behind: usize,
    /// How long it took until all had.
    pub(crate) settled_in: Duration,
    /// Rooms whose presence was wrong in the end.
    pub(crate) presence_wrong: Vec<String>,
    /// How long it took until it was right.
    pub(crate) presence_in: Duration,
    /// Requests that were made while hubs restarted.
    pub(crate) probes: usize,
    /// Those of them that failed.
    pub(crate) probes_failed: usize,
}

/// Judges a run.
pub(crate) fn judge(args: &Args, history: &History, ending: &Ending) -> Verdict {
    let mut verdict = oracle::judge(history);
    for component in &ending.dead {
        verdict.violation(|| format!("{component} ended by itself"));
    }
    for line in &ending.panics {
        verdict.violation(|| line.clone());
    }
    if ending.behind > 0 {
        let secs = ending.settled_in.as_secs_f64();
        verdict.violation(|| format!("{} clients have not everything after {secs:.1} s", ending.behind));
    }
    for room in &ending.presence_wrong {
        verdict.violation(|| room.clone());
    }
    let latency = latency::measure(history);
    let longest = latency.overall.delivery.max_ms();
    if args.schedule == Schedule::Subscribers && longest > LATE_MS {
        verdict.violation(|| format!("a message took {longest:.0} ms, at most {LATE_MS:.0} are allowed"));
    }
    if args.schedule == Schedule::Rolling {
        rolling(&latency, ending, &mut verdict);
    }
    verdict
}

fn rolling(latency: &latency::Latency, ending: &Ending, verdict: &mut Verdict) {
    let (sent, acked) = (verdict.counts.sent, verdict.counts.acked);
    if sent != acked {
        verdict.violation(|| format!("{} sends have no answer", sent - acked));
    }
    let gap = latency.gaps.quantile_ms(0.99);
    if gap > GAP_MS {
        verdict.violation(|| format!("clients were without a connection for {gap:.0} ms (p99)"));
    }
    if ending.probes_failed > 0 || ending.probes == 0 {
        verdict.violation(|| format!("{} of {} requests failed", ending.probes_failed, ending.probes));
    }
}
