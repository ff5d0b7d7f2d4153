//! What happens in a run: a plan is data, so that a failing one shrinks and can be kept.

use proptest::prelude::*;

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Latencies and choices of nodes are drawn from it.
    pub(super) seed: u64,
    /// The user of each device.
    pub(super) devices: Vec<u64>,
    pub(super) rooms: u64,
    /// How many doorbells between nodes are lost, in percent.
    pub(super) doorbells_lost: u64,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// How long to wait before it, in milliseconds.
    pub(super) wait: u64,
    pub(super) op: Op,
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    Wait,
    Say {
        device: usize,
        room: usize,
    },
    /// Changes the newest message of the device's user in the room.
    Edit {
        device: usize,
        room: usize,
    },
    Delete {
        device: usize,
        room: usize,
    },
    React {
        device: usize,
        room: usize,
    },
    Join {
        device: usize,
        room: u64,
    },
    Leave {
        device: usize,
        room: usize,
    },
    Invite {
        device: usize,
        user: u64,
        room: usize,
    },
    Kick {
        device: usize,
        user: u64,
        room: usize,
    },
    CreateRoom {
        device: usize,
    },
    Rename {
        device: usize,
        room: usize,
    },
    MarkRead {
        device: usize,
        room: usize,
    },
    Discard {
        device: usize,
    },
    Retry {
        device: usize,
    },
    /// The page is closed and opened again; what was kept is there.
    Reload {
        device: usize,
    },
    Cut {
        device: usize,
        kind: CutKind,
    },
    Offline {
        device: usize,
        millis: u64,
    },
    Kill {
        node: usize,
        half_open: bool,
    },
    Drain {
        node: usize,
    },
    Stall {
        millis: u64,
    },
    FailCommits {
        batches: u32,
    },
    LoseReplies {
        batches: u32,
    },
    /// The store comes back from a backup that lacks the newest operations.
    Restore {
        lost: usize,
    },
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum CutKind {
    /// Both ends see it.
    Clean,
    /// Neither does, and nothing passes.
    HalfOpen,
    /// The client sees it; what it sent before still arrives, late.
    Zombie,
}

pub(super) fn any_plan() -> impl Strategy<Value = Plan> {
    let devices = proptest::collection::vec(0..3_u64, 1..5);
    let steps = proptest::collection::vec(any_step(), 0..60);
    (any::<u64>(), devices, 1..4_u64, prop_oneof![Just(0_u64), Just(20), Just(100)], steps).prop_map(
        |(seed, devices, rooms, doorbells_lost, steps)| Plan { seed, devices, rooms, doorbells_lost, steps },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![5 => 0..40_u64, 3 => 0..800_u64, 1 => 0..20_000_u64];
    (wait, any_op()).prop_map(|(wait, op)| Step { wait, op })
}

fn any_op() -> impl Strategy<Value = Op> {
    let device = || 0..5_usize;
    let room = || 0..3_usize;
    let user = || 0..3_u64;
    prop_oneof![
        24 => (device(), room()).prop_map(|(device, room)| Op::Say { device, room }),
        3 => (device(), room()).prop_map(|(device, room)| Op::Edit { device, room }),
        3 => (device(), room()).prop_map(|(device, room)| Op::Delete { device, room }),
        3 => (device(), room()).prop_map(|(device, room)| Op::React { device, room }),
        4 => (device(), 0..4_u64).prop_map(|(device, room)| Op::Join { device, room }),
        3 => (device(), room()).prop_map(|(device, room)| Op::Leave { device, room }),
        2 => (device(), user(), room()).prop_map(|(device, user, room)| Op::Invite { device, user, room }),
        3 => (device(), user(), room()).prop_map(|(device, user, room)| Op::Kick { device, user, room }),
        1 => device().prop_map(|device| Op::CreateRoom { device }),
        1 => (device(), room()).prop_map(|(device, room)| Op::Rename { device, room }),
        4 => (device(), room()).prop_map(|(device, room)| Op::MarkRead { device, room }),
        1 => device().prop_map(|device| Op::Discard { device }),
        1 => device().prop_map(|device| Op::Retry { device }),
        2 => device().prop_map(|device| Op::Reload { device }),
        4 => (device(), prop_oneof![Just(CutKind::Clean), Just(CutKind::HalfOpen), Just(CutKind::Zombie)])
            .prop_map(|(device, kind)| Op::Cut { device, kind }),
        1 => (device(), 0..40_000_u64).prop_map(|(device, millis)| Op::Offline { device, millis }),
        2 => (0..3_usize, any::<bool>()).prop_map(|(node, half_open)| Op::Kill { node, half_open }),
        2 => (0..3_usize).prop_map(|node| Op::Drain { node }),
        1 => (0..20_000_u64).prop_map(|millis| Op::Stall { millis }),
        1 => (1..6_u32).prop_map(|batches| Op::FailCommits { batches }),
        1 => (1..6_u32).prop_map(|batches| Op::LoseReplies { batches }),
        1 => (0..12_usize).prop_map(|lost| Op::Restore { lost }),
        2 => Just(Op::Wait),
    ]
}
