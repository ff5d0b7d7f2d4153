//! Durable operations: sent until they are acknowledged or refused, in order, under one name.

use super::rig::*;
use protocol::client::{Operation, Request};
use protocol::frame::client::{ClientMessage, SendMessage};
use protocol::limits::FRAME_BYTES_MAX;
use protocol::model::Anchor;
use protocol::{ErrorCode, MessageId, RoomId};
use serde_json::{Value, json};

fn edit() -> In {
    let (room_id, message_id) = (RoomId(1), MessageId(103));
    In::Operate(Operation::EditMessage { room_id, message_id, content: "better".into() })
}

pub(super) fn create() -> In {
    let kind = protocol::model::RoomKind::Public;
    In::Operate(Operation::CreateRoom { name: "new".into(), kind, topic: String::new() })
}

fn own(name: &str, seq: u64, message_no: u64) -> Value {
    with(message_by(1, 1, seq, message_no), &json!({"client_id": name}))
}

/// Loses connection 1 and is welcomed on connection 2, at the given head of room 1.
pub(super) fn reconnect(rig: &mut Rig, head_seq: u64) -> Vec<String> {
    rig.come_back(2, welcome_with("n2", 9, &[room(1, head_seq, head_seq - 2), room(2, 1, 0)]))
}

#[test]
fn a_message_is_kept_sent_and_forgotten_when_acknowledged() {
    online().check(&[
        (
            In::Say(1, "hi"),
            &["keep c0 at 0 queued", "pending c0 queued", "1 < send_message c0 1 hi", "pending c0 sending"],
        ),
        (In::Frame(1, ack("c0", 1, 6)), &["sent c0 1@6", "forget c0"]),
        (In::Frame(1, ack("c0", 1, 6)), &[]),
        (In::Frame(1, own("c0", 6, 4)), &["event 1@6 new_message"]),
    ]);
}

#[test]
fn the_own_event_may_come_before_the_ack() {
    let mut rig = online();
    rig.run(In::Say(1, "hi"));
    rig.check(&[
        (In::Frame(1, own("c0", 6, 4)), &["sent c0 1@6", "forget c0", "event 1@6 new_message"]),
        (In::Frame(1, ack("c0", 1, 6)), &[]),
    ]);
}

#[test]
fn the_own_event_after_a_reconnect_stands_for_the_lost_ack() {
    let mut rig = online();
    rig.run(In::Say(1, "hi"));
    assert_eq!(
        reconnect(&mut rig, 6),
        ["online n2", "ready ann 1@6 2@1", "2 < send_message c0 1 hi", "pending c0 sending"]
    );
    rig.check(&[
        (In::Frame(2, own("c0", 6, 4)), &["sent c0 1@6", "forget c0", "event 1@6 new_message"]),
        (In::Frame(2, ack("c0", 1, 6)), &[]),
    ]);
}

#[test]
fn the_same_name_from_someone_else_is_no_ack() {
    let mut rig = online();
    rig.run(In::Say(1, "hi"));
    let theirs = with(message(1, 6, 4), &json!({"client_id": "c0"}));
    rig.check(&[(In::Frame(1, theirs), &["event 1@6 new_message"])]);
}

#[test]
fn messages_wait_for_the_connection_and_go_out_in_order() {
    let mut rig = rig();
    rig.check(&[
        (In::Say(1, "a"), &["keep c0 at 0 queued", "pending c0 queued"]),
        (In::Say(1, "b"), &["keep c1 at 1 queued", "pending c1 queued"]),
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Opened(1), &["1 < hello token"]),
        (
            In::Frame(1, welcome()),
            &["online n1", "ready ann 1@5 2@1", "1 < send_message c0 1 a", "pending c0 sending"],
        ),
        (
            In::Frame(1, ack("c0", 1, 6)),
            &["sent c0 1@6", "forget c0", "1 < send_message c1 1 b", "pending c1 sending"],
        ),
        (In::Frame(1, ack("c1", 1, 7)), &["sent c1 1@7", "forget c1"]),
    ]);
}

