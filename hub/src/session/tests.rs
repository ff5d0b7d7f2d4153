//! Scripts for a session: what goes in, and what it wants done.

use super::*;
use crate::store::{Membership, Op, RoomOp};
use protocol::model::{Role, RoomKind};
use protocol::{Epoch, MessageNo, NodeId, Timestamp, UserId};

const RESUME_MAX: u64 = 100;

/// What goes in.
enum In {
    Frame(&'static str),
    Subject(u64),
    Refused(CloseCode),
    Joined(Vec<Room>),
    Reloaded(Vec<Room>),
    Attached(Room),
    Dirty(u64),
    UpToDate(u64),
    Event(u64, u64, Option<Membership>),
    Wait(u64),
    Drain,
}
use In::{Attached, Dirty, Drain as Leave, Frame, Joined, Refused, Reloaded, Subject as Is, UpToDate, Wait};

fn room(id: u64, head: u64, joined: u64) -> Room {
    Room {
        id: RoomId(id),
        name: "delivery".into(),
        kind: RoomKind::Public,
        topic: String::new(),
        role: Role::Member,
        head_seq: Seq(head),
        last_message_no: MessageNo(0),
        last_read_no: MessageNo(0),
        joined_seq: Seq(joined),
        unread_count: 0,
        mention_count: 0,
        member_count: 1,
        created_at: Timestamp(0),
    }
}

fn read_to(room: Room, last_read_no: u64) -> Room {
    Room { last_read_no: MessageNo(last_read_no), ..room }
}

/// An action in few words.
fn brief(action: &Action) -> String {
    match action {
        Action::Send(message) => {
            let value = serde_json::to_value(message).unwrap();
            let text = |field: &str| value.get(field).map(|v| format!(" {v}")).unwrap_or_default();
            let kind = value["type"].as_str().unwrap().to_owned();
            kind + &text("code")
                + &text("field")
                + &text("request_id")
                + &text("room_id")
                + &text("head_seq")
                + &text("last_read_no")
        }
        Action::Authenticate { token } => format!("authenticate {token}"),
        Action::Join => "join".into(),
        Action::Reload => "reload".into(),
        Action::Attach(room) => format!("attach {}", room.id),
        Action::Detach(room_id) => format!("detach {room_id}"),
        Action::Submit { op: Op::InRoom { room_id, op: RoomOp::Send { content, .. } }, .. } => {
            format!("send {content} to {room_id}")
        }
        Action::Submit { .. } => "submit".into(),
        Action::Ask { request_id, .. } => format!("ask {request_id}"),
        Action::MarkRead { room_id, message_no } => format!("mark {room_id} {message_no}"),
        Action::Typing(room_id) => format!("typing {room_id}"),
        Action::WatchPresence(room_id) => format!("watch {room_id}"),
        Action::UnwatchPresence(room_id) => format!("unwatch {room_id}"),
        Action::Close(code) => format!("close {}", code.code()),
    }
}

/// Runs a script and returns what the session wanted done, and in which order rooms are read.
fn run(script: Vec<In>) -> (Session, Vec<String>) {
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the start")]
    let mut now = Instant::now();
    let config = SessionConfig {
        node: NodeId("hub-1".into()),
        hello_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        heartbeat: Duration::from_secs(25),
        resume_events_max: RESUME_MAX,
    };
    let mut session = Session::new(config, now);
    let mut log = Vec::new();
    for step in script {
        match step {
            Frame(text) => session.handle_frame(text, now),
            Is(user) => {
                let user = User { id: UserId(user), username: "mira".into(), display_name: "Mira".into() };
                let expires = now + Duration::from_secs(900);
                session.handle_subject(Subject { user, expires, expires_at: Timestamp(900_000) }, now);
            }
            Refused(code) => session.handle_refused(code),
            Joined(rooms) => {
                session.handle_joined(Snapshot { epoch: Epoch(7), now: Timestamp(1), rooms }, now)
            }
            Reloaded(rooms) => session.handle_reloaded(rooms),
            Attached(room) => session.handle_attached(room),
            Dirty(id) => session.handle_dirty(RoomId(id)),
            UpToDate(id) => session.handle_up_to_date(RoomId(id)),
            In::Event(id, seq, membership) => {
                let event = Event {
                    room_id: RoomId(id),
                    seq: Seq(seq),
                    membership,
                    scrubs: false,
                    json: "{}".into(),
                };
                log.push(format!("{:?} {seq}", session.admit(&event)).to_lowercase());
            }
            Wait(secs) => {
                now += Duration::from_secs(secs);
                if session.poll_timeout().is_some_and(|at| at <= now) {
                    session.handle_timeout(now);
                }
            }
            Leave => session.handle_drain(Duration::from_secs(5)),
        }
        while let Some(action) = session.poll_action() {
            log.push(brief(&action));
        }
    }
    (session, log)
}

fn check(script: Vec<In>, expect: &[&str]) {
    assert_eq!(run(script).1, expect);
}

const HELLO: &str = r#"{"type":"hello","version":1,"token":"t","client":{"name":"c","version":"1"}}"#;
const RESUME: &str = r#"{"type":"hello","version":1,"token":"t","client":{"name":"c","version":"1"},"epoch":7,
    "cursors":{"1":50,"2":50,"3":50,"4":50,"5":9,"6":50}}"#;

