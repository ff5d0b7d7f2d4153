//! From a seed to a plan. Each seed draws which operations and which faults it has at all, then how
//! many, for what a uniform mixture hides shows where little else goes on.

use crate::plan::{
    Act, Device, Fault, Harm, Host, Intrusion, Knobs, Lost, Odd, Op, Plan, RoomPlan, Topology, Versions, Way,
};
use crate::rng::Rng;
use crate::scenes;

/// How often nothing breaks, so that nobody may wait for anything.
const CALM_PERCENT: u64 = 12;
/// How often some nodes or clients are of an earlier version than others.
const EARLIER_PERCENT: u64 = 40;
/// How often a node stays lost when all else has healed.
const LOST_PERCENT: u64 = 15;
/// A life of tokens that is longer than the longest pause before a reconnect, in seconds.
const LONG_TOKEN_LIFE: u64 = 10;
/// What a node asks the store until a client is let in, with some to spare.
const CALLS_TO_COME_IN: u64 = 8;
/// How often there are as many clients as there may be, and how many that is.
const CROWD_PERCENT: u64 = 2;
const CLIENTS_MAX: usize = 32;
/// Writes that a connection holds where one who does not read is to be felt: in some plans of few clients,
/// since a node's backlog of connections is as narrow.
const NARROW: usize = 64;
const NARROW_CLIENTS: usize = 4;

/// Makes the plan of a seed.
#[must_use]
pub fn plan(seed: u64) -> Plan {
    let mut topology = topology(&mut Rng::new(seed, "topology"));
    if Rng::new(seed, "crowd").chance(CROWD_PERCENT) {
        crowd(&mut Rng::new(seed, "crowded"), &mut topology);
    }
    let mut knobs = knobs(&mut Rng::new(seed, "knobs"));
    knobs.store_readers = knobs.store_readers.max(readers_needed(&topology, &knobs));
    if topology.clients.len() <= NARROW_CLIENTS && Rng::new(seed, "narrow").chance(50) {
        (knobs.tcp_capacity, knobs.segments) = (NARROW, true);
    }
    let length = Rng::new(seed, "length").pick(&[6_000, 10_000, 15_000, 25_000]);
    let mut ops = ops(&mut Rng::new(seed, "operations"), &topology, length);
    let mut faults = faults(&mut Rng::new(seed, "faults"), &topology, length);
    let versions = versions(&mut Rng::new(seed, "version"), &topology);
    if knobs.tcp_capacity == NARROW {
        scenes::overwhelm(&topology, &knobs, &mut ops, &mut faults);
    }
    if !versions.is_one() && Rng::new(seed, "reactions").chance(60) {
        scenes::react(&topology, length, &mut ops);
    }
    scenes::play(seed, &topology, length, &mut knobs, &mut ops, &mut faults);
    let mut lost = lost(&mut Rng::new(seed, "lost"), &topology, length);
    if Rng::new(seed, "calm").chance(CALM_PERCENT) {
        knobs.doorbells_lost = 0;
        faults.clear();
        lost = None;
    }
    if lost.is_some() || knobs.token_life * 1_000 < knobs.backoff.1 {
        // Who comes back at each token's end, and may wait longer than such a token lives, is hardly ever there
        // together with all others.
        knobs.token_life = knobs.token_life.max(LONG_TOKEN_LIFE);
    }
    Plan {
        story: String::new(),
        bug: None,
        seed,
        net_seed: Rng::new(seed, "network").next_u64(),
        topology,
        versions,
        knobs,
        ops,
        faults,
        lost,
    }
}

/// A node that stays lost, in some plans.
fn lost(rng: &mut Rng, topology: &Topology, length: u64) -> Option<Lost> {
    let is_lost = topology.hubs > 1 && rng.chance(LOST_PERCENT);
    is_lost.then(|| Lost { at: rng.between(500, length), hub: number(rng.below(u64::from(topology.hubs))) })
}

/// Who is of an earlier version than the others: everyone, so that what is of the later one was left by nodes that are
/// gone; some of the nodes, some of the clients, or some of both.
fn versions(rng: &mut Rng, topology: &Topology) -> Versions {
    if !rng.chance(EARLIER_PERCENT) {
        return Versions::default();
    }
    let (of_hubs, of_clients) = rng.pick(&[(100, 100), (60, 0), (0, 60), (50, 50)]);
    let mut some = |count, share| (0..count).filter(|_| rng.chance(share)).collect();
    let hubs = some(topology.hubs, of_hubs);
    let clients = some(number(topology.clients.len() as u64), of_clients);
    Versions { hubs, clients, change: rng.chance(50) }
}

