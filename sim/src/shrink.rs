//! Makes a failing plan smaller, as long as it fails in the same way: fewer faults, operations, clients,
//! rooms and nodes first, then shorter times and plainer settings.

use crate::oracle::Invariant;
use crate::plan::{Act, Harm, Host, Knobs, Lost, Plan};
use crate::rng::Rng;
use crate::run::{self, How};
use std::collections::BTreeSet;

/// Seeds of the network that a candidate is run with: it may fail with another than before.
const NETWORKS: u64 = 3;

/// Makes plans smaller.
#[derive(Debug)]
pub struct Shrinker {
    how: How,
    invariant: Invariant,
    best: Plan,
    runs: usize,
    runs_max: usize,
}

/// A plan's size, in words.
#[must_use]
pub fn size(plan: &Plan) -> String {
    let Plan { topology, ops, .. } = plan;
    format!(
        "{} faults, {} operations, {} clients, {} rooms, {} nodes",
        faults(plan),
        ops.len(),
        topology.clients.len(),
        topology.rooms.len(),
        topology.hubs
    )
}

/// How many things go wrong in a plan; a node that stays lost is one.
#[must_use]
pub fn faults(plan: &Plan) -> usize {
    plan.faults.len() + usize::from(plan.lost.is_some())
}

/// Makes a plan that fails as small as it gets within so many runs. `None` if it does not fail. After each round
/// `tell` is told how small it is, and after how many runs.
#[must_use]
pub fn shrink(
    plan: &Plan,
    how: How,
    runs_max: usize,
    mut tell: impl FnMut(&Plan, usize),
) -> Option<(Plan, Invariant)> {
    let how = How { keeps_history: false, ..how };
    let report = run::run(plan, how);
    let (invariant, at) = report.violation().map(|violation| (violation.invariant, violation.at))?;
    let mut shrinker = Shrinker { how, invariant, best: plan.clone(), runs: 0, runs_max };
    shrinker.takes(&until(plan, at));
    loop {
        let before = shrinker.best.clone();
        shrinker.round();
        tell(&shrinker.best, shrinker.runs);
        if shrinker.best == before || shrinker.runs >= runs_max {
            return Some((shrinker.best, invariant));
        }
    }
}

impl Shrinker {
    fn round(&mut self) {
        self.fewer(|plan| plan.faults.len(), |plan, keep| retain(&mut plan.faults, keep));
        let found = Plan { lost: None, ..self.best.clone() };
        self.takes(&found);
        self.fewer(|plan| plan.ops.len(), |plan, keep| retain(&mut plan.ops, keep));
        self.each(|plan| plan.topology.clients.len(), without_client);
        self.each(|plan| plan.topology.hubs as usize, without_hub);
        self.each(|plan| plan.topology.hosts as usize, without_host);
        self.each(|plan| plan.topology.rooms.len(), without_room);
        self.times();
        self.knobs();
    }

    /// Takes a candidate if it fails as the plan did.
    fn takes(&mut self, candidate: &Plan) -> bool {
        let topology = &candidate.topology;
        // Without a node that anyone reaches nothing is to be expected.
        let hubs = topology.hubs.saturating_sub(u32::from(candidate.lost.is_some()));
        if *candidate == self.best || topology.clients.is_empty() || hubs == 0 {
            return false;
        }
        let mut networks = Rng::new(candidate.seed, "networks");
        for network in 0..NETWORKS {
            if self.runs >= self.runs_max {
                return false;
            }
            self.runs += 1;
            let mut candidate = candidate.clone();
            if network > 0 {
                candidate.net_seed = networks.next_u64();
            }
            let fails = run::run(&candidate, self.how).violation().map(|violation| violation.invariant);
            if fails == Some(self.invariant) {
                self.best = candidate;
                return true;
            }
        }
        false
    }

    /// Leaves out as many of a list as it can: halves first, then less (delta debugging).
    fn fewer(&mut self, len: fn(&Plan) -> usize, keep: fn(&mut Plan, &dyn Fn(usize) -> bool)) {
        let mut parts = 1;
        while parts <= len(&self.best) {
            let total = len(&self.best);
            let size = total.div_ceil(parts);
            let taken = (0..parts).rev().any(|part| {
                let left_out = part * size..(part + 1) * size;
                let mut candidate = self.best.clone();
                keep(&mut candidate, &|index| !left_out.contains(&index));
                len(&candidate) < total && self.takes(&candidate)
            });
            if !taken {
                if size <= 1 {
                    return;
                }
                parts *= 2;
            } else if len(&self.best) == 0 {
                return;
            }
        }
    }

