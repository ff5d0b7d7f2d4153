//! Scenes that drawn operations and faults seldom come to: each puts people and what breaks in the order in
//! which something can be lost. Seeds draw which scenes they have.

use crate::generate::number;
use crate::plan::{Act, Fault, Harm, Host, Intrusion, Knobs, Odd, Op, Topology, Way};
use crate::rng::Rng;

/// How often all nodes die or leave while people talk.
const DEPARTURE_PERCENT: u64 = 15;
/// How often Redis drops its subscribers just while someone says something, and then all is silent.
const DOUBT_PERCENT: u64 = 15;
/// How often someone is let into a room and removed from it in quick succession.
const TURNOVER_PERCENT: u64 = 30;
/// How often someone reads while the store is gone.
const UNKEPT_PERCENT: u64 = 15;
/// How often someone deletes what they said, and another looks at what was said before.
const ERASURE_PERCENT: u64 = 10;
/// How often someone claims to know a room that is not theirs, just while people speak there.
const TRESPASS_PERCENT: u64 = 10;
/// How often people are let into rooms just while someone speaks there, and then all is silent.
const ARRIVAL_PERCENT: u64 = 15;

/// Adds the scenes of a seed to what else goes on.
pub(crate) fn play(
    seed: u64,
    topology: &Topology,
    length: u64,
    knobs: &mut Knobs,
    ops: &mut Vec<Op>,
    faults: &mut Vec<Fault>,
) {
    departure(&mut Rng::new(seed, "departure"), topology, ops, faults);
    turnover(&mut Rng::new(seed, "turnover"), topology, length, ops, faults);
    if Rng::new(seed, "unkept").chance(UNKEPT_PERCENT) {
        unkept(topology, ops, faults);
    }
    if Rng::new(seed, "erasure").chance(ERASURE_PERCENT) {
        erasure(topology, length, ops);
    }
    if Rng::new(seed, "trespass").chance(TRESPASS_PERCENT) {
        trespass(topology, length, ops);
    }
    if topology.hubs > 1 && Rng::new(seed, "doubt").chance(DOUBT_PERCENT) {
        knobs.doorbells_lost = 0;
        doubt(&mut Rng::new(seed, "dropped"), topology, knobs, ops, faults);
    } else if topology.hubs > 1 && Rng::new(seed, "arrival").chance(ARRIVAL_PERCENT) {
        knobs.doorbells_lost = 0;
        // Over one connection to the store everyone who is let in at once waits longer than for a sweep.
        knobs.store_readers = knobs.store_readers.max(8);
        arrival(&mut Rng::new(seed, "arrives"), topology, knobs, ops, faults);
    }
}

/// A client does not read while another one of its room says a lot.
pub(crate) fn overwhelm(topology: &Topology, knobs: &Knobs, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    const AT: u64 = 1_000;
    const MESSAGES: u64 = 40;
    let Some(room) = topology.rooms.first() else { return };
    let devices = (0..).zip(&topology.clients);
    let mut members = devices.filter(|(_, device)| room.members.contains(&device.user));
    let (Some((speaker, _)), Some((client, _))) = (members.next(), members.next()) else { return };
    let act = Act::Say { room: 0, padding: 3_000 };
    ops.extend((0..MESSAGES).map(|number| Op { at: AT + 20 * number, client: speaker, act }));
    ops.sort_by_key(|op| op.at);
    faults.push(Fault { at: AT, until: AT + 8_000 + knobs.slow_reader, harm: Harm::SlowReader { client } });
    faults.sort_by_key(|fault| fault.at);
}

/// Nodes die or leave one after the other while people talk; who is online is watched, and one goes for good.
fn departure(rng: &mut Rng, topology: &Topology, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    if !rng.chance(DEPARTURE_PERCENT) {
        return;
    }
    let Some(room) = topology.rooms.first() else { return };
    let devices = (0..).zip(&topology.clients);
    let mut members = devices.filter(|(_, device)| room.members.contains(&device.user));
    let (Some((watcher, watches)), Some((client, goes))) = (members.next(), members.next()) else { return };
    ops.push(Op { at: 800, client: watcher, act: Act::Watch { room: 0 } });
    let say = |number: u64| Op { at: 1_000 + 80 * number, client, act: Act::Say { room: 0, padding: 0 } };
    ops.extend((0..40).map(say));
    // The same words twice are two messages.
    let odd = Act::SayOdd { room: 0, odd: Odd::Emoji };
    ops.extend([1_100, 4_000].map(|at| Op { at, client, act: odd }));
    if watches.user != goes.user {
        ops.push(Op { at: 6_500, client, act: Act::Quit });
    }
    ops.sort_by_key(|op| op.at);
    let leaves = rng.chance(50);
    for (hub, at) in (0..topology.hubs).zip((1_500..).step_by(700)) {
        let harm = if leaves { Harm::Drain { hub } } else { Harm::Crash { host: Host::Hub(hub) } };
        faults.push(Fault { at, until: at + 2_000, harm });
    }
    faults.sort_by_key(|fault| fault.at);
}