#[test]
fn rooms_do_not_wait_for_each_other() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.check(&[
        (In::Say(1, "b"), &["keep c1 at 1 queued", "pending c1 queued"]),
        (
            In::Say(2, "c"),
            &["keep c2 at 2 queued", "pending c2 queued", "1 < send_message c2 2 c", "pending c2 sending"],
        ),
    ]);
}

#[test]
fn a_transient_error_holds_back_the_later_ones_of_the_room() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(1, "b"));
    rig.run(In::Say(2, "c"));
    rig.check(&[
        (In::Frame(1, error("c0", "unavailable")), &["pending c0 queued"]),
        (In::Frame(1, ack("c2", 2, 2)), &["sent c2 2@2", "forget c2"]),
        (In::Wait(500), &["1 < send_message c0 1 a", "pending c0 sending"]),
        (
            In::Frame(1, ack("c0", 1, 6)),
            &["sent c0 1@6", "forget c0", "1 < send_message c1 1 b", "pending c1 sending"],
        ),
    ]);
}

#[test]
fn a_node_says_when_to_try_again() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.check(&[
        (
            In::Frame(1, with(error("c0", "rate_limited"), &json!({"retry_after_ms": 7_000}))),
            &["pending c0 queued"],
        ),
        (In::Wait(6_999), &[]),
        (In::Wait(1), &["1 < send_message c0 1 a", "pending c0 sending"]),
    ]);
}

#[test]
fn a_message_is_tried_for_ever_while_the_store_is_away_but_a_defect_ends_it() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    let answer = |rig: &mut Rig, code: &str| {
        let said = rig.run(In::Frame(1, error("c0", code)));
        for _ in 0..30 {
            if rig.run(In::Wait(1_000)).iter().any(|line| line == "1 < ping") {
                rig.run(In::Frame(1, kind("pong")));
            }
        }
        said
    };
    for _ in 0..50 {
        assert_eq!(answer(&mut rig, "unavailable"), ["pending c0 queued"]);
    }
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    for _ in 0..4 {
        assert_eq!(answer(&mut rig, "internal"), ["pending c0 queued"]);
    }
    assert_eq!(answer(&mut rig, "internal"), ["pending c0 failed Internal", "keep c0 at 0 failed Internal"]);
}

#[test]
fn a_refused_message_fails_and_the_later_ones_go_on() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(1, "b"));
    rig.check(&[
        (
            In::Frame(1, error("c0", "forbidden")),
            &[
                "pending c0 failed Forbidden",
                "keep c0 at 0 failed Forbidden",
                "1 < send_message c1 1 b",
                "pending c1 sending",
            ],
        ),
        (In::Frame(1, ack("c1", 1, 6)), &["sent c1 1@6", "forget c1"]),
        // Again under the same name, behind what was said meanwhile.
        (
            In::Retry(0),
            &["pending c0 queued", "keep c0 at 2 queued", "1 < send_message c0 1 a", "pending c0 sending"],
        ),
        (In::Retry(0), &[]),
        (In::Frame(1, ack("c0", 1, 7)), &["sent c0 1@7", "forget c0"]),
    ]);
}

#[test]
fn a_waiting_or_failed_message_can_be_discarded_and_one_on_its_way_can_not() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(1, "b"));
    rig.check(&[
        (In::Discard(0), &[]),
        (In::Discard(1), &["forget c1", "discarded c1"]),
        (In::Discard(1), &[]),
        (
            In::Frame(1, error("c0", "forbidden")),
            &["pending c0 failed Forbidden", "keep c0 at 0 failed Forbidden"],
        ),
        (In::Discard(0), &["forget c0", "discarded c0"]),
    ]);
}

#[test]
fn what_is_not_answered_on_a_live_connection_is_sent_again() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.check(&[
        (In::Wait(25_000), &["1 < ping"]),
        (In::Frame(1, kind("pong")), &[]),
        (In::Wait(4_999), &[]),
        (In::Wait(1), &["1 < send_message c0 1 a"]),
    ]);
}

#[test]
fn an_ack_that_does_not_name_its_message_is_a_broken_protocol() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    let bad = json!({"type": "ack", "client_id": "c0", "room_id": 1, "seq": 6});
    rig.check(&[(In::Frame(1, bad), &["close 1 4500", "pending c0 queued", "offline 1"])]);
}

