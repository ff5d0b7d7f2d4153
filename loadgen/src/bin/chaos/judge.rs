//! The judgement of a run: the oracle's of its history, and what only a run with real processes has.

use crate::args::{Args, Schedule};
use anyhow::Result;
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
    /// What could not be done, the plan to begin with: it is the cluster that failed.
    pub(crate) failures: Vec<String>,
    /// Components that ended by themselves.
    pub(crate) dead: Vec<Component>,
    /// Why clients refused to say something.
    pub(crate) refused: Vec<String>,
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

impl Ending {
    /// What was done; a failure is kept for the judgement.
    pub(crate) fn done<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.failures.push(format!("{error:#}"))).ok()
    }
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
    for line in ending.panics.iter().chain(&ending.refused) {
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
    happened(history, &latency, &mut verdict);
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
    // First, for what else is wrong may follow from them.
    verdict.violations += ending.failures.len();
    verdict.told.splice(0..0, ending.failures.iter().cloned());
    verdict
}

/// Of a run in which nobody talked, or not while there were faults, nothing would follow.
fn happened(history: &History, latency: &Latency, verdict: &mut Verdict) {
    if history.faults.is_empty() {
        verdict.violation(|| "nothing was done to the cluster".to_owned());
    }
    for (fault, span) in history.faults.iter().zip(&latency.faults) {
        if span.sent == 0 {
            verdict.violation(|| format!("nobody said anything during: {}", fault.name));
        }
    }
    if verdict.counts.delivered == 0 {
        verdict.violation(|| "nothing was delivered to anyone".to_owned());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use loadgen::content::Content;
    use loadgen::history::{At, ClientHistory, FaultSpan, Logged, Record, RoomLog, Said, What};
    use protocol::{ClientId, MessageNo, Seq, UserId};

    /// Two members of a room, of whom one says something at a second and both get it, and a fault.
    fn talk(from: u64, until: u64) -> History {
        let room = RoomId(1);
        let client_id = ClientId(uuid::Uuid::from_u128(1));
        let content = Content { client: 0, number: 1, room }.to_string();
        let (seq, message_no) = (Seq(1), MessageNo(1));
        let said =
            Said { message_no, client_id: Some(client_id), user_id: UserId(1), content: content.clone() };
        let member = |user, whats: Vec<What>| {
            let record = |(at, what): (u64, What)| Record { at: At(1_000_000 * at), what };
            let records = (0..).zip(whats).map(record).collect();
            ClientHistory { user_id: UserId(user), rooms: vec![room], stays: true, records }
        };
        let follows = || What::Follows { room, head: Seq(0) };
        let delivered = || What::Delivered { room, seq, said: Some(said.clone()) };
        let sent = What::Sent { room, client_id, content };
        let acked = What::Acked { room, client_id, seq, message_no };
        let log = RoomLog { head: seq, messages: vec![Logged { seq, said: said.clone() }] };
        let fault = FaultSpan { name: "a fault".into(), from: At(from), until: At(until) };
        History {
            clients: vec![
                member(1, vec![follows(), sent, acked, delivered()]),
                member(2, vec![follows(), delivered()]),
            ],
            log: [(room, log)].into(),
            faults: vec![fault],
        }
    }

    fn told(history: &History, ending: &Ending) -> Vec<String> {
        let args = ["chaos", "--hub", "h", "--nginx-conf", "n", "--dir", "d", "--short"];
        judge(&Args::parse_from(args), history, ending).told
    }

    #[test]
    fn a_run_in_which_all_went_well_is_no_violation() {
        assert_eq!(told(&talk(500_000, 1_500_000), &Ending::default()), [""; 0]);
    }

    #[test]
    fn a_fault_during_which_nobody_talked_is_a_violation() {
        let told = told(&talk(1_500_000, 2_500_000), &Ending::default());
        assert_eq!(told, ["nobody said anything during: a fault"]);
    }

    #[test]
    fn a_run_of_silence_or_without_faults_is_a_violation() {
        let told = told(&History::default(), &Ending::default());
        assert_eq!(told, ["nothing was done to the cluster", "nothing was delivered to anyone"]);
    }

    #[test]
    fn what_could_not_be_done_is_a_violation_and_told_first() {
        let mut ending = Ending { behind: 1, ..Ending::default() };
        assert_eq!(ending.done(Ok(1)), Some(1));
        assert_eq!(ending.done::<()>(Err(anyhow::anyhow!("hub-1 does not end"))), None);
        let told = told(&talk(500_000, 1_500_000), &ending);
        assert_eq!(told, ["hub-1 does not end", "1 clients have not everything after 0.0 s"]);
    }

    #[test]
    fn what_clients_refused_to_say_is_a_violation() {
        let ending = Ending { refused: vec!["client 1 could not".into()], ..Ending::default() };
        assert_eq!(told(&talk(500_000, 1_500_000), &ending), ["client 1 could not"]);
    }
}