    fn each(&mut self, len: fn(&Plan) -> usize, without: fn(&Plan, u32) -> Option<Plan>) {
        for index in (0..len(&self.best)).rev() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            if let Some(candidate) = without(&self.best, index) {
                self.takes(&candidate);
            }
        }
    }

    /// Shortens pauses and faults.
    fn times(&mut self) {
        for longest in [20, 200, 2_000] {
            let mut candidate = self.best.clone();
            squeeze(&mut candidate, longest);
            if self.takes(&candidate) {
                break;
            }
        }
        for index in 0..self.best.faults.len() {
            let mut candidate = self.best.clone();
            let fault = &mut candidate.faults[index];
            fault.until = fault.at + ((fault.until - fault.at) / 2).max(1);
            self.takes(&candidate);
        }
    }

    fn knobs(&mut self) {
        let plain = Knobs { latency: (1, 1), ..Knobs::default() };
        let mut candidate = self.best.clone();
        candidate.knobs = plain.clone();
        if self.takes(&candidate) {
            return;
        }
        let settings: [fn(&mut Knobs, &Knobs); 9] = [
            |knobs, plain| knobs.segments = plain.segments,
            |knobs, plain| knobs.earlier_version = plain.earlier_version,
            |knobs, plain| knobs.doorbells_lost = plain.doorbells_lost,
            |knobs, plain| (knobs.ring_events, knobs.ring_bytes) = (plain.ring_events, plain.ring_bytes),
            |knobs, plain| knobs.resume_events = plain.resume_events,
            |knobs, plain| knobs.latency = plain.latency,
            |knobs, plain| knobs.token_life = plain.token_life,
            |knobs, plain| {
                (knobs.store_latency, knobs.slow_reader) = (plain.store_latency, plain.slow_reader)
            },
            |knobs, plain| {
                *knobs = Knobs {
                    segments: knobs.segments,
                    earlier_version: knobs.earlier_version,
                    doorbells_lost: knobs.doorbells_lost,
                    ring_events: knobs.ring_events,
                    ring_bytes: knobs.ring_bytes,
                    resume_events: knobs.resume_events,
                    latency: knobs.latency,
                    token_life: knobs.token_life,
                    store_latency: knobs.store_latency,
                    slow_reader: knobs.slow_reader,
                    ..plain.clone()
                }
            },
        ];
        for set in settings {
            let mut candidate = self.best.clone();
            set(&mut candidate.knobs, &plain);
            self.takes(&candidate);
        }
    }
}

/// What had begun when something was wrong.
fn until(plan: &Plan, at: u64) -> Plan {
    let mut plan = plan.clone();
    plan.ops.retain(|op| op.at <= at);
    plan.faults.retain(|fault| fault.at <= at);
    plan.lost = plan.lost.filter(|lost| lost.at <= at);
    plan
}

fn retain<T>(items: &mut Vec<T>, keep: &dyn Fn(usize) -> bool) {
    let mut index = 0;
    items.retain(|_| {
        index += 1;
        keep(index - 1)
    });
}

/// The number of what is left, once `gone` is out; `None` for that itself.
fn shifted(number: u32, gone: u32) -> Option<u32> {
    if number == gone { None } else { Some(number - u32::from(number > gone)) }
}

fn without_client(plan: &Plan, gone: u32) -> Option<Plan> {
    let mut plan = plan.clone();
    plan.topology.clients.remove(gone as usize);
    plan.ops.retain_mut(|op| shifted(op.client, gone).map(|client| op.client = client).is_some());
    plan.faults.retain_mut(|fault| {
        let Harm::SlowReader { client } = &mut fault.harm else { return true };
        shifted(*client, gone).map(|shifted| *client = shifted).is_some()
    });
    Some(plan)
}

fn without_hub(plan: &Plan, gone: u32) -> Option<Plan> {
    let mut plan = plan.clone();
    plan.topology.hubs = plan.topology.hubs.checked_sub(1).filter(|hubs| *hubs > 0)?;
    let host = |host: Host| match host {
        Host::Hub(number) => shifted(number, gone).map(Host::Hub),
        Host::Clients(_) | Host::Redis | Host::Store => Some(host),
    };
    plan.faults = relabelled(&plan, host, |hub| shifted(hub, gone));
    let lost = plan.lost.take();
    plan.lost = lost.and_then(|lost| Some(Lost { hub: shifted(lost.hub, gone)?, ..lost }));
    Some(plan)
}

fn without_host(plan: &Plan, gone: u32) -> Option<Plan> {
    let mut plan = plan.clone();
    plan.topology.hosts = plan.topology.hosts.checked_sub(1).filter(|hosts| *hosts > 0)?;
    for device in &mut plan.topology.clients {
        device.host = shifted(device.host, gone).unwrap_or(0);
    }
    let host = |host: Host| match host {
        Host::Clients(number) => shifted(number, gone).map(Host::Clients),
        Host::Hub(_) | Host::Redis | Host::Store => Some(host),
    };
    plan.faults = relabelled(&plan, host, Some);
    Some(plan)
}

