//! What no client should send: a clear error or close code each, and nothing else breaks.

use crate::support::{Ended, NodeBuilder, TestNode};
use hub::server::NodeSettings;
use protocol::limits::{CONTENT_BYTES_MAX, FRAME_BYTES_MAX, IDLE_TIMEOUT};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use uuid::Uuid;

#[tokio::test]
async fn an_oversized_frame_closes_the_connection() {
    let node = TestNode::start().await;
    let mira = node.user("mira").await;
    for bytes in [FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX * 3] {
        let mut client = node.join(&mira).await;
        client.try_send(Message::text(" ".repeat(bytes))).await.ok();
        assert_eq!(client.ended().await, Ended::Closed(4504), "{bytes} bytes");
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_closes_the_connection() {
    let node = TestNode::start().await;
    let mut client = node.join(&node.user("mira").await).await;
    let frame = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    client.try_send(Message::Frame(frame)).await.unwrap();
    assert_eq!(client.ended().await, Ended::Closed(4500));
}

#[tokio::test]
async fn a_binary_frame_closes_the_connection() {
    let node = TestNode::start().await;
    let mut client = node.join(&node.user("mira").await).await;
    client.try_send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.expect("error").await["code"], "invalid_message");
    assert_eq!(client.ended().await, Ended::Closed(4500));
}

#[tokio::test]
async fn the_first_frame_must_be_a_good_hello() {
    let node = TestNode::start().await;
    let mira = node.user("mira").await;
    let hello = |version: u32, token: &str| {
        let client = json!({ "name": "t", "version": "1" });
        json!({ "type": "hello", "version": version, "token": token, "client": client }).to_string()
    };
    let cases = [
        ("{\"type\":\"ping\"}".to_owned(), 4500),
        ("not json".to_owned(), 4500),
        (hello(2, &TestNode::token(&mira, 600)), 4505),
        (hello(1, &TestNode::token(&mira, -600)), 4001),
        (hello(1, "no.such.token"), 4501),
        (hello(1, &"x".repeat(9000)), 4500),
    ];
    for (text, code) in cases {
        let mut client = node.connect().await;
        client.send_text(&text).await;
        assert_eq!(client.ended().await, Ended::Closed(code), "{}", &text[..text.len().min(80)]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_no_hello_is_closed_after_a_while() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    assert_eq!(client.ended().await, Ended::Closed(4007));
}

#[tokio::test]
async fn who_falls_silent_is_closed_after_the_idle_timeout() {
    let settings = NodeSettings { idle_timeout: Duration::from_millis(200), ..NodeSettings::default() };
    let node = NodeBuilder { settings, ..NodeBuilder::default() }.start().await;
    let mut client = node.join(&node.user("mira").await).await;
    assert_eq!(client.ended().await, Ended::Closed(4003));
}

#[tokio::test]
async fn a_wrong_field_is_named_with_its_limit_and_the_request_that_had_it() {
    let node = TestNode::start().await;
    let mut client = node.join(&node.user("mira").await).await;
    let room = client.create_room("delivery").await;
    let long = "x".repeat(CONTENT_BYTES_MAX + 1);
    let cases = [
        (
            json!({ "type": "send_message", "room_id": room, "content": long }),
            "too_large",
            "content",
            "16384",
        ),
        (
            json!({ "type": "send_message", "room_id": room, "content": " \n" }),
            "invalid_field",
            "content",
            "empty",
        ),
        (
            json!({ "type": "send_message", "room_id": room, "content": "a\0b" }),
            "invalid_field",
            "content",
            "NUL",
        ),
        (
            json!({ "type": "send_message", "room_id": 999, "content": "x" }),
            "not_member",
            "room_id",
            "member",
        ),
        (
            json!({ "type": "create_room", "name": "a b", "kind": "public" }),
            "invalid_field",
            "name",
            "letters",
        ),
        (
            json!({ "type": "create_room", "name": "delivery", "kind": "public" }),
            "conflict",
            "name",
            "exists",
        ),
        (
            json!({ "type": "add_reaction", "room_id": room, "message_id": 1, "emoji": "no" }),
            "invalid_field",
            "emoji",
            "emoji",
        ),
        (json!({ "type": "invite", "room_id": room, "username": "nobody" }), "not_found", "user", "user"),
    ];
    for (frame, code, field, text) in cases {
        let error = client.request(frame.clone()).await;
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(field)), "{frame}");
        assert!(error["message"].as_str().unwrap().contains(text), "{error}");
    }
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_is_told_and_the_connection_goes_on() {
    let node = TestNode::start().await;
    let mut client = node.join(&node.user("mira").await).await;
    client.send_text("{\"type\":\"fly\"}").await;
    let error = client.expect("error").await;
    assert_eq!(error["code"], "unknown_type");
    assert!(error["message"].as_str().unwrap().contains("fly"));
    let client_id = Uuid::new_v4().to_string();
    client.send(json!({ "type": "send_message", "client_id": client_id, "room_id": 1 })).await;
    let error = client.expect("error").await;
    assert_eq!((&error["code"], &error["client_id"]), (&json!("invalid_message"), &json!(client_id)));
    assert!(error["message"].as_str().unwrap().contains("content"), "{error}");
    client.send(json!({ "type": "history", "request_id": 5, "room_id": 999 })).await;
    let error = client.expect("error").await;
    assert_eq!((&error["code"], &error["request_id"]), (&json!("not_member"), &json!(5)));
}

#[tokio::test]
async fn ten_thousand_random_frames_disturb_nobody_else() {
    let node = TestNode::start().await;
    let (mira, jun) = (node.user("mira").await, node.user("jun").await);
    let (mut a, mut b) = (node.join(&mira).await, node.join(&jun).await);
    let room = a.create_room("delivery").await;
    b.join_room(room).await;
    b.drain().await;
    let mut rng = StdRng::seed_from_u64(7);
    let mut mallory = node.join(&mira).await;
    let (mut errors, mut closes) = (0, 0);
    for n in 0..10_000 {
        let message = random_frame(&mut rng, room);
        let sent = mallory.try_send(message).await;
        let mut ended = sent.is_err();
        while let Some(frame) = mallory.try_next().await {
            match frame {
                Ok(frame) => errors += usize::from(frame["type"] == "error"),
                Err(_) => ended = true,
            }
            if ended {
                break;
            }
        }
        if ended {
            closes += 1;
            mallory = node.join(&mira).await;
        }
        if n % 1_000 == 0 {
            a.say(room, &n.to_string()).await;
            assert_eq!(b.expect("new_message").await["content"], n.to_string());
        }
    }
    assert!(errors > 1_000, "{errors} errors");
    assert!(closes > 20, "{closes} closes");
    assert!(a.drain().await.iter().all(|frame| frame["type"] != "error"));
}

fn random_frame(rng: &mut StdRng, room: u64) -> Message {
    let bytes = |rng: &mut StdRng| (0..rng.random_range(0..64)).map(|_| rng.random()).collect::<Vec<u8>>();
    let types = [
        "hello",
        "send_message",
        "history",
        "ping",
        "mark_read",
        "typing",
        "watch_presence",
        "unwatch_presence",
        "refresh",
        "ban",
        "nonsense",
    ];
    let kind = types[rng.random_range(0..types.len())];
    match rng.random_range(0..10) {
        0 if rng.random_bool(0.2) => Message::binary(bytes(rng)),
        1 => Message::text(String::from_utf8_lossy(&bytes(rng)).into_owned()),
        2 => Message::text(format!("{{\"type\":\"{kind}\"}}")),
        3 => Message::text(format!("{{\"type\":\"{kind}\",\"room_id\":{room},\"content\":7}}")),
        4 => Message::text(json!({ "type": kind, "room_id": rng.random::<u64>(), "token": "x" }).to_string()),
        5 => Message::text("[".repeat(rng.random_range(1..500))),
        6 => Message::Ping(bytes(rng).into()),
        7 => Message::text(json!({ "type": "mark_read", "room_id": room, "message_no": -1 }).to_string()),
        8 => Message::text(
            json!({ "type": "history", "request_id": 1, "room_id": room, "limit": 0 }).to_string(),
        ),
        _ => Message::text(json!({ "type": kind, "client_id": "not a uuid", "room_id": room }).to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nobody_ever_speaks_is_ended() {
    let node = TestNode::start().await;
    let mut silent = TcpStream::connect(node.address).await.unwrap();
    let read = timeout(IDLE_TIMEOUT * 2, silent.read(&mut [0; 64])).await;
    // Ended without a word, in whichever way.
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
}
