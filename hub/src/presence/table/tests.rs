//! Scripts for what a node knows of presence, in virtual time.

use super::*;
use crate::limits::bounds::PRESENCE_CHANGES_MAX;
use protocol::limits::PRESENCE_MEMBERS_MAX;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

const LINGER: Duration = Duration::from_secs(3);
const ROOM: RoomId = RoomId(7);
/// Whom frames are read for: a member of every room here.
const READER: UserId = UserId(1);

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the start")]
    Instant::now()
}

fn ids(ids: &[u64]) -> Vec<UserId> {
    ids.iter().copied().map(UserId).collect()
}

fn run(n: u128) -> Incarnation {
    Incarnation(Uuid::from_u128(n))
}

fn changes(came: &[u64], went: &[u64]) -> Changes {
    Changes { came: ids(came), went: ids(went) }
}

/// This node, run 1, with one connection of each of these users.
fn own(users: &[u64]) -> Own {
    let mut own = Own::new(LINGER);
    for user in users {
        own.enter(UserId(*user));
    }
    own
}

#[test]
fn two_connections_are_one_person_who_lingers_after_the_last() {
    let (mut own, at) = (Own::new(LINGER), start());
    assert!(own.enter(UserId(1)) && !own.enter(UserId(1)));
    assert_eq!(own.poll_changes(at), changes(&[1], &[]));
    own.leave(UserId(1), at);
    assert_eq!((own.poll_timeout(), own.is_here(UserId(1))), (None, true));
    own.leave(UserId(1), at);
    assert_eq!(own.poll_timeout(), Some(at + LINGER));
    assert!(own.poll_changes(at + LINGER - Duration::from_millis(1)).is_empty());
    assert_eq!(own.poll_changes(at + LINGER), changes(&[], &[1]));
    assert!(own.is_empty() && own.poll_timeout().is_none());
    own.leave(UserId(1), at);
    assert!(own.poll_changes(at + LINGER * 2).is_empty());
}

#[test]
fn who_comes_back_while_lingering_never_went() {
    let (mut own, at) = (own(&[1, 2]), start());
    own.poll_changes(at);
    own.leave(UserId(1), at);
    assert!(!own.enter(UserId(1)), "it is no news");
    assert_eq!(own.poll_timeout(), None, "nothing is kept of the first going");
    own.leave(UserId(1), at + LINGER / 2);
    assert!(own.poll_changes(at + LINGER).is_empty(), "the second going counts");
    assert_eq!(own.poll_changes(at + LINGER * 3 / 2), changes(&[], &[1]));
    // Who came and went before anybody asked is not told at all.
    own.enter(UserId(3));
    own.leave(UserId(3), at);
    assert!(own.poll_changes(at + LINGER).is_empty());
    assert_eq!(own.all(), ids(&[2]));
}

/// A table with one watched room of these members.
struct Rig {
    table: Table,
    own: Own,
    stay: Stay,
    seen: Option<u64>,
}

impl Rig {
    fn new(members: &[u64], here: &[u64]) -> Self {
        let mut table = Table::default();
        let stay = table.watch(ROOM);
        let mut rig = Self { table, own: own(here), stay, seen: None };
        rig.load(members);
        rig
    }

    fn load(&mut self, members: &[u64]) {
        let own = (run(1), &self.own);
        self.table.handle_members(ROOM, self.stay, &ids(members), false, own).unwrap();
    }

    fn member(&mut self, change: MemberChange) {
        self.table.handle_member(ROOM, change, (run(1), &self.own));
    }

    /// What a watcher gets now: the whole, or who came and who went; null for nothing.
    fn read(&mut self) -> Value {
        let Some(read) = self.table.read(ROOM, READER, self.seen) else { return Value::Null };
        self.seen = Some(read.version);
        let mut frame: Value = serde_json::from_slice(&read.frame).unwrap();
        assert_eq!(frame["room_id"], ROOM.0);
        let frame = frame.as_object_mut().unwrap();
        frame.remove("room_id");
        frame.remove("type");
        json!(frame)
    }

    fn holders(&mut self, read: u64, holders: &[(u128, &[u64])]) {
        let holders = holders.iter().map(|(node, users)| (run(*node), ids(users))).collect();
        let asked = self.table.tracked();
        self.table.handle_holders(read, &asked, &holders, run(1));
    }
}

#[test]
fn a_watcher_gets_the_whole_and_then_what_changed() {
    let mut rig = Rig::new(&[1, 2, 3], &[1, 9]);
    assert_eq!(rig.read(), json!({"online": [1]}));
    assert_eq!(rig.read(), Value::Null);
    rig.table.handle_changes(run(2), &changes(&[3, 2, 8], &[]));
    assert_eq!(rig.table.poll_dirty(), [ROOM]);
    assert!(rig.table.poll_dirty().is_empty());
    assert_eq!(rig.read(), json!({"online": [2, 3], "offline": []}));
    rig.table.handle_changes(run(2), &changes(&[], &[2]));
    rig.table.handle_changes(run(2), &changes(&[2], &[3]));
    assert_eq!(rig.read(), json!({"online": [2], "offline": [3]}), "both changes in one frame");
    rig.table.handle_changes(run(3), &changes(&[2], &[]));
    rig.table.handle_changes(run(2), &changes(&[], &[2]));
    assert_eq!(rig.read(), Value::Null, "another node still holds 2");
}