fn topology(rng: &mut Rng) -> Topology {
    let hubs = number(rng.pick(&[1, 2, 2, 3, 3, 3, 4, 6]));
    let hosts = number(rng.pick(&[1, 2, 2, 3]));
    let users = number(rng.pick(&[1, 2, 3, 3, 4, 6, 10]));
    let clients = rng.pick(&[1, 2, 3, 4, 4, 6, 8, 12, 16]).max(u64::from(users.min(4)));
    let clients = (0..clients)
        .map(|client| Device {
            // Everyone has one; who has two has two tabs.
            user: if client < u64::from(users) {
                number(client)
            } else {
                number(rng.below(u64::from(users)))
            },
            host: number(rng.below(u64::from(hosts))),
        })
        .collect();
    let rooms = (0..rng.pick(&[1, 1, 2, 3, 4, 8])).map(|_| {
        let share = rng.pick(&[40, 70, 100]);
        let mut members: Vec<u32> = (0..users).filter(|_| rng.chance(share)).collect();
        if members.is_empty() {
            members.push(number(rng.below(u64::from(users))));
        }
        RoomPlan { private: rng.chance(25), members }
    });
    let rooms = rooms.collect();
    Topology { hubs, hosts, users, clients, rooms, redis: rng.chance(50) }
}

/// How many connections to the store a node needs so that all clients at once are let in before they give up: over
/// fewer, all would come back for ever and none would get in.
fn readers_needed(topology: &Topology, knobs: &Knobs) -> u32 {
    let call = knobs.latency.0 + knobs.latency.1 + knobs.store_latency;
    let all = topology.clients.len() as u64 * CALLS_TO_COME_IN * call;
    number(all.div_ceil(knobs.connect_timeout))
}

/// As many clients as there may be.
fn crowd(rng: &mut Rng, topology: &mut Topology) {
    while topology.clients.len() < CLIENTS_MAX {
        let user = number(rng.below(u64::from(topology.users)));
        let host = number(rng.below(u64::from(topology.hosts)));
        topology.clients.push(Device { user, host });
    }
}

fn knobs(rng: &mut Rng) -> Knobs {
    let least = rng.pick(&[0, 1, 2, 5]);
    let heartbeat = rng.pick(&[1_000, 2_500, 5_000, 10_000]);
    let pong_timeout = rng.pick(&[800, 1_500, 3_000]);
    Knobs {
        tick: rng.pick(&[2, 3, 5, 5]),
        latency: (least, least + rng.pick(&[0, 3, 15, 60])),
        segments: rng.chance(25),
        doorbells_lost: rng.pick(&[0, 0, 10, 50, 100]),
        ring_events: usize::try_from(rng.pick(&[1, 2, 5, 20, 200, 1_024])).unwrap_or(1),
        ring_bytes: usize::try_from(rng.pick(&[500, 4_000, 1 << 20])).unwrap_or(1),
        resume_events: rng.pick(&[0, 1, 5, 50, 10_000, 10_000]),
        heartbeat,
        pong_timeout,
        idle_timeout: heartbeat + pong_timeout + rng.pick(&[1_000, 5_000]),
        slow_reader: rng.pick(&[1_000, 4_000, 10_000]),
        drain_grace: rng.pick(&[200, 1_000, 4_000]),
        backoff: (rng.pick(&[50, 200, 500]), rng.pick(&[500, 2_000, 5_000])),
        connect_timeout: rng.pick(&[1_500, 3_000, 6_000]),
        answer_timeout: rng.pick(&[1_000, 4_000, 10_000]),
        persist_interval: rng.pick(&[100, 500, 2_000]),
        in_flight_per_room: usize::try_from(rng.pick(&[1, 1, 1, 4])).unwrap_or(1),
        outbox_messages: usize::try_from(rng.pick(&[2, 8, 500, 500])).unwrap_or(1),
        token_life: rng.pick(&[3, 10, 3_600, 3_600, 3_600]),
        store_latency: rng.pick(&[0, 1, 3, 10]),
        store_readers: number(rng.pick(&[1, 2, 8])),
        queue_frames: usize::try_from(rng.pick(&[1, 4, 256, 256])).unwrap_or(1),
        pull_events: usize::try_from(rng.pick(&[1, 4, 128, 128])).unwrap_or(1),
        ..Knobs::default()
    }
}

/// Draws one operation, if it fits the topology.
type Draw = fn(&mut Rng, u32, u32) -> Act;

