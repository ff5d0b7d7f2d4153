//! Connecting, losing, backing off, heartbeats and close codes.

use super::rig::*;
use protocol::client::{Kick, Output};
use protocol::view::{ClientEvent, Connection};
use serde_json::json;

#[test]
fn a_start_connects_says_hello_and_is_ready_at_the_welcome() {
    rig().check(&[
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Opened(1), &["1 < hello token"]),
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1"]),
    ]);
}

#[test]
fn a_second_start_does_nothing() {
    online().check(&[(In::Start(3600), &[]), (In::StartWithoutToken, &[])]);
}

#[test]
fn an_answer_that_does_not_come_ends_the_attempt_and_starts_another() {
    let mut rig = rig();
    rig.check(&[
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Wait(14_999), &[]),
        (In::Wait(1), &["close 1 3008", "offline 1"]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token"]),
        // The transport's time does not count towards the welcome's.
        (In::Wait(14_999), &[]),
        (In::Wait(1), &["close 2 3008", "offline 2"]),
    ]);
}

#[test]
fn a_failed_attempt_is_tried_again_and_a_closed_connection_reports_to_nobody() {
    rig().check(&[
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Closed(1, 1006), &["offline 1"]),
        (In::Closed(1, 1006), &[]),
        (In::Opened(1), &[]),
        (In::Frame(1, welcome()), &[]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
    ]);
}

#[test]
fn waits_grow_up_to_the_cap_with_full_jitter() {
    let mut rig = rig();
    rig.run(In::Start(36_000));
    let mut waits = Vec::new();
    for conn in 1..=60 {
        rig.client.handle_closed(protocol::client::ConnId(conn), 1006, rig.now);
        let mut wait = None;
        while let Some(output) = rig.client.poll_output() {
            if let Output::Event(ClientEvent::Connection {
                connection: Connection::Offline { retry_in_ms, attempt },
            }) = output
            {
                assert_eq!(attempt, conn);
                wait = Some(u64::from(retry_in_ms));
            }
        }
        let wait = wait.expect("it tells when it tries again");
        rig.run(In::Wait(wait));
        waits.push(wait);
    }
    for (attempt, wait) in waits.iter().enumerate() {
        let most = 30_000.min(500 << attempt.min(16));
        assert!(*wait <= most, "attempt {attempt} waits {wait} of {most}");
    }
    let late = &waits[10..];
    assert!(late.iter().any(|wait| *wait < 10_000) && late.iter().any(|wait| *wait > 20_000), "{late:?}");
}

#[test]
fn clients_with_different_seeds_come_back_at_different_times() {
    let waits: std::collections::BTreeSet<_> = (0..20)
        .map(|seed| {
            let restored = protocol::client::Persisted::default();
            let mut client = protocol::client::Client::new(config(), [seed; 32], restored);
            let token = protocol::client::Token { access_token: "t".into(), expires_in: None };
            client.start(Some(token), protocol::client::Now(1));
            client.handle_closed(protocol::client::ConnId(1), 1006, protocol::client::Now(1));
            client.poll_timeout()
        })
        .collect();
    assert!(waits.len() > 15, "{waits:?}");
}

#[test]
fn a_connection_that_held_starts_the_backoff_anew_and_a_short_one_does_not() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    rig.check(&[
        (In::Closed(1, 1006), &["offline 1"]),
        (In::Wait(500), &["connecting 1", "connect 2"]),
        (In::Opened(2), &["2 < hello token"]),
        (In::Frame(2, welcome()), &["online n1", "ready ann 1@5 2@1"]),
        (In::Wait(4_999), &[]),
        (In::Closed(2, 1006), &["offline 2"]),
        (In::Wait(1_000), &["connecting 2", "connect 3"]),
        (In::Opened(3), &["3 < hello token {1:5,2:1} 9"]),
        (In::Frame(3, welcome()), &["online n1", "ready ann 1@5 2@1"]),
        (In::Wait(5_000), &[]),
        (In::Closed(3, 1006), &["offline 1"]),
    ]);
}