/// People react to what is said, which those of an earlier version know nothing of; then more is said.
pub(crate) fn react(topology: &Topology, length: u64, ops: &mut Vec<Op>) {
    let begin = length / 4;
    let Some(room) = topology.rooms.first() else { return };
    let devices = (0..).zip(&topology.clients);
    let members = devices.filter(|(_, device)| room.members.contains(&device.user));
    let (say, react) = (Act::Say { room: 0, padding: 0 }, Act::React { room: 0 });
    for (turn, (client, _)) in (0..).zip(members) {
        let acts = (0..).zip([say, react, react, say]);
        ops.extend(acts.map(|(step, act)| Op { at: begin + 900 * turn + 200 * step, client, act }));
    }
    ops.sort_by_key(|op| op.at);
}

/// Someone reads just when the store is gone, which comes back soon.
fn unkept(topology: &Topology, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    const AT: u64 = 2_000;
    let Some(room) = topology.rooms.first() else { return };
    let devices = (0..).zip(&topology.clients);
    let mut members = devices.filter(|(_, device)| room.members.contains(&device.user));
    let Some((speaker, speaks)) = members.next() else { return };
    let Some((reader, _)) = members.find(|(_, device)| device.user != speaks.user) else { return };
    let say = Act::Say { room: 0, padding: 0 };
    ops.push(Op { at: AT - 800, client: speaker, act: say });
    ops.push(Op { at: AT + 50, client: reader, act: Act::MarkRead { room: 0, unread: 0 } });
    ops.sort_by_key(|op| op.at);
    faults.push(Fault { at: AT, until: AT + 300, harm: Harm::Crash { host: Host::Store } });
    faults.sort_by_key(|fault| fault.at);
}

/// Someone changes and deletes what they said, and another reads the room's newest page.
fn erasure(topology: &Topology, length: u64, ops: &mut Vec<Op>) {
    let begin = length / 2;
    let Some(room) = topology.rooms.first() else { return };
    let devices = (0..).zip(&topology.clients);
    let mut members = devices.filter(|(_, device)| room.members.contains(&device.user));
    let Some((speaker, _)) = members.next() else { return };
    let reader = members.next().map_or(speaker, |(reader, _)| reader);
    let acts = [
        (speaker, Act::Say { room: 0, padding: 0 }),
        (speaker, Act::Edit { room: 0 }),
        (speaker, Act::Delete { room: 0 }),
        (reader, Act::History { room: 0, back: 0, limit: 10, way: Way::Latest }),
    ];
    // Each after the one before was stored, if nothing is in the way.
    ops.extend((0..).zip(acts).map(|(step, (client, act))| Op { at: begin + 700 * step, client, act }));
    ops.sort_by_key(|op| op.at);
}

/// One who is in no way of a room resumes there, and listens while a member speaks.
fn trespass(topology: &Topology, length: u64, ops: &mut Vec<Op>) {
    let begin = length / 3;
    let devices = || (0..).zip(&topology.clients);
    for (number, room) in (0..).zip(&topology.rooms) {
        let speaker = devices().find(|(_, device)| room.members.contains(&device.user));
        let stranger = devices().find(|(_, device)| !room.members.contains(&device.user));
        let (Some((speaker, _)), Some((stranger, _))) = (speaker, stranger) else { continue };
        let (how, say) = (Intrusion::ForeignCursor, Act::Say { room: number, padding: 0 });
        ops.push(Op { at: begin, client: stranger, act: Act::Intrude { room: number, how } });
        ops.extend((1..4).map(|step| Op { at: begin + 500 * step, client: speaker, act: say }));
        ops.sort_by_key(|op| op.at);
        return;
    }
}