/// Operations with their weights; those with a weight of zero are of every run.
const DRAWS: &[(u64, Draw)] = &[
    (12, |rng, room, _| Act::Say { room, padding: number(rng.pick(&[0, 0, 20, 300, 3_000])) }),
    (3, |_, room, _| Act::Edit { room }),
    (2, |_, room, _| Act::Delete { room }),
    (3, |_, room, _| Act::React { room }),
    (1, |_, room, _| Act::Unreact { room }),
    (1, |_, room, _| Act::Pin { room }),
    (1, |_, room, _| Act::Unpin { room }),
    (3, |_, room, _| Act::Join { room }),
    (3, |_, room, _| Act::Leave { room }),
    (3, |_, room, user| Act::Invite { room, user }),
    (2, |_, room, user| Act::Kick { room, user }),
    (1, |_, room, user| Act::Ban { room, user }),
    (1, |_, room, user| Act::Unban { room, user }),
    (1, |_, room, user| Act::Promote { room, user }),
    (1, |rng, _, _| Act::CreateRoom { private: rng.chance(30) }),
    (1, |_, room, _| Act::Rename { room }),
    (3, |rng, room, _| Act::MarkRead { room, unread: rng.pick(&[0, 0, 1, 5]) }),
    (2, |_, room, _| Act::Typing { room }),
    (4, |rng, room, _| Act::History {
        room,
        back: rng.pick(&[0, 1, 2, 5, 20]),
        limit: number(rng.pick(&[1, 2, 10, 50])),
        way: rng.pick(&[Way::Latest, Way::Before, Way::After, Way::Around]),
    }),
    (2, |_, room, _| Act::Watch { room }),
    (1, |_, _, _| Act::Quit),
    (3, |_, _, _| Act::Cut),
    (1, |_, _, _| Act::Storm),
    (2, |_, _, _| Act::Reload),
    (1, |_, _, _| Act::Nudge),
    (1, |_, _, _| Act::Revoke),
    (3, |rng, room, _| Act::SayOdd {
        room,
        odd: rng.pick(&[Odd::Empty, Odd::Largest, Odd::TooLarge, Odd::Nul, Odd::Emoji, Odd::Emoji]),
    }),
    (2, |rng, room, _| Act::Intrude {
        room,
        how: rng.pick(&[
            Intrusion::FutureCursor,
            Intrusion::OldCursor,
            Intrusion::ForeignCursor,
            Intrusion::BadFrames,
            Intrusion::NameReused,
            Intrusion::ForeignRoom,
            Intrusion::OddTexts,
            Intrusion::ForgedToken,
            Intrusion::OldToken,
            Intrusion::Silence,
        ]),
    }),
];

fn ops(rng: &mut Rng, topology: &Topology, length: u64) -> Vec<Op> {
    // Everyone talks; of the rest each run has its own choice.
    let share = rng.pick(&[10, 30, 60]);
    let chosen: Vec<_> = DRAWS
        .iter()
        .enumerate()
        .filter(|(at, _)| *at == 0 || rng.chance(share))
        .map(|(_, draw)| *draw)
        .collect();
    let total = chosen.iter().map(|(weight, _)| weight).sum();
    let count = rng.pick(&[5, 20, 40, 80, 150]);
    let mut ops = Vec::new();
    let mut at = 200;
    let mut revoked = false;
    while ops.len() < count && at < length {
        // Bursts, and idle phases after which what was lost shows.
        at += match rng.below(10) {
            0..=5 => rng.below(30),
            6..=8 => rng.below(600),
            _ => rng.below(length / 4),
        };
        let mut left = rng.below(total);
        let draw = chosen.iter().find(|(weight, _)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found
        });
        let Some((_, draw)) = draw else { continue };
        let client = number(rng.below(topology.clients.len() as u64));
        // Now and then a room that does not exist, or is made on the way.
        let room = number(rng.below(topology.rooms.len() as u64 + 1));
        let user = number(rng.below(u64::from(topology.users)));
        let act = draw(rng, room, user);
        if act == Act::Revoke && std::mem::replace(&mut revoked, true) {
            continue;
        }
        ops.push(Op { at: at.min(length), client, act });
    }
    ops
}

