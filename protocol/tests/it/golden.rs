//! Every frame against its golden text: one file a type, one frame a line, optional fields present
//! and absent. A line that changes here is a change of the wire protocol.

use protocol::codec::Incoming;
use protocol::{ClientMessage, ServerMessage, decode_client, decode_server, encode};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The lines of each file of a folder under `golden`, by the file's name.
pub(crate) fn lines(folder: &str) -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let files = fs::read_dir(folder).expect("the folder is there");
    let files = files.map(|file| file.expect("it can be listed").path());
    files
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a plain name").to_owned();
            let text = fs::read_to_string(&path).expect("it can be read");
            (name, text.lines().map(str::to_owned).collect())
        })
        .collect()
}

/// The `type` of a frame. Complete at compile time: a new variant needs a name here and, by the tests
/// below, a golden file of that name.
fn client_kind(message: &ClientMessage) -> &'static str {
    match message {
        ClientMessage::Hello(_) => "hello",
        ClientMessage::SendMessage(_) => "send_message",
        ClientMessage::EditMessage(_) => "edit_message",
        ClientMessage::DeleteMessage(_) => "delete_message",
        ClientMessage::AddReaction(_) => "add_reaction",
        ClientMessage::RemoveReaction(_) => "remove_reaction",
        ClientMessage::PinMessage(_) => "pin_message",
        ClientMessage::UnpinMessage(_) => "unpin_message",
        ClientMessage::CreateRoom(_) => "create_room",
        ClientMessage::UpdateRoom(_) => "update_room",
        ClientMessage::JoinRoom(_) => "join_room",
        ClientMessage::LeaveRoom(_) => "leave_room",
        ClientMessage::Invite(_) => "invite",
        ClientMessage::Kick(_) => "kick",
        ClientMessage::Ban(_) => "ban",
        ClientMessage::Unban(_) => "unban",
        ClientMessage::SetRole(_) => "set_role",
        ClientMessage::History(_) => "history",
        ClientMessage::ListMembers(_) => "list_members",
        ClientMessage::ListRooms(_) => "list_rooms",
        ClientMessage::MarkRead(_) => "mark_read",
        ClientMessage::Typing(_) => "typing",
        ClientMessage::WatchPresence(_) => "watch_presence",
        ClientMessage::UnwatchPresence(_) => "unwatch_presence",
        ClientMessage::Ping => "ping",
        ClientMessage::Refresh(_) => "refresh",
    }
}

fn server_kind(message: &ServerMessage) -> &'static str {
    match message {
        ServerMessage::Welcome(_) => "welcome",
        ServerMessage::Ack(_) => "ack",
        ServerMessage::Error(_) => "error",
        ServerMessage::Reset(_) => "reset",
        ServerMessage::RoomAdded(_) => "room_added",
        ServerMessage::RoomRemoved(_) => "room_removed",
        ServerMessage::HistoryPage(_) => "history_page",
        ServerMessage::MembersPage(_) => "members_page",
        ServerMessage::RoomsPage(_) => "rooms_page",
        ServerMessage::ReadMarker(_) => "read_marker",
        ServerMessage::Typing(_) => "typing",
        ServerMessage::Presence(_) => "presence",
        ServerMessage::PresenceChanged(_) => "presence_changed",
        ServerMessage::Refreshed(_) => "refreshed",
        ServerMessage::Drain(_) => "drain",
        ServerMessage::Pong => "pong",
        ServerMessage::NewMessage(_) => "new_message",
        ServerMessage::MessageEdited(_) => "message_edited",
        ServerMessage::MessageDeleted(_) => "message_deleted",
        ServerMessage::ReactionAdded(_) => "reaction_added",
        ServerMessage::ReactionRemoved(_) => "reaction_removed",
        ServerMessage::MessagePinned(_) => "message_pinned",
        ServerMessage::MessageUnpinned(_) => "message_unpinned",
        ServerMessage::RoomCreated(_) => "room_created",
        ServerMessage::RoomUpdated(_) => "room_updated",
        ServerMessage::MemberJoined(_) => "member_joined",
        ServerMessage::MemberLeft(_) => "member_left",
        ServerMessage::RoleChanged(_) => "role_changed",
    }
}

/// The names in this file's functions above: their arms are the variants, all of them.
fn kinds_in_source(function: &str) -> BTreeSet<String> {
    let source = include_str!("golden.rs");
    let start = source.find(&format!("fn {function}(")).expect("the function is in this file");
    let body = &source[start..start + source[start..].find("\n}\n").expect("it ends")];
    let arms = body.lines().filter_map(|line| line.split_once("=> \""));
    arms.map(|(_, name)| name.trim_end_matches("\",").to_owned()).collect()
}

