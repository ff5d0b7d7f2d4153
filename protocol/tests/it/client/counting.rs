//! What is known of rooms: unread counts, heads, names, members.

use super::rig::*;
use protocol::client::Config;
use serde_json::{Value, json};
use std::time::Duration;

fn deleted(seq: u64, message_no: u64) -> Value {
    json!({"type": "message_deleted", "room_id": 1, "seq": seq, "message_id": 100 + message_no,
        "message_no": message_no, "user_id": 2, "actor_id": 2, "deleted_at": 6})
}

fn mention(seq: u64, message_no: u64) -> Value {
    with(message(1, seq, message_no), &json!({"mentions": [1]}))
}

/// A marker that took account of events up to `head`. Message 4 is event 6, and so on.
fn marker_at(head: u64, read: u64, last: u64, unread: u64, mentions: u64) -> Value {
    json!({"type": "read_marker", "room_id": 1, "last_read_no": read, "last_message_no": last,
        "head_seq": head, "unread_count": unread, "mention_count": mentions})
}

fn marker(read: u64, last: u64, unread: u64, mentions: u64) -> Value {
    marker_at(last + 2, read, last, unread, mentions)
}

/// Runs the inputs, waits until all is told, and gives what was last told of room 1.
fn last_told(inputs: &[In]) -> String {
    let mut rig = online().loud();
    let mut told = String::new();
    for input in inputs {
        let mut said = rig.run(input.clone());
        said.extend(rig.run(In::Wait(60)));
        if let Some(line) = said.iter().rfind(|line| line.starts_with("room 1@")) {
            told.clone_from(line);
        }
    }
    told
}

#[track_caller]
fn check_counts(inputs: &[Value], expected: &str) {
    let inputs: Vec<In> = inputs.iter().map(|frame| In::Frame(1, frame.clone())).collect();
    let told = last_told(&inputs);
    let counts = told.split_once(" last ").map_or("", |(_, counts)| counts);
    assert_eq!(format!("last {}", counts.trim_end_matches(" members 2")), expected, "{told}");
}

#[test]
fn messages_of_others_count_as_unread_and_own_ones_do_not() {
    check_counts(
        &[message(1, 6, 4), mention(7, 5), message_by(1, 1, 8, 6)],
        "last 6 read 3 unread 2 mentions 1",
    );
}

#[test]
fn a_deleted_message_does_not_count_any_more() {
    check_counts(&[message(1, 6, 4), mention(7, 5), deleted(8, 5)], "last 5 read 3 unread 1 mentions 0");
    // One whose text was gone before it came: its deletion still follows.
    let gone = with(message(1, 6, 4), &json!({"content": "", "deleted": true}));
    check_counts(&[gone, message(1, 7, 5), deleted(8, 4)], "last 5 read 3 unread 1 mentions 0");
    // One that was read.
    check_counts(&[message(1, 6, 4), deleted(7, 2)], "last 4 read 3 unread 1 mentions 0");
}

#[test]
fn an_edit_that_mentions_the_user_or_no_longer_does_is_counted() {
    let edited = |seq: u64, mentions: Value| {
        json!({"type": "message_edited", "room_id": 1, "seq": seq, "message_id": 104, "message_no": 4,
            "user_id": 2, "content": "x", "edited_at": 6, "mentions": mentions})
    };
    check_counts(&[message(1, 6, 4), edited(7, json!([1]))], "last 4 read 3 unread 1 mentions 1");
    check_counts(&[mention(6, 4), edited(7, json!([2]))], "last 4 read 3 unread 1 mentions 0");
}

#[test]
fn events_that_the_welcome_took_into_account_are_not_counted_twice() {
    let mut rig = online().loud();
    let room = with(room(1, 6, 4), &json!({"last_read_no": 3, "unread_count": 1}));
    rig.come_back(2, welcome_with("n1", 9, &[room]));
    rig.check(&[
        (In::Wait(2_000), &[]),
        (In::Frame(2, message(1, 6, 4)), &["event 1@6 new_message", "keep user 1 epoch 9 1@6"]),
        (
            In::Frame(2, message(1, 7, 5)),
            &["event 1@7 new_message", "room 1@7 room1 last 5 read 3 unread 2 mentions 0 members 2"],
        ),
    ]);
}