#[test]
fn who_is_far_behind_gets_the_whole_again() {
    let mut rig = Rig::new(&[1, 2], &[1]);
    rig.read();
    for _ in 0..PRESENCE_CHANGES_MAX / 2 {
        rig.table.handle_changes(run(2), &changes(&[2], &[]));
        rig.table.handle_changes(run(2), &changes(&[], &[2]));
    }
    assert_eq!(rig.read(), json!({"online": [], "offline": [2]}));
    for _ in 0..=PRESENCE_CHANGES_MAX / 2 {
        rig.table.handle_changes(run(2), &changes(&[2], &[]));
        rig.table.handle_changes(run(2), &changes(&[], &[2]));
    }
    assert_eq!(rig.read(), json!({"online": [1]}));
}

#[test]
fn members_come_and_go_with_the_rooms_events() {
    let mut rig = Rig::new(&[1], &[1, 4]);
    rig.read();
    rig.member(MemberChange::Joined(UserId(4)));
    rig.member(MemberChange::Joined(UserId(5)));
    assert_eq!(rig.read(), json!({"online": [4], "offline": []}));
    rig.table.handle_changes(run(2), &changes(&[5], &[]));
    rig.member(MemberChange::Left(UserId(4)));
    assert_eq!(rig.read(), json!({"online": [5], "offline": [4]}));
    assert_eq!(rig.table.tracked(), ids(&[1, 5]));
    // Who is no member sees nothing, whatever happens.
    rig.member(MemberChange::Left(READER));
    assert_eq!(rig.read(), Value::Null);
}

#[test]
fn what_happens_while_members_are_read_comes_on_top() {
    let mut table = Table::default();
    let stay = table.watch(ROOM);
    let mut rig = Rig { table, own: own(&[1, 2, 3]), stay, seen: None };
    rig.member(MemberChange::Joined(UserId(3)));
    rig.member(MemberChange::Left(UserId(2)));
    assert_eq!(rig.read(), Value::Null, "not before the members are known");
    rig.load(&[1, 2]);
    assert_eq!(rig.read(), json!({"online": [1, 3]}));
}

#[test]
fn leases_are_the_truth_but_for_what_came_while_they_were_read() {
    let mut rig = Rig::new(&[1, 2, 3, 4, 5], &[1]);
    let read = rig.table.begin_read();
    rig.holders(read, &[(2, &[2, 3]), (3, &[3])]);
    assert_eq!(rig.read(), json!({"online": [1, 2, 3]}));
    let read = rig.table.begin_read();
    rig.table.handle_changes(run(2), &changes(&[4], &[3]));
    // As the leases were before that; and of this node's own users they know less than it does.
    rig.holders(read, &[(2, &[2, 3]), (3, &[]), (1, &[5])]);
    assert_eq!(rig.read(), json!({"online": [4], "offline": [3]}));
    // A node died.
    let read = rig.table.begin_read();
    rig.holders(read, &[(3, &[4])]);
    assert_eq!(rig.read(), json!({"online": [], "offline": [2]}));
    let read = rig.table.begin_read();
    rig.table.abort_read(read);
    assert_eq!(rig.read(), Value::Null);
    rig.table.forget_others(run(1));
    assert_eq!(rig.read(), json!({"online": [], "offline": [4]}));
}

#[test]
fn with_the_last_watcher_everything_is_forgotten() {
    let mut rig = Rig::new(&[1, 2], &[1]);
    assert_eq!(rig.table.watch(ROOM), rig.stay);
    rig.table.unwatch(ROOM, rig.stay);
    assert_eq!((rig.table.len(), rig.table.tracked()), (1, ids(&[1, 2])));
    rig.table.unwatch(ROOM, rig.stay);
    assert!(rig.table.is_empty() && rig.table.tracked().is_empty());
    assert_eq!(rig.table.members, 0);
    // What was read for the stay that is over means nothing to the next.
    let before = rig.stay;
    rig.stay = rig.table.watch(ROOM);
    rig.table.handle_members(ROOM, before, &ids(&[1, 2]), false, (run(1), &rig.own)).unwrap();
    rig.table.unwatch(ROOM, before);
    assert_eq!(rig.read(), Value::Null);
    rig.load(&[1]);
    assert_eq!(rig.read(), json!({"online": [1]}));
}

#[test]
fn a_large_room_and_many_rooms_are_bounded() {
    let all: Vec<u64> = (1..=PRESENCE_MEMBERS_MAX as u64).collect();
    let mut rig = Rig::new(&all, &[1]);
    rig.member(MemberChange::Joined(UserId(5_000)));
    assert_eq!(rig.table.tracked().len(), PRESENCE_MEMBERS_MAX);
    assert_eq!(rig.read(), json!({"online": [1], "more": true}));
    let mut refused = 0;
    for room in 100..100 + (PRESENCE_TRACKED_MAX / PRESENCE_MEMBERS_MAX) as u64 {
        let stay = rig.table.watch(RoomId(room));
        let told = rig.table.handle_members(RoomId(room), stay, &ids(&all), false, (run(1), &rig.own));
        if told == Err(Full) {
            rig.table.unwatch(RoomId(room), stay);
            refused += 1;
        }
    }
    assert_eq!((refused, rig.table.members), (1, PRESENCE_TRACKED_MAX));
}
