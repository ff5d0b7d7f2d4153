//! Requests for pages, and who is typing.

use super::rig::*;
use protocol::RoomId;
use protocol::client::Request;
use protocol::model::Anchor;
use serde_json::json;

fn history() -> In {
    In::Request(Request::History { room_id: RoomId(1), anchor: Anchor::Latest, limit: None, pinned: false })
}

fn page(id: u64) -> serde_json::Value {
    let page = json!({"messages": [], "more_before": false, "more_after": false, "as_of_seq": 5});
    json!({"type": "history_page", "request_id": id, "room_id": 1, "page": page})
}

fn refusal(id: u64, code: &str) -> serde_json::Value {
    json!({"type": "error", "request_id": id, "code": code, "message": "why"})
}

#[test]
fn a_page_is_asked_for_and_answered_once() {
    let rooms = json!({"type": "rooms_page", "request_id": 2, "rooms": [], "more": false});
    let members =
        json!({"type": "members_page", "request_id": 3, "room_id": 1, "members": [], "more": false});
    online().check(&[
        (history(), &["1 < history 1 1"]),
        (In::Frame(1, page(1)), &["history 1"]),
        (In::Frame(1, page(1)), &[]),
        (In::Request(Request::ListRooms { query: None, after: None, limit: None }), &["1 < list_rooms 2"]),
        (In::Frame(1, rooms), &["rooms 2"]),
        (
            In::Request(Request::ListMembers { room_id: RoomId(1), after: None, limit: None }),
            &["1 < list_members 1 3"],
        ),
        (In::Frame(1, members), &["members 3"]),
        (In::Frame(1, page(9)), &[]),
    ]);
}

#[test]
fn a_request_is_asked_again_over_the_next_connection() {
    online().check(&[
        (history(), &["1 < history 1 1"]),
        (In::Closed(1, 1006), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
        (In::Frame(2, welcome()), &["online n1", "ready ann 1@5 2@1", "2 < history 1 1"]),
        (In::Frame(2, page(1)), &["history 1"]),
    ]);
}

#[test]
fn a_request_fails_when_no_answer_comes_in_time() {
    online().check(&[
        (history(), &["1 < history 1 1"]),
        (In::Wait(14_999), &[]),
        (In::Wait(1), &["request 1 failed Unavailable"]),
        (In::Frame(1, page(1)), &[]),
    ]);
}

#[test]
fn a_refused_request_fails_and_one_refused_for_now_is_asked_again() {
    online().check(&[
        (history(), &["1 < history 1 1"]),
        (In::Frame(1, refusal(1, "not_member")), &["request 1 failed NotMember"]),
        (history(), &["1 < history 1 2"]),
        (In::Frame(1, with(refusal(2, "rate_limited"), &json!({"retry_after_ms": 2_000}))), &[]),
        (In::Wait(1_999), &[]),
        (In::Wait(1), &["1 < history 1 2"]),
        // There is no time left for a wait as long as that.
        (
            In::Frame(1, with(refusal(2, "rate_limited"), &json!({"retry_after_ms": 20_000}))),
            &["request 2 failed RateLimited"],
        ),
    ]);
}

#[test]
fn one_that_fails_leaves_the_others() {
    online().check(&[
        (history(), &["1 < history 1 1"]),
        (history(), &["1 < history 1 2"]),
        (In::Frame(1, refusal(1, "not_member")), &["request 1 failed NotMember"]),
        (In::Frame(1, page(2)), &["history 2"]),
    ]);
}

#[test]
fn one_refused_for_now_goes_over_the_next_connection() {
    let mut rig = online();
    rig.run(history());
    rig.check(&[
        (In::Frame(1, with(refusal(1, "rate_limited"), &json!({"retry_after_ms": 1_000}))), &[]),
        (In::Closed(1, 1006), &["offline 1"]),
        (In::Wait(2_000), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token {1:5,2:1} 9"]),
        (In::Frame(2, welcome()), &["online n1", "ready ann 1@5 2@1", "2 < history 1 1"]),
    ]);
}

#[test]
fn requests_are_bounded() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    for _ in 0..64 {
        rig.run(history());
        assert_eq!(rig.refused, None);
    }
    rig.run(history());
    assert!(rig.refused.is_some());
}

#[test]
fn a_closed_client_fails_its_requests() {
    let mut rig = online();
    rig.run(history());
    rig.check(&[(In::Close, &["close 1 1000", "request 1 failed Unavailable", "ended Closed"])]);
}

#[test]
fn typing_is_said_once_in_a_while_and_again_after_a_message() {
    let mut rig = online();
    rig.check(&[
        (In::Typing(1), &["1 < typing 1"]),
        (In::Wait(2_999), &[]),
        (In::Typing(1), &[]),
        (In::Typing(2), &["1 < typing 2"]),
        (In::Wait(1), &[]),
        (In::Typing(1), &["1 < typing 1"]),
        (In::Typing(7), &[]),
    ]);
    rig.run(In::Say(1, "hi"));
    rig.check(&[
        (In::Typing(1), &["1 < typing 1"]),
        (In::Closed(1, 1006), &["pending c0 queued", "offline 1"]),
    ]);
    rig.run(In::Wait(0));
    rig.check(&[(In::Typing(2), &[])]);
}

#[test]
fn who_types_is_shown_for_a_while_or_until_they_speak_or_leave() {
    let typing = |user: u64| json!({"type": "typing", "room_id": 1, "user_id": user, "display_name": "X"});
    let left = json!({"type": "member_left", "room_id": 1, "seq": 7, "user_id": 3, "username": "cy",
        "display_name": "Cy", "reason": "left", "actor_id": 3, "created_at": 5});
    online().check(&[
        (In::Frame(1, typing(2)), &["typing 1 2"]),
        (In::Wait(4_000), &[]),
        (In::Frame(1, typing(2)), &[]),
        (In::Frame(1, typing(3)), &["typing 1 2 3"]),
        (In::Frame(1, typing(1)), &[]),
        (In::Wait(5_999), &[]),
        (In::Wait(1), &["typing 1"]),
        (In::Frame(1, typing(2)), &["typing 1 2"]),
        (In::Frame(1, message(1, 6, 4)), &["typing 1", "event 1@6 new_message"]),
        (In::Frame(1, typing(3)), &["typing 1 3"]),
        (In::Frame(1, left), &["typing 1", "event 1@7 member_left"]),
    ]);
}

#[test]
fn each_who_types_is_shown_for_a_time_of_their_own() {
    let typing = |room: u64, user: u64| json!({"type": "typing", "room_id": room, "user_id": user, "display_name": "X"});
    online().check(&[
        (In::Frame(1, typing(1, 2)), &["typing 1 2"]),
        (In::Wait(1_000), &[]),
        (In::Frame(1, typing(1, 3)), &["typing 1 2 3"]),
        (In::Frame(1, typing(2, 4)), &["typing 2 4"]),
        (In::Wait(5_000), &["typing 1 3"]),
        (In::Frame(1, json!({"type": "room_removed", "room_id": 1})), &["room 1 removed"]),
        (In::Snapshot, &["online n1", "ready ann 2@1", "typing 2 4"]),
        (In::Wait(1_000), &["typing 2"]),
    ]);
}

#[test]
fn those_who_type_are_bounded() {
    let mut rig = online();
    for user in 2..500_u64 {
        let typing = json!({"type": "typing", "room_id": 1, "user_id": user, "display_name": "X"});
        rig.run(In::Frame(1, typing));
    }
    let shown = rig.run(In::Snapshot).pop().expect("someone types");
    assert_eq!(shown.split(' ').count() - 2, 200);
}
