//! What is kept beyond a reload: no message of the outbox is lost, no event is ever skipped.

use super::rig::*;
use protocol::client::{Client, Now, OutboxEntry, Output, Persist, Persisted};
use protocol::view::{ClientEvent, Delivery, PendingMessage};
use protocol::{ClientId, Epoch, ErrorCode, RoomId, Timestamp, UserId};
use serde_json::json;

fn entry(order: u64, delivery: Delivery) -> OutboxEntry {
    let client_id = ClientId(uuid::Uuid::from_u128(u128::from(order)));
    let content = format!("m{order}");
    let message = PendingMessage {
        client_id,
        room_id: RoomId(1),
        content,
        reply_to: None,
        created_at: Timestamp(5),
        delivery,
    };
    OutboxEntry { order, message }
}

#[test]
fn a_restored_outbox_is_sent_in_its_order_and_failed_messages_stay_failed() {
    let failed = Delivery::Failed { code: ErrorCode::Forbidden, message: "no".into() };
    let outbox = vec![entry(9, Delivery::Queued), entry(3, Delivery::Sending), entry(5, failed)];
    let mut rig = rig_with(config(), Persisted { outbox, ..Persisted::default() });
    rig.check(&[
        (
            In::Snapshot,
            &["connecting 0", "pending c1 queued", "pending c2 failed Forbidden", "pending c0 queued"],
        ),
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Opened(1), &["1 < hello token"]),
        (
            In::Frame(1, welcome()),
            &["online n1", "ready ann 1@5 2@1", "1 < send_message c1 1 m3", "pending c1 sending"],
        ),
        (
            In::Frame(1, ack("c1", 1, 6)),
            &["sent c1 1@6", "forget c1", "1 < send_message c0 1 m9", "pending c0 sending"],
        ),
        // New messages come after all that were kept.
        (In::Say(1, "new"), &["keep c3 at 10 queued", "pending c3 queued"]),
    ]);
}

#[test]
fn who_is_signed_in_is_kept_at_the_welcome_and_cursors_now_and_then() {
    let mut rig = rig().loud();
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.check(&[
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1", "keep user 1 epoch 9 1@5 2@1"]),
        (
            In::Frame(1, message(1, 6, 4)),
            &["event 1@6 new_message", "room 1@6 room1 last 4 read 3 unread 1 mentions 0 members 2"],
        ),
        (In::Wait(100), &[]),
        (
            In::Frame(1, message(1, 7, 5)),
            &["event 1@7 new_message", "room 1@7 room1 last 5 read 3 unread 2 mentions 0 members 2"],
        ),
        (In::Wait(1_899), &[]),
        (In::Wait(1), &["keep user 1 epoch 9 1@7 2@1"]),
        (In::Wait(10_000), &[]),
        (In::Close, &["close 1 1000", "keep user 1 epoch 9 1@7 2@1", "ended Closed"]),
    ]);
}

#[test]
fn a_kept_cursor_is_never_ahead_of_what_was_given_out() {
    let mut rig = online();
    let mut given = 5;
    for seq in 6..=200_u64 {
        rig.client.handle_frame(protocol::client::ConnId(1), &message(1, seq, seq).to_string(), rig.now);
        rig.now = Now(rig.now.0 + 370);
        rig.client.handle_timeout(rig.now);
        while let Some(output) = rig.client.poll_output() {
            if let Output::Event(ClientEvent::Event { event }) = output {
                given = event.seq().0;
            } else if let Output::Persist(Persist::Session { cursors, .. }) = output {
                assert!(cursors[&RoomId(1)].0 <= given, "{cursors:?} before {given} was given out");
            }
        }
    }
    assert_eq!(given, 200);
}

#[test]
fn what_another_user_left_behind_is_dropped() {
    let cursors = [(RoomId(1), protocol::Seq(2))].into();
    let outbox = vec![entry(3, Delivery::Queued)];
    let restored = Persisted { user_id: Some(UserId(66)), epoch: Some(Epoch(9)), cursors, outbox };
    let mut rig = rig_with(config(), restored);
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.check(&[
        (In::Frame(1, welcome()), &["forget c0", "discarded c0", "online n1", "ready ann 1@5 2@1"]),
        (In::Frame(1, message(1, 3, 2)), &[]),
    ]);
}

#[test]
fn a_client_goes_on_from_what_another_one_kept() {
    let mut rig = online();
    rig.run(In::Frame(1, message(1, 6, 4)));
    rig.run(In::Say(1, "a"));
    rig.run(In::Say(1, "b"));
    let kept = serde_json::to_string(&rig.client.persisted()).unwrap();
    let mut next = rig_with(config(), serde_json::from_str(&kept).unwrap());
    next.run(In::Start(3600));
    next.check(&[
        (In::Opened(1), &["1 < hello token {1:6,2:1} 9"]),
        (
            In::Frame(1, welcome_with("n1", 9, &[room(1, 7, 5), room(2, 1, 0)])),
            &["online n1", "ready ann 1@7 2@1", "1 < send_message c0 1 a", "pending c0 sending"],
        ),
        // The send was committed before the reload: its event acknowledges it.
        (
            In::Frame(1, with(message_by(1, 1, 7, 5), &json!({"client_id": "c0"}))),
            &[
                "sent c0 1@7",
                "forget c0",
                "event 1@7 new_message",
                "1 < send_message c1 1 b",
                "pending c1 sending",
            ],
        ),
    ]);
}

#[test]
fn an_empty_or_partial_record_restores_to_what_it_has() {
    let restored: Persisted = serde_json::from_str("{}").unwrap();
    assert_eq!(restored, Persisted::default());
}

#[test]
fn names_of_sends_differ_between_clients_and_are_random_uuids() {
    let mut names = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut client = Client::new(config(), [seed; 32], Persisted::default());
        for _ in 0..50 {
            let name = client.send_message(RoomId(1), "x".into(), None, Timestamp(1), Now(1)).unwrap();
            assert_eq!((name.0.get_version_num(), name.0.get_variant()), (4, uuid::Variant::RFC4122));
            names.insert(name);
        }
    }
    assert_eq!(names.len(), 2_500);
}