fn faults(rng: &mut Rng, topology: &Topology, length: u64) -> Vec<Fault> {
    let hosts: Vec<Host> = {
        let hubs = (0..topology.hubs).map(Host::Hub);
        let clients = (0..topology.hosts).map(Host::Clients);
        hubs.chain(clients).chain(topology.has_redis().then_some(Host::Redis)).chain([Host::Store]).collect()
    };
    let kinds: Vec<u64> = (0..KINDS).filter(|_| rng.chance(25)).collect();
    let count = if kinds.is_empty() { 0 } else { rng.pick(&[0, 1, 2, 4, 8, 12]) };
    let mut faults = Vec::new();
    for _ in 0..count {
        let kind = rng.pick(&kinds);
        let at = rng.between(300, length);
        let lasts = rng.pick(&[50, 300, 1_500, 4_000, 12_000]);
        let (until, hub) =
            ((at + 1 + rng.below(lasts)).min(length + 4_000), rng.below(u64::from(topology.hubs)));
        draw_fault(rng, kind, topology, &hosts, number(hub), (at, until), &mut faults);
    }
    faults.sort_by_key(|fault| fault.at);
    faults
}

/// A link over which something goes, which is one between a node and something else; either end may come first.
fn link(rng: &mut Rng, hosts: &[Host]) -> (Host, Host) {
    let (hubs, others): (Vec<_>, Vec<_>) = hosts.iter().partition(|host| matches!(host, Host::Hub(_)));
    let (hub, other) = (rng.pick(&hubs), rng.pick(&others));
    if rng.chance(50) { (hub, other) } else { (other, hub) }
}

/// Kinds of faults that are drawn.
const KINDS: u64 = 20;

fn draw_fault(
    rng: &mut Rng,
    kind: u64,
    topology: &Topology,
    hosts: &[Host],
    hub: u32,
    (at, until): (u64, u64),
    faults: &mut Vec<Fault>,
) {
    let (a, b) = link(rng, hosts);
    let clients = Host::Clients(number(rng.below(u64::from(topology.hosts))));
    let harm = match kind {
        0 => Harm::Cut { a, b },
        1 => Harm::CutOneWay { from: a, to: b },
        2 => Harm::Stall { a, b },
        3 => Harm::Slow { a, b, latency: rng.pick(&[50, 300, 1_000]) },
        4 => Harm::Crash { host: Host::Hub(hub) },
        5 => Harm::PowerCut { host: Host::Hub(hub) },
        // Half open: the machine of clients is gone, and their connections are not.
        6 => Harm::PowerCut { host: clients },
        7 => Harm::SlowReader { client: number(rng.below(topology.clients.len() as u64)) },
        8 => Harm::Drain { hub },
        9 => {
            let step = rng.pick(&[-20_000, -3_000, 500, 3_000, 20_000]);
            Harm::Clock { hub, step, drift: rng.pick(&[0, 50_000, -50_000]) }
        }
        10 => {
            // One node after the other leaves and comes back.
            for number in 0..topology.hubs {
                let at = at + u64::from(number) * 2_500;
                faults.push(Fault { at, until: at + 2_000, harm: Harm::Drain { hub: number } });
            }
            return;
        }
        11 => {
            // Some links are clogged one by one, and freed in another order.
            for _ in 0..rng.between(2, 5) {
                let (a, b) = link(rng, hosts);
                let at = at + rng.below(1_000);
                faults.push(Fault { at, until: at + 1 + rng.below(6_000), harm: Harm::Stall { a, b } });
            }
            return;
        }
        12 => Harm::StoreFails { calls: number(rng.between(1, 5)) },
        13 => Harm::StoreLosesReplies { calls: number(rng.between(1, 3)) },
        14 => Harm::StoreSlow { latency: rng.pick(&[20, 200, 1_000]) },
        15 => Harm::StoreStall,
        16 => rng.pick(&[
            Harm::StoreRestart,
            Harm::Crash { host: Host::Store },
            Harm::PowerCut { host: Host::Store },
            Harm::StoreExhausted { connections: 0 },
            Harm::StoreExhausted { connections: 3 },
        ]),
        _ if !topology.has_redis() => return,
        17 => rng.pick(&[Harm::RedisRestart, Harm::RedisStall, Harm::RedisFailover { writes: 3 }]),
        18 => Harm::RedisKill { connections: number(rng.between(1, 3)) },
        _ => rng.pick(&[
            Harm::RedisLoss { percent: 20 },
            Harm::RedisLoss { percent: 100 },
            Harm::RedisOutput { bytes: 500 },
            Harm::Crash { host: Host::Redis },
            Harm::PowerCut { host: Host::Redis },
        ]),
    };
    faults.push(Fault { at, until, harm });
}

/// A small number, as plans have them.
pub(crate) fn number(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
