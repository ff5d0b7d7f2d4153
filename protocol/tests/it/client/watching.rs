//! Who is online in watched rooms.

use super::rig::{In, kind, online, room, welcome, welcome_with};
use serde_json::{Value, json};

fn presence(room_id: u64, online: &[u64]) -> Value {
    json!({"type": "presence", "room_id": room_id, "online": online})
}

fn changed(room_id: u64, online: &[u64], offline: &[u64]) -> Value {
    json!({"type": "presence_changed", "room_id": room_id, "online": online, "offline": offline})
}

#[test]
fn the_online_set_follows_the_node() {
    let mut more = presence(1, &[4]);
    more["more"] = json!(true);
    online().check(&[
        (In::Watch(1), &["1 < watch_presence 1"]),
        (In::Frame(1, changed(1, &[9], &[])), &[]),
        (In::Frame(1, presence(1, &[3, 1])), &["presence 1 1 3"]),
        (In::Frame(1, changed(1, &[2], &[3, 8])), &["presence 1 1 2"]),
        (In::Watch(1), &["presence 1 1 2"]),
        (In::Frame(1, presence(2, &[1])), &[]),
        (In::Frame(1, more), &["presence 1 4 and more"]),
        (In::Snapshot, &["online n1", "ready ann 1@5 2@1", "presence 1 4 and more"]),
        (In::Unwatch(1), &["1 < unwatch_presence 1"]),
        (In::Frame(1, changed(1, &[9], &[])), &[]),
        (In::Unwatch(1), &[]),
    ]);
}

#[test]
fn a_watch_outlives_the_connection_and_is_asked_for_again() {
    let mut rig = online();
    rig.run(In::Watch(1));
    rig.run(In::Frame(1, presence(1, &[1, 2])));
    rig.run(In::Closed(1, 1006));
    rig.check(&[(In::Watch(2), &[]), (In::Unwatch(2), &[])]);
    rig.until("connect 2");
    rig.check(&[
        (In::Opened(2), &["2 < hello token 1@5,2@1 9".replace("1@5,2@1", "{1:5,2:1}").as_str()]),
        (In::Frame(2, welcome()), &["online n1", "ready ann 1@5 2@1", "2 < watch_presence 1"]),
        (In::Frame(2, presence(1, &[1])), &["presence 1 1"]),
    ]);
}

#[test]
fn a_watch_waits_for_the_first_welcome() {
    let mut rig = super::rig::rig();
    rig.run(In::Start(3600));
    rig.check(&[(In::Watch(1), &[]), (In::Watch(7), &[])]);
    rig.run(In::Opened(1));
    rig.check(&[(In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1", "1 < watch_presence 1"])]);
}

#[test]
fn no_answer_in_time_is_asked_for_again() {
    online().check(&[
        (In::Watch(1), &["1 < watch_presence 1"]),
        (In::Wait(9_999), &[]),
        (In::Wait(1), &["1 < watch_presence 1"]),
        (In::Frame(1, presence(1, &[1])), &["presence 1 1"]),
        (In::Wait(14_000), &[]),
    ]);
}

#[test]
fn a_room_that_was_left_is_not_watched_any_more() {
    let mut rig = online();
    rig.check(&[(In::Watch(7), &[]), (In::Watch(1), &["1 < watch_presence 1"])]);
    rig.run(In::Watch(2));
    rig.check(&[
        (In::Frame(1, json!({"type": "room_removed", "room_id": 1})), &["room 1 removed"]),
        (In::Frame(1, presence(1, &[1])), &[]),
        (In::Unwatch(1), &[]),
    ]);
    // While it is away, it is removed from the other one.
    rig.run(In::Closed(1, 1006));
    rig.until("connect 2");
    rig.run(In::Opened(2));
    let welcome = welcome_with("n1", 9, &[room(3, 1, 0)]);
    rig.check(&[(In::Frame(2, welcome), &["online n1", "ready ann 3@1"])]);
    rig.check(&[(In::Frame(2, kind("pong")), &[])]);
}

#[test]
fn one_watch_too_many_ends_the_oldest() {
    let mut rig = super::rig::rig();
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    let rooms: Vec<_> = (1..=17).map(|id| room(id, 1, 0)).collect();
    rig.run(In::Frame(1, welcome_with("n1", 9, &rooms)));
    for id in 1..=16 {
        rig.check(&[(In::Watch(id), &[format!("1 < watch_presence {id}").as_str()])]);
    }
    rig.check(&[(In::Watch(17), &["1 < unwatch_presence 1", "1 < watch_presence 17"])]);
}