#[test]
fn a_read_marker_and_messages_after_it_add_up() {
    // It counted up to message 5; message 6 came before it here.
    check_counts(
        &[message(1, 6, 4), message(1, 7, 5), mention(8, 6), marker(4, 5, 1, 0)],
        "last 6 read 4 unread 2 mentions 1",
    );
    // It counted message 5 already, which comes after it here.
    check_counts(
        &[message(1, 6, 4), marker(3, 5, 2, 1), mention(7, 5), message(1, 8, 6)],
        "last 6 read 3 unread 3 mentions 1",
    );
    // An older one that was overtaken.
    check_counts(
        &[message(1, 6, 4), marker(4, 4, 0, 0), marker(2, 3, 1, 0)],
        "last 4 read 4 unread 0 mentions 0",
    );
}

#[test]
fn a_read_marker_and_deletions_around_it_are_not_counted_twice_or_lost() {
    // It knows of the deletion, which comes after it here.
    check_counts(
        &[message(1, 6, 4), message(1, 7, 5), marker_at(8, 3, 5, 1, 0), deleted(8, 4)],
        "last 5 read 3 unread 1 mentions 0",
    );
    // It does not, and the deletion came before it here.
    check_counts(
        &[message(1, 6, 4), mention(7, 5), deleted(8, 5), marker_at(7, 3, 5, 2, 1)],
        "last 5 read 3 unread 1 mentions 1",
    );
    check_counts(
        &[message(1, 6, 4), message(1, 7, 5), deleted(8, 5), marker_at(6, 3, 4, 1, 0)],
        "last 5 read 3 unread 1 mentions 0",
    );
    // One that counted less than the one before it.
    check_counts(
        &[message(1, 6, 4), message(1, 7, 5), marker_at(7, 3, 5, 2, 0), marker_at(6, 3, 4, 1, 0)],
        "last 5 read 3 unread 2 mentions 0",
    );
}

#[test]
fn a_reset_moves_the_head() {
    let reset = json!({"type": "reset", "room_id": 1, "head_seq": 900});
    let told = last_told(&[In::Frame(1, reset)]);
    assert_eq!(told, "room 1@900 room1 last 3 read 3 unread 0 mentions 0 members 2");
}

#[test]
fn a_marker_after_a_reset_brings_the_counts_of_what_was_skipped() {
    let reset = json!({"type": "reset", "room_id": 1, "head_seq": 900});
    check_counts(
        &[reset, marker_at(900, 3, 700, 690, 2), message(1, 901, 701)],
        "last 701 read 3 unread 691 mentions 2",
    );
}

#[test]
fn a_mark_that_the_welcome_knows_of_is_not_told_again() {
    let mut rig = online();
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::MarkRead(1, 4));
    let said = rig.come_back(2, welcome_with("n1", 9, &[room(1, 6, 4)]));
    assert_eq!(said, ["online n1", "ready ann 1@6"]);
}

#[test]
fn marking_read_shows_at_once_and_is_told_to_the_node_once() {
    let mut rig = online().loud();
    rig.run(In::Frame(1, mention(6, 4)));
    rig.run(In::Wait(2_000));
    rig.check(&[
        (In::MarkRead(1, 4), &["1 < mark_read 1 4"]),
        (In::Wait(0), &["room 1@6 room1 last 4 read 4 unread 0 mentions 0 members 2"]),
        (In::MarkRead(1, 4), &[]),
        (In::MarkRead(1, 2), &[]),
        (In::MarkRead(9, 2), &[]),
        // No further than there are messages.
        (In::MarkRead(1, 99), &[]),
    ]);
}

#[test]
fn marks_are_told_only_now_and_then_and_only_the_newest() {
    let mut rig = online();
    for seq in 6..=12 {
        rig.run(In::Frame(1, message(1, seq, seq - 2)));
    }
    rig.check(&[
        (In::MarkRead(1, 4), &["1 < mark_read 1 4"]),
        (In::MarkRead(1, 5), &[]),
        (In::MarkRead(1, 8), &[]),
        (In::MarkRead(1, 7), &[]),
        (In::Wait(299), &[]),
        (In::Wait(1), &["1 < mark_read 1 8"]),
        (In::Wait(10_000), &[]),
    ]);
}

#[test]
fn a_room_that_goes_takes_no_other_mark_with_it() {
    let mut rig = online();
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::Frame(1, message(2, 2, 1)));
    rig.check(&[
        (In::MarkRead(1, 4), &["1 < mark_read 1 4"]),
        (In::MarkRead(2, 1), &[]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 1})), &["room 1 removed"]),
        (In::Wait(300), &["1 < mark_read 2 1"]),
    ]);
}