#[test]
fn the_outbox_is_bounded_in_messages_and_says_so() {
    let mut rig = rig();
    for _ in 0..500 {
        rig.run(In::Say(1, "x"));
        assert_eq!(rig.refused, None);
    }
    assert_eq!(rig.run(In::Say(1, "x")), [""; 0]);
    let refused = rig.refused.expect("the outbox is full");
    assert_eq!((refused.code, refused.field), (ErrorCode::RateLimited, None));
}

#[test]
fn the_outbox_is_bounded_in_bytes() {
    let mut config = config();
    config.outbox_bytes_max = 10;
    let mut rig = rig_with(config, protocol::client::Persisted::default());
    rig.run(In::Say(1, "123456"));
    assert_eq!(rig.refused, None);
    rig.run(In::Say(1, "12345"));
    assert!(rig.refused.is_some());
    rig.run(In::Say(1, "1234"));
    assert_eq!(rig.refused, None);
}

#[test]
fn text_that_a_node_would_refuse_is_refused_at_once() {
    let long = "x".repeat(16 * 1024 + 1).leak();
    let escaped = "\u{1}".repeat(16 * 1024).leak();
    for (text, code, field) in [
        ("  ", ErrorCode::InvalidField, Some("content")),
        (&*long, ErrorCode::TooLarge, Some("content")),
        // Six bytes each as JSON: the frame would be closed on.
        (&*escaped, ErrorCode::TooLarge, None),
    ] {
        let mut rig = online();
        assert_eq!(rig.run(In::Say(1, text)), [""; 0]);
        let refused = rig.refused.expect("it is refused");
        assert_eq!((refused.code, refused.field), (code, field));
    }
}

#[test]
fn a_frame_may_be_as_long_as_a_node_takes_and_no_longer() {
    let mut config = config();
    config.outbox_bytes_max = 1 << 20;
    let mut rig = rig_with(config, protocol::client::Persisted::default());
    let frame = |content: String| {
        let client_id = protocol::ClientId(uuid::Uuid::nil());
        let send = SendMessage { client_id, room_id: RoomId(1), content, reply_to: None };
        protocol::encode(&ClientMessage::SendMessage(send)).len()
    };
    // A control character is six bytes of JSON, a letter is one.
    let free = FRAME_BYTES_MAX - frame(String::new());
    let longest = "\u{1}".repeat(free / 6) + &"x".repeat(free % 6);
    assert_eq!(frame(longest.clone()), FRAME_BYTES_MAX);
    rig.run(In::Say(1, longest.clone().leak()));
    assert_eq!(rig.refused, None);
    rig.run(In::Say(1, (longest + "x").leak()));
    assert_eq!(rig.refused.map(|refused| refused.code), Some(ErrorCode::TooLarge));
}

#[test]
fn operations_are_acknowledged_or_fail() {
    online().check(&[
        (edit(), &["1 < edit_message c0 1 better"]),
        (In::Frame(1, ack("c0", 1, 6)), &["done c0 1"]),
        (edit(), &["1 < edit_message c1 1 better"]),
        (In::Frame(1, error("c1", "not_found")), &["failed c1 NotFound"]),
        (In::Frame(1, error("c1", "not_found")), &[]),
        (create(), &["1 < create_room c2"]),
        (In::Frame(1, json!({"type": "ack", "client_id": "c2", "room_id": 8, "seq": 1})), &["done c2 8"]),
    ]);
}

#[test]
fn the_own_event_of_a_new_room_stands_for_its_ack() {
    let made = json!({"type": "room_created", "room_id": 8, "seq": 1, "user_id": 1, "username": "ann",
        "display_name": "Ann", "name": "new", "kind": "public", "topic": "", "created_at": 5, "client_id": "c0"});
    online().check(&[(create(), &["1 < create_room c0"]), (In::Frame(1, made), &["done c0 8"])]);
}

#[test]
fn operations_keep_their_place_among_the_messages_of_their_room() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.check(&[
        (edit(), &[]),
        (In::Frame(1, ack("c0", 1, 6)), &["sent c0 1@6", "forget c0", "1 < edit_message c1 1 better"]),
    ]);
}

