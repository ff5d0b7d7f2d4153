//! The browser's reader reads what serde_json reads: every frame, and no more of what is broken.

use proptest::prelude::*;
use protocol::client::{OutboxEntry, Persisted};
use protocol::codec::{Incoming, decode_server_compact};
use protocol::view::{Delivery, PendingMessage};
use protocol::{ClientId, Epoch, ErrorCode, MessageId, RoomEvent, RoomId, Seq, Timestamp, UserId, compact};
use std::collections::BTreeSet;

const MESSAGE: &str = r#"{"room_id":1,"message_id":7,"message_no":3,"seq":9,"latest_seq":12,"user_id":2,
    "username":"ada","display_name":"Ada \"L\" \u00e9\ud83d\ude00","client_id":"0195f3a1-0000-7000-8000-000000000001",
    "content":"a\\b\n\t/","reply_to":{"message_id":1,"message_no":1,"user_id":2,"username":"b","display_name":"B"},
    "mentions":[2,3],"reactions":[{"emoji":"👍","user_ids":[1,2]}],"created_at":1,"edited_at":2,"pinned_at":4}"#;
const ROOM: &str = r#"{"id":1,"name":"all","kind":"private","topic":"","role":"owner","head_seq":9,
    "last_message_no":3,"last_read_no":2,"joined_seq":1,"unread_count":1,"mention_count":0,"member_count":2,
    "created_at":5}"#;