/// Redis drops its subscribers while someone says something, or cannot get rid of what it has for them. Before
/// that nothing breaks, and after it nobody does anything for longer than a sweep takes. It is so early that the
/// first sweep of most nodes is far.
fn doubt(rng: &mut Rng, topology: &Topology, knobs: &Knobs, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    const AT: u64 = 1_200;
    const SILENT_UNTIL: u64 = AT + 7_000;
    let room = number(rng.below(topology.rooms.len() as u64));
    let members = &topology.rooms[room as usize].members;
    let speaker = (0..).zip(&topology.clients).find(|(_, device)| members.contains(&device.user));
    let Some((client, _)) = speaker else { return };
    ops.retain(|op| !(AT - 500..SILENT_UNTIL).contains(&op.at));
    faults.retain(|fault| fault.at >= SILENT_UNTIL);
    // What is said is on its way to the subscribers after some steps of the network.
    let lead = 6 * knobs.latency.1;
    let act = Act::Say { room, padding: number(rng.pick(&[0, 300, 3_000])) };
    ops.extend([0, 1].map(|_| Op { at: AT - lead + rng.below(2 * lead + 50), client, act }));
    ops.sort_by_key(|op| op.at);
    let kill = Harm::RedisKill { connections: topology.hubs };
    let (until, harm) =
        rng.pick(&[(AT + 1, kill), (AT + 1, kill), (AT + 2_000, Harm::RedisOutput { bytes: 200 })]);
    faults.push(Fault { at: AT, until, harm });
    faults.sort_by_key(|fault| fault.at);
}

/// Someone is let into a room, removed or banned, and let in again, and is perhaps away meanwhile. What was said
/// there is pinned for a while.
fn turnover(rng: &mut Rng, topology: &Topology, length: u64, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    if !rng.chance(TURNOVER_PERCENT) {
        return;
    }
    let devices = || (0..).zip(&topology.clients);
    let room = number(rng.below(topology.rooms.len() as u64));
    let members = &topology.rooms[room as usize].members;
    let owner = devices().find(|(_, device)| members.first() == Some(&device.user));
    let other = devices().find(|(_, device)| !members.contains(&device.user));
    let (Some((client, owner)), Some((_, other))) = (owner, other) else { return };
    let (say, user) = (Act::Say { room, padding: 0 }, other.user);
    let invite = Act::Invite { room, user };
    let remove = if rng.chance(40) { Act::Ban { room, user } } else { Act::Kick { room, user } };
    let begin = rng.between(1_000, length / 2);
    // What a client keeps, it keeps now and then.
    let pause = rng.pick(&[300, 1_000, 2_500]);
    let (pin, unpin) = (Act::Pin { room }, Act::Unpin { room });
    for (step, act) in (0..).zip([invite, say, remove, say, invite, say, pin, unpin]) {
        ops.push(Op { at: begin + step * pause, client, act });
    }
    ops.sort_by_key(|op| op.at);
    if owner.host != other.host && rng.chance(50) {
        let (at, until) = (begin + pause + pause / 2, begin + 5 * pause);
        // A machine without power comes back with what its clients kept.
        faults.push(Fault { at, until, harm: Harm::PowerCut { host: Host::Clients(other.host) } });
        faults.sort_by_key(|fault| fault.at);
    }
}

/// People are let into new rooms while something is said there: what is said while a node begins to listen to a
/// room comes at once, or not before the next sweep. Nothing breaks meanwhile, and nobody does anything else.
fn arrival(rng: &mut Rng, topology: &Topology, knobs: &Knobs, ops: &mut Vec<Op>, faults: &mut Vec<Fault>) {
    const AT: u64 = 1_200;
    const ROOMS: u32 = 12;
    const SILENT_UNTIL: u64 = AT + 7_000;
    let devices = || (0..).zip(&topology.clients);
    let Some((client, host)) = devices().next() else { return };
    let others: Vec<u32> =
        devices().map(|(_, device)| device.user).filter(|user| *user != host.user).collect();
    if others.is_empty() {
        return;
    }
    // Rooms are numbered as they are made.
    ops.retain(|op| !(AT - 500..SILENT_UNTIL).contains(&op.at) && !matches!(op.act, Act::CreateRoom { .. }));
    faults.retain(|fault| fault.at >= SILENT_UNTIL);
    let first = number(topology.rooms.len() as u64);
    for room in first..first + ROOMS {
        let made = AT - 400 + u64::from(room - first) * 20;
        let invited = AT + rng.below(300);
        let said = invited + rng.below(4 * knobs.latency.1 + 12 * knobs.store_latency + 60);
        let acts = [
            (made, Act::CreateRoom { private: true }),
            (invited, Act::Invite { room, user: rng.pick(&others) }),
            (said, Act::Say { room, padding: 0 }),
        ];
        ops.extend(acts.map(|(at, act)| Op { at, client, act }));
    }
    ops.sort_by_key(|op| op.at);
}
