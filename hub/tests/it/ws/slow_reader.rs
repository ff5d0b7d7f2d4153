//! A connection that stops reading: memory stays bounded, nobody else waits, and it catches up
//! without a gap.

use crate::support::NodeBuilder;
use hub::clock::{Clock, SystemClock};
use hub::server::NodeSettings;
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
