//! Make before break: a node that leaves is left without a gap.

use super::rig::*;
use serde_json::json;

fn drain() -> In {
    In::Frame(1, json!({"type": "drain", "reconnect_within_ms": 10_000}))
}

/// Two rooms as node 2 tells them.
fn welcome_2(head_seq: u64) -> In {
    In::Frame(2, welcome_with("n2", 9, &[room(1, head_seq, head_seq - 2), room(2, 1, 0)]))
}

#[test]
fn the_next_connection_is_live_before_the_old_one_is_closed() {
    online().check(&[
        (drain(), &[]),
        (In::Wait(1_000), &["connect 2"]),
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Opened(2), &["2 < hello token {1:6,2:1} 9"]),
        (In::Frame(1, message(1, 7, 5)), &["event 1@7 new_message"]),
        (welcome_2(7), &["close 1 1000", "online n2", "ready ann 1@7 2@1"]),
        // The new node goes on after the cursor that it was given.
        (In::Frame(2, message(1, 7, 5)), &[]),
        (In::Frame(1, message(1, 8, 6)), &[]),
        (In::Frame(2, message(1, 8, 6)), &["event 1@8 new_message"]),
        (In::Closed(1, 1000), &[]),
    ]);
}

#[test]
fn counts_are_right_when_the_new_node_tells_an_older_head_than_was_seen() {
    let mut rig = online().loud();
    rig.check(&[
        (drain(), &[]),
        (In::Wait(1_000), &["connect 2"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
    ]);
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::Frame(1, message(1, 7, 5)));
    rig.run(In::Wait(100));
    rig.run(welcome_2(6));
    rig.check(&[
        (In::Frame(2, message(1, 6, 4)), &[]),
        (In::Frame(2, message(1, 7, 5)), &["room 1@7 room1 last 5 read 4 unread 1 mentions 0 members 2"]),
    ]);
}

#[test]
fn what_is_on_its_way_is_sent_again_over_the_new_connection() {
    online().check(&[
        (drain(), &[]),
        (
            In::Say(1, "hi"),
            &["keep c0 at 0 queued", "pending c0 queued", "1 < send_message c0 1 hi", "pending c0 sending"],
        ),
        (In::Wait(1_000), &["connect 2"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
        (welcome_2(5), &["close 1 1000", "online n2", "ready ann 1@5 2@1", "2 < send_message c0 1 hi"]),
        (In::Frame(1, ack("c0", 1, 6)), &[]),
        (In::Frame(2, ack("c0", 1, 6)), &["sent c0 1@6", "forget c0"]),
    ]);
}

#[test]
fn an_attempt_that_fails_is_repeated_while_the_old_connection_serves() {
    online().check(&[
        (In::Wait(6_000), &[]),
        (drain(), &[]),
        (drain(), &[]),
        (In::Wait(1_000), &["connect 2"]),
        (In::Closed(2, 1006), &[]),
        (In::Wait(500), &["connect 3"]),
        (In::Frame(1, message(1, 6, 4)), &["event 1@6 new_message"]),
        (In::Closed(3, 4000), &[]),
        (In::Wait(1_000), &["connect 4"]),
    ]);
}

#[test]
fn a_node_that_goes_before_the_next_one_is_there_is_missed_only_so_long() {
    online().check(&[
        (drain(), &[]),
        (In::Wait(1_000), &["connect 2"]),
        (In::Closed(1, 4000), &["connecting 0"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
        (welcome_2(6), &["online n2", "ready ann 1@6 2@1"]),
        (In::Frame(2, message(1, 6, 4)), &["event 1@6 new_message"]),
    ]);
}

#[test]
fn a_node_that_goes_before_the_next_attempt_is_followed_by_a_usual_one() {
    online().check(&[
        (drain(), &[]),
        (In::Closed(1, 4000), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
    ]);
}

#[test]
fn a_room_that_came_while_moving_is_not_left_with_a_gap() {
    let mut rig = online();
    rig.check(&[
        (drain(), &[]),
        (In::Wait(1_000), &["connect 2"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
    ]);
    rig.check(&[
        (In::Frame(1, json!({"type": "room_added", "room": room(3, 4, 1)})), &[]),
        (In::Frame(1, message(3, 5, 2)), &["event 3@5 new_message"]),
        (
            In::Frame(2, welcome_with("n2", 9, &[room(1, 5, 3), room(3, 7, 4)])),
            &["close 1 1000", "online n2", "ready ann 1@5 3@7", "reset 3@7"],
        ),
        (In::Frame(2, message(3, 8, 5)), &["event 3@8 new_message"]),
    ]);
}

#[test]
fn how_a_connection_that_was_left_closes_concerns_nobody() {
    for code in [4501, 4502, 4503, 4500, 4505, 4001] {
        online().check(&[
            (drain(), &[]),
            (In::Wait(1_000), &["connect 2"]),
            // Of no connection that there is.
            (In::Closed(7, code), &[]),
            (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
            (welcome_2(5), &["close 1 1000", "online n2", "ready ann 1@5 2@1"]),
            (In::Closed(1, code), &[]),
            (In::Frame(2, message(1, 6, 4)), &["event 1@6 new_message"]),
        ]);
    }
}

#[test]
fn how_an_attempt_that_was_given_up_closes_concerns_nobody() {
    for code in [4501, 4502, 4503, 4500, 4505] {
        let mut rig = rig();
        rig.check(&[
            (In::Start(3600), &["connecting 0", "connect 1"]),
            (In::Closed(1, 1006), &["offline 1"]),
            (In::Wait(500), &["connecting 1", "connect 2"]),
            (In::Closed(1, code), &[]),
            (In::Opened(2), &["2 < hello token"]),
            (In::Frame(2, welcome()), &["online n1", "ready ann 1@5 2@1"]),
        ]);
    }
}