/// A script that begins live in these rooms; what it expects begins after `welcome`.
fn check_live(rooms: Vec<Room>, script: Vec<In>, expect: &[&str]) {
    let mut whole = vec![Frame(HELLO), Is(1), Joined(rooms)];
    whole.extend(script);
    let (_, log) = run(whole);
    assert_eq!(log[..3], ["authenticate t", "join", "welcome"]);
    assert_eq!(log[3..], *expect);
}

#[test]
fn hello_leads_to_welcome_by_way_of_the_token_and_the_rooms() {
    check(vec![Frame(HELLO), Is(1), Joined(vec![room(1, 5, 1)])], &["authenticate t", "join", "welcome"]);
}

#[test]
fn nothing_comes_before_hello() {
    check(vec![Frame(r#"{"type":"ping"}"#), Frame(HELLO)], &[r#"error "invalid_message""#, "close 4500"]);
    check(vec![Frame("no json")], &[r#"error "invalid_message""#, "close 4500"]);
}

#[test]
fn each_phase_has_its_deadline() {
    check(vec![Wait(9), Wait(1)], &["close 4007"]);
    check(vec![Frame(HELLO), Wait(10)], &["authenticate t", "close 4005"]);
    check(vec![Frame(HELLO), Is(1), Wait(59), Wait(1)], &["authenticate t", "join", "close 4005"]);
    check_live(
        vec![],
        vec![Wait(59), Frame(r#"{"type":"ping"}"#), Wait(59), Wait(1)],
        &["pong", "close 4003"],
    );
}

#[test]
fn a_token_that_ends_closes_so_that_the_client_comes_back_with_a_new_one() {
    let pings = (0..30).flat_map(|_| [Wait(30), Frame(r#"{"type":"ping"}"#)]);
    let (_, log) = run([Frame(HELLO), Is(1), Joined(vec![])].into_iter().chain(pings).collect());
    assert_eq!(log.last().map(String::as_str), Some("close 4001"));
    assert_eq!(log.iter().filter(|entry| *entry == "pong").count(), 29);
}

#[test]
fn a_refusal_closes_with_its_code() {
    check(
        vec![Frame(HELLO), Refused(CloseCode::Unauthorized), Frame(HELLO)],
        &["authenticate t", "close 4501"],
    );
}

#[test]
fn cursors_are_resumed_where_nothing_forbids_it() {
    let rooms = vec![
        room(1, 60, 1),  // resumed
        room(2, 50, 1),  // nothing missed
        room(3, 49, 1),  // from the future
        room(4, 200, 1), // too far back
        room(5, 60, 11), // before one joined
        room(6, 60, 51), // just when one joined
        room(7, 60, 1),  // no cursor
    ];
    let (session, log) = run(vec![Frame(RESUME), Is(1), Joined(rooms)]);
    assert_eq!(log[3..], ["reset 3 49", "reset 4 200", "reset 5 60"]);
    let mut pulls = Vec::new();
    let mut session = session;
    while let Some((room_id, after)) = session.poll_pull() {
        pulls.push((room_id.0, after.0));
        session.handle_up_to_date(room_id);
    }
    assert_eq!(pulls, [(1, 50), (2, 50), (3, 49), (4, 200), (5, 60), (6, 50), (7, 60)]);
}

#[test]
fn cursors_of_another_epoch_start_at_the_head_without_a_reset() {
    const OTHER: &str = r#"{"type":"hello","version":1,"token":"t","client":{"name":"c","version":"1"},
        "epoch":8,"cursors":{"1":50}}"#;
    let (session, log) = run(vec![Frame(OTHER), Is(1), Joined(vec![room(1, 60, 1)])]);
    assert_eq!(log[2..], ["welcome"]);
    assert_eq!(session.poll_pull(), Some((RoomId(1), Seq(60))));
}

#[test]
fn events_go_out_once_and_in_order() {
    let event = |seq| In::Event(1, seq, None);
    check_live(
        vec![room(1, 5, 1)],
        vec![event(6), event(6), event(5), event(8), event(7), In::Event(2, 1, None)],
        &["send 6", "skip 6", "skip 5", "gap 8", "send 7", "skip 1"],
    );
}

#[test]
fn the_event_that_removes_the_user_is_the_last_of_the_room() {
    check_live(
        vec![room(1, 5, 1)],
        vec![
            In::Event(1, 6, Some(Membership::Left(UserId(2)))),
            In::Event(1, 7, Some(Membership::Left(UserId(1)))),
            In::Event(1, 8, None),
            Frame(r#"{"type":"typing","room_id":1}"#),
        ],
        &[
            "send 6",
            "sendlast 7",
            "detach 1",
            "room_removed 1",
            "reload",
            "skip 8",
            r#"error "not_member" "room_id""#,
        ],
    );
}

#[test]
fn one_who_comes_back_goes_on_from_the_head_of_the_moment() {
    check_live(
        vec![room(1, 5, 1)],
        vec![
            In::Event(1, 6, Some(Membership::Left(UserId(1)))),
            Reloaded(vec![room(1, 9, 8)]),
            Attached(room(1, 9, 8)),
            Attached(room(1, 9, 8)),
            In::Event(1, 9, None),
            In::Event(1, 10, None),
        ],
        &[
            "sendlast 6",
            "detach 1",
            "room_removed 1",
            "reload",
            "attach 1",
            "room_added",
            "skip 9",
            "send 10",
        ],
    );
}

#[test]
fn a_reload_attaches_new_rooms_and_tells_moved_markers_once() {
    let moved = || read_to(room(1, 5, 1), 4);
    check_live(
        vec![room(1, 5, 1)],
        vec![Reloaded(vec![moved(), room(2, 3, 3)]), Reloaded(vec![moved()]), Reloaded(vec![room(1, 5, 1)])],
        &["read_marker 1 5 4", "attach 2"],
    );
}

#[test]
fn rooms_are_read_in_turn() {
    let (mut session, _) = run(vec![Frame(HELLO), Is(1), Joined(vec![room(1, 5, 1), room(2, 5, 1)])]);
    let next = |session: &Session| session.poll_pull().map(|(room_id, _)| room_id.0);
    assert_eq!(next(&session), Some(1));
    session.handle_page_sent(RoomId(1));
    assert_eq!(next(&session), Some(2), "a room with much to read does not keep the others waiting");
    session.handle_up_to_date(RoomId(2));
    session.handle_dirty(RoomId(2));
    session.handle_dirty(RoomId(1));
    assert_eq!(next(&session), Some(1));
    session.handle_up_to_date(RoomId(1));
    session.handle_up_to_date(RoomId(2));
    assert_eq!(next(&session), None);
}

#[test]
fn marks_of_rooms_that_are_not_the_session_s_mean_nothing() {
    check_live(vec![], vec![Dirty(9), UpToDate(9)], &[]);
}

#[test]
fn durable_frames_are_submitted_and_questions_asked() {
    check_live(
        vec![room(1, 5, 1)],
        vec![
            Frame(
                r#"{"type":"send_message","client_id":"0b8f5e8c-9d5a-4a2e-8f43-2d3f4b5c6d7e","room_id":1,"content":"hi"}"#,
            ),
            Frame(r#"{"type":"history","request_id":3,"room_id":1}"#),
            Frame(r#"{"type":"mark_read","room_id":1,"message_no":2}"#),
            Frame(r#"{"type":"mark_read","room_id":2,"message_no":2}"#),
        ],
        &["send hi to 1", "ask 3", "mark 1 2", r#"error "not_member" "room_id""#],
    );
}

#[test]
fn a_wrong_value_is_told_to_the_request_that_had_it() {
    check_live(
        vec![],
        vec![
            Frame(r#"{"type":"history","request_id":3,"room_id":1,"before":1,"after":2}"#),
            Frame(r#"{"type":"history","request_id":4,"room_id":1,"limit":101}"#),
            Frame(r#"{"type":"history","request_id":5}"#),
            Frame(HELLO),
        ],
        &[
            r#"error "invalid_field" "before" 3"#,
            r#"error "invalid_field" "limit" 4"#,
            r#"error "invalid_message" 5"#,
            r#"error "invalid_message""#,
        ],
    );
}

#[test]
fn bad_frames_in_a_row_end_the_connection_and_a_good_one_forgives() {
    let bad = || (0..BAD_FRAMES_MAX).map(|_| Frame("{}"));
    let script = |middle: Vec<In>| {
        [Frame(HELLO), Is(1), Joined(vec![])]
            .into_iter()
            .chain(bad())
            .chain(middle)
            .chain([Frame("{}")])
            .collect()
    };
    let (_, log) = run(script(vec![]));
    assert_eq!(log.last().map(String::as_str), Some("close 4500"));
    let (_, log) = run(script(vec![Frame(r#"{"type":"ping"}"#)]));
    assert!(!log.iter().any(|entry| entry.starts_with("close")));
}

#[test]
fn a_refreshed_token_keeps_the_connection_and_another_user_s_ends_it() {
    let refresh = || Frame(r#"{"type":"refresh","token":"u"}"#);
    check_live(vec![], vec![refresh(), Is(1)], &["authenticate u", "refreshed"]);
    check_live(vec![], vec![refresh(), Is(2)], &["authenticate u", "close 4500"]);
}

#[test]
fn a_leaving_node_asks_a_live_client_to_go_and_closes_one_that_is_not() {
    check_live(vec![], vec![Leave], &["drain"]);
    check(vec![Leave], &["close 4000"]);
}

#[test]
fn presence_is_watched_by_members_until_they_leave() {
    let watch = || Frame(r#"{"type":"watch_presence","room_id":1}"#);
    let unwatch = || Frame(r#"{"type":"unwatch_presence","room_id":1}"#);
    check_live(
        vec![room(1, 5, 1)],
        vec![
            Frame(r#"{"type":"watch_presence","room_id":2}"#),
            unwatch(),
            watch(),
            watch(),
            unwatch(),
            unwatch(),
            watch(),
            In::Event(1, 6, Some(Membership::Left(UserId(1)))),
            watch(),
            unwatch(),
        ],
        &[
            r#"error "not_member" "room_id""#,
            "watch 1",
            "watch 1",
            "unwatch 1",
            "watch 1",
            "sendlast 6",
            "detach 1",
            "room_removed 1",
            "reload",
            r#"error "not_member" "room_id""#,
        ],
    );
}