#[test]
fn every_client_frame_has_a_golden_file() {
    let files: BTreeSet<String> = lines("client").into_keys().collect();
    assert_eq!(files, kinds_in_source("client_kind"));
}

#[test]
fn every_server_frame_has_a_golden_file() {
    let files: BTreeSet<String> = lines("server").into_keys().collect();
    assert_eq!(files, kinds_in_source("server_kind"));
}

#[test]
fn client_frames_are_written_exactly_as_they_were_read() {
    for (kind, lines) in lines("client") {
        assert!(!lines.is_empty(), "{kind}");
        for line in lines {
            let message = decode_client(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(client_kind(&message), kind);
            assert_eq!(encode(&message), line);
        }
    }
}

#[test]
fn server_frames_are_written_exactly_as_they_were_read() {
    for (kind, lines) in lines("server") {
        assert!(!lines.is_empty(), "{kind}");
        for line in lines {
            let message = match decode_server(&line) {
                Ok(Incoming::Known(message)) => *message,
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(server_kind(&message), kind);
            assert_eq!(encode(&message), line);
        }
    }
}

#[test]
fn an_event_is_the_same_text_in_the_store_and_in_a_frame() {
    let mut kinds = BTreeSet::new();
    for line in lines("server").into_values().flatten() {
        let Ok(Incoming::Known(message)) = decode_server(&line) else { panic!("{line}") };
        let Ok(event) = message.into_event() else { continue };
        assert_eq!(encode(&event), line);
        assert_eq!(encode(&ServerMessage::from(event.clone())), line);
        assert_eq!(serde_json::from_str::<protocol::RoomEvent>(&line).unwrap(), event);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["type"], event.kind());
        kinds.insert(event.kind());
    }
    assert_eq!(kinds, protocol::RoomEvent::KINDS.iter().copied().collect());
}

#[test]
fn every_error_code_stands_in_a_golden_file() {
    let codes: BTreeSet<String> = lines("server")["error"]
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["code"].to_string())
        .collect();
    let all: BTreeSet<String> = protocol::ErrorCode::ALL.iter().map(encode).collect();
    assert_eq!(codes, all);
}

/// Fields that a frame may lack are in its file both ways, at every depth: a line without one of the
/// fields that another line has there is enough.
#[test]
fn optional_fields_are_there_and_absent() {
    for (folder, kind, field) in [
        ("client", "hello", "cursors"),
        ("client", "hello", "epoch"),
        ("client", "send_message", "reply_to"),
        ("client", "create_room", "topic"),
        ("client", "update_room", "name"),
        ("client", "update_room", "topic"),
        ("client", "history", "before"),
        ("client", "history", "after"),
        ("client", "history", "around"),
        ("client", "history", "limit"),
        ("client", "history", "pinned"),
        ("client", "list_members", "after"),
        ("client", "list_members", "limit"),
        ("client", "list_rooms", "query"),
        ("client", "list_rooms", "after"),
        ("client", "list_rooms", "limit"),
        ("server", "ack", "message_no"),
        ("server", "ack", "message_id"),
        ("server", "ack", "created_at"),
        ("server", "error", "client_id"),
        ("server", "error", "request_id"),
        ("server", "error", "field"),
        ("server", "error", "retry_after_ms"),
        ("server", "new_message", "client_id"),
        ("server", "new_message", "reply_to"),
        ("server", "new_message", "mentions"),
        ("server", "new_message", "deleted"),
        ("server", "message_edited", "mentions"),
        ("server", "room_created", "client_id"),
        ("server", "presence", "more"),
    ] {
        let lines = &lines(folder)[kind];
        let has =
            |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap().get(field).is_some();
        assert!(lines.iter().any(has), "{kind} never has {field}");
        assert!(!lines.iter().all(has), "{kind} never lacks {field}");
    }
    let page = lines("server")["history_page"][0].clone();
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    let keys = |at: usize| -> BTreeSet<String> {
        page["page"]["messages"][at].as_object().unwrap().keys().cloned().collect()
    };
    let optional = ["client_id", "reply_to", "mentions", "reactions", "edited_at", "deleted_at", "pinned_at"];
    for field in optional {
        assert!(keys(0).contains(field) != keys(1).contains(field), "{field}");
    }
}