#[test]
fn operations_outlive_a_short_loss_and_fail_after_a_long_one() {
    let mut rig = online();
    rig.run(edit());
    assert_eq!(reconnect(&mut rig, 5)[2..], ["2 < edit_message c0 1 better"]);
    rig.run(In::Closed(2, 1006));
    let mut waited = 500;
    let mut said = Vec::new();
    while !said.iter().any(|line: &String| line.starts_with("failed")) {
        said = rig.run(In::Wait(100));
        waited += 100;
    }
    assert!(said.contains(&"failed c0 Unavailable".to_owned()), "{said:?}");
    assert_eq!(waited, 60_000);
}

#[test]
fn operations_are_bounded() {
    let mut rig = rig();
    for _ in 0..200 {
        rig.run(edit());
        assert_eq!(rig.refused, None);
    }
    rig.run(edit());
    assert!(rig.refused.is_some());
    // A page is not kept waiting by them.
    rig.run(In::Request(Request::History {
        room_id: RoomId(1),
        anchor: Anchor::Latest,
        limit: None,
        pinned: false,
    }));
    assert_eq!(rig.refused, None);
}

#[test]
fn a_closed_client_fails_its_operations_and_keeps_its_messages() {
    let mut rig = online();
    rig.run(In::Say(1, "a"));
    rig.run(edit());
    rig.check(&[(
        In::Close,
        &["close 1 1000", "pending c0 queued", "failed c1 Unavailable", "ended Closed"],
    )]);
    assert_eq!(rig.client.persisted().outbox.len(), 1);
}

#[test]
fn every_operation_becomes_the_frame_of_its_name() {
    use Operation as Op;
    let (room_id, message_id, user_id) = (RoomId(1), MessageId(2), protocol::UserId(3));
    let emoji = || "🎉".to_owned();
    let role = protocol::model::Role::Admin;
    for (operation, kind) in [
        (Op::DeleteMessage { room_id, message_id }, "delete_message"),
        (Op::AddReaction { room_id, message_id, emoji: emoji() }, "add_reaction"),
        (Op::RemoveReaction { room_id, message_id, emoji: emoji() }, "remove_reaction"),
        (Op::PinMessage { room_id, message_id }, "pin_message"),
        (Op::UnpinMessage { room_id, message_id }, "unpin_message"),
        (Op::UpdateRoom { room_id, name: None, topic: Some("t".into()) }, "update_room"),
        (Op::JoinRoom { room_id }, "join_room"),
        (Op::LeaveRoom { room_id }, "leave_room"),
        (Op::Invite { room_id, username: "bob".into() }, "invite"),
        (Op::Kick { room_id, user_id }, "kick"),
        (Op::Ban { room_id, user_id }, "ban"),
        (Op::Unban { room_id, user_id }, "unban"),
        (Op::SetRole { room_id, user_id, role }, "set_role"),
    ] {
        let mut rig = online();
        assert_eq!(rig.run(In::Operate(operation)), [format!("1 < {kind} c0 1")]);
    }
}

#[test]
fn what_is_said_again_under_a_known_name_is_not_done_twice() {
    let mut rig = online();
    let (id, now) = (protocol::ClientId(uuid::Uuid::from_u128(7)), rig.now);
    let say = |rig: &mut Rig| {
        rig.client
            .send_message_as(id, RoomId(1), "hi".into(), None, protocol::Timestamp(77), now)
            .expect("there is room");
        rig.run(In::Wait(0))
    };
    let first =
        ["keep c0 at 0 queued", "pending c0 queued", "1 < send_message c0 1 hi", "pending c0 sending"];
    assert_eq!(say(&mut rig), first);
    assert_eq!(say(&mut rig), [""; 0]);
    let leave = Operation::LeaveRoom { room_id: RoomId(2) };
    let id = protocol::ClientId(uuid::Uuid::from_u128(8));
    for expected in [&["1 < leave_room c1 2"][..], &[]] {
        rig.client.operate_as(id, leave.clone(), now).expect("there is room");
        assert_eq!(rig.run(In::Wait(0)), expected);
    }
}