#[test]
fn a_mark_that_was_not_confirmed_is_told_again_and_does_not_flicker() {
    let mut rig = online();
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::MarkRead(1, 4));
    let stale = with(room(1, 6, 4), &json!({"last_read_no": 3, "unread_count": 1}));
    assert_eq!(
        rig.come_back(2, welcome_with("n1", 9, std::slice::from_ref(&stale))),
        ["online n1", "ready ann 1@6", "2 < mark_read 1 4"]
    );
    let shown = rig.client.snapshot(rig.now);
    let ready = serde_json::to_value(&shown[1]).unwrap();
    assert_eq!(ready["rooms"][0]["unread_count"], 0);
    // Confirmed, it is not told again.
    rig.run(In::Frame(2, marker(4, 4, 0, 0)));
    assert_eq!(rig.come_back(3, welcome_with("n1", 9, &[stale])), ["online n1", "ready ann 1@6"]);
}

#[test]
fn names_members_and_the_own_role_follow_the_events() {
    let joined = json!({"type": "member_joined", "room_id": 1, "seq": 6, "user_id": 3, "username": "cy",
        "display_name": "Cy", "role": "member", "actor_id": 3, "created_at": 5});
    let left = json!({"type": "member_left", "room_id": 1, "seq": 7, "user_id": 3, "username": "cy",
        "display_name": "Cy", "reason": "left", "actor_id": 3, "created_at": 5});
    let updated =
        json!({"type": "room_updated", "room_id": 1, "seq": 6, "actor_id": 2, "name": "other", "topic": "t"});
    let promoted =
        json!({"type": "role_changed", "room_id": 1, "seq": 7, "user_id": 1, "role": "admin", "actor_id": 2});
    let frame = |frame: &Value| In::Frame(1, frame.clone());
    assert_eq!(last_told(&[frame(&joined)]), "room 1@6 room1 last 3 read 3 unread 0 mentions 0 members 3");
    assert_eq!(
        last_told(&[frame(&joined), frame(&left)]),
        "room 1@7 room1 last 3 read 3 unread 0 mentions 0 members 2"
    );
    assert_eq!(last_told(&[frame(&updated)]), "room 1@6 other last 3 read 3 unread 0 mentions 0 members 2");
    let mut rig = online();
    rig.run(frame(&updated));
    rig.run(frame(&promoted));
    let ready = serde_json::to_value(&rig.client.snapshot(rig.now)[1]).unwrap();
    assert_eq!((&ready["rooms"][0]["role"], &ready["rooms"][0]["topic"]), (&json!("admin"), &json!("t")));
}

#[test]
fn many_changes_at_once_are_told_once() {
    let mut rig = online().loud();
    rig.run(In::Wait(5_000));
    let mut told = rig.run(In::Frame(1, message(1, 6, 4)));
    for seq in 7..=105 {
        told.extend(rig.run(In::Frame(1, message(1, seq, seq - 2))));
    }
    told.extend(rig.run(In::Wait(100)));
    let rooms: Vec<_> = told.iter().filter(|line| line.starts_with("room 1@")).collect();
    assert_eq!(
        rooms,
        [
            "room 1@6 room1 last 4 read 3 unread 1 mentions 0 members 2",
            "room 1@105 room1 last 103 read 3 unread 100 mentions 0 members 2"
        ]
    );
}

#[test]
fn a_mark_that_the_node_does_not_confirm_is_told_again_until_it_does() {
    let config = Config { answer_timeout: Duration::from_secs(5), ..config() };
    let mut rig = online_with(config);
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.check(&[
        (In::MarkRead(1, 4), &["1 < mark_read 1 4"]),
        (In::Wait(4_999), &[]),
        (In::Wait(1), &["1 < mark_read 1 4"]),
        (In::Wait(5_000), &["1 < mark_read 1 4"]),
        (In::Frame(1, marker(4, 4, 0, 0)), &[]),
        (In::Wait(5_000), &[]),
    ]);
}

#[test]
fn a_mark_means_nothing_to_another_incarnation_of_the_store() {
    let mut rig = online();
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::MarkRead(1, 4));
    let stale = with(room(1, 6, 4), &json!({"last_read_no": 3, "unread_count": 1}));
    let said = rig.come_back(2, welcome_with("n1", 10, &[stale]));
    assert!(said.iter().all(|line| !line.contains("mark_read")), "{said:?}");
    let ready = serde_json::to_value(&rig.client.snapshot(rig.now)[1]).unwrap();
    assert_eq!(ready["rooms"][0]["unread_count"], 1);
}
