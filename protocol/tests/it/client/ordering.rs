//! Events: each once, in order, whatever comes.

use super::rig::*;
use protocol::client::Persisted;
use protocol::{Epoch, RoomId, Seq, UserId};
use serde_json::json;

fn restored(cursors: &[(u64, u64)]) -> Persisted {
    let cursors = cursors.iter().map(|(room, seq)| (RoomId(*room), Seq(*seq))).collect();
    Persisted { user_id: Some(UserId(1)), epoch: Some(Epoch(9)), cursors, outbox: Vec::new() }
}

#[test]
fn the_next_event_is_given_out_and_a_repeated_one_is_not() {
    online().check(&[
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Frame(1, message(1, 6, 4)), &[]),
        (In::Frame(1, message(1, 3, 2)), &[]),
        (In::Frame(1, message(1, 7, 5)), &["event 1@7 new_message"]),
    ]);
}

#[test]
fn rooms_are_ordered_apart() {
    online().check(&[
        (In::Frame(1, message(2, 2, 1)), &["event 2@2 new_message"]),
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Frame(1, message(2, 3, 2)), &["event 2@3 new_message"]),
    ]);
}

#[test]
fn a_missing_event_is_never_skipped_but_fetched_by_a_new_connection() {
    online().check(&[
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Frame(1, message(1, 8, 6)), &["close 1 4500", "offline 1"]),
        (In::Frame(1, message(1, 7, 5)), &[]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token {1:6,2:1} 9"]),
        (
            In::Frame(2, welcome_with("n2", 9, &[room(1, 8, 6), room(2, 1, 0)])),
            &["online n2", "ready ann 1@8 2@1"],
        ),
        (In::Frame(2, message(1, 7, 5)), &["event 1@7 new_message"]),
        (In::Frame(2, message(1, 8, 6)), &["event 1@8 new_message"]),
    ]);
}

#[test]
fn a_reconnect_resumes_after_the_last_event_given_out() {
    let mut rig = online();
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::Closed(1, 1006));
    rig.run(In::Wait(500));
    rig.check(&[
        (In::Opened(2), &["2 < hello token {1:6,2:1} 9"]),
        (
            In::Frame(2, welcome_with("n2", 9, &[room(1, 7, 5), room(2, 1, 0)])),
            &["online n2", "ready ann 1@7 2@1"],
        ),
        (In::Frame(2, message(1, 7, 5)), &["event 1@7 new_message"]),
        (In::Frame(2, message(1, 8, 6)), &["event 1@8 new_message"]),
    ]);
}

#[test]
fn an_event_of_a_later_version_takes_its_place_and_shows_nothing() {
    online().check(&[
        (In::Frame(1, json!({"type": "poll_opened", "room_id": 1, "seq": 6, "choices": [1, 2]})), &[]),
        (In::Frame(1, message(1, 7, 4)), &["event 1@7 new_message"]),
        (
            In::Frame(1, json!({"type": "poll_opened", "room_id": 1, "seq": 9})),
            &["close 1 4500", "offline 1"],
        ),
    ]);
}

#[test]
fn events_of_rooms_that_the_user_is_not_in_are_dropped() {
    online().check(&[(In::Frame(1, message(3, 1, 1)), &[])]);
}

#[test]
fn a_reset_skips_to_its_head() {
    online().check(&[
        (In::Frame(1, json!({"type": "reset", "room_id": 1, "head_seq": 900})), &["reset 1@900"]),
        (In::Frame(1, message(1, 900, 700)), &[]),
        (In::Frame(1, message(1, 901, 701)), &["event 1@901 new_message"]),
        (In::Frame(1, json!({"type": "reset", "room_id": 1, "head_seq": 901})), &[]),
        (In::Frame(1, json!({"type": "reset", "room_id": 7, "head_seq": 901})), &[]),
    ]);
}

#[test]
fn a_reset_to_the_head_that_the_welcome_told_asks_for_nothing() {
    let mut rig = rig_with(config(), restored(&[(1, 2)]));
    rig.run(In::Start(3600));
    rig.check(&[
        (In::Opened(1), &["1 < hello token {1:2} 9"]),
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1"]),
        (In::Frame(1, json!({"type": "reset", "room_id": 1, "head_seq": 5})), &["reset 1@5"]),
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
    ]);
}