#[test]
fn a_kick_connects_at_once_and_not_more_than_once_a_second() {
    let mut rig = rig();
    rig.run(In::Start(36_000));
    for conn in 1..=8 {
        rig.run(In::Closed(conn, 1006));
        rig.until(&format!("connect {}", conn + 1));
    }
    rig.check(&[
        (In::Closed(9, 1006), &["offline 9"]),
        (In::Kick(Kick::Asked), &["connecting 9", "connect 10"]),
        (In::Kick(Kick::Asked), &[]),
        (In::Closed(10, 1006), &["offline 10"]),
        (In::Kick(Kick::Online), &[]),
        (In::Wait(1_000), &[]),
        (In::Kick(Kick::Online), &["connecting 10", "connect 11"]),
    ]);
}

#[test]
fn a_kick_by_the_device_asks_a_live_connection_whether_it_lives() {
    online().check(&[
        (In::Kick(Kick::Asked), &[]),
        (In::Kick(Kick::Visible), &["1 < ping"]),
        (In::Kick(Kick::Online), &[]),
        (In::Wait(10_000), &["close 1 3008", "offline 1"]),
    ]);
}

#[test]
fn silence_asks_for_a_pong_and_no_pong_ends_the_connection() {
    online().check(&[
        (In::Wait(24_999), &[]),
        (In::Wait(1), &["1 < ping"]),
        (In::Wait(9_999), &[]),
        (In::Frame(1, kind("pong")), &[]),
        (In::Wait(15_000), &[]),
        (In::Wait(1), &["1 < ping"]),
        (In::Wait(9_999), &[]),
        (In::Wait(1), &["close 1 3008", "offline 1"]),
    ]);
}

#[test]
fn the_node_sets_the_rhythm_of_the_heartbeat() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.run(In::Frame(1, with(welcome(), &json!({"heartbeat_ms": 4_000}))));
    rig.check(&[(In::Wait(3_999), &[]), (In::Wait(1), &["1 < ping"])]);
}

#[test]
fn a_heartbeat_of_nothing_does_not_make_a_storm() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.run(In::Frame(1, with(welcome(), &json!({"heartbeat_ms": 0}))));
    rig.check(&[(In::Wait(999), &[]), (In::Wait(1), &["1 < ping"])]);
}

#[test]
fn what_comes_in_does_not_spare_the_node_from_hearing_us() {
    let mut rig = online();
    for seq in 6..=10 {
        rig.run(In::Wait(5_000));
        rig.run(In::Frame(1, message(1, seq, seq - 2)));
    }
    assert_eq!(rig.run(In::Wait(0)), ["1 < ping"; 0], "the ping went out at 25 s already");
    rig.check(&[(In::Frame(1, kind("pong")), &[]), (In::Wait(24_999), &[]), (In::Wait(1), &["1 < ping"])]);
}

#[test]
fn a_pong_behind_a_backlog_has_time_as_long_as_frames_come_but_not_for_ever() {
    let mut rig = online();
    rig.check(&[(In::Wait(25_000), &["1 < ping"])]);
    for second in 1..=11 {
        let seq = 5 + second;
        rig.run(In::Wait(5_000));
        let said = rig.run(In::Frame(1, message(1, seq, seq - 2)));
        assert_eq!(said, [format!("event 1@{seq} new_message")], "after {second} times 5 s");
    }
    let said = rig.run(In::Wait(5_000));
    assert_eq!(said[..2], ["close 1 3008", "offline 1"], "60 s after the ping");
}

