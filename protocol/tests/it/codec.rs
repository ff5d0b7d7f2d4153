//! Frames as text: every bad one is told from the others, and none panics.

use crate::golden;
use proptest::prelude::*;
use proptest::sample::Index;
use protocol::codec::{Incoming, decode_server_compact};
use protocol::limits::FRAME_BYTES_MAX;
use protocol::{ClientMessage, DecodeError, ErrorCode, RoomId, Seq, decode_client, decode_server, encode};
use serde_json::{Value, json};

const ID: &str = "6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a11";

fn send(fields: &Value) -> String {
    let mut frame = json!({"type": "send_message", "client_id": ID, "room_id": 7, "content": "hi"});
    for (key, value) in fields.as_object().expect("fields are an object") {
        frame[key] = value.clone();
    }
    frame.to_string()
}

#[track_caller]
fn invalid(text: &str, detail: &str) {
    match decode_client(text) {
        Err(error @ DecodeError::Invalid { .. }) => {
            assert_eq!(error.code(), ErrorCode::InvalidMessage);
            assert!(error.to_string().contains(detail), "{text}: {error}");
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn an_unknown_type_is_named_and_cut() {
    for (kind, named) in [("fireworks", "fireworks".to_owned()), (&"x".repeat(500), "x".repeat(64))] {
        let error =
            decode_client(&json!({"type": kind, "room_id": 7}).to_string()).expect_err("it is unknown");
        assert_eq!(error.code(), ErrorCode::UnknownType);
        assert_eq!(error, DecodeError::UnknownType { kind: named });
    }
}

#[test]
fn what_only_a_node_says_is_unknown_from_a_client_and_the_other_way_round() {
    for line in golden::lines("server").into_values().flatten() {
        // Both sides say `typing`.
        if !line.contains("\"type\":\"typing\"") {
            assert!(matches!(decode_client(&line), Err(DecodeError::UnknownType { .. })), "{line}");
        }
    }
    for line in golden::lines("client").into_values().flatten() {
        if !line.contains("\"type\":\"typing\"") {
            assert_eq!(decode_server(&line), Ok(Incoming::UnknownFrame), "{line}");
        }
    }
}

#[test]
fn what_is_no_object_with_a_type_is_invalid() {
    for text in [
        "",
        " ",
        "null",
        "7",
        "\"ping\"",
        "[]",
        "[{\"type\":\"ping\"}]",
        "[\"ping\"]",
        " [\"ping\"]",
        "{}",
        "{\"type\":7}",
        "{\"type\":null}",
        "{\"type\":\"ping\"",
        "{\"type\":\"ping\"}}",
        "{\"type\":\"ping\"} x",
        "\u{feff}{\"type\":\"ping\"}",
        "{type:\"ping\"}",
        "{'type':'ping'}",
        "{\"type\":\"ping\",}",
        "{\"type\":\"ping\",\"type\":\"ping\"}",
        "{\"type\":\"\\ud800\"}",
    ] {
        invalid(text, "invalid frame: ");
        assert!(decode_server(&text.replace("ping", "pong")).is_err(), "{text}");
    }
}

#[test]
fn space_around_a_frame_and_unknown_fields_do_no_harm() {
    assert_eq!(decode_client(" {\"later\": {\"x\": [1]}, \"type\" : \"ping\"}\n"), Ok(ClientMessage::Ping));
}

#[test]
fn a_field_that_is_missing_or_doubled_is_named() {
    invalid(
        &json!({"type": "send_message", "client_id": ID, "room_id": 7}).to_string(),
        "missing field `content`",
    );
    invalid(
        "{\"type\":\"mark_read\",\"room_id\":7,\"room_id\":8,\"message_no\":1}",
        "duplicate field `room_id`",
    );
}

#[test]
fn numbers_out_of_range_name_their_field() {
    for number in ["9007199254740992", "-1", "7.5", "1e400", "\"7\"", "null"] {
        let text = send(&json!({})).replace("\"room_id\":7", &format!("\"room_id\":{number}"));
        let detail = if number == "1e400" {
            "number out of range"
        } else {
            "room_id: an integer from 0 to 9007199254740991"
        };
        invalid(&text, detail);
    }
    invalid(
        &json!({"type": "history", "request_id": 1, "room_id": 7, "limit": 4_294_967_296_u64}).to_string(),
        "u32",
    );
}

#[test]
fn a_value_of_a_closed_list_that_is_not_on_it_is_invalid_and_no_unknown_type() {
    invalid(
        &json!({"type": "set_role", "client_id": ID, "room_id": 7, "user_id": 3, "role": "boss"}).to_string(),
        "boss",
    );
    invalid(
        &json!({"type": "set_role", "client_id": ID, "room_id": 7, "user_id": 3, "role": "set_role"})
            .to_string(),
        "role",
    );
}

#[test]
fn an_error_does_not_repeat_all_that_was_sent() {
    let long = "x".repeat(60_000);
    for text in [
        send(&json!({"room_id": long})),
        send(&json!({"client_id": long})),
        json!({"type": long}).to_string(),
    ] {
        let told = decode_client(&text).expect_err("it is wrong").to_string();
        assert!(told.len() < 300, "{} bytes", told.len());
    }
}

#[test]
fn a_client_frame_is_at_most_so_long() {
    let spare = FRAME_BYTES_MAX - send(&json!({"content": ""})).len();
    let fits = send(&json!({"content": "x".repeat(spare)}));
    assert_eq!(fits.len(), FRAME_BYTES_MAX);
    assert!(decode_client(&fits).is_ok());
    let error = decode_client(&format!("{fits} ")).expect_err("it is too long");
    assert_eq!(error, DecodeError::TooLarge { bytes: FRAME_BYTES_MAX + 1 });
    assert_eq!(error.code(), ErrorCode::TooLarge);
}

#[test]
fn cursors_have_room_ids_for_keys() {
    let hello = |cursors: &str| {
        format!(
            "{{\"type\":\"hello\",\"token\":\"t\",\"version\":1,\"client\":{{\"name\":\"x\",\"version\":\"1\"}},\"cursors\":{cursors}}}"
        )
    };
    let Ok(ClientMessage::Hello(message)) = decode_client(&hello("{\"7\":41,\"9007199254740991\":0}")) else {
        panic!("it is a hello");
    };
    assert_eq!(message.cursors, [(RoomId(7), Seq(41)), (RoomId(9_007_199_254_740_991), Seq(0))].into());
    for key in ["", "x", "-1", "+1", " 1", "1.0", "9007199254740992"] {
        invalid(&hello(&format!("{{\"{key}\":1}}")), "cursors");
    }
    for seq in ["-1", "9007199254740992", "\"1\"", "null"] {
        invalid(&hello(&format!("{{\"7\":{seq}}}")), "seq: an integer");
    }
    invalid(&hello("[7]"), "invalid type");
}

#[test]
fn an_event_of_a_later_version_has_a_place_and_any_other_frame_has_none() {
    let event =
        |room_id: u64, seq: u64| Ok(Incoming::UnknownEvent { room_id: RoomId(room_id), seq: Seq(seq) });
    for (text, expected) in [
        ("{\"type\":\"poll_opened\",\"room_id\":7,\"seq\":42,\"choices\":[{\"a\":1}]}", event(7, 42)),
        ("{\"seq\":42,\"room_id\":7,\"type\":\"x\"}", event(7, 42)),
        ("{\"type\":\"poll_opened\",\"room_id\":7}", Ok(Incoming::UnknownFrame)),
        ("{\"type\":\"poll_opened\",\"seq\":42}", Ok(Incoming::UnknownFrame)),
        ("{\"type\":\"poll_opened\",\"room_id\":7,\"seq\":-1}", Ok(Incoming::UnknownFrame)),
        ("{\"type\":\"poll_opened\",\"room_id\":7,\"seq\":9007199254740992}", Ok(Incoming::UnknownFrame)),
        ("{\"type\":\"hint\"}", Ok(Incoming::UnknownFrame)),
    ] {
        assert_eq!(decode_server(text), expected, "{text}");
        assert_eq!(decode_server_compact(text), expected, "{text}");
    }
}

#[test]
fn a_browser_takes_no_frame_in_which_a_field_is_told_twice() {
    for text in [
        "{\"type\":\"x\",\"room_id\":7,\"seq\":42,\"seq\":43}",
        "{\"type\":\"pong\",\"type\":\"pong\"}",
        "{\"type\":\"ack\",\"client_id\":\"?\",\"room_id\":7,\"seq\":42,\
            \"client_id\":\"6f1c0a0e-3a4e-4d6c-9a43-0f8c5b9f7a11\"}",
    ] {
        assert!(matches!(decode_server_compact(text), Err(DecodeError::Invalid { .. })), "{text}");
        assert!(!matches!(decode_server(text), Ok(Incoming::Known(_))), "{text}");
    }
}

#[test]
fn a_known_frame_that_is_wrong_is_an_error_and_not_of_a_later_version() {
    for text in [
        "{\"type\":\"new_message\",\"room_id\":7,\"seq\":42}",
        "{\"type\":\"role_changed\",\"room_id\":7,\"seq\":42,\"user_id\":3,\"role\":\"boss\",\"actor_id\":4}",
        "{\"type\":\"ack\",\"client_id\":\"x\",\"room_id\":7,\"seq\":42}",
        "{\"type\":\"error\",\"code\":\"new_code\",\"message\":\"why\"}",
    ] {
        assert!(matches!(decode_server(text), Err(DecodeError::Invalid { .. })), "{text}");
    }
}

#[test]
fn nesting_without_end_does_not_overflow() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 30_000 / (open.len() + close.len());
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let unknown = format!("{{\"type\":\"ping\",\"x\":{nested}}}");
        assert!(decode_client(&unknown) == Ok(ClientMessage::Ping), "a field that is not read is skipped");
        let known = format!("{{\"type\":\"refresh\",\"token\":{nested}}}");
        assert!(decode_client(&known).is_err() && decode_client(&nested).is_err());
        let known = format!("{{\"type\":\"drain\",\"reconnect_within_ms\":{nested}}}");
        assert!(decode_server(&known).is_err() && decode_server(&nested).is_err());
    }
}

fn all_lines() -> Vec<(bool, String)> {
    let lines = |folder: &str| golden::lines(folder).into_values().flatten().collect::<Vec<_>>();
    let client = lines("client").into_iter().map(|line| (true, line));
    client.chain(lines("server").into_iter().map(|line| (false, line))).collect()
}

/// Reads a text both ways; what can be read must come back from its own text.
fn read(text: &str) {
    if let Ok(message) = decode_client(text) {
        assert_eq!(decode_client(&encode(&message)), Ok(message));
    }
    let message = decode_server(text);
    // The browser's reader may refuse more of what is broken, never read it otherwise.
    if let (Ok(quick), Ok(compact)) = (&message, decode_server_compact(text)) {
        assert_eq!(*quick, compact);
    }
    if let Ok(Incoming::Known(message)) = message {
        assert_eq!(decode_server_compact(text), Ok(Incoming::Known(message.clone())));
        assert_eq!(decode_server(&encode(&*message)), Ok(Incoming::Known(message)));
    }
}

/// Puts another value of the same kind in the place of each leaf. Closed lists stay as they are.
fn vary(value: &mut Value, key: &str, random: &mut impl Iterator<Item = (u64, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                vary(value, key, random);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| vary(item, key, random)),
        Value::Number(number) => {
            let (any, _) = random.next().expect("it does not end");
            let small = ["version", "heartbeat_ms", "limit", "retry_after_ms", "reconnect_within_ms"]
                .contains(&key)
                || key.ends_with("_max");
            *number = (if small { any >> 32 } else { any >> 11 }).into();
        }
        Value::Bool(_) => {}
        Value::String(text) => {
            if !["type", "kind", "role", "reason", "code", "client_id"].contains(&key) {
                *text = random.next().expect("it does not end").1;
            }
        }
        Value::Null => panic!("no frame has null"),
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*") {
        read(&text);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_frame_with_wrong_bytes_is_read_without_a_panic(
        line in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..6),
    ) {
        let (_, line) = line.get(&all_lines()).clone();
        let mut bytes = line.into_bytes();
        for (at, change, byte) in changes {
            let at = at.index(bytes.len());
            match change {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, byte),
                _ => {
                    let piece = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        read(&String::from_utf8_lossy(&bytes));
    }

    /// Values of any type in any place.
    #[test]
    fn a_frame_with_a_value_of_another_type_is_read_without_a_panic(
        line in any::<Index>(),
        field in any::<Index>(),
        other in prop_oneof![
            Just(json!(null)), Just(json!(1.5)), Just(json!(-1)), Just(json!([])), Just(json!({})), Just(json!(true)),
            Just(json!(u64::MAX)), Just(json!({"7": 1})), Just(json!("x")), Just(json!([[["x"]]])),
        ],
    ) {
        let (_, line) = line.get(&all_lines()).clone();
        let mut frame: Value = serde_json::from_str(&line).unwrap();
        let fields = frame.as_object_mut().unwrap();
        let key = fields.keys().nth(field.index(fields.len())).unwrap().clone();
        fields.insert(key, other);
        read(&frame.to_string());
    }

    #[test]
    fn every_frame_comes_back_from_its_text(
        line in any::<Index>(),
        numbers in proptest::collection::vec(any::<u64>(), 1..20),
        texts in proptest::collection::vec(any::<String>(), 1..8),
    ) {
        let (from_client, line) = line.get(&all_lines()).clone();
        let mut frame: Value = serde_json::from_str(&line).unwrap();
        let mut random = numbers.iter().copied().cycle().zip(texts.iter().cloned().cycle());
        vary(&mut frame, "", &mut random);
        let text = frame.to_string();
        if from_client && text.len() <= FRAME_BYTES_MAX {
            let message = decode_client(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            let again = encode(&message);
            prop_assert_eq!(&decode_client(&again), &Ok(message));
            prop_assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), without_defaults(frame));
        } else if !from_client {
            let Ok(Incoming::Known(message)) = decode_server(&text) else {
                return Err(TestCaseError::fail(text));
            };
            let again = encode(&*message);
            prop_assert_eq!(decode_server_compact(&text), Ok(Incoming::Known(message.clone())));
            prop_assert_eq!(decode_server(&again), Ok(Incoming::Known(message)));
            prop_assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), without_defaults(frame));
        }
    }
}

/// A frame as it is written: an empty topic of a new room is left out.
fn without_defaults(mut frame: Value) -> Value {
    if frame["type"] == "create_room" && frame["topic"] == "" {
        frame.as_object_mut().expect("a frame is an object").remove("topic");
    }
    frame
}
