//! Makes a failing plan smaller, as long as it fails in the same way: fewer faults, operations, clients,
//! rooms and nodes first, then shorter times and plainer settings.

use crate::oracle::Invariant;
use crate::plan::{Act, Harm, Host, Knobs, Lost, Plan, Versions};
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
        self.each(|plan| plan.topology.rooms.len(), without_members);
        self.versions();
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

    /// One version, or as few of the earlier one as it can.
    fn versions(&mut self) {
        let one = Plan { versions: Versions::default(), ..self.best.clone() };
        if one == self.best || self.takes(&one) {
            return;
        }
        let mut steady = self.best.clone();
        steady.versions.change = false;
        self.takes(&steady);
        self.fewer(|plan| plan.versions.hubs.len(), |plan, keep| retain(&mut plan.versions.hubs, keep));
        self.fewer(|plan| plan.versions.clients.len(), |plan, keep| retain(&mut plan.versions.clients, keep));
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
        let settings: [fn(&mut Knobs, &Knobs); 8] = [
            |knobs, plain| knobs.segments = plain.segments,
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

/// What is left of some numbers, once `gone` is out.
fn shift(numbers: &mut Vec<u32>, gone: u32) {
    *numbers = numbers.iter().filter_map(|number| shifted(*number, gone)).collect();
}

fn without_client(plan: &Plan, gone: u32) -> Option<Plan> {
    let mut plan = plan.clone();
    plan.topology.clients.remove(gone as usize);
    shift(&mut plan.versions.clients, gone);
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
    shift(&mut plan.versions.hubs, gone);
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

/// Without a room and what is done there; those after it, and those made on the way, move up.
fn without_room(plan: &Plan, gone: u32) -> Option<Plan> {
    let mut plan = plan.clone();
    plan.topology.rooms.remove(gone as usize);
    plan.ops.retain_mut(|op| {
        let Some(room) = room_of(&mut op.act) else { return true };
        shifted(*room, gone).map(|shifted| *room = shifted).is_some()
    });
    Some(plan)
}

/// Without the members of a room who have no client.
fn without_members(plan: &Plan, room: u32) -> Option<Plan> {
    let mut plan = plan.clone();
    let room = plan.topology.rooms.get_mut(room as usize)?;
    let users: BTreeSet<u32> = plan.topology.clients.iter().map(|device| device.user).collect();
    room.members.retain(|user| users.contains(user));
    (!room.members.is_empty()).then_some(plan)
}

const fn room_of(act: &mut Act) -> Option<&mut u32> {
    match act {
        Act::Say { room, .. }
        | Act::SayOdd { room, .. }
        | Act::Edit { room }
        | Act::Delete { room }
        | Act::React { room }
        | Act::Unreact { room }
        | Act::Pin { room }
        | Act::Unpin { room }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;
    use crate::plan::Op;

    #[test]
    fn rooms_after_one_that_goes_move_up_with_what_is_done_there() {
        let mut plan = generate::plan(1);
        let room = plan.topology.rooms[0].clone();
        plan.topology.rooms = vec![room; 3];
        let say = |room| Op { at: 500, client: 0, act: Act::Say { room, padding: room } };
        // The last one is made on the way.
        plan.ops = [0, 1, 2, 3].map(say).to_vec();
        plan.ops.push(Op { at: 500, client: 0, act: Act::Reload });
        let plan = without_room(&plan, 1).unwrap();
        assert_eq!(plan.topology.rooms.len(), 2);
        let left = [(0, 0), (1, 2), (2, 3)].map(|(room, padding)| Act::Say { room, padding });
        let acts: Vec<Act> = plan.ops.iter().map(|op| op.act).collect();
        assert_eq!(acts, [&left[..], &[Act::Reload]].concat());
    }

    #[test]
    fn versions_follow_those_who_stay() {
        let mut plan = generate::plan(1);
        plan.topology.hubs = 3;
        plan.versions = Versions { hubs: vec![0, 2], clients: vec![0, 1], change: false };
        let fewer = without_hub(&plan, 1).unwrap();
        assert_eq!(fewer.versions.hubs, [0, 1]);
        let fewer = without_client(&plan, 0).unwrap();
        assert_eq!((fewer.versions.hubs, fewer.versions.clients), (vec![0, 2], vec![0]));
    }
}
