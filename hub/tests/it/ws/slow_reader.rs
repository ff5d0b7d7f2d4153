//! A connection that stops reading: memory stays bounded, nobody else waits, and it catches up
//! without a gap.

use crate::support::NodeBuilder;
use hub::clock::{Clock, SystemClock};
use hub::server::NodeSettings;
use hub::ws::QueueLimits;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const MESSAGES: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stops_reading_while_100_000_messages_pass_catches_up_without_a_gap() {
    // It is slow, not dead: the heartbeats that would show it are left out here.
    let settings = NodeSettings {
        idle_timeout: Duration::from_secs(600),
        slow_reader_timeout: Duration::from_secs(600),
        ..NodeSettings::default()
    };
    let node = NodeBuilder { settings, ..NodeBuilder::default() }.start().await;
    let (mira, jun, noor) = (node.user("mira").await, node.user("jun").await, node.user("noor").await);
    let mut sender = node.join(&mira).await;
    let room = sender.create_room("delivery").await;
    let (mut reader, mut slow) = (node.join(&jun).await, node.join(&noor).await);
    reader.join_room(room).await;
    slow.join_room(room).await;
    let last_seq = slow.drain().await.last().map_or(0, |frame| frame["seq"].as_u64().unwrap_or(0));
    assert!(last_seq <= 4);
    let before = resident_bytes();

    // The slow one reads nothing from here on.
    let text = "x".repeat(128);
    let send = async {
        let mut acked = 0;
        for first in (0..MESSAGES).step_by(200) {
            for n in first..first + 200 {
                let content = format!("{n} {text}");
                let client_id = Uuid::new_v4().to_string();
                let frame = json!({
                    "type": "send_message", "client_id": client_id, "room_id": room, "content": content,
                });
                sender.send(frame).await;
            }
            let mut acks = 0;
            while acks < 200 {
                acks += u64::from(sender.next().await.unwrap()["type"] == "ack");
            }
            acked += acks;
        }
        acked
    };
    let read = async {
        let mut last = 0;
        let mut slowest = Duration::ZERO;
        for n in 0..MESSAGES {
            let event = reader.expect("new_message").await;
            let seq = event["seq"].as_u64().unwrap();
            assert!(last == 0 || seq == last + 1, "a gap after {last}: {seq}");
            last = seq;
            let created = event["created_at"].as_u64().unwrap();
            slowest = slowest.max(Duration::from_millis(SystemClock.now().0.saturating_sub(created)));
            assert!(event["content"].as_str().unwrap().starts_with(&format!("{n} ")));
        }
        (last, slowest)
    };
    let (acked, (head, slowest)) = tokio::join!(send, read);
    assert_eq!(acked, MESSAGES);
    assert!(slowest < Duration::from_secs(5), "another reader waited {slowest:?}");

    // The store in memory keeps the messages themselves; what is over that is the node's.
    let kept = MESSAGES * 2_000;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < kept + (64 << 20), "memory grew by {} MiB", grown >> 20);

    let mut last = None;
    while last != Some(head) {
        let event = slow.next().await.unwrap();
        if let Some(seq) = event["seq"].as_u64().filter(|_| event["type"] != "ack") {
            assert!(last.is_none_or(|last| seq == last + 1), "a gap after {last:?}: {seq}");
            last = Some(seq);
        }
    }
    sender.say(room, "after").await;
    assert_eq!(slow.expect("new_message").await["content"], "after");
}

/// Resident memory of this process (proc(5), statm).
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn what_a_user_s_other_device_does_does_not_wait_without_bound_for_one_that_stopped_reading() {
    const QUEUE: QueueLimits = QueueLimits { frames_max: 32, pull_events_max: 16 };
    const MARKS: u64 = 2_000;
    let settings = NodeSettings {
        slow_reader_timeout: Duration::from_secs(600),
        queue: QUEUE,
        ..NodeSettings::default()
    };
    let node = NodeBuilder { settings, ..NodeBuilder::default() }.start().await;
    let (mira, noor) = (node.user("mira").await, node.user("noor").await);
    let mut sender = node.join(&mira).await;
    let room = sender.create_room("delivery").await;
    let (mut slow, mut other) = (node.join(&noor).await, node.join(&noor).await);
    slow.join_room(room).await;
    other.expect("room_added").await;
    // Far more than the socket's buffers take: from here on all that is for the slow one waits.
    let text = "x".repeat(16_000);
    for _ in 0..1_000 {
        sender.say(room, &text).await;
        other.expect("new_message").await;
    }
    for _ in 0..MARKS {
        other.send(json!({ "type": "mark_read", "room_id": room, "message_no": 1_000 })).await;
        other.expect("read_marker").await;
    }
    let most = node.metric("hub_queue_frames_most").await.unwrap();
    assert!(most < QUEUE.frames_max as f64, "one for whom {most} frames waited was given more");

    // What there was no room for is told once there is: not each time, but how it stands.
    let mut markers = slow.drain().await;
    markers.retain(|frame| frame["type"] == "read_marker");
    if markers.is_empty() {
        markers.push(slow.expect("read_marker").await);
    }
    assert!(markers.len() <= QUEUE.frames_max, "{} markers waited for who did not read", markers.len());
    assert_eq!(markers.last().unwrap()["last_read_no"], 1_000);
}

#[tokio::test]
async fn one_that_never_reads_again_is_closed_after_the_stated_time() {
    let settings =
        NodeSettings { slow_reader_timeout: Duration::from_millis(500), ..NodeSettings::default() };
    let node = NodeBuilder { settings, ..NodeBuilder::default() }.start().await;
    let (mira, noor) = (node.user("mira").await, node.user("noor").await);
    let (mut sender, mut slow) = (node.join(&mira).await, node.join(&noor).await);
    let room = sender.create_room("delivery").await;
    slow.join_room(room).await;
    // Far more than the socket's buffers take.
    let text = "x".repeat(16_000);
    for _ in 0..1_000 {
        sender.say(room, &text).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut received = 0;
    while slow.next().await.is_ok() {
        received += 1;
    }
    assert!(received < 1_000, "it was cut off");
}
