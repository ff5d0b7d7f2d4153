//! Client and hub session against each other, with no runtime: virtual time, links that are slow, cut,
//! half-open or leave a dead connection talking, nodes that die, drain and miss their doorbells, a
//! store that fails before or after its commit or is restored from a backup.
//!
//! Whatever happens, every device gets every event of its rooms once and in order, nothing that was
//! acknowledged is lost, nothing is said twice, a sender's messages keep their order, and when the
//! faults end everyone has everything without further traffic.

mod act;
mod device;
mod end;
mod link;
mod node;
mod oracle;
mod plan;
mod world;

use plan::{Op, Plan, Step};
use proptest::prelude::*;
use world::World;

/// By then every device is online, whatever the latencies.
const SETTLED: u64 = 30_000;

/// Runs a plan; panics at the first broken promise.
fn check(plan: &Plan) -> World {
    let mut world = World::new(plan);
    world.run_plan();
    world.heal();
    world.check_end();
    world
}

fn plan(seed: u64, steps: &[(u64, Op)]) -> Plan {
    let steps = steps.iter().map(|(wait, op)| Step { wait: *wait, op: op.clone() }).collect();
    Plan { seed, devices: vec![0, 1, 2, 0], rooms: 2, doorbells_lost: 0, steps }
}

fn says(device: usize, count: usize) -> Vec<(u64, Op)> {
    (0..count).map(|_| (20, Op::Say { device, room: 0 })).collect()
}

#[test]
fn a_quiet_day_delivers_everything_everywhere() {
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait)];
        for device in 0..4 {
            steps.extend(says(device, 10));
        }
        let world = check(&plan(seed, &steps));
        assert_eq!(world.messages_in_log(), 40);
        assert!(world.events_given_out() >= 40 * 4, "{}", world.events_given_out());
    }
}

#[test]
fn a_node_that_dies_while_messages_are_sent_loses_and_doubles_nothing() {
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait)];
        steps.extend(says(0, 10));
        steps.push((5, Op::Kill { node: 0, half_open: false }));
        steps.extend(says(1, 10));
        steps.push((5, Op::Kill { node: 1, half_open: true }));
        steps.extend(says(2, 10));
        steps.push((5, Op::Kill { node: 2, half_open: false }));
        steps.extend(says(3, 10));
        assert_eq!(check(&plan(seed, &steps)).messages_in_log(), 40);
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_done_twice() {
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait), (0, Op::LoseReplies { batches: 3 })];
        steps.extend(says(0, 6));
        steps.push((0, Op::FailCommits { batches: 4 }));
        steps.extend(says(1, 6));
        assert_eq!(check(&plan(seed, &steps)).messages_in_log(), 12);
    }
}

#[test]
fn a_drain_moves_everyone_without_a_gap() {
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait)];
        for node in 0..3 {
            steps.extend(says(0, 5));
            steps.push((10, Op::Drain { node }));
            steps.extend(says(1, 5));
            steps.push((9_000, Op::Wait));
        }
        let world = check(&plan(seed, &steps));
        assert_eq!(world.messages_in_log(), 30);
        assert_eq!(world.times_offline(), 0, "seed {seed}: a drain is not seen");
    }
}

#[test]
fn with_every_doorbell_lost_the_sweep_still_delivers() {
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait)];
        steps.extend(says(0, 10));
        let plan = Plan { doorbells_lost: 100, ..plan(seed, &steps) };
        assert_eq!(check(&plan).messages_in_log(), 10);
    }
}

#[test]
fn a_store_restored_from_a_backup_starts_everyone_anew() {
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait)];
        steps.extend(says(0, 10));
        steps.push((2_000, Op::Restore { lost: 4 }));
        steps.extend(says(1, 10));
        let world = check(&plan(seed, &steps));
        assert!(world.resets() >= 4, "seed {seed}: {} resets", world.resets());
    }
}

#[test]
fn one_away_for_too_long_is_reset_and_goes_on() {
    let mut resets = 0;
    for seed in 0..20 {
        let mut steps = vec![(SETTLED, Op::Wait), (0, Op::Offline { device: 2, millis: 30_000 })];
        steps.extend(says(0, 60));
        steps.push((5_000, Op::Wait));
        resets += check(&plan(seed, &steps)).resets();
    }
    assert!(resets >= 20, "{resets}");
}

#[test]
fn one_who_is_removed_hears_nothing_more_and_one_who_comes_back_hears_again() {
    for seed in 0..30 {
        let mut steps = vec![(SETTLED, Op::Wait)];
        for round in 0..4 {
            steps.extend(says(0, 2));
            steps.push((round * 7, Op::Kick { device: 0, user: 1, room: 0 }));
            steps.extend(says(0, 2));
            steps.push((300, Op::Join { device: 1, room: 0 }));
            steps.extend(says(0, 2));
        }
        check(&plan(seed, &steps));
    }
}

#[test]
fn one_who_is_removed_while_the_node_reads_their_rooms_again_stays_removed() {
    for seed in 0..80 {
        let steps = [
            (SETTLED, Op::Leave { device: 1, room: 1 }),
            (5_000, Op::Join { device: 1, room: 1 }),
            (seed % 70, Op::Kick { device: 0, user: 1, room: 0 }),
            (seed % 30, Op::Say { device: 0, room: 0 }),
            (5_000, Op::Say { device: 0, room: 0 }),
        ];
        check(&plan(seed, &steps));
    }
}

#[test]
fn a_marker_that_the_restored_store_knows_nothing_of_does_not_hide_the_next_one() {
    for seed in 0..20 {
        let marks = |wait| (wait, Op::MarkRead { device: 0, room: 0 });
        let mut steps = vec![(SETTLED, Op::Wait)];
        steps.extend(says(1, 3));
        steps.push((1_000, Op::Wait));
        steps.push(marks(20));
        steps.push((5, Op::Restore { lost: 3 }));
        steps.push((SETTLED, Op::Wait));
        steps.extend(says(1, 3));
        steps.push(marks(1_000));
        steps.push((1_000, Op::Wait));
        check(&plan(seed, &steps));
    }
}

proptest! {
#![proptest_config(ProptestConfig { max_shrink_time: 40_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_promise_holds(plan in plan::any_plan()) {
        check(&plan);
    }
}
