//! Which links are how: every fault that is under way asks for something of links, and the ledger makes
//! of all of them what each link is to be. The network's own calls heal a link in both directions and
//! would end a fault that is still under way.

use crate::plan::{Harm, Host};
use std::collections::BTreeMap;
use std::time::Duration;
use turmoil::Sim;

/// What a link between two hosts is to be. `cut` is by direction, from the lesser host and to it; what is not cut
/// may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    is_held: bool,
    cut: (bool, bool),
    latency: Option<u64>,
}

const HEALTHY: State = State { is_held: false, cut: (false, false), latency: None };

/// What is asked for, and how links are.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    asked: Vec<(usize, Harm)>,
    isolated: Vec<Host>,
    now: BTreeMap<(Host, Host), State>,
    latency: (u64, u64),
}

impl Ledger {
    /// All links are well, with a latency between these.
    #[must_use]
    pub(super) fn new(hosts: &[Host], latency: (u64, u64)) -> Self {
        let pairs = hosts.iter().flat_map(|a| hosts.iter().map(move |b| (*a, *b))).filter(|(a, b)| a < b);
        Self { now: pairs.map(|pair| (pair, HEALTHY)).collect(), latency, ..Self::default() }
    }

    /// A fault begins.
    pub(super) fn begin(&mut self, number: usize, harm: Harm, sim: &Sim<'_>) {
        self.asked.push((number, harm));
        self.settle(sim);
    }

    /// A fault ends.
    pub(super) fn end(&mut self, number: usize, sim: &Sim<'_>) {
        self.asked.retain(|(other, _)| *other != number);
        self.settle(sim);
    }

    /// Nothing passes to or from a host, whatever else is asked for.
    pub(super) fn isolate(&mut self, host: Host, sim: &Sim<'_>) {
        self.isolated.push(host);
        self.settle(sim);
    }

    /// It is back.
    pub(super) fn rejoin(&mut self, host: Host, sim: &Sim<'_>) {
        // Once for each time that it was cut off.
        if let Some(at) = self.isolated.iter().position(|other| *other == host) {
            self.isolated.remove(at);
        }
        self.settle(sim);
    }

    fn wanted(&self, (a, b): (Host, Host)) -> State {
        let mut state = HEALTHY;
        let (mut there, mut back) = (false, false);
        if self.isolated.contains(&a) || self.isolated.contains(&b) {
            (there, back) = (true, true);
        }
        for (_, harm) in &self.asked {
            if let Harm::Cut { a: x, b: y } = *harm {
                let cuts = is_pair((a, b), (x, y));
                (there, back) = (there || cuts, back || cuts);
            } else if let Harm::CutOneWay { from, to } = *harm {
                (there, back) = (there || (from, to) == (a, b), back || (from, to) == (b, a));
            } else if let Harm::Stall { a: x, b: y } = *harm
                && is_pair((a, b), (x, y))
            {
                state.is_held = true;
            } else if let Harm::Slow { a: x, b: y, latency } = *harm
                && is_pair((a, b), (x, y))
            {
                state.latency = state.latency.max(Some(latency));
            }
        }
        state.cut = (there, back);
        state
    }

    fn settle(&mut self, sim: &Sim<'_>) {
        let pairs: Vec<_> = self.now.iter().map(|(pair, state)| (*pair, *state)).collect();
        for (pair, before) in pairs {
            let wanted = self.wanted(pair);
            let (a, b) = (pair.0.to_string(), pair.1.to_string());
            if wanted.latency != before.latency {
                let (least, most) = wanted.latency.map_or(self.latency, |latency| (latency, latency));
                sim.set_link_latency(a.as_str(), b.as_str(), Duration::from_millis(least));
                sim.set_link_max_message_latency(a.as_str(), b.as_str(), Duration::from_millis(most));
            }
            relink(sim, (&a, &b), before, wanted);
            self.now.insert(pair, wanted);
        }
    }
}

/// Makes a link what it is to be. The network's calls for both directions come first, for they undo what is asked
/// of one of them.
fn relink(sim: &Sim<'_>, (a, b): (&str, &str), before: State, wanted: State) {
    let is_repaired = before.cut.0 && !wanted.cut.0 || before.cut.1 && !wanted.cut.1;
    if before.is_held && !wanted.is_held {
        sim.release(a, b);
    } else if wanted.is_held && (!before.is_held || is_repaired) {
        sim.hold(a, b);
    } else if is_repaired {
        sim.repair(a, b);
    } else if before.cut == wanted.cut {
        return;
    }
    for (is_cut, from, to) in [(wanted.cut.0, a, b), (wanted.cut.1, b, a)] {
        if is_cut {
            sim.partition_oneway(from, to);
        }
    }
}

fn is_pair(pair: (Host, Host), (x, y): (Host, Host)) -> bool {
    pair == (x, y) || pair == (y, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Host = Host::Hub(0);
    const B: Host = Host::Hub(1);

    fn wanted(harms: &[Harm]) -> State {
        let mut ledger = Ledger::new(&[A, B], (1, 2));
        ledger.asked = harms.iter().copied().enumerate().collect();
        ledger.wanted((A, B))
    }

    #[test]
    fn faults_that_overlap_add_up() {
        let stall = Harm::Stall { a: B, b: A };
        let there = Harm::CutOneWay { from: A, to: B };
        let back = Harm::CutOneWay { from: B, to: A };
        assert_eq!(wanted(&[]), HEALTHY);
        assert_eq!(wanted(&[stall]), State { is_held: true, ..HEALTHY });
        // The other direction goes on waiting.
        assert_eq!(wanted(&[stall, there]), State { is_held: true, cut: (true, false), ..HEALTHY });
        assert_eq!(wanted(&[there, back]), State { cut: (true, true), ..HEALTHY });
        let slow = [Harm::Slow { a: A, b: B, latency: 5 }, Harm::Slow { a: B, b: A, latency: 9 }];
        assert_eq!(wanted(&slow).latency, Some(9));
    }

    #[test]
    fn a_host_without_power_is_cut_off_from_all() {
        let mut ledger = Ledger::new(&[A, B, Host::Redis], (1, 2));
        ledger.isolated.push(Host::Redis);
        assert_eq!(ledger.wanted((A, B)), HEALTHY);
        assert_eq!(ledger.wanted((A, Host::Redis)).cut, (true, true));
    }
}