#[test]
fn another_epoch_drops_all_cursors() {
    let mut rig = rig_with(config(), restored(&[(1, 70)]));
    rig.run(In::Start(3600));
    rig.check(&[
        (In::Opened(1), &["1 < hello token {1:70} 9"]),
        (
            In::Frame(1, welcome_with("n1", 10, &[room(1, 5, 3), room(2, 1, 0)])),
            &["online n1", "ready ann 1@5 2@1", "reset 1@5"],
        ),
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Closed(1, 1006), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token {1:6,2:1} 10"]),
    ]);
}

#[test]
fn a_cursor_that_the_store_never_reached_is_dropped() {
    let mut rig = rig_with(config(), restored(&[(1, 70)]));
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.check(&[
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1", "reset 1@5"]),
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
    ]);
}

#[test]
fn an_older_cursor_from_before_a_reload_replays_and_loses_nothing() {
    let mut rig = rig_with(config(), restored(&[(1, 3), (2, 1)]));
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.check(&[
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1"]),
        (In::Frame(1, message(1, 4, 2)), &["event 1@4 new_message"]),
        (In::Frame(1, message(1, 5, 3)), &["event 1@5 new_message"]),
    ]);
}

#[test]
fn rooms_come_and_go() {
    online().check(&[
        (In::Frame(1, json!({"type": "room_added", "room": room(3, 4, 1)})), &[]),
        (In::Frame(1, message(3, 4, 1)), &[]),
        (In::Frame(1, message(3, 5, 2)), &["event 3@5 new_message"]),
        // Overtaken: the room was known already.
        (In::Frame(1, json!({"type": "room_added", "room": room(3, 5, 2)})), &[]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 3})), &["room 3 removed"]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 3})), &[]),
        (In::Frame(1, message(3, 6, 3)), &[]),
        (In::Closed(1, 1006), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
    ]);
}

#[test]
fn a_room_that_was_left_does_not_come_back_from_the_past() {
    online().check(&[
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 1})), &["room 1 removed"]),
        // Read before the user left, told after.
        (In::Frame(1, json!({"type": "room_added", "room": room(1, 5, 3)})), &[]),
        (In::Frame(1, message(1, 6, 4)), &[]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 1})), &[]),
        (In::Frame(1, json!({"type": "room_added", "room": room(1, 7, 4)})), &[]),
        (In::Frame(1, message(1, 8, 5)), &["event 1@8 new_message"]),
    ]);
}

#[test]
fn a_room_added_again_at_a_later_head_is_reset() {
    online().check(&[
        (In::Frame(1, json!({"type": "room_added", "room": room(1, 9, 6)})), &["reset 1@9"]),
        (In::Frame(1, message(1, 10, 7)), &["event 1@10 new_message"]),
    ]);
}

#[test]
fn a_room_that_was_left_meanwhile_loses_its_cursor() {
    let mut rig = online();
    rig.run(In::Closed(1, 1006));
    rig.run(In::Wait(500));
    rig.run(In::Opened(2));
    rig.check(&[
        (In::Frame(2, welcome_with("n1", 9, &[room(2, 1, 0)])), &["online n1", "ready ann 2@1"]),
        (In::Frame(2, message(1, 6, 4)), &[]),
        (In::Closed(2, 1006), &["offline 2"]),
        (In::Wait(1_000), &["connecting 2", "connect 3"]),
        (In::Opened(3), &["3 < hello token {2:1} 9"]),
    ]);
}

#[test]
fn who_left_is_told_before_the_room_goes() {
    let left = json!({"type": "member_left", "room_id": 1, "seq": 6, "user_id": 1, "username": "ann",
        "display_name": "Ann", "reason": "kicked", "actor_id": 2, "created_at": 5});
    online().check(&[
        (In::Frame(1, left), &["event 1@6 member_left"]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 1})), &["room 1 removed"]),
    ]);
}