#[test]
fn close_codes_from_4500_end_the_client_and_all_others_reconnect() {
    for (code, expected) in [
        (1000, "offline 1"),
        (1001, "offline 1"),
        (1006, "offline 1"),
        (4000, "offline 1"),
        (4001, "offline 1"),
        (4002, "offline 1"),
        (4003, "offline 1"),
        (4004, "offline 1"),
        (4005, "offline 1"),
        (4006, "offline 1"),
        (4007, "offline 1"),
        (4499, "offline 1"),
        (4500, "ended ProtocolError"),
        // A refused token gets one chance with a new one.
        (4501, "offline 1"),
        (4502, "ended SignedOut"),
        (4503, "ended AccountDisabled"),
        (4504, "ended ProtocolError"),
        (4505, "ended UpdateNeeded"),
        (4999, "ended ProtocolError"),
    ] {
        let mut rig = online();
        assert_eq!(rig.run(In::Closed(1, code)), [expected], "code {code}");
    }
}

#[test]
fn an_ended_client_does_nothing_more() {
    let mut rig = online();
    rig.check(&[
        (In::Close, &["close 1 1000", "ended Closed"]),
        (In::Wait(120_000), &[]),
        (In::Kick(Kick::Asked), &[]),
        (In::Start(3600), &[]),
        (In::Token(3600), &[]),
        (In::Say(1, "hi"), &[]),
        (In::Close, &[]),
    ]);
    rig.run(In::Say(1, "hi"));
    assert!(rig.refused.is_some(), "a message to nowhere is refused");
}

#[test]
fn closing_while_connecting_closes_the_attempt() {
    rig().check(&[
        (In::Start(3600), &["connecting 0", "connect 1"]),
        (In::Close, &["close 1 1000", "ended Closed"]),
    ]);
}

#[test]
fn a_node_of_a_later_version_asks_for_an_update() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.check(&[(
        In::Frame(1, with(welcome(), &json!({"version": 2}))),
        &["close 1 1000", "ended UpdateNeeded"],
    )]);
}

#[test]
fn a_frame_that_is_none_costs_the_connection_and_an_unknown_one_does_not() {
    online().check(&[
        (In::Frame(1, json!({"type": "fireworks", "colour": "red"})), &[]),
        (In::Raw(1, "{\"type\":"), &["close 1 4500", "offline 1"]),
    ]);
}

#[test]
fn before_the_welcome_nothing_else_counts() {
    let mut rig = rig();
    rig.run(In::Start(3600));
    rig.run(In::Opened(1));
    rig.check(&[
        (In::Frame(1, message(1, 6, 4)), &[]),
        (In::Frame(1, kind("pong")), &[]),
        (In::Frame(1, json!({"type": "error", "code": "unauthorized", "message": "why"})), &[]),
        (In::Frame(1, json!({"type": "later_event", "room_id": 1, "seq": 6})), &[]),
        (In::Frame(1, welcome()), &["online n1", "ready ann 1@5 2@1"]),
        (In::Frame(1, welcome()), &[]),
    ]);
}

#[test]
fn a_late_tab_gets_everything_in_a_snapshot() {
    let mut rig = online();
    rig.run(In::Say(1, "hi"));
    rig.run(In::Frame(1, json!({"type": "typing", "room_id": 2, "user_id": 3, "display_name": "Cy"})));
    rig.check(&[(In::Snapshot, &["online n1", "ready ann 1@5 2@1", "pending c0 sending", "typing 2 3"])]);
}

#[test]
fn a_snapshot_while_offline_counts_the_wait_down() {
    let mut rig = rig();
    rig.run(In::Start(36_000));
    for conn in 1..=6 {
        rig.run(In::Closed(conn, 1006));
        rig.until(&format!("connect {}", conn + 1));
    }
    rig.run(In::Closed(7, 1006));
    let wait = |rig: &Rig| {
        let shown = serde_json::to_value(&rig.client.snapshot(rig.now)[0]).unwrap();
        shown["connection"]["retry_in_ms"].as_u64().expect("it is offline")
    };
    let before = wait(&rig);
    assert!(before > 200, "{before}");
    rig.run(In::Wait(200));
    assert_eq!(wait(&rig), before - 200);
}