fn relabelled(
    plan: &Plan,
    host: impl Fn(Host) -> Option<Host>,
    hub: impl Fn(u32) -> Option<u32>,
) -> Vec<crate::plan::Fault> {
    let mut faults = plan.faults.clone();
    faults.retain_mut(|fault| {
        let pair = |a: &mut Host, b: &mut Host| {
            let (Some(x), Some(y)) = (host(*a), host(*b)) else { return false };
            (*a, *b) = (x, y);
            true
        };
        let set = |number: &mut u32| hub(*number).map(|shifted| *number = shifted).is_some();
        match &mut fault.harm {
            Harm::Cut { a, b } | Harm::CutOneWay { from: a, to: b } | Harm::Stall { a, b } => pair(a, b),
            Harm::Slow { a, b, .. } => pair(a, b),
            Harm::Crash { host: at } | Harm::PowerCut { host: at } => {
                host(*at).map(|shifted| *at = shifted).is_some()
            }
            Harm::Drain { hub } | Harm::Clock { hub, .. } => set(hub),
            Harm::SlowReader { .. }
            | Harm::RedisRestart
            | Harm::RedisStall
            | Harm::RedisKill { .. }
            | Harm::RedisLoss { .. }
            | Harm::RedisOutput { .. }
            | Harm::RedisFailover { .. }
            | Harm::StoreFails { .. }
            | Harm::StoreLosesReplies { .. }
            | Harm::StoreSlow { .. }
            | Harm::StoreStall
            | Harm::StoreExhausted { .. }
            | Harm::StoreRestart => true,
        }
    });
    faults
}

/// A room goes if it is the last one: the others keep their numbers.
fn without_room(plan: &Plan, gone: u32) -> Option<Plan> {
    let is_last = plan.topology.rooms.len() == gone as usize + 1;
    let is_used = plan.ops.iter().any(|op| room_of(op.act) == Some(gone));
    if !is_last || gone == 0 {
        // An empty room costs little; its members go.
        let mut plan = plan.clone();
        let room = plan.topology.rooms.get_mut(gone as usize)?;
        let users: BTreeSet<u32> = plan.topology.clients.iter().map(|device| device.user).collect();
        room.members.retain(|user| users.contains(user));
        return (!room.members.is_empty()).then_some(plan);
    }
    let mut plan = plan.clone();
    plan.topology.rooms.pop();
    (!is_used).then_some(plan)
}

const fn room_of(act: Act) -> Option<u32> {
    match act {
        Act::Say { room, .. }
        | Act::SayOdd { room, .. }
        | Act::Edit { room }
        | Act::Delete { room }
        | Act::React { room }
        | Act::Unreact { room }
        | Act::Pin { room }
        | Act::Join { room }
        | Act::Leave { room }
        | Act::Invite { room, .. }
        | Act::Kick { room, .. }
        | Act::Ban { room, .. }
        | Act::Unban { room, .. }
        | Act::Promote { room, .. }
        | Act::Rename { room }
        | Act::MarkRead { room, .. }
        | Act::Typing { room }
        | Act::History { room, .. }
        | Act::Watch { room }
        | Act::Canary { room }
        | Act::Intrude { room, .. } => Some(room),
        Act::CreateRoom { .. }
        | Act::Cut
        | Act::Storm
        | Act::Reload
        | Act::Quit
        | Act::Nudge
        | Act::Revoke => None,
    }
}

/// Makes no pause longer than `longest` milliseconds; what overlaps goes on overlapping.
fn squeeze(plan: &mut Plan, longest: u64) {
    let ops = plan.ops.iter().map(|op| op.at);
    let faults = plan.faults.iter().flat_map(|fault| [fault.at, fault.until]);
    let times: BTreeSet<u64> = ops.chain(faults).chain(plan.lost.map(|lost| lost.at)).collect();
    let (mut last, mut moved) = (0, std::collections::BTreeMap::new());
    let mut before = 0;
    for time in times {
        // Clients need a moment to be there at all.
        let pause = (time - before).min(if before == 0 { longest.max(500) } else { longest });
        last += pause;
        before = time;
        moved.insert(time, last);
    }
    let at = |time: &mut u64| *time = moved.get(time).copied().unwrap_or(*time);
    plan.ops.iter_mut().for_each(|op| at(&mut op.at));
    for fault in &mut plan.faults {
        at(&mut fault.at);
        at(&mut fault.until);
    }
    plan.lost.iter_mut().for_each(|lost| at(&mut lost.at));
}
