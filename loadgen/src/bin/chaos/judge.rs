//! The judgement of a run: the oracle's of its history, and what only a run with real processes has.

use crate::args::{Args, Schedule};
use cluster::Component;
use loadgen::history::History;
use loadgen::latency::{self, Latency};
use loadgen::oracle::{self, Verdict};
use protocol::RoomId;
use std::time::Duration;

/// The longest that a message may take when nothing but subscriptions die: nodes find out at once what
/// they missed, and do not wait for their sweep, which takes from three to six seconds.
pub(crate) const LATE: Duration = Duration::from_secs(2);
/// The longest that 99 of 100 moves may leave a client without a connection when hubs leave in order.
const GAP_MS: f64 = 1_000.0;
/// The same in a short run.
const GAP_SHORT_MS: f64 = 3_000.0;

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
    pub(crate) presence_wrong: Vec<Seen>,
    /// How long it took until it was right.
    pub(crate) presence_in: Duration,
    /// Requests to send a message.
    pub(crate) requests: usize,
    /// Why some of them failed.
    pub(crate) requests_failed: Vec<String>,
}

/// How a room's presence was seen, where it differs from who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) room: RoomId,
    /// Those who are not there.
    pub(crate) ghosts: usize,
    /// Those who are there and not shown.
    pub(crate) missing: usize,
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
    for Seen { room, ghosts, missing } in &ending.presence_wrong {
        verdict.violation(|| format!("room {room}: {ghosts} ghosts and {missing} missing in presence"));
    }
    let latency = latency::measure(history);
    let talked = latency::talked(history);
    if talked < args.size().talks_for {
        let wanted = args.size().talks_for.as_secs();
        verdict.violation(|| format!("the talk lasted {:.0} s of {wanted} s", talked.as_secs_f64()));
    }
    match args.schedule {
        Schedule::Mixed | Schedule::Retries | Schedule::Silence => {}
        Schedule::Rolling => rolling(args, &latency, ending, &mut verdict),
        Schedule::Subscribers => {
            let late = late(&latency);
            if late > 0 {
                verdict.violation(|| format!("{late} deliveries took more than {LATE:?}"));
            }
        }
    }
    verdict
}

/// Deliveries of what was sent during faults that took longer than they may when nothing but
/// subscriptions die.
pub(crate) fn late(latency: &Latency) -> u64 {
    latency.faults.iter().map(|span| span.delivery.count_above(LATE)).sum()
}

fn rolling(args: &Args, latency: &Latency, ending: &Ending, verdict: &mut Verdict) {
    let (sent, acked) = (verdict.counts.sent, verdict.counts.acked);
    if sent != acked {
        verdict.violation(|| format!("{} sends have no answer", sent - acked));
    }
    let gap = latency.gaps.quantile_ms(0.99);
    // A short run is part of what is run beside much else.
    let allowed = if args.short { GAP_SHORT_MS } else { GAP_MS };
    if gap > allowed || latency.gaps.count() == 0 {
        verdict.violation(|| {
            format!(
                "of {} moves, 99 % left no gap above {gap:.0} ms; {allowed:.0} ms are allowed",
                latency.gaps.count()
            )
        });
    }
    for failure in &ending.requests_failed {
        verdict.violation(|| format!("a request failed {failure}"));
    }
    if ending.requests == 0 {
        verdict.violation(|| "nobody talked by requests".to_owned());
    }
}