/// One frame of every type, some with and some without what may be absent.
fn frames() -> Vec<String> {
    let user = r#"{"id":2,"username":"ada","display_name":"Ada"}"#;
    let limits = r#"{"content_bytes_max":1,"frame_bytes_max":2,"page_max":3,"resume_events_max":4}"#;
    let member = r#""user_id":2,"username":"ada","display_name":"Ada""#;
    let of_message = r#""room_id":1,"seq":10,"message_id":7,"message_no":3"#;
    vec![
        format!(
            r#"{{"type":"welcome","version":1,"user":{user},"node":"n1","epoch":3,"now":4,
            "token_expires_at":5,"heartbeat_ms":25000,"rooms":[{ROOM},{ROOM}],"limits":{limits}}}"#
        ),
        r#"{"type":"ack","client_id":"0195f3a1-0000-7000-8000-000000000001","room_id":1,"seq":2}"#.into(),
        r#"{"type":"ack","client_id":"0195f3a1-0000-7000-8000-000000000001","room_id":1,"seq":2,
            "message_no":1,"message_id":9007199254740991,"created_at":0}"#
            .into(),
        r#"{"type":"error","code":"rate_limited","message":"wait","retry_after_ms":100,"request_id":4}"#.into(),
        r#"{"type":"error","code":"invalid_field","message":"no","field":"name"}"#.into(),
        r#"{"type":"reset","room_id":1,"head_seq":5}"#.into(),
        format!(r#"{{"type":"room_added","room":{ROOM}}}"#),
        r#"{"type":"room_removed","room_id":1}"#.into(),
        format!(
            r#"{{"type":"history_page","request_id":1,"room_id":1,"page":{{"messages":[{MESSAGE}],
            "more_before":true,"more_after":false,"as_of_seq":12}}}}"#
        ),
        format!(r#"{{"type":"members_page","request_id":1,"room_id":1,"members":[{{{member},"role":"admin"}}],"more":false}}"#),
        r#"{"type":"rooms_page","request_id":1,"rooms":[{"id":1,"name":"all","kind":"public","topic":"t",
            "member_count":3,"is_member":true}],"more":true}"#
            .into(),
        r#"{"type":"read_marker","room_id":1,"last_read_no":2,"last_message_no":3,"head_seq":7,"unread_count":1,"mention_count":0}"#.into(),
        r#"{"type":"typing","room_id":1,"user_id":2,"display_name":"Ada"}"#.into(),
        r#"{"type":"refreshed","token_expires_at":5}"#.into(),
        r#"{"type":"drain","reconnect_within_ms":1000}"#.into(),
        r#"{"type":"pong"}"#.into(),
        format!(r#"{{{of_message},{member},"content":"hi","created_at":1,"type":"new_message"}}"#),
        format!(
            r#"{{"type":"new_message",{of_message},{member},"content":"","created_at":1,"deleted":true,"mentions":[4],
            "client_id":"0195f3a1-0000-7000-8000-000000000001","later":[{{"x":[1.5e3,-1,null,true,{{}}]}}]}}"#
        ),
        format!(r#"{{"type":"message_edited",{of_message},"user_id":2,"content":"hi","edited_at":3}}"#),
        format!(r#"{{"type":"message_deleted",{of_message},"user_id":2,"actor_id":3,"deleted_at":4}}"#),
        format!(r#"{{"type":"reaction_added",{of_message},"user_id":2,"emoji":"👍"}}"#),
        format!(r#"{{"type":"reaction_removed",{of_message},"user_id":2,"emoji":"👍"}}"#),
        format!(r#"{{"type":"message_pinned",{of_message},"actor_id":2,"pinned_at":4}}"#),
        format!(r#"{{"type":"message_unpinned",{of_message},"actor_id":2}}"#),
        format!(r#"{{"type":"room_created","room_id":1,"seq":1,{member},"name":"all","kind":"public","topic":"","created_at":1}}"#),
        r#"{"type":"room_updated","room_id":1,"seq":2,"actor_id":2,"name":"all","topic":"t"}"#.into(),
        format!(r#"{{"type":"member_joined","room_id":1,"seq":2,{member},"role":"member","actor_id":2,"created_at":1}}"#),
        format!(r#"{{"type":"member_left","room_id":1,"seq":2,{member},"reason":"kicked","actor_id":2,"created_at":1}}"#),
        r#"{"type":"role_changed","room_id":1,"seq":2,"user_id":2,"role":"admin","actor_id":3}"#.into(),
        r#"{"type":"of_a_later_version","room_id":1,"seq":2,"more":[]}"#.into(),
        r#"{"type":"of_a_later_version","room_id":"x"}"#.into(),
    ]
}

#[test]
fn both_readers_read_every_frame_alike() {
    let mut kinds = BTreeSet::new();
    for text in frames() {
        let quick = protocol::decode_server(&text).unwrap();
        assert_eq!(decode_server_compact(&text).unwrap(), quick, "{text}");
        if let Incoming::Known(message) = quick
            && let Ok(event) = message.into_event()
        {
            kinds.insert(event.kind());
        }
    }
    assert!(RoomEvent::KINDS.iter().all(|kind| kinds.contains(kind)), "not every event was read: {kinds:?}");
}

#[test]
fn an_outbox_is_restored_as_it_was_kept() {
    let failed = Delivery::Failed { code: ErrorCode::NotMember, message: "not a member".into() };
    let outbox =
        [Delivery::Queued, Delivery::Sending, failed].into_iter().zip(1..).map(|(delivery, order)| {
            let (client_id, room_id) = (ClientId(uuid::Uuid::from_u128(order)), RoomId(1));
            let reply_to = (order == 2).then_some(MessageId(5));
            let (content, created_at) = ("text \u{1}".to_owned(), Timestamp(3));
            let message = PendingMessage { client_id, room_id, content, reply_to, created_at, delivery };
            OutboxEntry { order: u64::try_from(order).unwrap(), message }
        });
    let kept = Persisted {
        user_id: Some(UserId(2)),
        epoch: Some(Epoch(7)),
        cursors: [(RoomId(1), Seq(5)), (RoomId(20), Seq(0))].into(),
        outbox: outbox.collect(),
    };
    let text = protocol::encode(&kept);
    assert_eq!(compact::from_str(&text), Ok(kept.clone()));
    assert_eq!(serde_json::from_str::<Persisted>(&text).unwrap(), kept);
    assert_eq!(compact::from_str("{}"), Ok(Persisted::default()));
    let without_code = text.replace(r#""code":"not_member","#, "");
    assert_ne!(without_code, text);
    assert!(compact::from_str::<Persisted>(&without_code).is_err());
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!(r#"{{"type":"pong","x":{}"#, "[".repeat(100_000));
    assert!(decode_server_compact(&deep).is_err());
}

proptest! {
    #[test]
    fn both_readers_agree_on_what_is_broken(
        frame in prop::sample::select(frames()),
        at in any::<prop::sample::Index>(),
        by in prop::sample::select(vec!["", "\"", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "\\", "\u{1}", "n", " ", "é"]),
        keep in any::<bool>(),
    ) {
        let mut chars: Vec<String> = frame.chars().map(String::from).collect();
        let at = at.index(chars.len());
        chars[at] = if keep { format!("{by}{}", chars[at]) } else { by.to_owned() };
        let text = chars.concat();
        prop_assert_eq!(decode_server_compact(&text).ok(), protocol::decode_server(&text).ok(), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let read = decode_server_compact(&text);
        prop_assert_eq!(read.is_ok(), protocol::decode_server(&text).is_ok());
    }
}
